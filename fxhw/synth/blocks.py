"""Which block of the design each cell of a flattened netlist belongs to.

Yosys counts best when it may optimize across blocks: with the hierarchy kept, constants stop at
every port, and the small sample takes 44 % more LUTs on ECP5.  So one flattened netlist is
counted, and its cells are given back to their blocks by what is left on them:

1. the line of Verilog a cell was made from; the generator writes a module per instance;
2. the name of a memory, which its cells keep;
3. the name of the net it drives, if that lies in a block and is no input port there;
4. what it is wired to.  Look-up tables have lost all names.  Each goes to the block most of its
   wires lead to, through others if need be; one of n wires on a net counts 1/n, so that a reset
   says nothing and data says much.  What drives an input port of a block is not in it.

Every cell is counted once, so blocks sum to the total.  Logic on a boundary could as well be given
to the other side; steps 1 to 3 are exact.
"""

import re
from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from .netlist import Netlist, connections, outputs

__all__ = ["BLOCKS", "CONTAINERS", "assign_blocks", "block_title"]

CONTAINERS = ("front", "main", "engine", "features")
"""Instances that are made of blocks; any other instance is a block, with all below it."""

BLOCKS = {
    "accumulators": "accumulators",
    "arbiter": "write arbiter",
    "array": "MAC array",
    "fifo": "output FIFO",
    "fork": "stream fork",
    "full_repacker": "repacker",
    "full_writer": "feature writer",
    "head": "1x1 head",
    "intake": "image intake",
    "issue": "issue of windows",
    "lines": "line buffer",
    "image": "image reader",
    "memory": "feature memory",
    "mask": "mask writer",
    "parameter_memory": "parameter memory",
    "parameters": "parameter loader",
    "pool": "max-pool",
    "pooled_repacker": "repacker, pooled",
    "pooled_writer": "feature writer, pooled",
    "ranges": "range check",
    "reader": "feature reader",
    "reads": "shared read channels",
    "registers": "registers",
    "requantizer": "requantizer",
    "scales": "requantization store",
    "sequencer": "sequencer",
    "slave": "AXI4-Lite slave",
    "weights": "weight store",
    "window": "window",
    "writes": "shared write channels",
}
"""What the blocks are, by the last part of their path."""

_SWEEPS = 40
"""Passes over the wires: more than there are look-up tables between two registers."""

_BEFORE_LOGIC = 0.5
"""Weight of the wires into logic over those out of it: a multiplier is not its operands' block."""

_BEFORE_REGISTER = 2
"""The same of a register, which belongs to what it stores."""


def block_title(path: str) -> str:
    """``main.engine.lines`` for readers: ``line buffer``; containers are what is between blocks."""
    last = path.rpartition(".")[2]
    if not path:
        return "top level, its memories included"
    return "between the blocks" if last in CONTAINERS else BLOCKS.get(last, last)


def block_of(instance: str) -> str:
    """Path of the block that an instance, by its hierarchical name, is or lies in."""
    path = []
    for part in instance.split("."):
        path.append(re.sub(r"\$\d+$", "", part))
        if path[-1] not in CONTAINERS:
            break
    return ".".join(path)


@dataclass(frozen=True)
class _Scopes:
    """The instances of a design and the lines of their modules."""

    paths: dict[str, str]
    lines: tuple[tuple[int, int, str], ...]
    file: re.Pattern

    @classmethod
    def of(cls, netlist: Netlist) -> "_Scopes":
        paths, places = {}, defaultdict(set)
        sources = [("", netlist.module["attributes"].get("src", ""))]
        for name, attributes in netlist.scopes.items():
            paths[name] = block_of(name)
            sources.append((paths[name], attributes.get("module_src", "")))
        for block, source in sources:
            if found := re.search(r":(\d+)\.\d+-(\d+)\.", source):
                places[int(found[1]), int(found[2])].add(block)
        # A module with instances in several blocks tells nothing.
        lines = sorted((*place, *own) for place, own in places.items() if len(own) == 1)
        file = re.compile(rf"(?:^|\|){re.escape(netlist.top)}\.v:(\d+)\.")
        return cls(paths, tuple(lines), file)

    def of_name(self, name: str) -> str:
        """Block that a hierarchical name lies in."""
        while "." in name:
            name = name.rpartition(".")[0]
            if name in self.paths:
                return self.paths[name]
        return ""

    def entered(self, ports: list[str]) -> set[str]:
        """Blocks that these are input ports of: what drives them lies outside."""
        instances = {port.rpartition(".")[0] for port in ports}
        return {
            self.paths[instance]
            for instance in instances
            if instance in self.paths and instance.count(".") == self.paths[instance].count(".")
        }

    def of_source(self, source: str) -> str | None:
        """Block of the lines in a ``src`` attribute; None if they name none, or several."""
        found = {self._of_line(int(line)) for line in self.file.findall(source)} - {None}
        return found.pop() if len(found) == 1 else None

    def _of_line(self, line: int) -> str | None:
        return next((block for first, last, block in self.lines if first <= line <= last), None)


def assign_blocks(netlist: Netlist) -> dict[str, str]:
    """Block of each cell: cell -> path, as ``main.engine.lines``; the top level is empty."""
    scopes = _Scopes.of(netlist)
    known, around = {}, {}
    for name, cell in netlist.cells.items():
        block = scopes.of_source(cell["attributes"].get("src", ""))
        if block is None and netlist.is_own(name, cell):
            block = scopes.of_name(name)
        if block is None:
            nets = (net for bit in outputs(cell) for net in netlist.own_names.get(bit, ()))
            driven = {scopes.of_name(net) for net in nets}
            if len(driven) == 1:
                block = driven.pop()
                if block.rpartition(".")[2] in (*CONTAINERS, ""):
                    # A net from one block to another has the name that the module around them
                    # gave it, so this says little.
                    around[name], block = block, None
        if block is not None:
            known[name] = block
    blocks = _follow_wires(netlist, known, scopes)
    return {name: blocks.get(name, around.get(name, "")) for name in netlist.cells}


def _follow_wires(netlist: Netlist, known: dict[str, str], scopes: _Scopes) -> dict[str, str]:
    """``known`` with every other cell in the block that it is wired to most.

    A cell left is of each block in part: the mean of what its neighbours are, weighed by its wires.
    """
    index = {name: number for number, name in enumerate(netlist.cells)}
    labels = sorted(set(known.values()))
    to, other, weights = [], [], []
    for name, cell in netlist.cells.items():
        before = _BEFORE_REGISTER if "Q" in cell["connections"] else _BEFORE_LOGIC
        for _, bit in connections(cell, "input"):
            source = netlist.drivers.get(bit)
            if source is not None and source != name:
                weight = 1 / netlist.fan_out[bit]
                to += index[name], index[source]
                other += index[source], index[name]
                weights += before * weight, weight
    to, other, weights = np.array(to, int), np.array(other, int), np.array(weights)
    fixed = np.array([name in known for name in netlist.cells], bool)
    sums = np.bincount(to, weights, len(index))
    parts = np.zeros((len(labels), len(index)))
    for name, block in known.items():
        parts[labels.index(block), index[name]] = 1
    may = np.ones(parts.shape)
    for name, cell in netlist.cells.items():
        for bit in outputs(cell):
            for block in scopes.entered(netlist.input_names.get(bit, ())):
                if block in labels:
                    may[labels.index(block), index[name]] = 0
    for _ in range(_SWEEPS):
        for part, allowed in zip(parts, may):
            mean = np.bincount(to, weights * part[other], len(index)) / np.maximum(sums, 1e-9)
            part[~fixed] = (allowed * mean)[~fixed]
    best = parts.round(6).argmax(axis=0) if labels else []
    return known | {
        name: labels[best[number]]
        for name, number in index.items()
        if not fixed[number] and parts[:, number].any()
    }
