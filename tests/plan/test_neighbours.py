"""gather_terms: the same terms in the same cells, but those of one adder from near each other."""

import random
from collections import Counter

from fxhw.fixed import ActivationFormat, WeightFormat
from fxhw.plan.bit_heap import Adder, Term
from fxhw.plan.neighbours import gather_terms, place_bits
from fxhw.plan.products import plan_dot_product

AND, BIT = 0b1000, 0b10


def scattered(rng, count=24, columns=5):
    """Adders of ``columns`` columns or fewer, of products in no order, and those in order."""
    lengths = [rng.randint(1, columns) for _ in range(count)]
    products = [
        Term(AND, (2 * n, 2 * n + 1)) for n in range(sum(2 * length + 1 for length in lengths))
    ]
    unused = rng.sample(products, len(products))
    adders, bit = [], 2 * len(products)
    for length in lengths:
        low = rng.randint(0, columns - length)
        rows = tuple((unused.pop(), unused.pop()) for _ in range(length))
        sums = tuple(range(bit, bit + length + 1))
        bit = sums[-1] + 1
        adders.append(Adder(low, rows, unused.pop() if rng.random() < 0.5 else None, sums))
    return adders, products


def terms_of(adder):
    for column, row in enumerate(adder.terms, adder.column):
        yield from ((column, term) for term in row)
    if adder.carry is not None:
        yield adder.column, adder.carry


def spread(adders, places):
    """How far apart an adder's terms lie, on average."""
    total = 0
    for adder in adders:
        known = [places[term.inputs[0]] for _, term in terms_of(adder)]
        total += max(known) - min(known)
    return total / len(adders)


def test_terms_stay_in_their_columns_and_come_together():
    rng = random.Random(1)
    for _ in range(20):
        adders, products = scattered(rng)
        places = place_bits(products)
        before = spread(adders, places)
        gathered = gather_terms(adders, places)
        assert Counter(t for a in gathered for t in terms_of(a)) == Counter(
            t for a in adders for t in terms_of(a)
        )
        shapes = [
            {a.sums: (a.column, [len(row) for row in a.terms], a.carry is None) for a in some}
            for some in (adders, gathered)
        ]
        assert shapes[0] == shapes[1]
        assert spread(gathered, places) < before / 2
        order = [places[adder.sums[0]] for adder in gathered]
        assert order == sorted(order)


def test_terms_of_another_table_stay():
    """A cell may not take another table in its place; a constant has no place at all."""
    first = Adder(0, ((Term(AND, (0, 1)), Term(BIT, (2,))),), Term(1, ()), (10, 11))
    second = Adder(0, ((Term(AND, (4, 5)), Term(BIT, (3,))),), None, (12, 13))
    gathered = gather_terms([first, second], {0: 9.0, 1: 9.0, 4: 1.0, 5: 1.0, 2: 0.0, 3: 5.0})
    assert {a.sums: (a.terms, a.carry) for a in gathered} == {
        (10, 11): (((Term(AND, (4, 5)), Term(BIT, (2,))),), Term(1, ())),
        (12, 13): (((Term(AND, (0, 1)), Term(BIT, (3,))),), None),
    }


def test_an_adder_of_the_first_level_has_few_operands():
    """Of an array of 72 products, w4a6, an adder takes those of a few neighbours."""
    plan = plan_dot_product(WeightFormat(4), ActivationFormat(6), 72, "ecp5")
    inputs = [
        {bit for _, term in terms_of(adder) for bit in term.inputs}
        for adder in plan.levels[0].adders
    ]
    codes = [{bit // 6 for bit in bits if bit < 432} for bits in inputs]
    assert sum(map(len, codes)) / len(codes) < 5
