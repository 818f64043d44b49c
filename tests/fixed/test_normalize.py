"""Normalization against its formula, one Python integer at a time."""

from math import isqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fxhw.fixed import CODES_PER_DEVIATION, normalize


def by_definition(codes):
    n, total, squares = len(codes), sum(codes), sum(x * x for x in codes)
    spread = n * squares - total**2
    if spread == 0:
        return [128] * n
    root = isqrt(spread << 32)
    return [
        max(0, min(255, 128 + ((((64 * (n * x - total)) << 16) // root + 1) >> 1))) for x in codes
    ]


@given(
    st.lists(
        st.lists(st.integers(0, 255), min_size=6, max_size=6)
        | st.integers(0, 255).map(lambda x: [x] * 6),
        min_size=1,
        max_size=3,
    )
)
def test_channels_are_the_definition(channels):
    image = np.array(channels, np.uint8).T.reshape(2, 3, len(channels))
    result = normalize(image, "zscore")
    assert result.dtype == np.uint8
    assert result.reshape(6, -1).T.tolist() == [by_definition(codes) for codes in channels]


def test_is_the_rounded_zscore():
    codes = np.random.default_rng(0).normal(90, 30, (64, 48, 1)).clip(0, 255).astype(np.uint8)
    expected = 128 + CODES_PER_DEVIATION * (codes - codes.mean()) / codes.std()
    difference = normalize(codes, "zscore") - expected.clip(0, 255)
    assert np.abs(difference).max() <= 0.501


def test_two_values_lie_a_deviation_off():
    image = np.array([[[10], [20]]], np.uint8)
    assert normalize(image, "zscore")[0, :, 0].tolist() == [96, 160]


def test_far_values_are_clamped():
    image = np.zeros((40, 40, 1), np.uint8)
    image[0, 0] = 255
    assert normalize(image, "zscore")[0, :2, 0].tolist() == [255, 127]
    assert normalize(255 - image, "zscore")[0, :2, 0].tolist() == [0, 129]


def test_none_is_the_image_itself():
    image = np.arange(6, dtype=np.uint8).reshape(2, 3, 1)
    assert normalize(image, "none") is image


def test_name_wrong():
    with pytest.raises(ValueError, match=r"^Normalization must be none or zscore, not 'minmax'$"):
        normalize(np.zeros((1, 1, 1), np.uint8), "minmax")
