"""The writer: atomic, strict about sizes and splits; splitting, windowing and cropping."""

import numpy as np
import pytest
from PIL import Image

from fxhw.dataset import Dataset
from fxhw.errors import FxhwError
from fxhw.importers import KINDS, import_dataset
from fxhw.importers.layout import Slice, crop, split_of, to_8_bits, write_dataset


def some(count, shape=(4, 6)):
    rng = np.random.default_rng(0)
    for index in range(count):
        image = rng.integers(0, 256, shape, np.uint8)
        yield Slice(f"slice {index}", image, image.reshape(4, 6, -1)[:, :, 0] > 99, "g",
                    split_of(index, 2))


@pytest.mark.parametrize("shape", [(4, 6), (4, 6, 3)])
def test_what_is_written_is_what_a_data_set_reads(tmp_path, shape):
    assert write_dataset(tmp_path / "deep" / "set", some(5, shape)) == {"train": 3, "val": 2}
    data = Dataset(tmp_path / "deep" / "set")
    assert (data.ids("train"), data.ids("val")) == (["000", "002", "004"], ["001", "003"])
    for sample in [*data.load("train"), *data.load("val")]:
        original = list(some(5, shape))[int(sample.id)]
        np.testing.assert_array_equal(sample.image, original.image.reshape(4, 6, -1))
        np.testing.assert_array_equal(sample.label, original.label)
    assert (data.folder / "index.csv").read_text().startswith("id,group,split\n000,g,train\n001,g")
    stored = np.asarray(Image.open(data.folder / "labels" / "000.png"))
    assert set(np.unique(stored)) == {0, 255}
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["set"]


def test_an_empty_folder_is_taken_even_the_current_one(tmp_path, monkeypatch):
    (tmp_path / "set").mkdir()
    monkeypatch.chdir(tmp_path / "set")
    write_dataset(".", some(2))
    assert Dataset(tmp_path / "set").ids("val") == ["001"]


def test_a_folder_with_something_in_it_is_left_alone(tmp_path):
    (tmp_path / "kept").write_text("precious")
    with pytest.raises(FxhwError, match="already holds 1 files or folders; give a new"):
        write_dataset(tmp_path, some(2))
    with pytest.raises(FxhwError, match="kept is not a folder"):
        write_dataset(tmp_path / "kept", some(2))
    assert (tmp_path / "kept").read_text() == "precious"


def bad_size():
    yield from some(2)
    yield Slice("slice 7", np.zeros((4, 6), np.uint8), np.zeros((4, 5), bool), "g", "val")


@pytest.mark.parametrize(
    ("slices", "message"),
    [
        (lambda: [], "has 0 images but none to go into train"),
        (lambda: some(1), "has 1 images but none to go into val; .* --val-every"),
        (bad_size, "label of slice 7 is 4x5, but its image is 4x6"),
    ],
)
def test_nothing_is_left_after_a_mistake(tmp_path, slices, message):
    with pytest.raises(FxhwError, match=message):
        write_dataset(tmp_path / "set", slices())
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_after_an_interruption(tmp_path):
    def interrupted():
        yield from some(1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_dataset(tmp_path / "set", interrupted())
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(FxhwError, match="Data set .*set cannot be written: "):
        write_dataset(tmp_path / "file" / "set", some(2))


def test_every_nth_is_for_validation():
    assert [index for index in range(12) if split_of(index, 5) == "val"] == [1, 6, 11]


def test_windows_clip():
    values = to_8_bits(np.array([-2000, -100, 70, 240, 900]), -100, 240)
    assert (values.tolist(), values.dtype) == ([0, 0, 128, 255, 255], np.uint8)
    assert to_8_bits(np.zeros(3), 0, 0).tolist() == [0, 0, 0]


def test_crops_move_inside_and_pad():
    pixels = np.arange(1, 31).reshape(5, 6)
    assert crop(pixels, (1, 2)).tolist() == [[15, 16]]
    assert crop(pixels, (2, 2), (0, 0)).tolist() == [[1, 2], [7, 8]]
    assert crop(pixels, (2, 2), (4, 5)).tolist() == [[23, 24], [29, 30]]
    padded = crop(pixels, (8, 6), (0, 0))
    assert padded.shape == (8, 6)
    np.testing.assert_array_equal(padded[1:6], pixels)
    assert padded.sum() == pixels.sum()


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("mnist", {}, "must be one of isbi, scgm, nih, glas, not 'mnist'"),
        ("glas", {"val_every": 3}, "every 3 was asked for, but glas has its own split"),
        ("nih", {"with_test_b": True}, "Part B was asked for, but nih has none"),
        ("isbi", {"val_every": 1}, "every 1 leaves nothing to train on"),
    ],
)
def test_options_that_do_not_go_together(tmp_path, kind, options, message):
    with pytest.raises(FxhwError, match=message):
        import_dataset(kind, tmp_path, tmp_path / "set", **options)


@pytest.mark.parametrize("kind", KINDS)
def test_sources_that_are_no_folder(tmp_path, kind):
    (tmp_path / "file").touch()
    with pytest.raises(FxhwError, match="none does not exist; give the folder"):
        import_dataset(kind, tmp_path / "none", tmp_path / "set")
    with pytest.raises(FxhwError, match="is a file, not a folder"):
        import_dataset(kind, tmp_path / "file", tmp_path / "set")
