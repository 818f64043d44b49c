"""Every code of every format."""

import numpy as np
import pytest

from fxhw.fixed import ActivationFormat, FixedFormat, WeightFormat


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


@pytest.mark.parametrize("bits", range(1, 9))
def test_weight_codes_and_patterns_are_one_to_one(bits):
    fmt = WeightFormat(bits)
    codes = [-1, 1] if bits == 1 else list(range(-(1 << (bits - 1)), 1 << (bits - 1)))
    assert (fmt.min, fmt.max, fmt.binary) == (codes[0], codes[-1], bits == 1)
    patterns = fmt.encode(codes)
    assert patterns.dtype == np.uint8
    assert sorted(patterns.tolist()) == list(range(1 << bits))
    assert fmt.decode(patterns).tolist() == codes
    assert fmt.contains(codes)
    assert not fmt.contains([codes[0] - 1])
    assert not fmt.contains([codes[-1] + 1])


def test_weight_patterns_are_twos_complement():
    assert WeightFormat(4).encode([-8, -1, 0, 7]).tolist() == [8, 15, 0, 7]
    assert WeightFormat(1).encode([-1, 1]).tolist() == [0, 1]


def test_binary_weights_have_no_zero():
    assert not WeightFormat(1).contains([1, 0, -1])


def test_weight_names():
    assert [WeightFormat(bits).name for bits in (1, 2, 8)] == ["binary", "s2", "s8"]


@pytest.mark.parametrize("bits", [0, 9])
def test_weight_width_wrong(bits):
    with pytest.raises(ValueError, match=rf"^Weight width must be 1 to 8 bits, not {bits}$"):
        WeightFormat(bits)
