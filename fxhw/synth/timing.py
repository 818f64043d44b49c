"""Reads nextpnr's timing report by the blocks of the design."""

import re

from .netlist import Netlist
from .placement import Hop

__all__ = ["read_arrivals", "read_critical_path"]


def find_block(cell: str, blocks: dict[str, str]) -> str | None:
    """Block of one of nextpnr's cells; None for what nextpnr added.

    nextpnr splits and joins cells and appends to their names: ``sum_CCU2C_S0$CCU2_COMB1``.
    """
    while cell not in blocks:
        shorter = re.sub(r"_(LC|DFFLC|DSP|RAM|SPRAM)$", "", cell)
        if shorter == cell:
            shorter = cell.rpartition("$")[0]
        if not shorter:
            return None
        cell = shorter
    return blocks[cell]


def read_critical_path(report: dict, netlist: Netlist, blocks: dict[str, str]) -> tuple[Hop, ...]:
    """The slowest path from register to register; stretches inside one block are one hop.

    Parameters
    ----------
    report : nextpnr's JSON.
    blocks : cell -> path of its block.
    """
    paths = [
        path["path"]
        for path in report["critical_paths"]
        if "async" not in path["from"] and "async" not in path["to"]
    ]
    steps = max(paths, key=lambda path: sum(step["delay"] for step in path), default=[])
    hops: list[Hop] = []
    for step in steps:
        routed = step["type"] == "routing"
        block = find_block(step["to" if routed else "from"]["cell"], blocks)
        if block is None:
            block = hops[-1].block if hops else ""
        if not hops or hops[-1].block != block:
            hops.append(Hop(block, 0.0, 0.0, ""))
        last = hops[-1]
        hops[-1] = Hop(
            block,
            last.logic + (0 if routed else step["delay"]),
            last.routing + (step["delay"] if routed else 0),
            _named(step.get("net", ""), netlist) or last.net,
        )
    return tuple(hops)


def _named(net: str, netlist: Netlist) -> str:
    """``net`` if it is called so in the Verilog."""
    name = re.sub(r"\[\d+\]$", "", net)
    entry = netlist.module["netnames"].get(name) or netlist.module["netnames"].get(net)
    return net if entry and netlist.is_own(name, entry) else ""


def read_arrivals(report: dict, blocks: dict[str, str]) -> dict[str, float]:
    """ns of the slowest path from a register into each block, to a cell's input: what a multiplier
    block or a memory needs before the clock comes on top."""
    slowest = {}
    for net in report.get("detailed_net_timings", ()):
        if "async" in net["event"]:
            continue
        for end in net["endpoints"]:
            block = find_block(end["cell"], blocks)
            if block is not None and "async" not in end["event"]:
                slowest[block] = max(slowest.get(block, 0.0), end["delay"][1])
    return dict(sorted(slowest.items()))
