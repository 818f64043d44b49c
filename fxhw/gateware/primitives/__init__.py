"""Adders in the carry cells of each FPGA family.

A family is a function ``add(m, adders, values, name)``: it adds the hardware of ``adders``
(:class:`fxhw.plan.bit_heap.Adder`) to a module and returns the sums, bit number -> value;
``values`` are those of the bits that the adders' terms refer to.  :mod:`.generic` leaves all to
the synthesizer and serves every family that has no module of its own.
"""

import re

from . import ecp5, generic

__all__ = ["FAMILIES", "verilog_of"]

FAMILIES = {"generic": generic.add, "ecp5": ecp5.add}
"""The families by name."""


def verilog_of(kind: str, name: str) -> str:
    """Verilog of the primitive ``kind``, as module ``name``.

    Raises
    ------
    ValueError if no family has one of this kind.
    """
    if found := re.fullmatch(r"ecp5_chain_(\d+)", kind):
        return ecp5.chain_verilog(name, int(found[1]))
    raise ValueError(f"Primitive must be a family's own, not {kind}")
