"""GlaS images, written with Pillow."""

import numpy as np
import pytest
from PIL import Image

from fxhw.dataset import Dataset
from fxhw.errors import FxhwError
from fxhw.importers import import_dataset
from fxhw.importers.glas import shrink


def save(folder, name, pixels, numbers, palette=False):
    Image.fromarray(pixels).save(folder / f"{name}.bmp")
    label = Image.fromarray(numbers)
    if palette:  # black for all numbers
        label = label.convert("P")
        label.putpalette([0] * 768)
    label.save(folder / f"{name}_anno.bmp")


@pytest.fixture
def source(tmp_path):
    """Images of 16x20 pixels whose upper left is gland 3 and lower right gland 5."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "download"
    folder.mkdir()
    numbers = np.zeros((16, 20), np.uint8)
    numbers[:8, :8], numbers[12:, 16:] = 3, 5
    for index, name in enumerate(["train_2", "train_10", "testA_1", "testB_1"]):
        pixels = np.full((16, 20, 3), 10 * index, np.uint8)
        pixels[:4, :4] = rng.integers(0, 256, (4, 4, 3))
        save(folder, name, pixels, numbers, palette=name == "testA_1")
    return folder


@pytest.mark.parametrize("with_test_b", [False, True])
def test_a_quarter_of_the_size(source, tmp_path, with_test_b):
    import_dataset("glas", source, tmp_path / "glas", with_test_b=with_test_b)
    data = Dataset(tmp_path / "glas")
    rows = (data.folder / "index.csv").read_text().split()[1:]
    assert rows == ["000,train,train", "001,train,train", "002,testA,val", "003,testB,val"][
        : 4 if with_test_b else 3
    ]
    expected = np.zeros((4, 5), bool)
    expected[:2, :2] = expected[3, 4] = True
    for index, sample in enumerate([*data.load("train"), *data.load("val")]):
        assert sample.image.shape == (4, 5, 3)
        assert (sample.image[1:] == 10 * index).all()
        np.testing.assert_array_equal(sample.label, expected)
    original = np.asarray(Image.open(source / "train_2.bmp"))
    mean = original[:4, :4].mean(axis=(0, 1))
    np.testing.assert_allclose(data.load("train")[0].image[0, 0], mean, atol=0.51)


def test_real_sizes_shrink_as_documented():
    assert shrink(np.zeros((522, 775, 3), np.uint8)).shape == (130, 194, 3)


def no_annotation(folder):
    (folder / "train_10_anno.bmp").unlink()


def other_size(folder):
    Image.fromarray(np.zeros((16, 24), np.uint8)).save(folder / "train_2_anno.bmp")


def damaged(folder):
    (folder / "train_2_anno.bmp").write_bytes(b"BM")


def damaged_image(folder):
    path = folder / "testA_1.bmp"
    path.write_bytes(path.read_bytes()[:200])


def no_test(folder):
    (folder / "testA_1.bmp").unlink()


def nothing(folder):
    for path in folder.glob("*"):
        path.unlink()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (no_annotation, "train_10_anno.bmp does not exist"),
        (other_size, "train_2_anno.bmp is 16x24, but its image is 16x20"),
        (damaged, "train_2_anno.bmp is not an image that can be read"),
        (damaged_image, "testA_1.bmp is damaged or truncated"),
        (no_test, "has 2 images but none to go into val"),
        (nothing, "has no train_N.bmp or testA_N.bmp"),
    ],
)
def test_mistakes(source, tmp_path, spoil, message):
    spoil(source)
    with pytest.raises(FxhwError, match=message):
        import_dataset("glas", source, tmp_path / "glas")
    assert [path.name for path in tmp_path.iterdir()] == ["download"]
