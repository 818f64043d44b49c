"""``fxhw estimate``."""

import json

import pytest
from click.testing import CliRunner

from fxhw.cli import cli

from .run import run_command


def estimate(*args, ok=True):
    return run_command("estimate", *args, ok=ok)


def test_tables():
    text = estimate("--base-channels", 16, "--depth", 2, "--image-size", "64x48").stdout
    for fact in ("enc0b", "dec0b", "array", "frames per second", "MB an image", "x their codes"):
        assert fact in text


def test_no_figure_is_cut_in_a_narrow_terminal():
    command = ["estimate", "--base-channels", "64"]
    text = CliRunner(env={"COLUMNS": "30"}).invoke(cli, command).stdout
    assert "2,561,804" in text
    assert "…" not in text.partition("cycles   ")[0]


def test_json_of_the_bundled_network_on_chip():
    entry = json.loads(estimate("--memory", "onchip", "--json").stdout)
    assert entry["network"] == "em"
    assert entry["bytes"] == 0
    assert entry["overhead"] is None
    assert 0.97 < entry["utilization"] <= 1
    assert entry["frames_per_second"] == pytest.approx(125e6 / entry["cycles"])


def test_widths_lanes_and_memory_count():
    common = ("--base-channels", 16, "--image-size", "64x64", "--json")
    wide = json.loads(estimate(*common, "--pin", 16, "--pout", 16, "--bus-width", 256).stdout)
    narrow = json.loads(estimate(*common, "--wbits", 8, "--abits", 8).stdout)
    assert wide["design"]["pin"] == 16
    assert wide["bus_bytes"] == 32
    assert narrow["parameter_bytes"] > 1.7 * wide["parameter_bytes"]
    assert wide["cycles"] < narrow["cycles"] / 3


def test_a_line_buffer_that_is_too_short():
    common = ("--base-channels", 64, "--depth", 5, "--image-size", "2048x2048")
    largest = json.loads(estimate(*common, "--json").stdout)
    assert largest["design"]["row_words"] <= 8192
    layers = {layer["name"]: layer for layer in largest["layers"]}
    assert max(layer["size"][2] for layer in layers.values()) == 1024
    assert layers["dec0a"]["strips"] == 7
    common = ("--base-channels", 16, "--depth", 1, "--image-size", "64x60")
    whole, striped = (
        json.loads(estimate(*common, "--row-words", words, "--json").stdout)
        for words in (1000, 120)
    )
    assert {layer["strips"] for layer in whole["layers"]} == {1}
    assert {layer["strips"] for layer in striped["layers"]} == {1, 3}
    assert striped["cycles"] > whole["cycles"]
    assert striped["bytes"] > whole["bytes"]
    striped = estimate(*common, "--row-words", 120).stdout
    assert "tiles x" in striped
    assert "strips" in striped


def test_a_row_that_no_chip_holds():
    large = ("--base-channels", 64, "--image-size", "2048x2048", "--memory", "onchip")
    assert "row_words must lie in 1 .. 32768, not 49152; take" in estimate(*large, ok=False).stderr


def test_roofline(tmp_path):
    pytest.importorskip("matplotlib")
    for name in ("a.svg", "b.svg"):
        estimate("--base-channels", 8, "--image-size", "32x32", "-o", tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.svg", "b.svg"]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--checkpoint", "em", "--base-channels", 8), "not both"),
        (("--memory", "onchip", "-o", "x.svg"), "needs a memory bus"),
        (("--base-channels", 8, "-o", "/dev/null/x.svg"), "cannot be written"),
        (("--image-size", "0x3"), "HEIGHTxWIDTH"),
        (("--base-channels", 64, "--weight-words", 4), "smallest"),
        (("--base-channels", 64, "--row-words", 90), "128 line buffer words for a strip of 2"),
        (("--memory", "onchip", "--row-words", 90), "only with external memory"),
    ],
)
def test_mistakes(args, message):
    if "-o" in args and "--memory" not in args:
        pytest.importorskip("matplotlib")
    assert message in estimate(*args, ok=False).stderr
