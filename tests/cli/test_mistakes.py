"""A user's mistake: one line on stderr, exit status 2, nothing left behind."""

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from fxhw.bundled import bundled_checkpoint
from fxhw.checkpoint import load_checkpoint, save_checkpoint
from tests.networks import random_network


def fxhw(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "fxhw", *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )


def refused(done, *words):
    assert done.returncode == 2, (done.returncode, done.stdout, done.stderr)
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("fxhw: error: ")
    for word in words:
        assert word in lines[0]


def damaged(path, how):
    """The bundled checkpoint, damaged."""
    data = bytearray(bundled_checkpoint().read_bytes())
    if how == "truncated":
        data = data[: len(data) // 2]
    elif how == "magic":
        data = b"PK\x03\x04" + data[4:]
    elif how == "empty":
        data = b""
    path.write_bytes(bytes(data))
    return path


@pytest.mark.parametrize("how", ["truncated", "magic", "empty"])
def test_damaged_checkpoint(tmp_path, how):
    path = damaged(tmp_path / "net.safetensors", how)
    refused(fxhw("generate", "--checkpoint", path, "-o", tmp_path / "out"), "net.safetensors")
    assert not (tmp_path / "out").exists()


def test_missing_checkpoint(tmp_path):
    done = fxhw("generate", "--checkpoint", tmp_path / "none", "-o", tmp_path / "out")
    refused(done, "does not exist", "fxhw train")


def rewritten(path, change):
    """The bundled checkpoint with its tensors changed."""
    from safetensors import safe_open
    from safetensors.numpy import save_file

    with safe_open(bundled_checkpoint(), framework="numpy") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    save_file(change(tensors), path, metadata=metadata)
    return path


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t | {"enc1a.weight": t["enc1a.weight"][:-1]}, ["enc1a", "bytes of weights"]),
        (lambda t: t | {"enc1a.bias": np.full(16, np.nan)}, ["enc1a.bias", "NaN"]),
        (lambda t: {n: v for n, v in t.items() if n != "mida.bias"}, ["mida.bias", "missing"]),
    ],
    ids=["wrong shape", "NaN", "missing tensor"],
)
def test_damaged_tensor(tmp_path, change, words):
    path = rewritten(tmp_path / "net.safetensors", change)
    refused(fxhw("generate", "--checkpoint", path, "-o", tmp_path / "out"), *words)
    assert not (tmp_path / "out").exists()


def test_a_sum_that_does_not_fit(tmp_path):
    network = random_network(0, (2,), (8, 8), 4, 4)
    conv = network.convs[2]
    conv.bias[1] = (1 << 19) - 500
    conv.weight_frac[1] += 20 - conv.shift(network.tensors()[conv.input].format)[1]
    save_checkpoint(network, tmp_path / "net.safetensors")
    done = fxhw("generate", "--checkpoint", tmp_path / "net.safetensors", "-o", tmp_path / "out")
    refused(done, conv.name, "channel 1", "accumulator")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("option", [("--wbits", "9"), ("--abits", "0"), ("--pin", "17")])
def test_numbers_out_of_range(tmp_path, option):
    done = fxhw("generate", *option, "-o", tmp_path / "out")
    assert done.returncode == 2
    assert option[0] in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_widths_that_cannot_be_requantized(tmp_path):
    empty = np.zeros((0, 1, 1, 1), np.uint8)
    network = replace(load_checkpoint(bundled_checkpoint()), calibration=empty)
    save_checkpoint(network, tmp_path / "net.safetensors")
    done = fxhw(
        "generate", "--abits", "3", "--checkpoint", tmp_path / "net.safetensors",
        "-o", tmp_path / "out",
    )
    refused(done, "calibration", "fxhw train")


def test_output_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("in the way")
    refused(fxhw("generate", "-o", tmp_path / "file" / "out"), "file")


def test_output_that_is_somebody_elses(tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "thesis.txt").write_text("years of work")
    refused(fxhw("generate", "-o", tmp_path / "precious"), "precious")
    assert (tmp_path / "precious" / "thesis.txt").read_text() == "years of work"


SAMPLE = "rtl_out/tiny_w4a4"


def test_image_larger_than_the_design(tmp_path):
    Image.new("L", (300, 200)).save(tmp_path / "big.png")
    refused(fxhw("sim", SAMPLE, "--image", tmp_path / "big.png"), "200x300", "--image-size")


@pytest.mark.parametrize("simulator", ["verilator", "icarus"])
def test_missing_simulator(tmp_path, simulator):
    """Nothing on the PATH: no g++, no make, no iverilog."""
    done = fxhw("sim", SAMPLE, "--simulator", simulator, PATH=str(tmp_path))
    refused(done, "install")


@pytest.mark.parametrize("command", ["sim", "synth", "info"])
def test_a_folder_that_was_not_generated(tmp_path, command):
    refused(fxhw(command, tmp_path), "manifest.json")


def test_golden_without_images(tmp_path):
    refused(fxhw("golden", tmp_path, "-o", tmp_path / "out"), str(tmp_path))
    assert not (tmp_path / "out").exists()


def test_truncated_image(tmp_path):
    Image.effect_noise((64, 64), 50).save(tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(data[: len(data) // 2])
    refused(fxhw("golden", tmp_path / "a.png", "-o", tmp_path / "out"), "a.png")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--memory", "axi", "--bus-width", "32"), ("64, 128 or 256", "axi memory", "not 32")),
        (("--bus-width", "256"), ("32, 64 or 128", "onchip memory", "not 256")),
        (("--address-bits", "40"), ("--memory axi",)),
        (("--memory", "axi", "--weight-words", "1"), ("weight words",)),
    ],
)
def test_memories_that_cannot_be(tmp_path, options, words):
    refused(fxhw("generate", *options, "-o", tmp_path / "out"), *words)
    assert not (tmp_path / "out").exists()
