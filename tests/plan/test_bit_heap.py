"""Planned adders sum what they should, modulo the width, exhaustively where that is small."""

from itertools import product

import numpy as np
import pytest

from fxhw.fixed import (
    Accumulator,
    ActivationFormat,
    SignActivation,
    SignedActivation,
    TernaryActivation,
    WeightFormat,
)
from fxhw.plan.bit_heap import Adder, Term, plan_heap
from fxhw.plan.carry_cells import CELLS, share_tables
from fxhw.plan.products import plan_dot_product
from fxhw.plan.waiting_heap import plan_waiting_heap

TERNARY = WeightFormat(2, "ternary")
POWERS = [WeightFormat(bits, "power") for bits in (3, 4)]
WEIGHTS = [WeightFormat(bits) for bits in (1, 2, 3)] + [TERNARY, *POWERS]
ACTIVATIONS = [
    ActivationFormat(1),
    ActivationFormat(2),
    SignedActivation(2),
    TernaryActivation(),
    SignActivation(),
]


def codes_of(form):
    """All codes of a format."""
    if form.kind == "power":
        powers = [1 << k for k in range(form.top_exponent + 1)]
        return [-power for power in reversed(powers)] + [0, *powers]
    codes = range(form.min, form.max + 1)
    return [code for code in codes if form.contains(np.array([code]))]


def bits_of(form, width, codes):
    patterns = form.encode(np.array(codes)).tolist()
    return [pattern >> k & 1 for pattern in patterns for k in range(width)]


def check(weight, activation, w, x, target):
    plan = plan_dot_product(weight, activation, len(w), target)
    inputs = bits_of(activation, activation.width, x) + bits_of(weight, weight.bits, w)
    expected = sum(a * b for a, b in zip(w, x))
    width = Accumulator(weight, activation, len(w)).width
    assert plan.compute(inputs) == expected % (1 << width)


@pytest.mark.parametrize("weight", WEIGHTS, ids=lambda form: form.name)
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda form: form.name)
@pytest.mark.parametrize("count", [1, 2])
def test_all_operands(weight, activation, count):
    for w in product(codes_of(weight), repeat=count):
        for x in product(codes_of(activation), repeat=count):
            check(weight, activation, w, x, "generic")


@pytest.mark.parametrize("target", CELLS)
@pytest.mark.parametrize("weight", WEIGHTS, ids=lambda form: form.name)
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda form: form.name)
def test_all_operands_in_the_cells_of_each_family(weight, activation, target):
    for w in product(codes_of(weight), repeat=2):
        for x in product(codes_of(activation), repeat=2):
            check(weight, activation, w, x, target)


@pytest.mark.parametrize("target", CELLS)
@pytest.mark.parametrize(("wbits", "abits"), [(4, 2), (5, 1), (6, 1)])
def test_all_digits(wbits, abits, target):
    weight, activation = WeightFormat(wbits), ActivationFormat(abits)
    for w in codes_of(weight):
        for x in codes_of(activation):
            for other in (weight.min, -1, weight.max):
                check(weight, activation, [w, other], [x, activation.max], target)


COUNTS = pytest.mark.parametrize(
    ("weight", "activation", "count"),
    [
        (WeightFormat(4), ActivationFormat(6), 72),
        (WeightFormat(8), ActivationFormat(8), 72),
        (WeightFormat(8), ActivationFormat(1), 9),
        (WeightFormat(2), ActivationFormat(4), 72),
        (WeightFormat(3), SignedActivation(5), 45),
        (WeightFormat(5), SignActivation(), 27),
        (TERNARY, ActivationFormat(6), 72),
        (TERNARY, TernaryActivation(), 72),
        (WeightFormat(1), ActivationFormat(6), 72),
        (WeightFormat(1), SignActivation(), 72),
        (WeightFormat(5, "power"), ActivationFormat(8), 18),
        (WeightFormat(6, "power"), SignedActivation(3), 18),
        (WeightFormat(7, "power"), ActivationFormat(4), 9),
        (WeightFormat(5, "power"), SignActivation(), 18),
        (WeightFormat(5, "power"), TernaryActivation(), 18),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)


@COUNTS
def test_extremes_and_random_operands(weight, activation, count):
    check_samples(weight, activation, count, "generic")


@COUNTS
@pytest.mark.parametrize("target", CELLS)
def test_extremes_and_random_operands_in_other_cells(weight, activation, count, target):
    check_samples(weight, activation, min(count, 27), target)


def check_samples(weight, activation, count, target):
    rng = np.random.default_rng(count)
    ws, xs = codes_of(weight), codes_of(activation)
    for w in (ws[0], ws[-1]):
        for x in (xs[0], xs[-1]):
            check(weight, activation, [w] * count, [x] * count, target)
    for _ in range(20):
        w, x = rng.choice(ws, count).tolist(), rng.choice(xs, count).tolist()
        check(weight, activation, w, x, target)


@pytest.mark.parametrize(
    ("weight", "activation", "cells"),
    [
        (TERNARY, ActivationFormat(6), 13.5),
        (TERNARY, TernaryActivation(), 4.5),
        (WeightFormat(1), TernaryActivation(), 4.5),
        (WeightFormat(1), SignActivation(), 1.7),
        (WeightFormat(4, "power"), ActivationFormat(6), 30.5),
        (WeightFormat(5, "power"), ActivationFormat(6), 44),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_cells_per_product_of_other_kinds(weight, activation, cells):
    assert plan_dot_product(weight, activation, 72).cells / 72 <= cells


def test_powers_of_two_take_less_than_fixed_weights_of_their_range():
    for bits, wide in ((3, 3), (4, 5), (5, 9)):
        power, fixed = (
            plan_dot_product(weight, ActivationFormat(6), 72).cells
            for weight in (WeightFormat(bits, "power"), WeightFormat(wide))
        )
        assert power < fixed


def test_terms_that_cancel_leave_the_constant():
    term = Term(2, (0,))
    plan = plan_heap(1, [(term, 0, +1), (term, 0, -1)], 5, 4)
    assert [plan.compute([bit]) for bit in (0, 1)] == [5, 5]


def test_a_sum_of_nothing():
    assert plan_heap(0, [], -3, 4).compute([]) == 13


@pytest.mark.parametrize("cells", CELLS.values(), ids=CELLS)
def test_terms_that_cancel_and_nothing_in_other_cells(cells):
    term = Term(0b1000, (0, 1))
    plan = plan_waiting_heap(2, [(term, 0, +1), (term, 0, -1)], 5, 4, cells)
    assert [plan.compute(bits) for bits in product((0, 1), repeat=2)] == [5] * 4
    assert plan_waiting_heap(0, [], -3, 4, cells).compute([]) == 13


def test_a_second_carry_is_the_majority_of_the_highest_terms():
    bits = [Term(2, (n,)) for n in range(7)]
    adder = Adder(0, (tuple(bits[:4]), tuple(bits[4:])), None, (8, 9, 10, 11))
    for values in product((0, 1), repeat=7):
        low, high, carry, second = adder.compute(values)
        assert second == (sum(values[4:]) > 1)
        assert low + 2 * high + 4 * (carry + second) == sum(values[:4]) + 2 * sum(values[4:])


def test_functions_share_tables_of_few_inputs():
    functions = [(9, Term(8, (0, 1))), (10, Term(8, (2, 3))), (11, Term(128, (1, 2, 4)))]
    assert [len(table) for table in share_tables(functions, 5)] == [2, 1]
    assert [len(table) for table in share_tables(functions, 0)] == [1, 1, 1]


@pytest.mark.parametrize(
    ("wbits", "abits", "cells"), [(4, 6, 28.5), (8, 8, 72.5), (6, 6, 42), (4, 4, 20), (2, 4, 10.5)]
)
def test_cells_per_product(wbits, abits, cells):
    plan = plan_dot_product(WeightFormat(wbits), ActivationFormat(abits), 72)
    assert plan.cells / 72 <= cells
    # Chains' ends and accumulators take more cells yet; all in all there are fewer flip-flops.
    assert plan.registers <= 1.05 * plan.cells
    assert plan.latency <= 9


@pytest.mark.parametrize(
    ("wbits", "abits", "target", "luts"),
    [
        (4, 6, "xcup", 15.7),
        (4, 4, "xcup", 11.7),
        (2, 4, "xcup", 6.7),
        (4, 6, "gowin", 34),
        (2, 4, "gowin", 13.1),
        (4, 6, "ice40", 34.8),
        (2, 4, "ice40", 13.1),
    ],
)
def test_look_up_tables_per_product(wbits, abits, target, luts):
    plan, cells = plan_dot_product(WeightFormat(wbits), ActivationFormat(abits), 72, target), CELLS
    # A sum that eight channels share counts an eighth.
    shared = cells[target].count(plan.shared) / 8 if plan.shared else 0
    assert (cells[target].count(plan) + shared) / 72 <= luts
    # Activations that wait do so once for all channels, so there are fewer in the end.
    assert plan.registers <= 1.1 * cells[target].count(plan)
    assert plan.latency <= 9
