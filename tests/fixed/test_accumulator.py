"""The accumulator's range against all sums there are."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fxhw.fixed import Accumulator, FixedFormat, SignActivation, TernaryActivation, WeightFormat


def codes_of(fmt):
    return [code for code in range(fmt.min, fmt.max + 1) if fmt.contains([code])]


@pytest.mark.parametrize("fan_in", [1, 2, 3])
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("abits", [1, 2, 3])
@pytest.mark.parametrize("wbits", [1, 2, 3])
def test_range_is_that_of_all_sums(wbits, abits, signed, fan_in):
    weight, activation = WeightFormat(wbits), FixedFormat(abits, 5, signed)
    products = {w * x for w, x in product(codes_of(weight), codes_of(activation))}
    sums = {sum(terms) for terms in product(products, repeat=fan_in)}
    accumulator = Accumulator(weight, activation, fan_in)
    assert (accumulator.min, accumulator.max) == (min(sums), max(sums))


@pytest.mark.parametrize("fan_in", [1, 3])
@pytest.mark.parametrize("activation", [FixedFormat(2), SignActivation(), TernaryActivation()])
@pytest.mark.parametrize(
    "weight", [WeightFormat(1), WeightFormat(2, "ternary"), WeightFormat(4, "power")]
)
def test_range_of_other_kinds(weight, activation, fan_in):
    products = {w * x for w, x in product(codes_of(weight), codes_of(activation))}
    sums = {sum(terms) for terms in product(products, repeat=fan_in)}
    accumulator = Accumulator(weight, activation, fan_in)
    assert (accumulator.min, accumulator.max) == (min(sums), max(sums))


@given(
    st.integers(1, 8), st.integers(1, 8), st.booleans(), st.integers(1, 9 * 1024)
)
def test_width_is_the_least_that_holds_the_range(wbits, abits, signed, fan_in):
    accumulator = Accumulator(WeightFormat(wbits), FixedFormat(abits, 0, signed), fan_in)
    assert accumulator.format == FixedFormat(accumulator.width, 0, signed=True)
    assert accumulator.format.contains([accumulator.min, accumulator.max])
    narrower = FixedFormat(accumulator.width - 1, 0, signed=True)
    assert not narrower.contains([accumulator.min, accumulator.max])


def test_width_of_the_paper_layer():
    # 9 * 64 products of -8 * 63: 18 bits of magnitude and a sign.
    accumulator = Accumulator(WeightFormat(4), FixedFormat(6), 576)
    assert (accumulator.min, accumulator.max) == (-576 * 8 * 63, 576 * 7 * 63)
    assert accumulator.width == 20


def test_fan_in_wrong():
    with pytest.raises(ValueError, match=r"^Accumulator fan-in must be at least 1, not 0$"):
        Accumulator(WeightFormat(4), FixedFormat(4), 0)
