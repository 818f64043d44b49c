"""Grey matter volumes and their raters' masks, written with nibabel."""

import numpy as np
import pytest

from fxhw.dataset import Dataset
from fxhw.errors import FxhwError
from fxhw.importers import import_dataset

nibabel = pytest.importorskip("nibabel")

SHAPE = (120, 110, 3)  # x, y, z
AFFINE = np.diag([0.5, 0.5, 5, 1])


def save(path, voxels, affine=AFFINE):
    nibabel.save(nibabel.Nifti1Image(voxels, affine), path)


def subject(folder, name, flip=False):
    """Grey matter in a box left of and behind the middle; slice 2 is not drawn on.

    The fourth rater disagrees about everything, the third about slice 0.
    """
    mask = np.zeros(SHAPE, np.uint8)
    mask[40:56, 40:50, :2] = 1
    mask[56:60, 40:50, :2] = 2
    image = (mask == 1) * 500.0 + np.arange(SHAPE[1])[:, None]
    other, third = np.where(mask == 1, 2, 0).astype(np.uint8), mask.copy()
    third[:, :, 0] = 0
    affine = AFFINE.copy()
    files = {"image": image.astype(np.float32)}
    files |= {f"mask-r{r}": m for r, m in zip((1, 2, 3, 4), (mask, mask, third, other))}
    if flip:
        affine[0, 0] = -0.5
    for kind, voxels in files.items():
        save(folder / f"{name}-{kind}.nii.gz", voxels[::-1] if flip else voxels, affine)


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "download"
    folder.mkdir()
    subject(folder, "site1-sc01")
    subject(folder, "site2-sc03", flip=True)
    save(folder / "site1-sc11-image.nii.gz", np.zeros(SHAPE, np.float32))  # of the test part
    return folder


def test_volumes_come_upright_at_a_quarter_millimetre(source, tmp_path):
    counts = import_dataset("scgm", source, tmp_path / "gm", val_every=2)
    assert counts == {"train": 2, "val": 2}
    data = Dataset(tmp_path / "gm")
    index = (data.folder / "index.csv").read_text().split()
    assert index[1:] == [
        "000,site1-sc01,train", "001,site1-sc01,train", "002,site2-sc03,val", "003,site2-sc03,val",
    ]
    first, second = data.load("train")
    assert first.image.shape == (200, 200, 1)
    assert not first.label.any()  # two of four raters are no majority
    # x runs to the left of the picture: 120-56..120-40 doubled, less half of 240 - 200;
    # y runs up: 110-50..110-40 doubled, less half of 220 - 200.
    expected = np.zeros((200, 200), bool)
    expected[110:130, 108:140] = True
    np.testing.assert_array_equal(second.label, expected)
    image = second.image[:, :, 0]
    assert image[expected].min() == 255 > image[200 - 25, 100]
    assert image[0, 5] > image[-1, 5]  # the ramp along y
    for one, other in zip(data.load("train"), data.load("val")):
        np.testing.assert_array_equal(one.label, other.label)
        np.testing.assert_array_equal(one.image, other.image)


def test_small_volumes_are_padded_and_resampling_is_linear():
    from fxhw.importers.scgm import resample

    pixels = np.array([[0.0, 4.0]])
    assert resample(pixels, (0.25, 0.5), nearest=False).tolist() == [[0, 1, 3, 4]]
    labels = resample(pixels > 1, (0.25, 0.5), nearest=True)
    assert labels.tolist() == [[False, False, True, True]]
    assert resample(pixels, (0.25, 0.25), nearest=False).tolist() == pixels.tolist()


def remove(folder):
    (folder / "site1-sc01-mask-r3.nii.gz").unlink()


def resize(folder):
    save(folder / "site1-sc01-mask-r2.nii.gz", np.zeros((120, 110, 4), np.uint8))


def damage(folder):
    path = folder / "site1-sc01-image.nii.gz"
    path.write_bytes(path.read_bytes()[:-400])


def scribble(folder):
    (folder / "site2-sc03-mask-r1.nii.gz").write_bytes(b"<html>not found</html>")


def film(folder):
    save(folder / "site1-sc01-image.nii.gz", np.zeros((*SHAPE, 2), np.float32))


def no_masks(folder):
    for path in folder.glob("*-mask-*"):
        path.unlink()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (remove, "lacks 1 of its 4 masks .site1-sc01-mask-r3.nii.gz."),
        (resize, "has the size 4x110x120, but its volume site1-sc01-image.nii.gz has 3x110x120"),
        (damage, "site1-sc01-image.nii.gz is not a NIfTI file that can be read"),
        (scribble, "site2-sc03-mask-r1.nii.gz is not a NIfTI file that can be read"),
        (film, "has the shape 120x110x3x2"),
        (no_masks, "has 3 files siteS-scNN-image.nii.gz, none with its masks"),
    ],
)
def test_mistakes(source, tmp_path, spoil, message):
    spoil(source)
    with pytest.raises(FxhwError, match=message):
        import_dataset("scgm", source, tmp_path / "gm", val_every=2)
    assert [path.name for path in tmp_path.iterdir()] == ["download"]
