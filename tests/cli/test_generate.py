"""``fxhw generate``."""

import numpy as np
import pytest

from fxhw.checkpoint import load_checkpoint, save_checkpoint
from fxhw.cli.generate import parse_size
from fxhw.emit import load_manifest
from fxhw.errors import FxhwError
from fxhw.quantize import widths
from tests.networks import random_network

from .run import run_command


@pytest.fixture
def net(tmp_path):
    path = tmp_path / "net.safetensors"
    save_checkpoint(random_network(np.random.default_rng(0), (2,), (8, 6), 4, 3), path)
    return path


def generate(*args, ok=True):
    return run_command("generate", *args, ok=ok)


def test_says_what_was_made_and_what_comes_next(net, tmp_path):
    folder = tmp_path / "out" / "small"
    result = generate("--checkpoint", net, "--pin", 1, "--pout", 1, "-o", folder)
    manifest = load_manifest(folder)
    assert manifest["top"] == "fxhw_small"
    assert f"fxhw sim {folder}" in result.stdout
    assert f"{manifest['estimated_cycles']:,}" in result.stdout
    assert manifest["content_hash"][:16] in result.stdout
    assert "w4a3, 8x6" in result.stdout


def test_other_widths_and_size(net, tmp_path):
    folder = tmp_path / "small"
    flags = ["--wbits", 5, "--abits", 4, "--image-size", "10x12", "--bus-bits", 32]
    result = generate("--checkpoint", net, "--pin", 1, "--pout", 1, *flags, "-o", folder)
    assert "requantized from w4a3 without training" in result.stdout
    assert "or train" not in result.stdout
    network = load_checkpoint(folder / "checkpoint.safetensors")
    assert widths(network) == (5, 4)
    assert network.size == (10, 12)
    design = load_manifest(folder)["design"]
    assert (design["max_height"], design["max_width"], design["bus_bits"]) == (10, 12, 32)


def test_a_folder_that_is_not_ours_is_kept(net, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "x.txt").write_text("x")
    generate("--checkpoint", net, "-o", tmp_path / "mine", ok=False)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["x.txt"]


@pytest.mark.parametrize("text", ["128", "0x5", "5x0", "ax3", "-3x4", "1x2x3", ""])
def test_sizes_that_are_none(text):
    with pytest.raises(FxhwError, match="must be HEIGHTxWIDTH"):
        parse_size(text)


def test_sizes():
    assert parse_size("96x128") == (96, 128)
    assert parse_size("10X20") == (10, 20)


def test_warns_of_few_weight_bits_without_training(net, tmp_path):
    flags = ["--wbits", 2, "--pin", 1, "--pout", 1, "-o", tmp_path / "few"]
    result = generate("--checkpoint", net, *flags)
    assert "fxhw train DATASET --wbits 2 --abits 3" in result.stdout


def test_a_target_s_cells(net, tmp_path):
    folder = tmp_path / "small"
    generate("--checkpoint", net, "--pin", 1, "--pout", 1, "--target", "ecp5-85k", "-o", folder)
    design = load_manifest(folder)["design"]
    assert (design["style"], design["target"]) == ("lut", "ecp5")
    assert "CCU2C" in "".join(path.read_text() for path in folder.glob("*.v"))
    generate(
        "--checkpoint", net, "--pin", 1, "--pout", 1, "--target", "ecp5-85k", "--style", "generic",
        "-o", folder,
    )
    assert "target" not in load_manifest(folder)["design"]
    refused = generate("--target", "stratix", "-o", tmp_path / "other", ok=False)
    assert "Target 'stratix' is unknown; there are " in refused.stderr
    assert not (tmp_path / "other").exists()


def test_one_block(net, tmp_path):
    folder = tmp_path / "rq"
    result = generate(
        "--checkpoint", net, "--block", "requantizer", "--abits", 5, "--pout", 2, "-o", folder
    )
    manifest = load_manifest(folder)
    assert (manifest["block"], manifest["top"]) == ("requantizer", "rq")
    ports = {port["name"]: port["width"] for port in manifest["ports"]}
    assert ports["o"] == 2 * 5
    assert "fxhw sim" not in result.stdout
    refused = run_command("sim", folder, ok=False)
    assert "holds the block requantizer alone; a whole accelerator is needed" in refused.stderr
    assert "requantizer" in run_command("info", folder).stdout


def test_two_pixels_and_a_budget_of_multiplier_blocks(net, tmp_path):
    folder = tmp_path / "blocks"
    flags = ["--style", "mixed", "--target", "ecp5", "--pixels", 2, "--dsps", 3]
    result = generate("--checkpoint", net, "--pin", 1, "--pout", 1, *flags, "-o", folder)
    assert "1 x 1 x 9 x 2 pixels = 18 MAC per cycle" in result.stdout
    design = load_manifest(folder)["design"]
    assert (design["style"], design["pixels"], design["dsps"]) == ("mixed", 2, 3)


def test_two_pixels_of_an_array_that_makes_one(net, tmp_path):
    result = generate("--checkpoint", net, "--pixels", 2, "-o", tmp_path / "none", ok=False)
    assert "pixels must be 1 for the generic style, not 2" in result.stderr
    assert not (tmp_path / "none").exists()
