"""Every weight code, and real weights against a search over all of them."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fxhw.fixed import WeightFormat, power_exponent

FORMATS = [
    *(WeightFormat(bits) for bits in range(1, 17)),
    WeightFormat(2, "ternary"),
    *(WeightFormat(bits, "power") for bits in range(3, 8)),
]


def levels(fmt):
    """All codes in ascending order, from the definitions."""
    if fmt.name in ("binary", "ternary"):
        return [-1, 1] if fmt.bits == 1 else [-1, 0, 1]
    if fmt.kind == "fixed":
        return list(range(-(2 ** (fmt.bits - 1)), 2 ** (fmt.bits - 1)))
    powers = [2**k for k in range(2 ** (fmt.bits - 2))]
    return [*(-power for power in reversed(powers)), 0, *powers]


@pytest.mark.parametrize("fmt", FORMATS, ids=lambda fmt: fmt.name)
def test_codes_and_patterns_are_one_to_one(fmt):
    codes = levels(fmt)
    assert (fmt.min, fmt.max, fmt.binary) == (codes[0], codes[-1], fmt.bits == 1)
    assert fmt.contains(codes)
    assert not fmt.contains([codes[0] - 1])
    assert not fmt.contains([codes[-1] + 1])
    patterns = fmt.encode(codes)
    assert patterns.dtype == (np.uint8 if fmt.bits <= 8 else np.uint16)
    assert len(set(patterns.tolist())) == len(codes)
    assert patterns.max() < 1 << fmt.bits
    decoded = fmt.decode(patterns)
    assert decoded.dtype == fmt.dtype
    assert decoded.tolist() == codes


@pytest.mark.parametrize("fmt", FORMATS, ids=lambda fmt: fmt.name)
def test_codes_have_the_smallest_type(fmt):
    info = np.iinfo(fmt.dtype)
    assert info.min <= fmt.min
    assert fmt.max <= info.max
    if info.bits > 8:
        narrower = np.iinfo(f"int{info.bits // 2}")
        assert fmt.min < narrower.min or fmt.max > narrower.max


@pytest.mark.parametrize("bits", range(3, 8))
def test_powers_have_as_many_levels_as_inq(bits):
    assert len(levels(WeightFormat(bits, "power"))) == 2 ** (bits - 1) + 1


def test_stored_patterns():
    assert WeightFormat(4).encode([-8, -1, 0, 7]).tolist() == [8, 15, 0, 7]
    assert WeightFormat(1).encode([-1, 1]).tolist() == [0, 1]
    assert WeightFormat(2, "ternary").encode([-1, 0, 1]).tolist() == [3, 0, 1]
    assert WeightFormat(4, "power").encode([-8, -1, 0, 1, 2, 8]).tolist() == [12, 9, 0, 1, 2, 4]


@pytest.mark.parametrize(
    ("fmt", "gap"),
    [(WeightFormat(1), 0), (WeightFormat(4, "power"), 3), (WeightFormat(4, "power"), -6)],
)
def test_codes_between_the_levels(fmt, gap):
    assert not fmt.contains([fmt.min, gap, fmt.max])


@pytest.mark.parametrize(
    ("bits", "kind", "pattern"), [(2, "ternary", 2), (4, "power", 5), (7, "power", 63)]
)
def test_pattern_without_a_code(bits, kind, pattern):
    fmt = WeightFormat(bits, kind)
    with pytest.raises(ValueError, match=rf"^Weight patterns must stand for codes of {fmt.name}, "):
        fmt.decode([0, pattern])


def test_names():
    names = [fmt.name for fmt in (FORMATS[0], FORMATS[1], FORMATS[15], FORMATS[16], FORMATS[19])]
    assert names == ["binary", "s2", "s16", "ternary", "pow5"]


@pytest.mark.parametrize(
    ("bits", "kind", "message"),
    [
        (0, "fixed", r"^Weight width must be 1 to 16 bits, not 0$"),
        (17, "fixed", r"^Weight width must be 1 to 16 bits, not 17$"),
        (1, "ternary", r"^Ternary weight width must be 2 bits, not 1$"),
        (2, "power", r"^Power weight width must be 3 to 7 bits, not 2$"),
        (8, "power", r"^Power weight width must be 3 to 7 bits, not 8$"),
        (4, "float", r"^Weight kind must be fixed, ternary or power, not 'float'$"),
    ],
)
def test_format_wrong(bits, kind, message):
    with pytest.raises(ValueError, match=message):
        WeightFormat(bits, kind)


def nearest_level(fmt, value, frac):
    """The level nearest to ``value * 2**frac`` by search, with each kind's rule for ties."""
    exact = Fraction(value) * Fraction(2) ** frac
    if fmt.binary:
        return -1 if exact < 0 else 1
    if fmt.kind == "power":  # the larger magnitude
        return min(levels(fmt), key=lambda level: (abs(level - exact), -abs(level)))
    return min(levels(fmt), key=lambda level: (abs(level - exact), level % 2))


@pytest.mark.parametrize("fmt", FORMATS[:6] + FORMATS[16:], ids=lambda fmt: fmt.name)
@given(data=st.data())
def test_nearest_is_found_by_search(fmt, data):
    frac = data.draw(st.integers(-4, 6))
    # Around a level or a midpoint, and anywhere.
    level = data.draw(st.sampled_from(levels(fmt)))
    edge = Fraction(level) * data.draw(st.sampled_from([1, Fraction(1, 2), Fraction(3, 2)]))
    edge += data.draw(st.sampled_from([0, Fraction(1, 2), -Fraction(1, 2)]))
    edge = float(edge) * 2.0**-frac
    anywhere = data.draw(st.floats(-2.0 * fmt.max, 2.0 * fmt.max))
    for value in (edge, np.nextafter(edge, 9e9), np.nextafter(edge, -9e9), anywhere, 0.0, -0.0):
        assert int(fmt.nearest(value, frac)) == nearest_level(fmt, float(value), frac)


@pytest.mark.parametrize("bits", range(3, 8))
def test_powers_at_their_bounds(bits):
    """2**k from 0.75 to 1.5 times itself, exactly; 1 from 0.5; the largest without end."""
    fmt = WeightFormat(bits, "power")
    for k in range(fmt.top_exponent + 1):
        low, high = 2.0**k * (0.75 if k else 0.5), 2.0**k * 1.5
        below, top = (1 << k) // 2, min(2 << k, fmt.max)
        values = [np.nextafter(low, 0), low, np.nextafter(high, 0), high]
        assert fmt.nearest(values, 0).tolist() == [below, 1 << k, 1 << k, top]
        assert fmt.nearest(np.negative(values), 0).tolist() == [-below, -1 << k, -1 << k, -top]
    assert fmt.nearest([np.inf, -np.inf, 1e300], 0).tolist() == [fmt.max, fmt.min, fmt.max]


def test_channels_have_their_own_frac():
    values = np.full((3, 2, 1, 2), 0.75)
    codes = WeightFormat(4).nearest(values, [0, 1, 9])
    assert codes.shape == values.shape
    assert codes.dtype == np.int8
    assert [np.unique(channel).tolist() for channel in codes] == [[1], [2], [7]]


@given(st.lists(st.floats(-1, 1), min_size=4, max_size=4), st.floats(0, 1), st.floats(0, 1))
def test_ternary_threshold(values, first, second):
    fmt = WeightFormat(2, "ternary")
    values = np.reshape(values, (2, 2))
    expected = [
        [(v > t) - (v < -t) for v in row] for row, t in zip(values.tolist(), [first, second])
    ]
    assert fmt.nearest(values, 0, threshold=[first, second]).tolist() == expected


def test_threshold_of_other_weights():
    with pytest.raises(ValueError, match=r"^Weight threshold must be None for s4 weights$"):
        WeightFormat(4).nearest([1.0], 0, threshold=0.5)


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=5), st.integers(3, 7))
def test_power_exponent_is_inqs(values, bits):
    fmt, largest = WeightFormat(bits, "power"), Fraction(max(map(abs, values)))
    n1 = int(power_exponent([values])[0])
    if not largest:
        assert n1 == 0
        return
    assert Fraction(2) ** n1 <= largest * 4 / 3 < Fraction(2) ** (n1 + 1)
    frac = fmt.power_frac([values])
    assert fmt.max * Fraction(2) ** -int(frac[0]) == Fraction(2) ** n1
    assert np.abs(fmt.nearest([values], frac)).max() == fmt.max


def test_power_exponent_per_channel_and_at_its_bounds():
    values = np.zeros((4, 1, 3, 3))
    values[0, 0, 1, 1], values[1, 0, 0, 2], values[2, 0, 2, 0] = -0.75, np.nextafter(0.75, 0), 1.5
    exponents = power_exponent(values)
    assert exponents.dtype == np.int64
    assert exponents.tolist() == [0, -1, 1, 0]
    assert WeightFormat(5, "power").power_frac(values).tolist() == [7, 8, 6, 7]
