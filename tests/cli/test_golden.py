"""``fxhw golden``."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from fxhw.checkpoint import load_checkpoint, save_checkpoint
from fxhw.dice import dice_both
from fxhw.fixed import normalize
from fxhw.golden import run_network, run_tiled
from fxhw.images import read_label, write_mask
from fxhw.quantize import requantize
from tests.networks import random_image, random_network

from .run import run_command


@pytest.fixture
def net(tmp_path):
    path = tmp_path / "net.safetensors"
    save_checkpoint(random_network(0, (3,), (16, 16), 4, 6), path)
    return path


def make_image(path, size=(16, 16), seed=0):
    pixels = random_image(np.random.default_rng(seed), size)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels[:, :, 0]).save(path)
    return pixels


@pytest.fixture
def dataset(tmp_path):
    """Three images with labels, the last for validation."""
    folder = tmp_path / "data"
    (folder / "labels").mkdir(parents=True)
    for index, name in enumerate("abc"):
        make_image(folder / "images" / f"{name}.png", (16, 12 + index), index)
        label = np.random.default_rng(index).random((16, 12 + index)) < 0.5
        write_mask(folder / "labels" / f"{name}.png", label)
    (folder / "index.csv").write_text("id,group,split\na,1,train\nb,1,train\nc,2,val\n")
    return folder


def golden(*args, ok=True):
    return run_command("golden", *args, ok=ok)


def test_one_image(tmp_path, net):
    pixels = make_image(tmp_path / "x.png")
    result = golden(tmp_path / "x.png", "--checkpoint", net, "-o", tmp_path / "out")
    expected = run_network(load_checkpoint(net), pixels)[0]
    np.testing.assert_array_equal(read_label(tmp_path / "out" / "x.png"), expected)
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics == {
        "checkpoint": str(net),
        "wbits": 4,
        "abits": 6,
        "images": [
            {
                "image": "x.png",
                "mask": "x.png",
                "height": 16,
                "width": 16,
                "foreground": expected.mean(),
            }
        ],
        "mean_dice": None,
    }
    assert "x.png" in result.stdout
    assert "16x16" in result.stdout
    assert "1 image in " in result.stdout
    assert sorted(p.name for p in tmp_path.iterdir()) == ["net.safetensors", "out", "x.png"]


def test_large_image_is_normalized_as_a_whole(tmp_path):
    """Before it is cut into tiles."""
    net = tmp_path / "net.safetensors"
    network = random_network(0, (3,), (16, 16), 4, 6)
    network = replace(network, normalization="zscore")
    save_checkpoint(network, net)
    pixels = make_image(tmp_path / "x.png", (30, 21))
    golden(tmp_path / "x.png", "--checkpoint", net, "-o", tmp_path / "out")
    expected = run_tiled(network, normalize(pixels, "zscore"))
    np.testing.assert_array_equal(read_label(tmp_path / "out" / "x.png"), expected)
    assert (run_tiled(network, pixels) != expected).any()


def test_default_output(tmp_path, net, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_image(tmp_path / "x.png")
    golden("x.png", "--checkpoint", net)
    assert (tmp_path / "runs" / "golden" / "x.png").is_file()


@pytest.mark.parametrize("overlap", [None, 5])
def test_large_image_in_tiles(tmp_path, net, overlap):
    pixels = make_image(tmp_path / "x.png", (30, 41))
    more = [] if overlap is None else ["--overlap", overlap]
    golden(tmp_path / "x.png", "--checkpoint", net, "-o", tmp_path / "out", *more)
    expected = run_tiled(load_checkpoint(net), pixels, overlap)
    np.testing.assert_array_equal(read_label(tmp_path / "out" / "x.png"), expected)


def test_overlap_as_large_as_a_tile(tmp_path, net):
    make_image(tmp_path / "x.png", (30, 41))
    result = golden(tmp_path / "x.png", "--checkpoint", net, "--overlap", 16, ok=False)
    assert "Tiles of 16x16 must overlap by 0 to 15 pixels, not 16" in result.stderr


def test_folder_with_labels(tmp_path, net, dataset):
    images, labels, out = dataset / "images", dataset / "labels", tmp_path / "out"
    result = golden(images, "--labels", labels, "--checkpoint", net, "-o", out)
    metrics = json.loads((out / "metrics.json").read_text())
    scores = []
    for entry, name in zip(metrics["images"], "abc", strict=True):
        both = dice_both(read_label(out / f"{name}.png"), read_label(labels / f"{name}.png"))
        assert (entry["dice"]["foreground"], entry["dice"]["background"]) == both
        assert f"{both[0]:.2f} %" in result.stdout
        scores.append(both)
    assert metrics["mean_dice"] == {
        "foreground": pytest.approx(np.mean(scores, axis=0)[0]),
        "background": pytest.approx(np.mean(scores, axis=0)[1]),
    }
    assert "mean" in result.stdout
    assert "3 images in" in result.stdout


def test_plain_folder_has_no_labels(tmp_path, net, dataset):
    golden(dataset / "images", "--checkpoint", net, "-o", tmp_path / "out")
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["mean_dice"] is None
    assert len(metrics["images"]) == 3


@pytest.mark.parametrize(
    ("split", "names"), [(None, "abc"), ("train", "ab"), ("val", "c")]
)
def test_dataset(tmp_path, net, dataset, split, names):
    more = ["--split", split] if split else []
    golden(dataset, "--checkpoint", net, "-o", tmp_path / "out", *more)
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert [entry["image"] for entry in metrics["images"]] == [f"{name}.png" for name in names]
    assert metrics["mean_dice"] is not None


def test_one_label_file(tmp_path, net, dataset):
    image, label = dataset / "images" / "a.png", dataset / "labels" / "a.png"
    golden(image, "--labels", label, "--checkpoint", net, "-o", tmp_path / "out")
    assert json.loads((tmp_path / "out" / "metrics.json").read_text())["mean_dice"]


def test_requantized(tmp_path, net):
    pixels = make_image(tmp_path / "x.png")
    golden(
        tmp_path / "x.png", "--checkpoint", net, "-o", tmp_path / "out",
        "--wbits", 3, "--abits", 4,
    )
    expected = run_network(requantize(load_checkpoint(net), 3, 4), pixels)[0]
    np.testing.assert_array_equal(read_label(tmp_path / "out" / "x.png"), expected)
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert (metrics["wbits"], metrics["abits"]) == (3, 4)


def test_image_codes_narrower_than_pixels(tmp_path):
    network = random_network(0, (3,), (16, 16), 4, 6, ibits=5)
    save_checkpoint(network, tmp_path / "net")
    pixels = make_image(tmp_path / "x.png")
    golden(tmp_path / "x.png", "--checkpoint", tmp_path / "net", "-o", tmp_path / "out")
    expected = run_network(network, pixels >> 3)[0]
    np.testing.assert_array_equal(read_label(tmp_path / "out" / "x.png"), expected)


def test_colour_network_takes_grey_images(tmp_path):
    network = random_network(0, (3,), (16, 16), 4, 6, image_channels=3)
    save_checkpoint(network, tmp_path / "net")
    pixels = make_image(tmp_path / "x.png")
    golden(tmp_path / "x.png", "--checkpoint", tmp_path / "net", "-o", tmp_path / "out")
    expected = run_network(network, pixels.repeat(3, axis=2))[0]
    np.testing.assert_array_equal(read_label(tmp_path / "out" / "x.png"), expected)


def test_default_checkpoint_is_the_bundled_one(tmp_path, net, monkeypatch):
    monkeypatch.setattr("fxhw.bundled.bundled_checkpoint", lambda: net)
    make_image(tmp_path / "x.png")
    golden(tmp_path / "x.png", "-o", tmp_path / "out")
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["checkpoint"] == "net.safetensors"


def test_other_files_in_the_output_stay(tmp_path, net):
    make_image(tmp_path / "x.png")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    (tmp_path / "out" / "x.png").write_text("old")
    golden(tmp_path / "x.png", "--checkpoint", net, "-o", tmp_path / "out")
    assert (tmp_path / "out" / "notes.txt").read_text() == "mine"
    read_label(tmp_path / "out" / "x.png")


@pytest.mark.parametrize("exists", [False, True])
def test_no_partial_output(tmp_path, net, dataset, exists):
    """The second image is damaged: nothing of the first is left, nothing old is lost."""
    (dataset / "images" / "b.png").write_bytes(b"damaged")
    out = tmp_path / "out"
    if exists:
        out.mkdir()
        (out / "a.png").write_text("old")
    before = sorted(p.name for p in tmp_path.iterdir())
    result = golden(dataset, "--checkpoint", net, "-o", out, ok=False)
    assert "b.png is not an image file that can be read" in result.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == before
    if exists:
        assert (out / "a.png").read_text() == "old"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["none"], "none does not exist; give an image or a folder of images"),
        (["net.safetensors"], "is not an image file that can be read"),
        (["data/images", "--labels", "none"], "Labels none is not a folder, and there are 3"),
        (["data/images", "--split", "val"], "--split needs a data set with images/ and index.csv"),
        (["data/images/a.png", "--labels", "other"], "a.png has no label of the name a.png in"),
        (["data", "-o", "net.safetensors"], "net.safetensors exists and is not a folder"),
        (["data", "-o", "net.safetensors/out"], "out cannot be written: "),
        (["data", "-o", "data/images"], "would replace data/images/a.png, which is being read"),
        (["data", "-o", "data/labels"], "would replace data/labels/a.png, which is being read"),
        (["other"], "holds no image (a file ending in"),
        (["data", "--checkpoint", "none"], "Checkpoint none does not exist"),
        (["data", "--checkpoint", "data/index.csv"], "is not a sound safetensors file"),
    ],
)
def test_refusals(tmp_path, net, dataset, monkeypatch, args, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other").mkdir()
    if "--checkpoint" not in args:
        args = [*args, "--checkpoint", "net.safetensors"]
    assert message in golden(*args, ok=False).stderr
    assert not (tmp_path / "runs" / "golden").exists()


def test_split_without_images(tmp_path, net, dataset):
    (dataset / "index.csv").write_text("id,group,split\na,1,train\n")
    result = golden(dataset, "--split", "val", "--checkpoint", net, ok=False)
    assert "has no val images; its index.csv must name some" in result.stderr


def test_label_of_another_size(tmp_path, net, dataset):
    write_mask(dataset / "labels" / "b.png", np.zeros((3, 4), bool))
    result = golden(dataset, "--checkpoint", net, "-o", tmp_path / "out", ok=False)
    assert "b.png is 3x4, but its image is 16x13; they must have the same size" in result.stderr


def test_two_images_with_one_mask(tmp_path, net):
    for suffix in ("png", "tif"):
        make_image(tmp_path / "in" / f"x.{suffix}")
    result = golden(tmp_path / "in", "--checkpoint", net, ok=False)
    assert "x.png and x.tif would both give the mask x.png; rename one" in result.stderr
