"""Adders end to end on chains of carry cells, for families where a carry leaves through a cell.

The cell between two adders gives out the carry of the one and makes that of the next.
"""

from ...plan.bit_heap import Adder

__all__ = ["pack_chains"]


def pack_chains(adders: tuple[Adder, ...], add_cell, carry_cell, limit: int) -> list[list]:
    """The adders' cells, chain by chain.

    Parameters
    ----------
    add_cell : makes a cell of a column's terms and the number of the sum's bit.
    carry_cell : makes the cell between two adders, of the term that it takes in as a carry or
        None, and the number of the bit that the carry out is, or None.
    limit : cells on one chain, at most, unless one adder takes more.
    """
    # An adder without a carry in needs no cell below it where a chain starts.
    waiting = sorted(adders, key=lambda adder: (adder.carry is not None, -len(adder.terms)))
    chains, cells = [], []
    top = None  # the carry out that the next cell has to give
    for adder in waiting:
        if cells and len(cells) + len(adder.terms) + 2 > limit:
            chains.append(_close(cells, top, carry_cell))
            cells, top = [], None
        if cells or adder.carry is not None:
            cells.append(carry_cell(adder.carry, top))
        cells += [add_cell(terms, result) for terms, result in zip(adder.terms, adder.sums)]
        top = adder.sums[-1] if adder.carry_out else None
    return [*chains, _close(cells, top, carry_cell)] if cells else chains


def _close(cells, top, carry_cell):
    return cells if top is None else [*cells, carry_cell(None, top)]
