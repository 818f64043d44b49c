"""The convolution through BLAS against loops over Python integers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fxhw.fixed import Accumulator, FixedFormat, WeightFormat
from fxhw.golden import conv, conv3x3
from fxhw.golden.conv import exact_dtype
from tests.golden.reference import naive_conv
from tests.networks import random_codes


@given(
    seed=st.integers(0, 1 << 32),
    height=st.integers(1, 6),
    width=st.integers(1, 6),
    channels=st.integers(1, 4),
    outs=st.integers(1, 3),
    wbits=st.integers(1, 8),
    abits=st.integers(1, 8),
    extreme=st.booleans(),
)
def test_equals_loops(seed, height, width, channels, outs, wbits, abits, extreme):
    rng = np.random.default_rng(seed)
    weight, activation = WeightFormat(wbits), FixedFormat(abits)
    x = rng.integers(0, activation.max, (height, width, channels), endpoint=True)
    if extreme:
        x[...] = activation.max
    codes = random_codes(rng, weight, (outs, channels, 3, 3), extreme)
    accumulator = Accumulator(weight, activation, 9 * channels)
    result = conv3x3(x, codes, accumulator)
    assert result.dtype == np.int64
    assert result.tolist() == naive_conv(x.tolist(), codes.tolist())
    assert accumulator.min <= result.min() <= result.max() <= accumulator.max


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("channels", [57, 58])
def test_extremes_at_the_edge_of_float32(channels, sign):
    """8-bit extremes reach 2**24 between 57 and 58 channels; odd sums there need float64."""
    weight, activation = WeightFormat(8), FixedFormat(8)
    accumulator = Accumulator(weight, activation, 9 * channels)
    assert exact_dtype(accumulator) == (np.float32 if channels == 57 else np.float64)
    x = np.full((3, 3, channels), 255)
    codes = np.full((1, channels, 3, 3), -128 if sign < 0 else 127, np.int8)
    x[1, 1, 0], codes[0, 0, 1, 1] = 1, 1
    exact = int((x.astype(object) * codes[0].transpose(1, 2, 0).astype(object)).sum())
    assert conv3x3(x, codes, accumulator)[1, 1, 0] == exact


def test_float32_and_float64_agree():
    rng = np.random.default_rng(3)
    x = rng.integers(0, 64, (17, 13, 32))
    codes = random_codes(rng, WeightFormat(4), (8, 32, 3, 3))
    narrow = Accumulator(WeightFormat(4), FixedFormat(6), 9 * 32)
    wide = Accumulator(WeightFormat(8), FixedFormat(16), 9 * 32)
    assert [exact_dtype(a) for a in (narrow, wide)] == [np.float32, np.float64]
    np.testing.assert_array_equal(conv3x3(x, codes, narrow), conv3x3(x, codes, wide))


def test_no_exact_type():
    accumulator = Accumulator(WeightFormat(8), FixedFormat(50), 9)
    with pytest.raises(OverflowError, match=r"^Accumulator range \d+ exceeds 2\*\*53;"):
        exact_dtype(accumulator)


@pytest.mark.parametrize("rows", [1, 2, 4])
def test_blocks_of_rows_make_no_difference(monkeypatch, rows):
    rng = np.random.default_rng(rows)
    x = rng.integers(0, 16, (7, 5, 3))
    codes = random_codes(rng, WeightFormat(4), (2, 3, 3, 3))
    accumulator = Accumulator(WeightFormat(4), FixedFormat(4), 27)
    whole = conv3x3(x, codes, accumulator)
    monkeypatch.setattr(conv, "_CHUNK_BYTES", rows * 9 * 3 * 5 * 4)
    np.testing.assert_array_equal(conv3x3(x, codes, accumulator), whole)
