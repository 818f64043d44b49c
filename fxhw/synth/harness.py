"""Few pins around a netlist of many ports, so that a part places it.

An accelerator has more ports than small parts have pins, and a path from a pin says nothing about
the design.  Here every input comes from a flip-flop of one long shift register, and every output
goes into a flip-flop of a second one, which sums up what passes: nothing is optimized away, every
path starts and ends in a register, and three pins are left.
"""

from dataclasses import dataclass, field

from ..errors import FxhwError
from .netlist import Netlist

__all__ = ["HARNESS", "Primitives", "wrap"]

HARNESS = "harness"
"""First part of the names of all that is added."""

CLOCKS = ("aclk", "clk")
"""Names of clock ports."""


@dataclass(frozen=True)
class Primitives:
    """A family's cells that the harness is made of, with their ports.

    Parameters
    ----------
    flip_flop : type, and its ports: clock, data, output.
    xor : type, its ports: two inputs, output.
    unused : further inputs of it.
    parameters : of it.
    flip_flop_parameters : of the flip-flop.
    buffers : types of input and output buffer, with ports ``I`` and ``O``; none where place and
        route adds them.
    """

    flip_flop: tuple[str, str, str, str]
    xor: tuple[str, str, str, str]
    unused: tuple[str, ...]
    parameters: dict[str, str]
    buffers: tuple[str, str] | None = None
    flip_flop_parameters: dict[str, str] = field(default_factory=dict)


class _Editor:
    """Adds cells to a module in Yosys's JSON."""

    def __init__(self, module: dict, primitives: Primitives):
        self.cells = dict(module["cells"])
        self.ports = {}
        self.count = 0
        self._primitives = primitives
        nets = [net["bits"] for net in module["netnames"].values()]
        ports = [port["bits"] for port in module["ports"].values()]
        wires = [bits for cell in module["cells"].values() for bits in cell["connections"].values()]
        numbers = (bit for bits in (*nets, *ports, *wires) for bit in bits if isinstance(bit, int))
        self._last = max(numbers, default=1)

    def bit(self) -> int:
        """A net that nothing is connected to."""
        self._last += 1
        return self._last

    def cell(self, kind: str, inputs: dict, outputs: dict, parameters: dict | None = None) -> None:
        """A cell with these bits at its ports."""
        self.cells[f"{HARNESS}.{self.count}"] = {
            "hide_name": 0,
            "type": kind,
            "parameters": parameters or {},
            "attributes": {},
            "port_directions": {n: "input" for n in inputs} | {n: "output" for n in outputs},
            "connections": {name: [bit] for name, bit in (inputs | outputs).items()},
        }
        self.count += 1

    def register(self, clock: int, data, output: int) -> None:
        """A flip-flop."""
        kind, clk, d, q = self._primitives.flip_flop
        parameters = self._primitives.flip_flop_parameters
        self.cell(kind, {clk: clock, d: data}, {q: output}, parameters)

    def add(self, first, second) -> int:
        """The exclusive or of two bits."""
        kind, a, b, y = self._primitives.xor
        unused = dict.fromkeys(self._primitives.unused, "0")
        output = self.bit()
        self.cell(kind, {a: first, b: second} | unused, {y: output}, self._primitives.parameters)
        return output

    def input(self, name: str, inner: int | None = None) -> int:
        """A pin, and the net behind it."""
        inner = inner or self.bit()
        buffers = self._primitives.buffers
        outer = self.bit() if buffers else inner
        if buffers:
            self.cell(buffers[0], {"I": outer}, {"O": inner})
        self.ports[name] = {"direction": "input", "bits": [outer]}
        return inner

    def output(self, name: str, inner) -> None:
        """A pin that shows a net."""
        buffers = self._primitives.buffers
        outer = self.bit() if buffers else inner
        if buffers:
            self.cell(buffers[1], {"I": inner}, {"O": outer})
        self.ports[name] = {"direction": "output", "bits": [outer]}


def wrap(netlist: Netlist, primitives: Primitives) -> dict:
    """The module of ``netlist``, in Yosys's JSON, between two shift registers.

    Raises
    ------
    FxhwError if it has no clock.
    """
    module = netlist.module
    ports = module["ports"]
    clock_name = next((name for name in CLOCKS if name in ports), None)
    if clock_name is None:
        raise FxhwError(f"Module {netlist.top} has no clock port, {' or '.join(CLOCKS)}")
    editor = _Editor(module, primitives)
    clock = editor.input(clock_name, ports[clock_name]["bits"][0])
    previous = editor.input("shift_in")
    for name, port in ports.items():
        if port["direction"] == "input" and name != clock_name:
            for bit in port["bits"]:
                editor.register(clock, previous, bit)
                previous = bit
    for port in ports.values():
        if port["direction"] == "output":
            for bit in port["bits"]:
                stored = editor.bit()
                editor.register(clock, editor.add(bit, previous), stored)
                previous = stored
    editor.output("shift_out", previous)
    return module | {"cells": editor.cells, "ports": editor.ports}
