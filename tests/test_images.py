"""Images and masks as files."""

import numpy as np
import pytest
from PIL import Image

from fxhw.errors import FxhwError
from fxhw.fixed import FixedFormat
from fxhw.images import image_codes, list_images, read_image, read_label, write_mask


def save(path, pixels, mode=None):
    image = Image.fromarray(np.asarray(pixels, np.uint8))
    (image.convert(mode) if mode else image).save(path)
    return path


@pytest.fixture
def grey(tmp_path):
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
    return save(tmp_path / "grey.png", pixels), pixels


@pytest.fixture
def colour(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (3, 4, 3)).astype(np.uint8)
    return save(tmp_path / "colour.png", pixels), pixels


def test_grey(grey):
    path, pixels = grey
    image = read_image(path)
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, pixels[:, :, None])
    np.testing.assert_array_equal(read_image(path, 1), pixels[:, :, None])
    np.testing.assert_array_equal(read_image(path, 3), np.stack([pixels] * 3, axis=2))


def test_colour(colour):
    path, pixels = colour
    np.testing.assert_array_equal(read_image(path), pixels)
    np.testing.assert_array_equal(read_image(path, 3), pixels)
    luminance = pixels @ np.array([0.299, 0.587, 0.114])
    assert read_image(path, 1).shape == (3, 4, 1)
    assert np.abs(read_image(path, 1)[:, :, 0] - luminance).max() <= 1


def test_grey_saved_in_colour_is_exact(tmp_path, grey):
    _, pixels = grey
    path = save(tmp_path / "rgb.png", np.stack([pixels] * 3, axis=2))
    np.testing.assert_array_equal(read_image(path, 1)[:, :, 0], pixels)


@pytest.mark.parametrize("mode", ["LA", "RGBA", "P", "1"])
def test_other_kinds_of_8_bit_pixels(tmp_path, mode):
    pixels = np.where(np.arange(12).reshape(3, 4) % 3, 255, 0)
    path = save(tmp_path / "x.png", pixels, mode)
    np.testing.assert_array_equal(read_image(path, 1)[:, :, 0], pixels)


@pytest.mark.parametrize("suffix", ["bmp", "tif", "png"])
def test_file_formats(tmp_path, grey, suffix):
    path = save(tmp_path / f"x.{suffix}", grey[1])
    np.testing.assert_array_equal(read_image(path)[:, :, 0], grey[1])


def test_missing(tmp_path):
    with pytest.raises(FxhwError, match=r"^Image .*no\.png does not exist or is not a file$"):
        read_image(tmp_path / "no.png")
    with pytest.raises(FxhwError, match=r"does not exist or is not a file$"):
        read_image(tmp_path)


def test_not_an_image(tmp_path):
    path = tmp_path / "x.png"
    path.write_bytes(b"hello")
    with pytest.raises(FxhwError, match=r"^Image .*x\.png is not an image file that can be read$"):
        read_image(path)


def test_truncated_anywhere(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40))
    data = save(tmp_path / "x.png", pixels).read_bytes()
    for length in range(0, len(data) - 40, 29):
        (tmp_path / "x.png").write_bytes(data[:length])
        with pytest.raises(FxhwError, match=r"^Image .*x\.png is (not an image|damaged or trunc)"):
            read_image(tmp_path / "x.png")


def test_damaged_anywhere(tmp_path):
    """A flipped byte gives pixels or one sentence, never another exception."""
    pixels = np.random.default_rng(0).integers(0, 256, (9, 9))
    data = bytearray(save(tmp_path / "x.png", pixels).read_bytes())
    for position in range(len(data)):
        damaged = data.copy()
        damaged[position] ^= 0x55
        (tmp_path / "x.png").write_bytes(damaged)
        try:
            read_image(tmp_path / "x.png")
        except FxhwError:
            pass


def test_sixteen_bits(tmp_path):
    Image.fromarray(np.full((3, 3), 40000, np.uint16)).save(tmp_path / "x.png")
    with pytest.raises(FxhwError, match=r"has pixels of kind I;16, not 8-bit grey or RGB; scale"):
        read_image(tmp_path / "x.png")


def test_stack(tmp_path):
    pages = [Image.fromarray(np.full((3, 3), n, np.uint8)) for n in range(3)]
    pages[0].save(tmp_path / "x.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(FxhwError, match=r"x\.tif is a stack of 3; save each as one file$"):
        read_image(tmp_path / "x.tif")


def test_too_large(tmp_path, grey, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2)
    with pytest.raises(FxhwError, match=r"^Image .* is too large to open: "):
        read_image(grey[0])


def test_codes_are_the_high_bits():
    pixels = np.array([0, 31, 32, 255], np.uint8)
    assert image_codes(pixels, FixedFormat(8)).tolist() == [0, 31, 32, 255]
    assert image_codes(pixels, FixedFormat(3)).tolist() == [0, 0, 1, 7]
    assert image_codes(pixels, FixedFormat(3)).dtype == np.uint8


@pytest.mark.parametrize("one", [1, 255])
def test_label(tmp_path, one):
    mask = np.arange(12).reshape(3, 4) % 3 == 0
    path = save(tmp_path / "x.png", np.where(mask, one, 0))
    label = read_label(path)
    assert label.dtype == bool
    np.testing.assert_array_equal(label, mask)


@pytest.mark.parametrize("value", [0, 1, 255])
def test_label_of_one_value(tmp_path, value):
    path = save(tmp_path / "x.png", np.full((3, 4), value))
    assert read_label(path).all() == bool(value)


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([0, 128, 255], r"3 different values \(0, 128, 255\)"),
        ([0, 1, 255], r"3 different values \(0, 1, 255\)"),
        ([7, 7, 7], r"1 different values \(7\)"),
        (range(9), r"9 different values \(0, 1, 2, 3, 4, 5, 6, 7, \.\.\.\)"),
    ],
)
def test_label_values_wrong(tmp_path, values, shown):
    path = save(tmp_path / "x.png", [list(values)])
    with pytest.raises(FxhwError, match=rf"^Label .*x\.png has {shown}; it must hold 0 and 255"):
        read_label(path)


def test_label_coloured(tmp_path, colour):
    with pytest.raises(FxhwError, match=r"^Label .*colour\.png is coloured; it must be black"):
        read_label(colour[0])


def test_mask_round_trip(tmp_path):
    mask = np.random.default_rng(0).random((5, 9)) < 0.5
    path = tmp_path / "mask.png"
    write_mask(path, mask)
    assert sorted(np.unique(read_image(path)).tolist()) == [0, 255]
    np.testing.assert_array_equal(read_label(path), mask)
    assert [p.name for p in tmp_path.iterdir()] == ["mask.png"]


def test_mask_cannot_be_written(tmp_path):
    mask = np.zeros((2, 2), bool)
    with pytest.raises(FxhwError, match=r"^Mask .*x\.png cannot be written: No such file"):
        write_mask(tmp_path / "no" / "x.png", mask)
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(FxhwError, match=r"^Mask .*folder\.png cannot be written: Is a directory"):
        write_mask(tmp_path / "folder.png", mask)
    assert [p.name for p in tmp_path.iterdir()] == ["folder.png"]


def test_failed_write_leaves_the_old_mask(tmp_path, monkeypatch):
    path = tmp_path / "mask.png"
    write_mask(path, np.ones((2, 2), bool))
    before = path.read_bytes()

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(FxhwError, match=r"cannot be written: No space left on device$"):
        write_mask(path, np.zeros((2, 2), bool))
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["mask.png"]


def test_list_of_images_is_sorted(tmp_path):
    for name in ("b.png", "a.PNG", "c.tiff", ".hidden.png", "index.csv"):
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    assert [p.name for p in list_images(tmp_path)] == ["a.PNG", "b.png", "c.tiff"]


def test_list_of_images_wrong(tmp_path):
    with pytest.raises(FxhwError, match=r"^Folder .*none does not exist$"):
        list_images(tmp_path / "none")
    with pytest.raises(FxhwError, match=r"^Folder .* holds no image \(a file ending in \.bmp, "):
        list_images(tmp_path)
