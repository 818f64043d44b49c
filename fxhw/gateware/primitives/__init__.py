"""Adders, functions and memories in the cells of each FPGA family.

A family is a module or object with two functions:

* ``add(m, adders, values, name)`` adds the hardware of ``adders``
  (:class:`fxhw.plan.bit_heap.Adder`) to a module and returns the sums, bit number -> value;
  ``values`` are those of the bits that the adders' terms refer to;
* ``look_up(m, functions, values, name)`` likewise makes functions, (bit, the term it is).

:mod:`.generic` leaves all to the synthesizer and serves every family that has none of its own.
Memory cells are :class:`fxhw.gateware.registered_memory.RegisteredMemory`'s.
"""

import re
from types import SimpleNamespace

from . import ecp5, ecp5_memory, generic, gowin, ice40, xilinx
from .multiplier import multiplier_verilog

__all__ = ["FAMILIES", "contents_of", "verilog_of"]

FAMILIES = {
    "generic": generic,
    "ecp5": ecp5,
    "xc7": SimpleNamespace(add=xilinx.add_with("xc7"), look_up=xilinx.look_up),
    "xcup": SimpleNamespace(add=xilinx.add_with("xcup"), look_up=xilinx.look_up),
    "gowin": gowin,
    "ice40": ice40,
}
"""The families by name."""


_MEMORY = re.compile(r"ecp5_((?:spread_|queue_)?memory)_(\d+)x(\d+)(?:_of_(\w+))?")


def contents_of(kind: str, words: int) -> dict[str, str]:
    """Files, name -> text, that the Verilog of the primitive ``kind`` reads.

    Parameters
    ----------
    words : what its parameter CONTENTS is: the initial words end to end, the first one lowest.
    """
    found = _MEMORY.fullmatch(kind)
    depth, width = int(found[2]), int(found[3])
    bits = f"{words:0{depth * width}b}"
    starts = range(len(bits) - width, -1, -width)
    parts = tuple(int(bits[start : start + width], 2) for start in starts)
    return ecp5_memory.content_files(found[4], depth, width, parts)


def verilog_of(kind: str, name: str) -> str:
    """Verilog of the primitive ``kind``, as module ``name``.

    Raises
    ------
    ValueError if no family has one of this kind.
    """
    if found := re.fullmatch(r"ecp5_chain_(\d+)", kind):
        return ecp5.chain_verilog(name, int(found[1]))
    if found := _MEMORY.fullmatch(kind):
        depth, width = int(found[2]), int(found[3])
        return ecp5_memory.memory_verilog(name, depth, width, found[4] or "", found[1])
    if found := re.fullmatch(r"(xc7|xcup)_chain_(\d+)", kind):
        return xilinx.chain_verilog(name, found[1], int(found[2]))
    if found := re.fullmatch(r"xilinx_tables_(\d+)", kind):
        return xilinx.tables_verilog(name, int(found[1]))
    if found := re.fullmatch(r"(ecp5|xcup)_multiplier_(\d+)x(\d+)", kind):
        return multiplier_verilog(name, found[1], int(found[2]), int(found[3]))
    if found := re.fullmatch(r"gowin_chain_(\d+)", kind):
        return gowin.chain_verilog(name, int(found[1]))
    raise ValueError(f"Primitive must be a family's own, not {kind}")
