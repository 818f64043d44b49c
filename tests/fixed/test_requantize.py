"""Requantization against exact fractions."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fxhw.fixed import FixedFormat, Requantize, SignActivation, TernaryActivation

OUTS = [FixedFormat(3), FixedFormat(8), FixedFormat(4, 0, True), TernaryActivation()]


def rounded_half_up(value, shift, out):
    """``value / 2**shift`` to the nearest integer, halves up, clamped: from the definition."""
    nearest = math.floor(Fraction(value, 1 << shift) + Fraction(1, 2))
    return min(max(nearest, out.min), out.max)


@pytest.mark.parametrize("out", [FixedFormat(1), FixedFormat(2, 7), FixedFormat(3, 0, True)])
@pytest.mark.parametrize("acc_width", [1, 3, 5])
def test_every_operand(acc_width, out):
    requantize = Requantize(acc_width, out)
    acc, bias, shift = np.meshgrid(
        np.arange(requantize.acc.min, requantize.acc.max + 1),
        np.arange(requantize.bias.min, requantize.bias.max + 1),
        np.arange(requantize.max_shift + 1),
    )
    expected = [
        min(max(math.floor(Fraction(int(a) + int(b), 1 << int(s))), out.min), out.max)
        for a, b, s in zip(acc.flat, bias.flat, shift.flat)
    ]
    assert requantize.compute(acc, bias, shift).reshape(-1).tolist() == expected


@pytest.mark.parametrize("shift", range(7))
def test_rounding_bias_rounds_half_up(shift):
    requantize = Requantize(9, FixedFormat(4))
    bias = requantize.rounding_bias(shift)
    acc = np.arange(-128, 128)
    expected = [rounded_half_up(int(a), shift, requantize.out) for a in acc]
    assert requantize.compute(acc, bias, shift).tolist() == expected


@given(st.data())
def test_wide_operands(data):
    out = FixedFormat(8, 0, data.draw(st.booleans()))
    requantize = Requantize(data.draw(st.integers(20, 48)), out)
    acc = data.draw(st.integers(requantize.acc.min, requantize.acc.max))
    bias = data.draw(st.integers(requantize.bias.min, requantize.bias.max))
    shift = data.draw(st.integers(0, requantize.max_shift))
    exact = math.floor(Fraction(acc + bias, 1 << shift))
    expected = min(max(exact, out.min), out.max)
    assert int(requantize.compute(acc, bias, shift)) == expected


def test_channels_have_their_own_bias_and_shift():
    requantize = Requantize(8, FixedFormat(4))
    acc = np.full((2, 3, 4), 12)
    result = requantize.compute(acc, [0, 4, 100, -13], [0, 2, 5, 1])
    assert result.shape == acc.shape
    assert result[1, 2].tolist() == [12, 4, 3, 0]


def test_largest_shift_leaves_the_sign():
    requantize = Requantize(6, FixedFormat(3, 0, True))
    acc = [requantize.acc.min, -1, 0, requantize.acc.max]
    bias = [requantize.bias.min, 0, 0, requantize.bias.max]
    assert requantize.compute(acc, bias, requantize.max_shift).tolist() == [-1, -1, 0, 0]
    assert 1 << requantize.shift_width > requantize.max_shift


@pytest.mark.parametrize("acc_width", [1, 4, 9])
def test_sum_width_is_the_least_that_holds_every_sum(acc_width):
    requantize = Requantize(acc_width, FixedFormat(4))
    ends = [requantize.acc.min + requantize.bias.min, requantize.acc.max + requantize.bias.max]
    assert FixedFormat(requantize.sum_width, 0, signed=True).contains(ends)
    assert not FixedFormat(requantize.sum_width - 1, 0, signed=True).contains(ends)


@pytest.mark.parametrize("out", [FixedFormat(2), FixedFormat(2, 0, True)])
@pytest.mark.parametrize(("low", "high"), [(-8, 7), (-3, 2), (1, 5), (0, 0)])
def test_fit_gives_the_same_results(low, high, out):
    requantize = Requantize(4, out)
    fitted = 0
    for bias in range(-60, 61):
        for shift in range(12):
            new = requantize.fit(bias, shift, low, high)
            if new is None:
                continue
            fitted += new != (bias, shift)
            acc = np.arange(low, high + 1)
            expected = np.clip((acc + bias) >> shift, out.min, out.max)
            assert requantize.compute(acc, *new).tolist() == expected.tolist()
    assert fitted


def test_fit_keeps_what_fits_and_refuses_what_cannot():
    requantize = Requantize(6, FixedFormat(3))
    assert requantize.fit(-17, 2, -32, 31) == (-17, 2)
    assert requantize.fit(-1000, 2, -32, 31) == (0, requantize.max_shift)
    assert requantize.fit(1000, 2, -32, 31) == (requantize.bias.max, 0)
    # The sum takes both 0 and 1 here, and no bias within the format gives both.
    assert requantize.fit(256, 8, -32, 31) is None


@pytest.mark.parametrize(
    ("operands", "message"),
    [
        ((32, 0, 0), r"^Requantize accumulator must lie in -32 \.\. 31, not 32 \.\. 32$"),
        ((0, -65, 0), r"^Requantize bias must lie in -64 \.\. 63, not -65 \.\. -65$"),
        ((0, 0, -1), r"^Requantize shift must lie in 0 \.\. 8, not -1 \.\. -1$"),
        ((0, 0, [0, 9]), r"^Requantize shift must lie in 0 \.\. 8, not 0 \.\. 9$"),
    ],
)
def test_operand_wrong(operands, message):
    with pytest.raises(ValueError, match=message):
        Requantize(6, FixedFormat(3)).compute(*operands)


def exact(acc, bias, shift, multiplier, out):
    """The definition in Python integers."""
    total = acc * multiplier + bias
    if out.kind == "sign":
        return 1 if total >= 0 else -1
    return min(max(math.floor(Fraction(total, 1 << shift)), out.min), out.max)


@pytest.mark.parametrize("out", [*OUTS, SignActivation()], ids=lambda out: out.name)
@given(data=st.data())
def test_multiplier(out, data):
    mul_bits = data.draw(st.integers(1, 16))
    requantize = Requantize(data.draw(st.integers(1, 45)), out, mul_bits)

    def draw(low, high):
        return data.draw(st.integers(low, high) | st.sampled_from([low, high]))

    acc = draw(requantize.acc.min, requantize.acc.max)
    multiplier = draw(1, requantize.max_multiplier)
    bias = draw(requantize.bias.min, requantize.bias.max)
    bias = data.draw(st.sampled_from([bias, -acc * multiplier, -acc * multiplier - 1]))
    shift = draw(0, requantize.max_shift)
    result = int(requantize.compute(acc, bias, shift, multiplier))
    assert result == exact(acc, bias, shift, multiplier, out)


@pytest.mark.parametrize("mul_bits", [1, 2, 5, 16])
@pytest.mark.parametrize("acc_width", [1, 4, 9])
def test_widths_with_a_multiplier_are_the_least(acc_width, mul_bits):
    requantize = Requantize(acc_width, FixedFormat(4), mul_bits)
    m = requantize.max_multiplier
    assert m == (1 << mul_bits) - 1
    products = [requantize.acc.min * m, requantize.acc.max * m]
    sums = [products[0] + requantize.bias.min, products[1] + requantize.bias.max]
    assert FixedFormat(requantize.product_width, 0, True).contains(products)
    if requantize.product_width > 1:
        assert not FixedFormat(requantize.product_width - 1, 0, True).contains(products)
    assert requantize.bias.min < products[0]
    assert FixedFormat(requantize.sum_width, 0, True).contains(sums)
    assert not FixedFormat(requantize.sum_width - 1, 0, True).contains(sums)
    assert requantize.max_shift == requantize.sum_width
    assert 1 << requantize.shift_width > requantize.max_shift


def test_without_a_multiplier_the_product_is_the_accumulator():
    requantize = Requantize(9, FixedFormat(4))
    assert (requantize.product_width, requantize.max_multiplier) == (9, 1)


def test_a_sign_takes_no_shift():
    requantize = Requantize(9, SignActivation())
    assert (requantize.max_shift, requantize.shift_width) == (0, 0)
    assert requantize.compute([-3, -2, -1, 0], 2, 0).tolist() == [-1, 1, 1, 1]


@pytest.mark.parametrize(
    "out", [FixedFormat(2), FixedFormat(2, 0, True), TernaryActivation(), SignActivation()]
)
@pytest.mark.parametrize("multiplier", [1, 3])
def test_fit_of_other_kinds_gives_the_same_results(out, multiplier):
    requantize = Requantize(4, out, 2)
    acc, fitted = range(-8, 8), 0
    for bias in range(-150, 151):
        for shift in range(1 if out.kind == "sign" else 10):
            new = requantize.fit(bias, shift, -8, 7, multiplier)
            expected = [exact(a, bias, shift, multiplier, out) for a in acc]
            if new is None:
                assert len(set(expected)) > 1 or set(expected) - {out.min, -1, 0, out.max}
                continue
            fitted += new != (bias, shift)
            assert requantize.compute(acc, *new, multiplier).tolist() == expected
    assert fitted


@pytest.mark.parametrize(
    ("mul_bits", "multiplier", "message"),
    [
        (0, 3, r"^Requantize multiplier must fit 0 bits, but one is given$"),
        (4, None, r"^Requantize multiplier must fit 4 bits, but none is given$"),
        (4, 16, r"^Requantize multiplier must lie in 1 \.\. 15, not 16 \.\. 16$"),
        (4, [1, 0], r"^Requantize multiplier must lie in 1 \.\. 15, not 0 \.\. 1$"),
    ],
)
def test_multiplier_wrong(mul_bits, multiplier, message):
    with pytest.raises(ValueError, match=message):
        Requantize(6, FixedFormat(3), mul_bits).compute(0, 0, 0, multiplier)


@pytest.mark.parametrize("mul_bits", [-1, 17])
def test_multiplier_width_wrong(mul_bits):
    with pytest.raises(ValueError, match=rf"width must be 0 to 16 bits, not {mul_bits}$"):
        Requantize(6, FixedFormat(3), mul_bits)


def test_sums_beyond_64_bits():
    assert Requantize(45, FixedFormat(3), 16).sum_width == 63
    message = r"^Requantize sum must take at most 63 bits, not 64: that of a 46-bit accumulator"
    with pytest.raises(ValueError, match=message):
        Requantize(46, FixedFormat(3), 16)
    with pytest.raises(ValueError, match=r"a 62-bit accumulator with a multiplier of 0 bits$"):
        Requantize(62, FixedFormat(3))
