"""Synthesized netlists in Yosys's models of their cells, simulated here bit by bit.

Yosys has no model of MULT18X18D and DSP48E2; those here are of the registers and modes that are in
use, after Lattice's FPGA-TN-02205 and AMD's UG579, and refuse others.

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
read_verilog -overwrite models.v
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

_MULT18X18D = """\
module MULT18X18D({pins}, SIGNEDA, SIGNEDB, SOURCEA, SOURCEB, CLK0, CE0, RST0);
  parameter REG_OUTPUT_CLK = "NONE";
  parameter REG_OUTPUT_CE = "CE0";
  parameter REG_OUTPUT_RST = "RST0";
  input {inputs}, SIGNEDA, SIGNEDB, SOURCEA, SOURCEB, CLK0, CE0, RST0;
  output {outputs};
  wire [17:0] a = {{{a}}};
  wire [17:0] b = {{{b}}};
  wire signed [18:0] a_value = {{SIGNEDA & a[17], a}};
  wire signed [18:0] b_value = {{SIGNEDB & b[17], b}};
  wire signed [37:0] product = a_value * b_value;
  reg [35:0] stored;
  always @(posedge CLK0) if (RST0) stored <= 0; else if (CE0) stored <= product[35:0];
  assign {{{p}}} = REG_OUTPUT_CLK == "CLK0" ? stored : product[35:0];
endmodule
"""

_DSP48E2 = """\
module DSP48E2(CLK, A, B, C, D, P, INMODE, ALUMODE, OPMODE, CARRYINSEL, ACIN, BCIN, PCIN, CARRYIN,
               CEP, RSTP);
  parameter integer ACASCREG = 1, ADREG = 1, ALUMODEREG = 1, AREG = 1, BCASCREG = 1, BREG = 1;
  parameter integer CARRYINREG = 1, CARRYINSELREG = 1, CREG = 1, DREG = 1, INMODEREG = 1;
  parameter integer MREG = 1, OPMODEREG = 1, PREG = 1;
  parameter USE_MULT = "MULTIPLY";
  parameter USE_SIMD = "ONE48";
  parameter AMULTSEL = "A";
  parameter BMULTSEL = "B";
  parameter A_INPUT = "DIRECT";
  parameter B_INPUT = "DIRECT";
  input CLK, CARRYIN, CEP, RSTP;
  input signed [29:0] A, ACIN;
  input signed [17:0] B, BCIN;
  input [47:0] C, PCIN;
  input [26:0] D;
  input [4:0] INMODE;
  input [3:0] ALUMODE;
  input [8:0] OPMODE;
  input [2:0] CARRYINSEL;
  output [47:0] P;
  wire signed [26:0] a = A[26:0];
  wire signed [47:0] product = a * B;
  // Multiplier alone, no register in front; anything else is not modelled.
  wire known = OPMODE == 9'b000000101 && INMODE == 0 && ALUMODE == 0 && CARRYIN == 0
    && ACASCREG + ADREG + ALUMODEREG + AREG + BCASCREG + BREG + CARRYINREG + CARRYINSELREG
    + DREG + INMODEREG + MREG + OPMODEREG == 0;
  reg [47:0] stored;
  always @(posedge CLK) if (RSTP) stored <= 0; else if (CEP) stored <= product;
  assign P = known ? (PREG ? stored : product) : ~product;
endmodule
"""


def _models() -> str:
    names = {port: [f"{port}{n}" for n in range(bits)] for port, bits in zip("ABP", (18, 18, 36))}
    joined = {port: ", ".join(pins) for port, pins in names.items()}
    down = {port.lower(): ", ".join(pins[::-1]) for port, pins in names.items()}
    return _MULT18X18D.format(
        pins=", ".join(joined.values()), inputs=f"{joined['A']}, {joined['B']}",
        outputs=joined["P"], **down,
    ) + _DSP48E2


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
    (folder / "models.v").write_text(_models())
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
