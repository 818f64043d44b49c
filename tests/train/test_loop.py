"""Whole runs on synthetic cells: they learn, resume exactly and refuse what cannot work."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

torch = pytest.importorskip("torch")

from fxhw.checkpoint import load_checkpoint  # noqa: E402
from fxhw.cli.train import command  # noqa: E402
from fxhw.dataset import find_dataset  # noqa: E402
from fxhw.errors import FxhwError  # noqa: E402
from fxhw.golden import run_network  # noqa: E402
from fxhw.images import read_image  # noqa: E402
from fxhw.synthetic import make_sample  # noqa: E402
from fxhw.train import loop, state  # noqa: E402
from fxhw.train.loop import train  # noqa: E402
from fxhw.train.presets import preset  # noqa: E402
from fxhw.train.recipe import Recipe  # noqa: E402

pytestmark = pytest.mark.train

TINY = {"base_channels": 4, "depth": 2, "crop": 48, "batch": 2, "size": (32, 32)}


class Killed(Exception):
    """Stands for the end of the process."""


def test_a_run_learns_and_leaves_a_checkpoint_and_metrics(cells, tmp_path):
    epochs = []
    output = tmp_path / "net.safetensors"
    recipe = Recipe(**TINY, epochs=24, qat_epochs=8, learning_rate=1e-2)
    result = train(cells, recipe, output, progress=epochs.append)
    assert [epoch.phase for epoch in epochs] == ["float"] * 24 + ["norm"] * 6 + ["qat"] * 2
    for last in (epochs[23], epochs[-1]):
        assert last.loss < 0.7 * epochs[0].loss
        assert last.dice[0] > 90
        assert last.dice[1] > 60

    network = load_checkpoint(output)
    assert network.size == (32, 32)
    assert network.calibration.shape == (2, 48, 48, 1)
    assert network.meta["dataset"] == "cells"
    assert network.meta["recipe"]["wbits"] == 4
    assert [conv.weight.bits for conv in network.convs] == [8] + [4] * 9
    assert network.head.weight.bits == 8

    metrics = json.loads(state.metrics_path(output).read_text())
    assert len(metrics["epochs"]) == 32
    # The golden model on whole images scores what torch scored after the last epoch.
    assert metrics["golden"]["whole"]["slices"] == pytest.approx(epochs[-1].dice)
    assert metrics["golden"] == result.metrics["golden"]
    sample = cells.load("val")[0]
    np.testing.assert_array_equal(
        run_network(network, sample.image)[0], run_network(result.network, sample.image)[0]
    )


@pytest.mark.parametrize(("wbits", "abits"), [(1, 1), (1, 8), (2, 2), (8, 1)])
def test_low_widths_train(cells, tmp_path, wbits, abits):
    recipe = Recipe(**TINY, epochs=4, qat_epochs=12, wbits=wbits, abits=abits)
    epochs = []
    train(cells, recipe, tmp_path / "net.safetensors", progress=epochs.append)
    losses = [epoch.loss for epoch in epochs if epoch.phase == "norm"]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("killed_after", [1, 2, 3, 5])
def test_a_killed_run_resumes_to_the_same_checkpoint(cells, tmp_path, killed_after):
    recipe = Recipe(**TINY, epochs=3, qat_epochs=2)
    whole, broken = tmp_path / "whole.safetensors", tmp_path / "broken.safetensors"
    train(cells, recipe, whole)
    count = 0

    def kill(_):
        nonlocal count
        count += 1
        if count == killed_after:
            raise Killed

    with pytest.raises(Killed):
        train(cells, recipe, broken, progress=kill)
    assert not broken.exists()
    seen = []
    train(cells, recipe, broken, resume=True, progress=seen.append)
    assert len(seen) == 5
    assert broken.read_bytes() == whole.read_bytes()
    for path in (state.metrics_path, state.state_path):
        assert path(broken).exists()
    assert state.metrics_path(broken).read_text() == state.metrics_path(whole).read_text()


def test_resuming_without_a_state_starts_from_the_beginning(cells, tmp_path):
    recipe = Recipe(**TINY, epochs=1, qat_epochs=0)
    train(cells, recipe, tmp_path / "net.safetensors", resume=True)
    assert (tmp_path / "net.safetensors").exists()


def test_a_state_of_another_run_is_refused(cells, tmp_path):
    output = tmp_path / "net.safetensors"
    train(cells, Recipe(**TINY, epochs=1, qat_epochs=0), output)
    with pytest.raises(FxhwError, match=r"with abits 6 \(now 4\); resume with the same options"):
        train(cells, Recipe(**TINY, epochs=1, qat_epochs=0, abits=4), output, resume=True)


@pytest.mark.parametrize("damage", [lambda b: b[:100], lambda b: b"", lambda b: b"x" * 500])
def test_a_damaged_state_is_refused(cells, tmp_path, damage):
    output = tmp_path / "net.safetensors"
    recipe = Recipe(**TINY, epochs=1, qat_epochs=0)
    train(cells, recipe, output)
    path = state.state_path(output)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(FxhwError, match=r"net\.state\.pt is damaged"):
        train(cells, recipe, output, resume=True)


def test_a_state_that_would_execute_code_is_refused(tmp_path):
    path = tmp_path / "evil.state.pt"
    torch.save({"run": Killed("never made")}, path)
    with pytest.raises(FxhwError, match="is damaged"):
        state.load_state(path, {})


def test_a_folder_that_cannot_be_written_is_refused(cells, tmp_path):
    (tmp_path / "file").touch()
    output = tmp_path / "file" / "net.safetensors"
    with pytest.raises(FxhwError, match="cannot be written"):
        train(cells, Recipe(**TINY, epochs=1, qat_epochs=0), output)


def test_a_loss_that_is_not_finite_stops_the_run(cells, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "segmentation_loss", lambda logits, *_: logits.mean() * float("nan"))
    with pytest.raises(FxhwError, match="diverged in float epoch 1"):
        train(cells, Recipe(**TINY, epochs=1, qat_epochs=0), tmp_path / "net.safetensors")


def test_crops_too_small_for_the_depth_are_refused(cells, tmp_path):
    recipe = Recipe(**TINY | {"crop": 8, "depth": 3})
    with pytest.raises(FxhwError, match="shrink to one pixel at depth 3"):
        train(cells, recipe, tmp_path / "net.safetensors")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_missing_device_is_refused(cells, tmp_path):
    with pytest.raises(FxhwError, match="--device cpu"):
        train(cells, Recipe(), tmp_path / "net.safetensors", device="cuda")


@pytest.mark.parametrize(
    ("option", "value"),
    [("abits", 0), ("abits", 17), ("first_wbits", 17), ("batch", 0), ("crop", 7), ("depth", 9)],
)
def test_options_out_of_range_are_refused(option, value):
    with pytest.raises(FxhwError, match=f"option {option} must lie in"):
        Recipe(**{option: value})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"quantizer": "ternary", "wbits": 3}, r"ternary has weights of 2 \.\. 2 bits, not 3"),
        ({"quantizer": "inq", "wbits": 8}, r"inq has weights of 3 \.\. 7 bits, not 8"),
        ({"wbits": 32}, r"fixed has weights of 1 \.\. 16 bits, not 32"),
        ({"quantizer": "int8"}, "quantizer must be one of fixed, paper,"),
        ({"activation": "gelu"}, "activation must be one of relu, tanh"),
        ({"activation": "tanh", "abits": 1}, r"abits must lie in 2 \.\. 16, not 1"),
        ({"normalization": "mean"}, "normalization must be one of none, zscore"),
    ],
)
def test_what_does_not_go_together_is_refused(options, message):
    with pytest.raises(FxhwError, match=message):
        Recipe(**options)


@pytest.mark.parametrize(
    "options",
    [
        {"quantizer": "ternary"},
        {"quantizer": "ternary", "activation": "relu", "abits": 6},
        {"quantizer": "binary"},
        {"quantizer": "inq"},
        {"quantizer": "fixed", "activation": "tanh", "dropout": 0.1},
    ],
    ids=lambda options: "-".join(map(str, options.values())),
)
def test_every_quantizer_trains_resumes_and_exports(cells, tmp_path, options):
    recipe = Recipe(**TINY, epochs=2, qat_epochs=6, normalization="zscore", **options)
    whole, broken = tmp_path / "whole.safetensors", tmp_path / "broken.safetensors"
    result = train(cells, recipe, whole)
    # Sums of these small networks are exact in float32, so torch and golden agree in every pixel.
    assert result.metrics["golden"]["whole"] == result.metrics["torch"]
    assert load_checkpoint(whole).normalization == "zscore"
    for killed_after in (3, 6, 7):
        count = 0

        def kill(_, killed_after=killed_after):
            nonlocal count
            count += 1
            if count == killed_after:
                raise Killed

        with pytest.raises(Killed):
            train(cells, recipe, broken, progress=kill)
        train(cells, recipe, broken, resume=True)
        assert broken.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize(
    "options",
    [
        {"quantizer": "float"},
        {"quantizer": "paper"},
        {"quantizer": "paper", "activation": "tanh"},
        {"first_wbits": 32, "last_wbits": 32},
    ],
    ids=lambda options: "-".join(map(str, options.values())),
)
def test_real_numbers_leave_metrics_and_no_checkpoint(cells, tmp_path, options):
    output = tmp_path / "net.safetensors"
    result = train(cells, Recipe(**TINY, epochs=1, qat_epochs=2, **options), output)
    assert result.network is None
    assert not output.exists()
    metrics = json.loads(state.metrics_path(output).read_text())
    assert set(metrics["torch"]) == {"slices", "subjects"}
    assert len(metrics["epochs"]) == 3


def test_a_run_starts_from_the_real_numbers_of_another(cells, tmp_path):
    first, second, other = (tmp_path / f"{name}.safetensors" for name in "abc")
    train(cells, Recipe(**TINY, epochs=2, qat_epochs=2), first)
    source = state.float_path(first)
    train(cells, Recipe(**TINY, epochs=2, qat_epochs=2), second, float_from=source)
    assert [op.codes.tolist() for op in load_checkpoint(first).convs] == [
        op.codes.tolist() for op in load_checkpoint(second).convs
    ]
    with pytest.raises(FxhwError, match=r"trained with epochs 2 \(now 3\)"):
        train(cells, Recipe(**TINY, epochs=3), other, float_from=source)
    with pytest.raises(FxhwError, match="does not exist"):
        train(cells, Recipe(**TINY), other, float_from=tmp_path / "none.pt")
    source.write_bytes(source.read_bytes()[:200])
    with pytest.raises(FxhwError, match=r"a\.float\.pt is damaged"):
        train(cells, Recipe(**TINY, epochs=2), other, float_from=source)
    torch.save({"weights": 1}, source)
    with pytest.raises(FxhwError, match="was not written by 'fxhw train'"):
        train(cells, Recipe(**TINY, epochs=2), other, float_from=source)


def test_a_data_sets_recipe_yields_to_options():
    recipe = preset("gm", crop=96, wbits=None)
    assert (recipe.normalization, recipe.crop, recipe.wbits) == ("zscore", 96, 4)
    assert preset("cells") == Recipe()


def test_the_command_trains(cells, tmp_path):
    options = "--epochs 1 --qat-epochs 1 --base-channels 2 --depth 1 --crop 32 --wbits 2"
    arguments = [str(cells.folder), *options.split(), "-o", str(tmp_path / "runs")]
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    assert "golden model, whole  dice per slice" in result.output
    network = load_checkpoint(tmp_path / "runs" / "cells_w2a6.safetensors")
    assert network.size == (128, 128)


def test_colour_images_train(tmp_path, cells):
    folder = tmp_path / "colour"
    for kind in ("images", "labels"):
        (folder / kind).mkdir(parents=True)
    (folder / "index.csv").write_text((cells.folder / "index.csv").read_text())
    for name in range(4):
        grey = read_image(cells.folder / "images" / f"{name}.png")
        Image.fromarray(grey.repeat(3, axis=2)).save(folder / "images" / f"{name}.png")
        label = (cells.folder / "labels" / f"{name}.png").read_bytes()
        (folder / "labels" / f"{name}.png").write_bytes(label)
    result = train(
        find_dataset(folder), Recipe(**TINY, epochs=1, qat_epochs=1), tmp_path / "net.safetensors"
    )
    assert result.network.image_channels == 3


def test_made_up_calibration_images_are_all_a_checkpoint_keeps(cells, tmp_path):
    recipe = Recipe(**TINY, epochs=1, qat_epochs=1)
    result = train(cells, recipe, tmp_path / "net.safetensors", synthetic_calibration=True)
    expected = np.stack([make_sample(48, 48, seed)[0] for seed in (1, 2)])
    np.testing.assert_array_equal(result.network.calibration, expected)
