"""Dice of networks trained on the way."""

import json

import pytest

from fxhw.sweep.point import Point
from fxhw.sweep.store import Store
from fxhw.sweep.training import TrainingJob
from tests.cli.run import run_command
from tests.sweep.commands import SMALL
from tests.sweep.tiny import tiny_setup


def test_widths_start_from_one_training_of_real_numbers(tmp_path, cells):
    setup = tiny_setup(tmp_path, dataset=cells, training={"base_channels": 2, "epochs": 3})
    store = Store(tmp_path / "sweep")
    point = Point("ecp5", "array", "lut", 1, 2, 3, 4)
    job, real = setup.needs(point, store).dice, setup.real_training(store)
    assert isinstance(job, TrainingJob)
    assert job.after.key == real.key
    assert real.after is None
    assert job.options == {
        "base_channels": 2, "epochs": 3, "quantizer": "fixed", "wbits": 3, "abits": 4
    }
    assert job.key != real.key


def test_activations_other_than_relu_start_from_real_numbers_of_their_own(tmp_path, cells):
    setup = tiny_setup(tmp_path, dataset=cells, training={"base_channels": 2})
    store = Store(tmp_path / "sweep")
    point = Point("ecp5", "array", "lut", 1, 2, 1, 1, "fixed", "sign")
    job = setup.needs(point, store).dice
    assert job.options == {
        "base_channels": 2, "quantizer": "fixed", "wbits": 1, "abits": 1, "activation": "sign"
    }
    assert job.after.key == setup.real_training(store, "tanh").key
    assert job.after.options["activation"] == "tanh"
    assert job.after.key != setup.real_training(store).key


@pytest.mark.train
@pytest.mark.slow
def test_trained_dice(tiny, cells, tmp_path):
    pytest.importorskip("torch")
    folder = tmp_path / "sweep"
    arguments = [
        "sweep", *SMALL, *tiny[:2], "--train", "--dataset", cells.folder, "--epochs", 1,
        "--qat-epochs", 1, "-o", folder,
    ]
    run_command(*arguments)
    assert {path.name for path in (folder / "training").glob("*.safetensors")} == {
        "w1a2.safetensors", "w2a2.safetensors"
    }
    results = json.loads((folder / "results" / "sweep.json").read_text())
    for record in results["points"]:
        dice = record["dice"]
        metrics = json.loads(
            (folder / "training" / f"w{record['point']['wbits']}a2.metrics.json").read_text()
        )
        assert [dice["foreground"], dice["background"]] == metrics["golden"]["whole"]["slices"]
        assert (dice["kind"], dice["source"]) == ("trained", "fxhw train cells, val")
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.pt")}
    run_command(*arguments)
    assert before == {path: path.stat().st_mtime_ns for path in folder.rglob("*.pt")}


@pytest.mark.train
@pytest.mark.slow
def test_a_training_of_real_numbers_that_fails(tiny, cells, tmp_path):
    """What starts from it fails with it, and says so."""
    pytest.importorskip("torch")
    folder = tmp_path / "sweep"
    (folder / "training").mkdir(parents=True)
    (folder / "layout.json").write_text('{"layout": "fxhw-sweep-1"}')
    (folder / "training" / "float.state.pt").write_text("no state")
    from click.testing import CliRunner

    from fxhw.cli import cli

    arguments = [
        "sweep", *SMALL, *tiny[:2], "--train", "--dataset", str(cells.folder), "--epochs", "1",
        "--qat-epochs", "1", "-o", str(folder),
    ]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 1
    assert "train_cells_float, which it starts from, failed" in result.stderr
    assert not (folder / "results").exists()
