"""The synthetic images: the same everywhere, and like the data they imitate."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from fxhw.bundled import (
    BUNDLED,
    bundled_checkpoint,
    bundled_image,
    bundled_label,
    find_checkpoint,
)
from fxhw.checkpoint import load_checkpoint
from fxhw.dice import dice_both
from fxhw.errors import FxhwError
from fxhw.fixed import normalize
from fxhw.golden import run_network
from fxhw.images import read_image, read_label
from fxhw.quantize import widths
from fxhw.synthetic import make_sample


def test_the_bundled_image_and_label_are_what_the_code_makes():
    image, label = make_sample(128, 128, 0)
    np.testing.assert_array_equal(image, read_image(bundled_image()))
    np.testing.assert_array_equal(label, read_label(bundled_label()))


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (37, 2), (64, 96)])
def test_every_size_works(size):
    image, label = make_sample(*size, seed=3)
    assert image.shape == (*size, 1)
    assert image.dtype == np.uint8
    assert label.shape == size
    assert label.dtype == bool


def test_a_seed_gives_these_pixels():
    image, label = make_sample(48, 64, 7)
    digest = hashlib.sha256(image.tobytes() + label.tobytes()).hexdigest()
    assert digest == "c665e736ab0204a2bd5851bf9537ec3cb6c2a57da0a7c2f8fa9dbc1fcb7f0617"


def test_seeds_give_different_images():
    assert (make_sample(32, 32, 0)[0] != make_sample(32, 32, 1)[0]).mean() > 0.9


def test_grey_values_resemble_electron_microscopy():
    image, label = make_sample(256, 256, 5)
    inside, membrane = image[label], image[~label]
    assert 0.7 < label.mean() < 0.85
    assert 120 < inside.mean() < 155
    assert 70 < membrane.mean() < 105
    assert 20 < inside.std() < 45


@pytest.mark.parametrize(("size", "seed"), [((0, 5), 0), ((5, -1), 0), ((5, 5), -1)])
def test_impossible_sizes_and_seeds_are_refused(size, seed):
    with pytest.raises(FxhwError, match="positive size and a seed"):
        make_sample(*size, seed)


def test_the_bundled_network_segments_the_bundled_image():
    network = load_checkpoint(bundled_checkpoint())
    mask, _ = run_network(network, read_image(bundled_image()))
    cell, membrane = dice_both(mask, read_label(bundled_label()))
    assert cell > 93
    assert membrane > 75


@pytest.mark.parametrize("name", BUNDLED)
def test_a_bundled_checkpoint_holds_made_up_images_only(name):
    network = load_checkpoint(bundled_checkpoint(name))
    made_up = np.stack([make_sample(64, 64, seed)[0] for seed in (1, 2)])
    expected = [normalize(image, network.normalization) for image in made_up]
    np.testing.assert_array_equal(network.calibration, expected)


@pytest.mark.parametrize("name", BUNDLED)
def test_a_bundled_checkpoint_is_small_and_of_the_widths_its_name_says(name):
    assert bundled_checkpoint(name).stat().st_size < 300_000
    assert widths(load_checkpoint(bundled_checkpoint(name))) == (4, 6)


def test_names_of_bundled_networks_yield_to_files(tmp_path, monkeypatch):
    assert find_checkpoint(None) == bundled_checkpoint("em")
    assert find_checkpoint(Path("gm")) == bundled_checkpoint("gm")
    assert find_checkpoint(Path("other")) == Path("other")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gm").touch()
    assert find_checkpoint(Path("gm")) == Path("gm")
