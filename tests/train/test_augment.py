"""Augmentation: shapes, labels that follow their image, and determinism."""

import numpy as np
import pytest

from fxhw.dataset import Sample
from fxhw.synthetic import make_sample
from fxhw.train.augment import augment, crop_size, draw_batch

pytestmark = pytest.mark.train


def test_crops_are_as_small_as_the_smallest_image():
    images = [np.zeros((30, 50, 1)), np.zeros((40, 20, 1))]
    assert crop_size(images, 192) == (30, 20)
    assert crop_size(images, 16) == (16, 16)


@pytest.mark.parametrize("size", [(32, 32), (64, 72), (24, 40), (1, 1)])
@pytest.mark.parametrize("channels", [1, 3])
def test_crops_have_the_size_asked_for(size, channels):
    image, label = make_sample(64, 72, 0)
    image = image.repeat(channels, axis=2)
    rng = np.random.default_rng(0)
    for _ in range(12):
        crop, mask = augment(image, label, size, rng)
        assert crop.shape == (*size, channels)
        assert crop.dtype == np.uint8
        assert mask.shape == size
        assert mask.dtype == bool


def test_the_label_follows_its_image():
    label = make_sample(96, 96, 0)[1]
    image = np.where(label, 180, 60).astype(np.uint8)[:, :, None]
    rng = np.random.default_rng(1)
    for _ in range(20):
        crop, mask = augment(image, label, (64, 64), rng)
        threshold = (crop[mask].mean() + crop[~mask].mean()) / 2
        assert ((crop[:, :, 0] > threshold) == mask).mean() > 0.97


def test_equal_seeds_give_equal_batches():
    samples = [Sample(str(seed), *make_sample(40, 40, seed)) for seed in range(2)]
    first, second = (draw_batch(samples, (32, 32), np.random.default_rng(4)) for _ in range(2))
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])
    assert first[0].shape == (2, 32, 32, 1)
    other = draw_batch(samples, (32, 32), np.random.default_rng(5))
    assert (first[0] != other[0]).any()
