"""Data set folders: what is read, and every mistake by its message."""

import numpy as np
import pytest
from PIL import Image

from fxhw.dataset import Dataset, find_dataset
from fxhw.errors import FxhwError


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels, np.uint8)).save(path)


@pytest.fixture
def folder(tmp_path):
    """Two train images and one val image of 6x9 pixels."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "cells"
    for name in ("000", "001", "002"):
        save(folder / "images" / f"{name}.png", rng.integers(0, 256, (6, 9)))
        save(folder / "labels" / f"{name}.png", rng.integers(0, 2, (6, 9)) * 255)
    index = "id,group,split\n000,a,train\n001,a,val\n002,b,train\n"
    (folder / "index.csv").write_text(index)
    return folder


def test_samples_come_by_split_in_the_order_of_the_index(folder):
    data = find_dataset(folder)
    assert data.name == "cells"
    assert data.ids("train") == ["000", "002"]
    (sample,) = data.load("val")
    assert sample.id == "001"
    assert sample.image.shape == (6, 9, 1)
    assert sample.image.dtype == np.uint8
    assert sample.label.shape == (6, 9)
    assert sample.label.dtype == bool
    stored = np.asarray(Image.open(folder / "labels" / "001.png"))
    np.testing.assert_array_equal(sample.label, stored == 255)


def test_samples_name_the_group_they_come_from(folder):
    data = find_dataset(folder)
    assert [(sample.id, sample.group) for sample in data.load("train")] == [
        ("000", "a"), ("002", "b")
    ]
    assert data.load("val")[0].group == "a"


@pytest.mark.parametrize("index", ["id,split\n000,train\n", "id,group,split\n000,,train\n"])
def test_an_image_without_group_is_its_own(folder, index):
    (folder / "index.csv").write_text(index)
    assert find_dataset(folder).load("train")[0].group == "000"


def test_rgb_images_have_three_channels(folder):
    for name in ("000", "002"):
        save(folder / "images" / f"{name}.png", np.zeros((6, 9, 3)))
    assert find_dataset(folder).load("train")[0].image.shape == (6, 9, 3)


def test_known_names_are_found_under_fxhw_data(folder, monkeypatch):
    folder.rename(folder.parent / "em")
    monkeypatch.setenv("FXHW_DATA", str(folder.parent))
    assert find_dataset("em").name == "em"
    with pytest.raises(FxhwError, match="gm is not in .*set FXHW_DATA"):
        find_dataset("gm")


def test_unknown_names_are_refused(tmp_path):
    with pytest.raises(FxhwError, match="neither a folder nor one of em, gm, pancreas, glas"):
        find_dataset(tmp_path / "nothing")


def test_folders_without_index_are_refused(tmp_path):
    with pytest.raises(FxhwError, match=r"index\.csv cannot be read"):
        find_dataset(tmp_path)


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ("id,group\n000,a\n", "line 2: id '000' with split None"),
        ("id,group,split\n000,a,test\n", "line 2: id '000' with split 'test'"),
        ("id,group,split\n,a,val\n", "line 2: id '' with split 'val'"),
        ("id,group,split\n000,a,val\n000,a,train\n", "line 3: id '000' is there twice"),
        ("id,group,split\n../000,a,val\n", "line 2: id '../000' .*not a plain file name"),
        (b"\xff\xfe\x00", "cannot be read"),
        ('id,group,split\n"000\n001",a,val\n', r"line 2: id '000\\n001' .*not a plain file name"),
        (f"id,group,split\n000,a,{'val' * 99}\n", "line 2: .* split 'valvalvalval\\.\\.\\.lval"),
    ],
)
def test_bad_indexes_are_refused(folder, index, message):
    (folder / "index.csv").write_bytes(index if isinstance(index, bytes) else index.encode())
    with pytest.raises(FxhwError, match=message):
        find_dataset(folder)


def test_an_empty_split_is_refused(folder):
    (folder / "index.csv").write_text("id,group,split\n000,a,train\n")
    with pytest.raises(FxhwError, match="has no val images"):
        find_dataset(folder).load("val")


def test_an_unknown_split_is_refused(folder):
    with pytest.raises(FxhwError, match="Split must be one of train, val, not 'test'"):
        Dataset(folder).load("test")


def test_a_label_of_another_size_is_refused(folder):
    save(folder / "labels" / "001.png", np.zeros((6, 8)))
    with pytest.raises(FxhwError, match="is 6x8, but its image is 6x9"):
        find_dataset(folder).load("val")


def test_a_label_of_three_values_is_refused(folder):
    save(folder / "labels" / "001.png", np.arange(54).reshape(6, 9) % 3 * 100)
    with pytest.raises(FxhwError, match=r"001\.png"):
        find_dataset(folder).load("val")


@pytest.mark.parametrize("kind", ["images", "labels"])
def test_a_truncated_png_is_refused(folder, kind):
    path = folder / kind / "001.png"
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(FxhwError, match=r"001\.png"):
        find_dataset(folder).load("val")


@pytest.mark.parametrize("kind", ["images", "labels"])
def test_a_missing_png_is_refused(folder, kind):
    (folder / kind / "001.png").unlink()
    with pytest.raises(FxhwError, match=r"001\.png"):
        find_dataset(folder).load("val")


def test_a_name_that_no_file_can_have_is_refused(folder):
    (folder / "index.csv").write_text(f"id,group,split\n{'0' * 300},a,val\n")
    with pytest.raises(FxhwError, match="cannot be read: File name too long"):
        find_dataset(folder).load("val")


def test_images_that_differ_in_channels_are_refused(folder):
    save(folder / "images" / "002.png", np.zeros((6, 9, 3)))
    with pytest.raises(FxhwError, match="Image 002 .* has 3 channels, but 000 has 1"):
        find_dataset(folder).load("train")
