"""The paper's quantizer, from its equations and its table of levels."""

from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fxhw.fixed import PaperFormat


def by_definition(value, integer_bits, fraction_bits):
    """Equations (1) to (4) in fractions."""

    def rc(x, n):
        clamped = min(max(x, 0), (1 << n) - 1)
        return Fraction(round(clamped * (1 << n)), 1 << n)  # round() is half to even

    magnitude = abs(Fraction(value))
    whole = floor(magnitude)
    sign = (value > 0) - (value < 0)
    return sign * (rc(whole, integer_bits) + rc(magnitude - whole, fraction_bits))


@given(st.floats(-300, 300), st.integers(-40, 40), st.integers(0, 8), st.integers(0, 8))
def test_is_the_definition(value, halves, integer_bits, fraction_bits):
    fmt = PaperFormat(integer_bits, fraction_bits)
    for x in (value, halves / 2 ** (fraction_bits + 1)):
        assert Fraction(float(fmt.compute(x))) == by_definition(x, integer_bits, fraction_bits)


@pytest.mark.parametrize(
    ("bits", "levels"), [((0, 2), 9), ((0, 4), 33), ((0, 8), 513), ((6, 0), 127), ((2, 3), 65)]
)
def test_levels(bits, levels):
    fmt = PaperFormat(*bits)
    span = 2 ** max(bits[0], 1)
    values = np.unique(fmt.compute(np.linspace(-span, span, 64 * 513 + 1)))
    assert len(values) == levels == fmt.levels
    assert (values.min(), values.max()) == (-fmt.max, fmt.max)


@pytest.mark.parametrize(
    ("bits", "value", "expected"),
    [
        ((0, 4), 1.03, 0.0),  # the integer part is dropped
        ((0, 4), 1.30, 0.3125),
        ((0, 4), 0.99, 1.0),  # a fraction may round up to 1
        ((0, 2), -0.625, -0.5),  # half to even
        ((6, 0), -2.99, -2.0),  # toward zero
        ((6, 0), 1e9, 63.0),
        ((4, 2), np.inf, 15.0),
    ],
)
def test_of_note(bits, value, expected):
    assert PaperFormat(*bits).compute(value) == expected


def test_names():
    assert PaperFormat(6, 0).name == "Q6.0"


@pytest.mark.parametrize("bits", [(-1, 2), (2, -1)])
def test_bits_wrong(bits):
    with pytest.raises(ValueError, match=r"^Paper format must have 0 or more bits in each part, "):
        PaperFormat(*bits)
