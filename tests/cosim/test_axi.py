"""Burst readers and writers on one AXI4 port, as generated Verilog, against cocotbext-axi's RAM."""

import xml.etree.ElementTree as ElementTree

import pytest

from fxhw.cosim.simulators import TOPLEVEL, _runner, check_simulator
from fxhw.emit.verilog import emit_verilog
from tests.gateware.bus_design import BusDesign

from .axi_bench import SPEC

pytestmark = [pytest.mark.cosim, pytest.mark.slow]


def simulate(simulator, verilog, folder):
    """(name, whether it failed) of every test of the bench."""
    check_simulator(simulator)
    source = folder / "design.v"
    source.write_text(verilog)
    runner = _runner(simulator, optimize=False)
    build, results = folder / "build", folder / "results.xml"
    runner.build(
        sources=[source], hdl_toplevel=TOPLEVEL, build_dir=build, always=True,
        timescale=("1ns", "1ps"), log_file=folder / "build.log",
    )
    runner.test(
        hdl_toplevel=TOPLEVEL, hdl_toplevel_lang="verilog", test_module="tests.cosim.axi_bench",
        build_dir=build, test_dir=folder, results_xml=str(results), seed=1,
        log_file=folder / "simulation.log",
        timescale=("1ns", "1ps") if simulator == "icarus" else None,
    )
    cases = list(ElementTree.parse(results).iter("testcase"))
    return {case.get("name"): case.find("failure") is not None for case in cases}


@pytest.fixture(scope="module")
def verilog():
    return emit_verilog(BusDesign(SPEC), TOPLEVEL).verilog


@pytest.mark.parametrize("simulator", ["icarus", "verilator"])
def test_everything(simulator, verilog, tmp_path):
    results = simulate(simulator, verilog, tmp_path)
    assert len(results) == 12 + 1 + 12 + 6 + 5
    assert [name for name, failed in results.items() if failed] == []
