"""Every code of every format."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fxhw.fixed import (
    ActivationFormat,
    FixedFormat,
    SignActivation,
    SignedActivation,
    TernaryActivation,
)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("width", range(1, 17))
def test_fixed_format_range(width, signed):
    fmt = FixedFormat(width, 3, signed)
    assert fmt.max - fmt.min + 1 == 1 << width
    assert fmt.min == (-(1 << (width - 1)) if signed else 0)
    assert fmt.contains([fmt.min, fmt.max])
    assert not fmt.contains([fmt.min - 1])
    assert not fmt.contains([0, fmt.max + 1])
    assert fmt.contains([])


@pytest.mark.parametrize(
    ("fmt", "name", "step"),
    [
        (FixedFormat(8, 4, True), "s8.4", 1 / 16),
        (FixedFormat(6, -2), "u6.-2", 4.0),
        (ActivationFormat(4, 9), "u4.9", 1 / 512),
    ],
)
def test_fixed_format_name_and_step(fmt, name, step):
    assert (fmt.name, fmt.step) == (name, step)


def test_activation_format_is_unsigned():
    assert ActivationFormat(5, 2) == FixedFormat(5, 2, signed=False)


@pytest.mark.parametrize("width", [0, -1])
def test_fixed_format_width_wrong(width):
    with pytest.raises(ValueError, match=rf"^Format width must be at least 1 bit, not {width}$"):
        FixedFormat(width)


TERNARY, SIGN = TernaryActivation(1), SignActivation()


@pytest.mark.parametrize(
    ("fmt", "codes", "kind", "name"),
    [
        (ActivationFormat(2, 5), [0, 1, 2, 3], "unsigned", "u2.5"),
        (SignedActivation(2, -1), [-2, -1, 0, 1], "signed", "s2.-1"),
        (TERNARY, [-1, 0, 1], "ternary", "t.1"),
        (SIGN, [-1, 1], "sign", "sign"),
    ],
    ids=str,
)
def test_activation_codes_and_patterns_are_one_to_one(fmt, codes, kind, name):
    assert (fmt.kind, fmt.name) == (kind, name)
    assert (fmt.min, fmt.max) == (codes[0], codes[-1])
    assert [code for code in range(-9, 10) if fmt.contains([code])] == codes
    assert fmt.contains(codes)
    assert fmt.contains([])
    patterns = fmt.encode(codes).tolist()
    assert len(set(patterns)) == len(codes)
    assert 0 <= min(patterns) <= max(patterns) < 1 << fmt.width
    assert fmt.decode(patterns).tolist() == codes


@pytest.mark.parametrize("fmt", [FixedFormat(8), FixedFormat(8, 4, True), TERNARY, SIGN], ids=str)
def test_padding_is_a_code(fmt):
    assert fmt.contains([fmt.padding])
    assert fmt.padding == (0 if fmt.contains([0]) else -1)


@pytest.mark.parametrize(
    "fmt", [FixedFormat(3), SignedActivation(3), TernaryActivation(), SignActivation()]
)
def test_patterns_have_the_order_of_their_codes_unless_in_twos_complement(fmt):
    codes = [c for c in range(fmt.min, fmt.max + 1) if fmt.contains([c])]
    patterns = fmt.encode(codes).tolist()
    assert (patterns == sorted(patterns)) == (not fmt.twos_complement)


def test_kinds_of_one_range_differ():
    assert len({SignedActivation(2), TernaryActivation(), ActivationFormat(2)}) == 3


@given(
    value=st.floats(-40, 40),
    halves=st.integers(-64, 64),
    fmt=st.sampled_from([ActivationFormat, SignedActivation]),
    bits=st.integers(1, 16),
    frac=st.integers(-3, 9),
)
def test_nearest_activation_is_clamp_and_shift(value, halves, fmt, bits, frac):
    fmt = fmt(bits, frac)
    for x in (value, halves / 8):
        exact = math.floor(Fraction(x) * Fraction(2) ** frac + Fraction(1, 2))
        assert int(fmt.nearest(x)) == min(max(exact, fmt.min), fmt.max)


@pytest.mark.parametrize(
    ("fmt", "values", "codes"),
    [
        (FixedFormat(4), [0.5, np.nextafter(0.5, 0), -0.5, 14.5, np.inf], [1, 0, 0, 15, 15]),
        (FixedFormat(4, 0, True), [-0.5, -0.51, -8.4, -np.inf, 7.6], [0, -1, -8, -8, 7]),
        (TERNARY, [-9, -0.26, -0.25, 0.24, 0.25, 9], [-1, -1, 0, 0, 1, 1]),
        (SIGN, [-9, -1e-300, -0.0, 0, 1e-300], [-1, -1, 1, 1, 1]),
    ],
)
def test_nearest_activation_at_the_edges(fmt, values, codes):
    result = fmt.nearest(values)
    assert result.dtype == np.int64
    assert result.tolist() == codes
    assert fmt.contains(result)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((3, 0, True, "ternary"), r"^Ternary format must be signed, of 2 bits, not 3$"),
        ((2, 0, True, "sign"), r"^Sign format must be signed, .*, not 2 and 0$"),
        ((1, 3, True, "sign"), r"^Sign format must be signed, .*, not 1 and 3$"),
        ((4, 0, True, "gray"), r"^Format codes must be linear, ternary or sign, not 'gray'$"),
    ],
)
def test_codes_wrong(arguments, message):
    with pytest.raises(ValueError, match=message):
        FixedFormat(*arguments)
