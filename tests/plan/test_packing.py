"""Products packed into one multiplier == the products, and no packing holds more than the bound."""

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fxhw.fixed import ActivationFormat, SignActivation, SignedActivation, WeightFormat
from fxhw.plan.packing import (
    MULTIPLIERS,
    Multiplier,
    Packing,
    pack_outer,
    pack_row,
    packable,
    products_bound,
)

from .test_bit_heap import codes_of

WIDE = Multiplier("wide", 200, 200)


def expected(packing, activations, weights):
    return [
        sum(int(activations[i]) * int(weights[j]) for i, j in field.pairs)
        for field in packing.fields
    ]


@pytest.mark.parametrize("pack", [pack_row, pack_outer])
@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 1), (2, 2)])
@pytest.mark.parametrize(
    ("weight", "abits"),
    [(WeightFormat(1), 1), (WeightFormat(1), 2), (WeightFormat(2), 1), (WeightFormat(2), 2),
     (WeightFormat(2, "ternary"), 2), (WeightFormat(3), 2)],
    ids=str,
)  # fmt: skip
def test_all_codes(weight, abits, shape, pack):
    packing = pack(weight, ActivationFormat(abits), WIDE, *shape)
    for xs in product(range(1 << abits), repeat=shape[0]):
        for ws in product(codes_of(weight), repeat=shape[1]):
            assert packing.compute(xs, ws) == expected(packing, xs, ws)


@settings(deadline=None)
@given(data=st.data(), wbits=st.integers(1, 8), abits=st.integers(1, 8))
def test_random_codes(data, wbits, abits):
    shape = data.draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    pack = data.draw(st.sampled_from([pack_row, pack_outer]))
    weight = WeightFormat(wbits)
    packing = pack(weight, ActivationFormat(abits), WIDE, *shape)
    ws = data.draw(st.tuples(*[st.sampled_from(list(codes_of(weight)))] * shape[1]))
    xs = data.draw(st.tuples(*[st.integers(0, (1 << abits) - 1)] * shape[0]))
    assert packing.compute(xs, ws) == expected(packing, xs, ws)


def test_extremes_fill_their_fields():
    packing = pack_row(WeightFormat(4), ActivationFormat(6), MULTIPLIERS["ecp5"], 2, 2)
    assert [(field.shift, field.width) for field in packing.fields] == [(0, 10), (11, 11), (22, 10)]
    for w, x in product((-8, 7), (0, 63)):
        assert packing.compute([x, x], [w, w]) == [w * x, 2 * w * x, w * x]


def test_fields_that_overlap_are_refused():
    packing = pack_row(WeightFormat(4), ActivationFormat(6), MULTIPLIERS["ecp5"], 2, 2)
    with pytest.raises(ValueError, match="the one at bit 10 is 11 bits wide and the next starts"):
        replace(packing, activations=(0, 10), weights=(0, 10))


def test_a_field_too_narrow_would_be_seen():
    """The comparison above fails for a layout that the check of overlap lets pass."""
    packing = pack_row(WeightFormat(4), ActivationFormat(6), MULTIPLIERS["ecp5"], 2, 2)
    narrow = tuple(replace(field, width=field.width - 1) for field in packing.fields)
    packing.__dict__["fields"] = narrow
    assert packing.compute([63, 63], [7, 7]) != expected(packing, [63, 63], [7, 7])
    pack_row.cache_clear()


@pytest.mark.parametrize(
    ("family", "wbits", "abits", "most"),
    [("ecp5", 4, 6, 4), ("ecp5", 4, 4, 4), ("gowin", 4, 6, 4), ("generic", 4, 6, 4),
     ("xc7", 4, 4, 6), ("xcup", 4, 4, 6), ("xcup", 4, 6, 6), ("xc7", 4, 5, 6), ("ecp5", 8, 8, 1),
     ("xc7", 8, 8, 2)],
)  # fmt: skip
def test_the_bound_is_reached(family, wbits, abits, most):
    weight, activation, block = WeightFormat(wbits), ActivationFormat(abits), MULTIPLIERS[family]
    assert products_bound(weight, activation, block) == most
    shapes = product(range(1, 7), repeat=2)
    packings = [p for shape in shapes if (p := pack_row(weight, activation, block, *shape))]
    assert max(packing.products for packing in packings) == most
    for packing in packings:
        operands = sorted([packing.activation_bits, packing.weight_bits])
        ports = sorted([block.a_bits, block.b_bits])
        assert all(bits <= port for bits, port in zip(operands, ports))


def test_no_shifts_hold_more_than_the_bound():
    """Every pair of shifts in a small multiplier, not only regular ones."""
    weight, activation, block = WeightFormat(2), ActivationFormat(2), Multiplier("small", 12, 8)
    most, sets = 0, {1: [(0,)], 2: [(0, n) for n in range(1, 11)]}
    sets[3] = [(0, n, k) for n in range(1, 11) for k in range(n + 1, 11)]
    for xs, ws in product([s for n in sets for s in sets[n]], repeat=2):
        try:
            packing = Packing(weight, activation, xs, ws)
        except ValueError:
            continue
        if packing.fits(block):
            most = max(most, packing.products)
    assert most == products_bound(weight, activation, block) == 6


def test_formats_without_an_offset_are_not_packable():
    assert packable(WeightFormat(1), ActivationFormat(1))
    assert packable(WeightFormat(2, "ternary"), ActivationFormat(6))
    assert not packable(WeightFormat(4, "power"), ActivationFormat(6))
    assert not packable(WeightFormat(4), SignedActivation(6))
    assert not packable(WeightFormat(1), SignActivation())


def test_every_format_fits_every_block():
    for wbits, abits, block in product(range(1, 9), range(1, 9), MULTIPLIERS.values()):
        assert products_bound(WeightFormat(wbits), ActivationFormat(abits), block) >= 1
        assert pack_row(WeightFormat(wbits), ActivationFormat(abits), block, 1, 1)
