"""Codes side by side and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fxhw.fixed import codes_to_int, int_to_codes, pack_codes, unpack_codes


@st.composite
def patterns(draw):
    width = draw(st.integers(1, 48))
    return width, draw(st.lists(st.integers(0, (1 << width) - 1), max_size=40))


@given(patterns())
def test_round_trip(case):
    width, codes = case
    packed = pack_codes(codes, width)
    assert packed.dtype == np.uint8
    assert packed.size == -(-len(codes) * width // 8)
    assert unpack_codes(packed, width, len(codes)).tolist() == codes


@given(patterns())
def test_integer_has_the_first_code_lowest_and_no_gaps(case):
    width, codes = case
    value = codes_to_int(codes, width)
    assert value == sum(code << (width * index) for index, code in enumerate(codes))
    assert int_to_codes(value, width, len(codes)).tolist() == codes


def test_every_width_fills_its_bytes():
    assert pack_codes([1, 2, 3], 4).tolist() == [0x21, 0x03]
    assert pack_codes([1, 0, 1], 1).tolist() == [0b101]
    assert pack_codes([0x155], 9).tolist() == [0x55, 0x01]


def test_shape_is_flattened():
    assert unpack_codes(pack_codes(np.arange(6).reshape(2, 3), 3), 3, 6).tolist() == [*range(6)]


@pytest.mark.parametrize("size", [0, 2])
def test_length_wrong(size):
    message = rf"^Packed data must be 1 bytes for 2 codes of 4 bits, not {size}$"
    with pytest.raises(ValueError, match=message):
        unpack_codes(np.zeros(size, np.uint8), 4, 2)
