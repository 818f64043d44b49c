"""Adders in iCE40's SB_LUT4 and SB_CARRY.

The carry cell sees the very inputs of the look-up table, so an adder takes plain bits alone, and a
``+`` says all there is to say.  It is long: adders lie in it end to end, and between two stands a
column with the carry in twice: its sum is the carry of the one adder, its carry that bit.
"""

from amaranth.hdl import *

from ...plan.bit_heap import Adder, Term
from .chains import pack_chains
from .generic import look_up, term_value

__all__ = ["CHAIN_CELLS", "add", "look_up"]

CHAIN_CELLS = 48
"""Cells on one chain, at most, unless one adder takes more."""

_ZERO = Term(0, ())


def add(m: Module, adders: tuple[Adder, ...], values: dict, name: str) -> dict:
    """See :mod:`fxhw.gateware.primitives`."""
    sums = {}
    for number, cells in enumerate(pack_chains(adders, _add_cell, _carry_cell, CHAIN_CELLS)):
        total = Signal(len(cells), name=f"{name}_{number}")
        rows = [Cat(term_value(terms[row], values) for terms, _ in cells) for row in range(2)]
        m.d.comb += total.eq(rows[0] + rows[1])
        sums |= {result: s for (_, result), s in zip(cells, total) if result is not None}
    return sums


def _add_cell(terms, result=None):
    return (*terms, _ZERO, _ZERO)[:2], result


def _carry_cell(term, result=None):
    return (term or _ZERO,) * 2, result
