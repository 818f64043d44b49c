"""ISBI stacks, written with tifffile."""

import subprocess
import sys

import numpy as np
import pytest

from fxhw.dataset import Dataset
from fxhw.errors import FxhwError
from fxhw.importers import import_dataset

tifffile = pytest.importorskip("tifffile")


@pytest.fixture
def source(tmp_path):
    """Two stacks of seven 8x9 sections in a folder of a folder."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "download" / "data"
    folder.mkdir(parents=True)
    write(folder / "train-volume.tif", rng.integers(0, 256, (7, 8, 9), np.uint8))
    write(folder / "train-labels.tif", rng.integers(0, 2, (7, 8, 9), np.uint8) * 255)
    return folder.parent


def write(path, pixels):
    tifffile.imwrite(path, pixels, photometric="minisblack")


def test_every_section_is_kept(source, tmp_path):
    steps = []
    counts = import_dataset(
        "isbi", source, tmp_path / "em", val_every=3, progress=lambda *step: steps.append(step)
    )
    assert counts == {"train": 5, "val": 2}
    data = Dataset(tmp_path / "em")
    assert data.ids("val") == ["001", "004"]
    images = tifffile.imread(source / "data" / "train-volume.tif")
    labels = tifffile.imread(source / "data" / "train-labels.tif")
    for sample in [*data.load("train"), *data.load("val")]:
        np.testing.assert_array_equal(sample.image[:, :, 0], images[int(sample.id)])
        np.testing.assert_array_equal(sample.label, labels[int(sample.id)] == 255)
    assert steps[-1] == (7, 7, "done")


@pytest.mark.parametrize(
    ("name", "pixels", "message"),
    [
        ("labels", np.zeros((6, 8, 9), np.uint8), "labels.tif is 6x8x9, but .* is 7x8x9"),
        ("labels", np.full((7, 8, 9), 3, np.uint8), "has 1 different values from 3 to 3"),
        ("volume", np.zeros((7, 8, 9), np.uint16), "is 7x8x9 of uint16; it must be pages"),
        ("volume", np.zeros((8, 9), np.uint8), "is 8x9 of uint8; it must be pages"),
        ("volume", None, "has no train-volume.tif"),
        ("labels", b"", "is not a TIFF file that can be read"),
        ("labels", b"II*\0 and then nothing", "is not a TIFF file that can be read"),
    ],
)
def test_mistakes(source, tmp_path, name, pixels, message):
    path = source / "data" / f"train-{name}.tif"
    path.unlink()
    if isinstance(pixels, bytes):
        path.write_bytes(pixels)
    elif pixels is not None:
        write(path, pixels)
    with pytest.raises(FxhwError, match=message):
        import_dataset("isbi", source, tmp_path / "em")
    assert [path.name for path in tmp_path.iterdir()] == ["download"]


@pytest.mark.parametrize("keep", [0.2, 0.5, 0.95])
def test_stacks_cut_short(source, tmp_path, keep):
    for path in (source / "data").iterdir():
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(FxhwError, match="Stack .*train-volume.tif is not a TIFF file"):
        import_dataset("isbi", source, tmp_path / "em")


def test_what_tifffile_logs_stays_out_of_the_error(source, tmp_path):
    path = source / "data" / "train-labels.tif"
    path.write_bytes(b"II*\0 and then nothing")
    code = "from fxhw.cli import main; main()"
    args = ["data", "import", "isbi", str(source), "-o", str(tmp_path / "em")]
    done = subprocess.run([sys.executable, "-c", code, *args], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("fxhw: error: Stack ")
    assert done.stderr.count("\n") == 1
