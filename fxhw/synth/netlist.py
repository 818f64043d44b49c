"""A flattened netlist, as Yosys writes it in JSON."""

import json
import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ..errors import FxhwError

__all__ = ["INPUTS", "MEMORY_BIT", "NETLIST", "Netlist", "load_netlist"]

NETLIST, INPUTS = "netlist.json", "inputs.txt"
"""Files of a netlist: Yosys's JSON, and the input ports of what was flattened."""

MEMORY_BIT = "memory bit"
"""Name that the bits of memories left as such are counted under."""


@dataclass(frozen=True)
class Netlist:
    """The top module after synthesis.

    Parameters
    ----------
    top : its name.
    module : its entry in Yosys's JSON: ``cells``, ``netnames``, ``ports``.
    inputs : the input ports of the modules that were flattened into it, each as ``module/port``.
    """

    top: str
    module: dict
    inputs: frozenset[str] = frozenset()

    @cached_property
    def cells(self) -> dict[str, dict]:
        """The cells by name, without notes on the hierarchy."""
        cells = self.module["cells"].items()
        return {name: cell for name, cell in cells if cell["type"] != "$scopeinfo"}

    @cached_property
    def scopes(self) -> dict[str, dict]:
        """Hierarchical name -> attributes of every instance that was flattened."""
        return {
            name: cell["attributes"]
            for name, cell in self.module["cells"].items()
            if cell["type"] == "$scopeinfo" and cell["parameters"].get("TYPE") == "module"
        }

    @cached_property
    def counts(self) -> Counter:
        """How many cells there are of each type; memories count by their bits."""
        counts = Counter()
        for cell in self.cells.values():
            kind, amount = kind_of(cell)
            counts[kind] += amount
        return counts

    @cached_property
    def drivers(self) -> dict[int, str]:
        """The cell that drives each bit."""
        return {bit: name for name, cell in self.cells.items() for bit in outputs(cell)}

    @cached_property
    def fan_out(self) -> Counter:
        """How many inputs each bit is connected to."""
        return Counter(
            bit for cell in self.cells.values() for _, bit in connections(cell, "input")
        )

    @cached_property
    def own_names(self) -> dict[int, list[str]]:
        """The nets of each bit that were named in the Verilog, where they are no input ports."""
        return self._names[False]

    @cached_property
    def input_names(self) -> dict[int, list[str]]:
        """The input ports of instances that each bit is connected to."""
        return self._names[True]

    @cached_property
    def _names(self) -> dict[bool, dict[int, list[str]]]:
        names = {False: {}, True: {}}
        for name, net in self.module["netnames"].items():
            if self.is_own(name, net):
                scope, _, wire = name.rpartition(".")
                port = f"{self.scopes.get(scope, {}).get('module')}/{wire}"
                for bit in net["bits"]:
                    names[port in self.inputs].setdefault(bit, []).append(name)
        return names

    @cached_property
    def _after_a_cell(self) -> re.Pattern:
        types = sorted({re.escape(cell["type"]) for cell in self.cells.values()})
        return re.compile(rf"_({'|'.join(types)})_[A-Z]\w*$")

    def is_own(self, name: str, entry: dict) -> bool:
        """Whether a cell or a net was named in the Verilog, not by Yosys after a neighbour.

        ``autoname`` calls what has no name after the nearest that has one: ``sum_LUT4_Z_1_D``.
        """
        return not entry.get("hide_name") and not self._after_a_cell.search(name)


def kind_of(cell: dict) -> tuple[str, int]:
    """What a cell is counted as, and how many of it."""
    if cell["type"].startswith("$mem"):
        parameters = cell["parameters"]
        return MEMORY_BIT, int(parameters["SIZE"], 2) * int(parameters["WIDTH"], 2)
    return cell["type"], 1


def connections(cell: dict, direction: str) -> list[tuple[str, int]]:
    """(port, bit) of a cell's inputs or outputs that are no constants."""
    return [
        (port, bit)
        for port, bits in cell["connections"].items()
        if cell["port_directions"][port] == direction
        for bit in bits
        if not isinstance(bit, str)
    ]


def outputs(cell: dict) -> list[int]:
    """The bits that a cell drives."""
    return [bit for _, bit in connections(cell, "output")]


def load_netlist(folder: Path, top: str) -> Netlist:
    """The netlist of ``top`` in a folder: :data:`NETLIST`, and :data:`INPUTS`, one port per line.

    Raises
    ------
    FxhwError if the files are not what Yosys writes.
    """
    try:
        module = json.loads((folder / NETLIST).read_text(encoding="utf-8"))["modules"][top]
        inputs = (folder / INPUTS).read_text(encoding="utf-8").split()
    except (OSError, ValueError, KeyError) as error:
        raise FxhwError(f"Yosys wrote a netlist that cannot be read: {error!r}") from error
    return Netlist(top, module, frozenset(inputs))
