"""Simulators: what is missing is said, what is built is kept."""

import importlib.util

import pytest

from fxhw.cosim import check_simulator, simulators
from fxhw.cosim.simulators import build_bench
from fxhw.errors import FxhwError


def without_module(monkeypatch, missing):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == missing else find(name)
    )


def test_unknown_simulator():
    with pytest.raises(FxhwError, match="one of verilator, icarus, not 'vcs'"):
        check_simulator("vcs")


def test_missing_icarus(monkeypatch):
    monkeypatch.setattr(simulators.shutil, "which", lambda name: None)
    with pytest.raises(FxhwError, match="icarus is not installed .* install Icarus"):
        check_simulator("icarus")


def test_missing_compiler(monkeypatch):
    monkeypatch.setattr(simulators.shutil, "which", lambda name: None)
    with pytest.raises(FxhwError, match=r"verilator needs g\+\+, which is not on the PATH"):
        check_simulator("verilator")


@pytest.mark.parametrize(
    ("module", "name"), [("cocotb_tools", "cocotb"), ("verilator", "verilator")]
)
def test_missing_packages(monkeypatch, module, name):
    without_module(monkeypatch, module)
    with pytest.raises(FxhwError, match=f"Package {name} is not installed; run: pip install"):
        check_simulator("verilator")


@pytest.mark.cosim
def test_a_build_that_fails_shows_its_first_error_and_leaves_nothing(tmp_path):
    verilog = tmp_path / "bad.v"
    verilog.write_text("module bad; nonsense endmodule\n")
    cache = tmp_path / "cache"
    with pytest.raises(FxhwError, match=r"cannot build .*bad\.v: %Error: .*bad\.v:1"):
        build_bench("verilator", verilog, {"FXHW_TOP": "bad"}, cache)
    assert list(cache.iterdir()) == []


def test_a_cache_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    verilog = tmp_path / "x.v"
    verilog.write_text("module x; endmodule\n")
    with pytest.raises(FxhwError, match="Build folder .* cannot be written"):
        build_bench("verilator", verilog, {}, tmp_path / "file" / "cache")


def test_a_path_with_a_space(tmp_path):
    verilog = tmp_path / "x.v"
    verilog.write_text("module x; endmodule\n")
    with pytest.raises(FxhwError, match="cannot build with a space in the path"):
        build_bench("verilator", verilog, {}, tmp_path / "my cache")
