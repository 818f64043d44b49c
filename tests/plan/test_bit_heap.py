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
from fxhw.plan.bit_heap import Term, plan_heap
from fxhw.plan.products import plan_dot_product

TERNARY = WeightFormat(2, "ternary")
WEIGHTS = [WeightFormat(bits) for bits in (1, 2, 3)] + [TERNARY]
ACTIVATIONS = [
    ActivationFormat(1),
    ActivationFormat(2),
    SignedActivation(2),
    TernaryActivation(),
    SignActivation(),
]


def codes_of(form):
    """All codes of a format."""
    codes = range(form.min, form.max + 1)
    return [code for code in codes if form.contains(np.array([code]))]


def bits_of(form, width, codes):
    patterns = form.encode(np.array(codes)).tolist()
    return [pattern >> k & 1 for pattern in patterns for k in range(width)]


def check(weight, activation, w, x):
    plan = plan_dot_product(weight, activation, len(w))
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
            check(weight, activation, w, x)


@pytest.mark.parametrize(
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
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_extremes_and_random_operands(weight, activation, count):
    rng = np.random.default_rng(count)
    ws, xs = codes_of(weight), codes_of(activation)
    for w in (ws[0], ws[-1]):
        for x in (xs[0], xs[-1]):
            check(weight, activation, [w] * count, [x] * count)
    for _ in range(20):
        w, x = rng.choice(ws, count).tolist(), rng.choice(xs, count).tolist()
        check(weight, activation, w, x)


def test_terms_that_cancel_leave_the_constant():
    term = Term(2, (0,))
    plan = plan_heap(1, [(term, 0, +1), (term, 0, -1)], 5, 4)
    assert [plan.compute([bit]) for bit in (0, 1)] == [5, 5]


def test_a_sum_of_nothing():
    assert plan_heap(0, [], -3, 4).compute([]) == 13


@pytest.mark.parametrize(
    ("wbits", "abits", "cells"), [(4, 6, 28.5), (8, 8, 72.5), (6, 6, 42), (4, 4, 20), (2, 4, 10.5)]
)
def test_cells_per_product(wbits, abits, cells):
    plan = plan_dot_product(WeightFormat(wbits), ActivationFormat(abits), 72)
    assert plan.cells / 72 <= cells
    assert plan.registers <= plan.cells
    assert plan.latency <= 6
