"""Which adder takes which terms: those that come from near each other.

For a sum it does not matter which of a column's terms an adder takes.  For the wires it does: an
adder whose terms come from one place lies there, and so do the chain it is on and what takes its
sums.  So products have a place along a line, in the order they are given; adders are spread over
that line, and each takes in every column the terms of its part of it.
"""

from collections import defaultdict
from dataclasses import replace

__all__ = ["gather_terms", "place_bits"]


def place_bits(terms) -> dict[int, float]:
    """Where the inputs of ``terms`` lie: bit -> the middle of the terms it is in, as numbers.

    Parameters
    ----------
    terms : terms in the order of the line.
    """
    spans = {}
    for number, term in enumerate(terms):
        for bit in term.inputs:
            spans.setdefault(bit, [number, number])[1] = number
    return {bit: sum(span) / 2 for bit, span in spans.items()}


def gather_terms(adders, places: dict[int, float]) -> list:
    """The same adders with the same terms, dealt out anew; in the order of where they lie.

    Only terms that one cell takes as well as another change places: those of one column and one
    truth table.

    Parameters
    ----------
    adders : adders of one level, :class:`.bit_heap.Adder`.
    places : where bits lie; those of the sums are added.
    """
    dealt = _deal(adders, _spread(adders), places)
    for adder in dealt:
        places.update(dict.fromkeys(adder.sums, _middle(adder, places)))
    return sorted(dealt, key=lambda adder: places[adder.sums[0]])


def _deal(adders, ranks, places) -> list:
    """The adders with terms dealt out by the order of their ranks."""
    slots = defaultdict(list)
    for number, adder in enumerate(adders):
        for column, place, term in _terms(adder):
            slots[column, term.table, len(term.inputs)].append((ranks[number], number, place, term))
    dealt = {}
    for (column, *_), wanted in slots.items():
        terms = sorted(
            (slot[3] for slot in wanted), key=lambda term: (_place(term, places), term.inputs)
        )
        for (_, number, place, _), term in zip(sorted(wanted, key=lambda slot: slot[:3]), terms):
            dealt[number, column, place] = term
    result = []
    for number, adder in enumerate(adders):
        rows = tuple(
            tuple(dealt[number, column, place] for place in range(len(row)))
            for column, row in enumerate(adder.terms, adder.column)
        )
        carry = adder.carry and dealt[number, adder.column, len(adder.terms[0])]
        result.append(replace(adder, terms=rows, carry=carry))
    return result


def _terms(adder):
    """(column, place there, term) of all terms; the carry in comes behind its column's others."""
    for column, row in enumerate(adder.terms, adder.column):
        carry = [adder.carry] * (column == adder.column and adder.carry is not None)
        for place, term in enumerate([*row, *carry]):
            yield column, place, term


def _middle(adder, places) -> float:
    """Where an adder's terms lie."""
    known = [_place(term, places) for _, _, term in _terms(adder) if term.inputs]
    return sum(known) / len(known) if known else 0.0


def _spread(adders) -> list[float]:
    """Where each adder is to lie, 0 to 1: those of one range of columns are spread evenly."""
    alike = defaultdict(list)
    for number, adder in enumerate(adders):
        alike[adder.column, len(adder.terms)].append(number)
    ranks = [0.0] * len(adders)
    for numbers in alike.values():
        for rank, number in enumerate(numbers):
            ranks[number] = (rank + 0.5) / len(numbers)
    return ranks


def _place(term, places) -> float:
    """Where a term lies; a constant is at home everywhere."""
    if not term.inputs:
        return 0.0
    return sum(places[bit] for bit in term.inputs) / len(term.inputs)
