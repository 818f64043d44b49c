"""Sums with an excess: the products and what the weights alone say; accumulators hold them."""

from itertools import product

import numpy as np
import pytest

from fxhw.fixed import (
    ActivationFormat,
    SignActivation,
    SignedActivation,
    TernaryActivation,
    WeightFormat,
)
from fxhw.plan.carry_cells import CELLS
from fxhw.plan.excess import Room, find_room
from fxhw.plan.paired_products import plan_pairs
from fxhw.plan.products import plan_dot_product

from .test_bit_heap import bits_of, codes_of

TERNARY = WeightFormat(2, "ternary")


def check(plan, weight, activation, w, x, room):
    inputs = bits_of(activation, activation.width, x) + bits_of(weight, weight.bits, w)
    total = sum(a * b for a, b in zip(w, x)) + plan.compute_excess(inputs)
    assert room.low <= total <= room.high
    assert plan.compute(inputs) == total % (1 << room.width)


def check_samples(plan, weight, activation, count, room):
    rng = np.random.default_rng(count)
    ws, xs = codes_of(weight), codes_of(activation)
    for _ in range(12):
        ends = rng.choice([ws[0], ws[-1]], count).tolist()
        check(plan, weight, activation, ends, rng.choice([xs[0], xs[-1]], count).tolist(), room)
        # The least and the largest sum of these weights.
        for far in (1, -1):
            x = [max(xs, key=lambda code, w=w, far=far: far * w * code) for w in ends]
            check(plan, weight, activation, ends, x, room)
        w, x = rng.choice(ws, count).tolist(), rng.choice(xs, count).tolist()
        check(plan, weight, activation, w, x, room)
    for w, x in product((ws[0], ws[-1]), (xs[0], xs[-1])):
        check(plan, weight, activation, [w] * count, [x] * count, room)


@pytest.mark.parametrize("target", ["ecp5", *CELLS])
@pytest.mark.parametrize(
    ("weight", "activation", "count", "groups"),
    [
        (WeightFormat(4), ActivationFormat(6), 18, 64),
        (WeightFormat(8), ActivationFormat(8), 9, 1),
        (WeightFormat(8), ActivationFormat(8), 10, 3),
        (WeightFormat(8), ActivationFormat(4), 9, 1),
        (WeightFormat(3), SignedActivation(5), 9, 4),
        (WeightFormat(4), SignActivation(), 9, 4),
        (WeightFormat(1), ActivationFormat(2), 9, 2),
        (WeightFormat(1), SignedActivation(4), 9, 4),
        (WeightFormat(1), SignActivation(), 18, 4),
        (TERNARY, ActivationFormat(6), 18, 64),
        (TERNARY, TernaryActivation(), 18, 4),
        (WeightFormat(5, "power"), ActivationFormat(4), 9, 4),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_sums_of_samples(weight, activation, count, groups, target):
    plan = plan_dot_product(weight, activation, count, target, groups)
    check_samples(plan, weight, activation, count, find_room(weight, activation, count, groups))


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize(("wbits", "abits"), [(2, 2), (3, 1), (2, 3)])
def test_all_operands_in_pairs(wbits, abits, count):
    weight, activation = WeightFormat(wbits), ActivationFormat(abits)
    room = find_room(weight, activation, 32 * count, 1)
    plan = plan_pairs(weight, activation, count, room)
    others = [1] * (count - 2)
    for w in product(codes_of(weight), repeat=2):
        for x in product(codes_of(activation), repeat=2):
            check(plan, weight, activation, [*w, *others], [*x, *others], room)


@pytest.mark.parametrize(("wbits", "abits"), [(8, 8), (6, 8), (8, 5), (7, 3)])
@pytest.mark.parametrize("count", [2, 9, 16])
def test_pairs_of_samples(wbits, abits, count):
    weight, activation = WeightFormat(wbits), ActivationFormat(abits)
    room = find_room(weight, activation, 32 * count, 1)
    plan = plan_pairs(weight, activation, count, room)
    check_samples(plan, weight, activation, count, room)


@pytest.mark.parametrize(("wbits", "target"), [(8, "ecp5"), (4, "xcup"), (1, "ecp5")])
def test_an_excess_is_of_the_weights_alone(wbits, target):
    plan = plan_dot_product(WeightFormat(wbits), ActivationFormat(8), 9, target, 1)
    assert len(plan.excess) > 1
    assert all(bit >= 9 * 8 for _, bits in plan.excess for bit in bits)


def test_a_forgotten_excess_is_found():
    weight, activation = WeightFormat(8), ActivationFormat(8)
    plan = plan_dot_product(weight, activation, 9, "ecp5", 1)
    room = find_room(weight, activation, 9, 1)
    with pytest.raises(AssertionError):
        check_samples(plan.with_excess(plan.excess[1:]), weight, activation, 9, room)


def test_sums_are_exact_where_there_is_no_room():
    weight, activation = WeightFormat(2), ActivationFormat(3)
    assert plan_pairs(weight, activation, 9, Room(-4, 3, 3)) is None


@pytest.mark.parametrize(
    ("low", "high", "constant", "more"),
    [
        # Sums of -20 .. 11 find room when 20 is added, where they reach 31.
        (-20, 11, 0, 0),
        (-40, -1, 0, 32),
        (-10, 5, 3, -3),
        (-60, 10, 0, None),
    ],
)
def test_a_constant_moves_sums_into_their_room(low, high, constant, more):
    assert Room(-32, 31, 6).constant_for(low, high, constant) == more


LUTS = {
    ("ecp5", 8, 8, 9): 64,
    ("ecp5", 1, 2, 36): 2.9,
    ("ecp5", 1, 6, 72): 7.3,
    ("xcup", 4, 6, 72): 14.4,
}
"""Cells per product at most, and those of what is shared an eighth."""


@pytest.mark.parametrize(("target", "wbits", "abits", "count"), LUTS)
def test_cells_per_product(target, wbits, abits, count):
    plan = plan_dot_product(WeightFormat(wbits), ActivationFormat(abits), count, target, 1)
    cells = CELLS[target].count if target in CELLS else lambda plan: plan.cells
    total = cells(plan) + (cells(plan.shared) / 8 if plan.shared else 0)
    assert total <= LUTS[target, wbits, abits, count] * count




@pytest.mark.parametrize("count", [9, pytest.param(36, marks=pytest.mark.slow)])
def test_cells_fall_with_every_bit(count):
    """On ECP5, of fixed weights and unsigned activations."""
    cells = {}
    for wbits, abits in product((1, 2, 3, 4, 6, 8), (1, 2, 4, 6, 8)):
        plan = plan_dot_product(WeightFormat(wbits), ActivationFormat(abits), count, "ecp5", 2)
        shared = plan.shared.cells / 8 if plan.shared else 0
        cells[wbits, abits] = plan.cells + shared
    for (wbits, abits), here in cells.items():
        fewer = [n for (w, a), n in cells.items() if w <= wbits and a <= abits]
        assert max(fewer) == here, (wbits, abits)
