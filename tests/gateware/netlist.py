"""Synthesized netlists in Yosys's models of their cells, simulated here bit by bit.

Every net is an integer whose bit n belongs to pattern n, so that many patterns run at once.
"""

import json
from graphlib import TopologicalSorter
from pathlib import Path

from fxhw.emit import run_yosys
from fxhw.synth.families import FAMILIES

__all__ = ["Netlist", "synthesize_netlist"]

_SYNTHESIZE = """\
read_verilog top.v
{script}
write_json netlist.json
"""

_FLATTEN = """\
read_json netlist.json
read_verilog -overwrite {library}
hierarchy -top top
proc
flatten -wb
opt_expr
techmap
simplemap
dfflegalize -cell $_DFF_P_ 01
techmap
simplemap
opt_expr
opt_clean
delete */t:$scopeinfo
write_json gates.json
"""

_GATES = {
    "$_BUF_": lambda ones, a: a,
    "$_NOT_": lambda ones, a: ones ^ a,
    "$_AND_": lambda ones, a, b: a & b,
    "$_OR_": lambda ones, a, b: a | b,
    "$_XOR_": lambda ones, a, b: a ^ b,
    "$_XNOR_": lambda ones, a, b: ones ^ a ^ b,
    "$_NAND_": lambda ones, a, b: ones ^ (a & b),
    "$_NOR_": lambda ones, a, b: ones ^ (a | b),
    "$_ANDNOT_": lambda ones, a, b: a & ~b,
    "$_ORNOT_": lambda ones, a, b: a | (ones ^ b),
    "$_MUX_": lambda ones, a, b, s: (a & ~s) | (b & s),
}


def synthesize_netlist(verilog: str, family: str, folder: Path, change=None) -> "Netlist":
    """Synthesize module ``top`` for a family, without multiplier blocks.

    Parameters
    ----------
    change : called with the netlist's cells, name -> Yosys's JSON of it, to break them.
    """
    rules = FAMILIES[family]
    (folder / "top.v").write_text(verilog)
    script = rules.script.format(top="top", options=rules.no_dsp)
    run_yosys(_SYNTHESIZE.format(script=script), folder)
    path = folder / "netlist.json"
    design = json.loads(path.read_text())
    # The cells' interfaces stand there too, and would be in the way of their models.
    design["modules"] = {"top": design["modules"]["top"]}
    cells = design["modules"]["top"]["cells"]
    kinds = {cell["type"] for cell in cells.values()}
    if change is not None:
        change(cells)
    path.write_text(json.dumps(design))
    run_yosys(_FLATTEN.format(library=rules.library), folder)
    return Netlist(json.loads((folder / "gates.json").read_text())["modules"]["top"], kinds)


class Netlist:
    """Gates and flip-flops with one clock.

    Parameters
    ----------
    module : Yosys's JSON of it.
    kinds : names of the cells it was made of.
    """

    def __init__(self, module: dict, kinds: set[str]):
        self.kinds = kinds
        self._ports = {name: port["bits"] for name, port in module["ports"].items()}
        gates, self._flip_flops = {}, []
        for cell in module["cells"].values():
            pins = {name: bits[0] for name, bits in cell["connections"].items()}
            if cell["type"] == "$_DFF_P_":
                self._flip_flops.append((pins["D"], pins["Q"]))
            else:
                inputs = tuple(pins[name] for name in "ABS" if name in pins)
                gates[pins["Y"]] = _GATES[cell["type"]], inputs
        order = TopologicalSorter({net: inputs for net, (_, inputs) in gates.items()})
        self._gates = [(net, *gates[net]) for net in order.static_order() if net in gates]

    def run(self, stimuli, output: str, patterns: int) -> list[list[int]]:
        """Values of ``output`` before each clock edge.

        Parameters
        ----------
        stimuli : of every cycle, port name -> values, one of every pattern.
        patterns : how many there are.
        """
        ones = (1 << patterns) - 1
        state = {q: 0 for _, q in self._flip_flops}
        results = []
        for ports in stimuli:
            nets = {"0": 0, "1": ones, "x": 0, **state}
            for name, values in ports.items():
                for k, net in enumerate(self._ports[name]):
                    nets[net] = sum((value >> k & 1) << n for n, value in enumerate(values))
            for net, function, inputs in self._gates:
                nets[net] = function(ones, *(nets[wire] for wire in inputs))
            bits = [nets[net] for net in self._ports[output]]
            results.append(
                [sum((bit >> n & 1) << k for k, bit in enumerate(bits)) for n in range(patterns)]
            )
            state = {q: nets[d] for d, q in self._flip_flops}
        return results
