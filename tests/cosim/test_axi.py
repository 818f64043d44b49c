"""Burst readers and writers on one AXI4 port, as generated Verilog, against cocotbext-axi's RAM."""

import re
import xml.etree.ElementTree as ElementTree
from contextlib import suppress

import pytest

from fxhw.cosim.simulators import TOPLEVEL, _runner, check_simulator
from fxhw.emit import emit_verilog
from fxhw.gateware.burst_writer import BurstWriter
from tests.gateware.bus_design import BusDesign

from .axi_bench import SPEC
from .designs import needs_icarus

pytestmark = [pytest.mark.cosim, pytest.mark.slow]


def published(verilog):
    """``verilog`` with the ports of its top module accessible in Verilator."""
    head, top = verilog.split(f"module {TOPLEVEL}(")
    return f"{head}module {TOPLEVEL}(" + re.sub(
        r"^(  (?:in|out)put [^;]*);", r"\1 /* verilator public_flat_rw */;", top, flags=re.M
    )


def simulate(simulator, verilog, folder, only=None):
    """(name, whether it failed) of every test of the bench, or of those that ``only`` matches."""
    check_simulator(simulator)
    source = folder / "design.v"
    source.write_text(published(verilog))
    runner = _runner(simulator, optimize=False)
    build, results = folder / "build", folder / "results.xml"
    runner.build(
        sources=[source], hdl_toplevel=TOPLEVEL, build_dir=build, always=True,
        timescale=("1ns", "1ps"), log_file=folder / "build.log",
    )
    with suppress(SystemExit):  # a failure, which the results tell of
        runner.test(
            hdl_toplevel=TOPLEVEL, hdl_toplevel_lang="verilog", test_module="tests.cosim.axi_bench",
            build_dir=build, test_dir=folder, results_xml=str(results), seed=1, test_filter=only,
            log_file=folder / "simulation.log",
            timescale=("1ns", "1ps") if simulator == "icarus" else None,
        )
    cases = list(ElementTree.parse(results).iter("testcase"))
    return {case.get("name"): case.find("failure") is not None for case in cases}


@pytest.fixture(scope="module")
def verilog():
    return emit_verilog(BusDesign(SPEC), TOPLEVEL).verilog


@pytest.mark.parametrize("simulator", [pytest.param("icarus", marks=needs_icarus), "verilator"])
def test_everything(simulator, verilog, tmp_path):
    results = simulate(simulator, verilog, tmp_path)
    assert len(results) == 12 + 1 + 12 + 6 + 5
    assert [name for name, failed in results.items() if failed] == []


def test_the_bench_finds_a_byte_too_many(monkeypatch, tmp_path):
    """A writer without strobes on a command's last word overwrites a guard."""

    class Careless(BurstWriter):
        def _prepare(self, issued):
            *others, _ = super()._prepare(issued)
            return [*others, self._next.last.eq(~0)]

    monkeypatch.setattr("tests.gateware.bus_design.BurstWriter", Careless)
    verilog = emit_verilog(BusDesign(SPEC), TOPLEVEL).verilog
    results = simulate("verilator", verilog, tmp_path, only="traffic/busy=0.0/pace=0.0/patience=0")
    assert list(results.values()) == [True]
    assert "bytes differ, the first at 0x4" in (tmp_path / "simulation.log").read_text()
