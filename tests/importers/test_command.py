"""``fxhw data import``: what it prints and how it refuses."""

import sys

import numpy as np
import pytest
from PIL import Image

from fxhw.dataset import Dataset
from fxhw.importers import KINDS
from tests.cli.run import run_command


@pytest.fixture
def glas(tmp_path):
    folder = tmp_path / "download"
    folder.mkdir()
    for name in ("train_1", "testA_1", "testB_1"):
        Image.fromarray(np.full((8, 8, 3), 9, np.uint8)).save(folder / f"{name}.bmp")
        Image.fromarray(np.eye(8, dtype=np.uint8)).save(folder / f"{name}_anno.bmp")
    return folder


def test_a_data_set_is_written(glas, tmp_path):
    result = run_command("data", "import", "glas", glas, "-o", tmp_path / "set", "--with-test-b")
    assert result.stdout == f"wrote {tmp_path / 'set'}: 1 train and 2 val images\n"
    assert result.stderr == ""
    assert len(Dataset(tmp_path / "set").load("val")) == 2


def test_the_second_run_is_refused(glas, tmp_path):
    run_command("data", "import", "glas", glas, "-o", tmp_path / "set")
    result = run_command("data", "import", "glas", glas, "-o", tmp_path / "set", ok=False)
    assert "already holds 3 files or folders" in result.stderr


def test_refusals_are_one_line(glas, tmp_path):
    result = run_command(
        "data", "import", "glas", glas, "-o", tmp_path / "x", "--val-every", 4, ok=False
    )
    assert "glas has its own split" in result.stderr


@pytest.mark.parametrize(
    ("kind", "library"), [("isbi", "tifffile"), ("scgm", "nibabel"), ("nih", "pydicom")]
)
def test_a_missing_library_is_named(tmp_path, monkeypatch, kind, library):
    monkeypatch.setitem(sys.modules, library, None)
    for module in (*KINDS, "nifti"):
        monkeypatch.delitem(sys.modules, f"fxhw.importers.{module}", raising=False)
    result = run_command("data", "import", kind, tmp_path, "-o", tmp_path / "x", ok=False)
    assert f"needs the module {library}" in result.stderr
    assert "pip install 'fxhw[data]'" in result.stderr


def test_kinds_are_those_of_the_importers():
    from fxhw.cli.data import command

    (kind,) = [p for p in command.commands["import"].params if p.name == "kind"]
    assert tuple(kind.type.choices) == KINDS
