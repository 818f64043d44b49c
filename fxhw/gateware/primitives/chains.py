"""Adders end to end on chains of carry cells, for families where a carry leaves through a cell.

The cell between two adders gives out the carry of the one and makes that of the next.
"""

from ...plan.bit_heap import Adder

__all__ = ["pack_chains"]

_NEAR = 12
"""Adders that one chain is made of some of: neighbours, so that chains have few inputs in common
with others and short wires."""


def pack_chains(
    adders: tuple[Adder, ...], add_cell, carry_cell, limit: int, even: bool = False
) -> list[list]:
    """The adders' cells, chain by chain.

    Parameters
    ----------
    add_cell : makes a cell of a column's terms and the number of the sum's bit.
    carry_cell : makes the cell between two adders, of the term that it takes in as a carry or
        None, and the number of the bit that the carry out is, or None.
    limit : cells on one chain, at most, unless one adder takes more.
    even : whether a chain is to have an even number of cells, if adders can be chosen so.
    """
    waiting = list(adders)
    chains = []
    while waiting:
        cells, top = [], None  # the carry out that the next cell has to give
        for adder in _take_chain(waiting, limit, even):
            if cells or adder.carry is not None:
                cells.append(carry_cell(adder.carry, top))
            cells += [add_cell(terms, result) for terms, result in zip(adder.terms, adder.sums)]
            top = adder.sums[-1] if adder.carry_out else None
        chains.append(cells if top is None else [*cells, carry_cell(None, top)])
    return chains


def _take_chain(waiting, limit, even):
    """Takes the adders of one chain off ``waiting``, from among the next ones."""
    near = waiting[:_NEAR]
    # An adder without a carry in needs no cell below it where a chain starts.
    near.sort(key=lambda adder: adder.carry is not None)
    chosen = []
    for adder in near:
        if not chosen or _length([*chosen, adder]) <= limit:
            chosen.append(adder)
    rest = [adder for adder in near if adder not in chosen]
    if even and _length(chosen) % 2:
        swaps = []
        for place in range(1, len(chosen)):
            for other in rest:
                length = _length([*chosen[:place], *chosen[place + 1 :], other])
                if length <= limit and length % 2 == 0:
                    swaps.append((length, place, other))
        if swaps:
            _, place, other = max(swaps, key=lambda swap: swap[0])
            chosen = [*chosen[:place], *chosen[place + 1 :], other]
    for adder in chosen:
        waiting.remove(adder)
    return chosen


def _length(adders):
    """Cells of a chain."""
    between = len(adders) - 1
    ends = (adders[0].carry is not None) + adders[-1].carry_out
    return sum(len(adder.terms) for adder in adders) + between + ends
