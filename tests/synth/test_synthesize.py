"""Synthesis of small designs and of the committed sample."""

import json
import shutil
from pathlib import Path

import pytest

from fxhw.errors import FxhwError
from fxhw.synth import check_design, content, find_target, synthesize
from fxhw.synth.families import FAMILIES
from fxhw.synth.netlist import load_netlist
from fxhw.synth.synthesize import count
from tests.synth.designs import make_folder

SAMPLE = Path(__file__).parents[2] / "rtl_out" / "tiny_w4a4"


def test_the_sample_has_no_latches_loops_or_undriven_nets():
    check_design(SAMPLE)


def test_a_latch_is_found(tmp_path):
    latch = "module dut(input e, input d, output reg q);\n  always @* if (e) q = d;\nendmodule\n"
    with pytest.raises(FxhwError, match="Yosys ended with status 1"):
        check_design(make_folder(tmp_path / "dut", latch))


def test_a_missing_file_is_named(tmp_path):
    folder = make_folder(tmp_path / "dut")
    (folder / "dut.v").unlink()
    with pytest.raises(FxhwError, match=r"dut\.v is missing; run 'fxhw generate' again"):
        check_design(folder)


def test_a_design_of_another_familys_cells_is_refused(tmp_path):
    folder = make_folder(tmp_path / "dut", target="ecp5")
    with pytest.raises(FxhwError, match="made of ecp5 cells and cannot be synthesized for gw1nr9"):
        synthesize(folder, find_target("gw1nr9"))


def test_a_part_takes_a_design_of_its_familys_cells_and_keeps_the_netlist(tmp_path):
    folder = make_folder(tmp_path / "dut", target="ecp5")
    found = synthesize(folder, find_target("ecp5-85k"), netlist=tmp_path / "netlist")
    assert found.classes["DSP"] == 1
    assert found.classes["FF"] > 50
    netlist = load_netlist(tmp_path / "netlist", "dut")
    assert count(netlist, found.target, seconds=found.seconds) == found
    assert "dut_main_lines/i" in netlist.inputs


MULTIPLICATIONS = """\
module dut_engine_array_block_0(input clk, input [16:0] a, input [13:0] b, output [30:0] p);
  reg [30:0] product;
  always @(posedge clk) product <= a * b;
  assign p = product;
endmodule

module dut(
  input clk, input [16:0] a, input [13:0] b, output [30:0] p,
  output reg [17:0] bytes, output reg signed [30:0] scaled
);
  dut_engine_array_block_0 \\block$1 (.clk(clk), .a(a), .b(b), .p(p));
  wire signed [16:0] sum = a;
  always @(posedge clk) begin
    bytes <= b * 3'd6;
    scaled <= sum * $signed(b);
  end
endmodule
"""
"""A multiplier block of an array, an address's multiplication and a requantizer's."""


@pytest.mark.parametrize(
    "name",
    ["ecp5", *(pytest.param(n, marks=pytest.mark.slow) for n in ("xc7", "xcup", "gowin", "ice40"))],
)
def test_a_budget_of_multiplier_blocks_is_kept(name, tmp_path):
    mixed = make_folder(tmp_path / "mixed", MULTIPLICATIONS, style="mixed")
    free = make_folder(tmp_path / "free", MULTIPLICATIONS, style="dsp")
    target = find_target(name)
    assert synthesize(mixed, target).classes["DSP"] == 1
    assert synthesize(free, target).classes["DSP"] > 1
    assert content(mixed, target) != content(mixed, target, dsp=False) != content(free, target)


def test_equal_folders_give_equal_counts(tmp_path):
    folder = make_folder(tmp_path / "dut")
    first, second = (synthesize(folder, find_target("generic")) for _ in range(2))
    assert (first.classes, first.cells, first.blocks) == (
        second.classes,
        second.cells,
        second.blocks,
    )


def test_verilog_that_does_not_parse_ends_in_a_sentence(tmp_path):
    folder = make_folder(tmp_path / "dut", "module dut(input a;\nendmodule\n")
    with pytest.raises(FxhwError, match="Yosys ended with status 1; it said: "):
        synthesize(folder, find_target("ecp5"))


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in FAMILIES if name != "generic"])
def test_the_sample_on_every_family(name):
    classes = synthesize(SAMPLE, find_target(name)).classes
    assert classes["LUT"] > 500
    assert classes["FF"] > 500
    assert classes["block RAM"] >= 1
    assert classes["DSP"] > 0
    without = synthesize(SAMPLE, find_target(name), dsp=False).classes
    assert without["DSP"] == 0
    assert without["LUT"] > classes["LUT"]


@pytest.mark.slow
def test_the_sample_in_gates():
    classes = synthesize(SAMPLE, find_target("generic")).classes
    manifest = json.loads((SAMPLE / "manifest.json").read_text())
    assert classes["memory bits"] > sum(manifest["memory_bits"].values()) * 0.95
    assert classes["NAND2"] > 5.6 * classes["FF"] > 0


def test_the_sample_stays_as_it_is(tmp_path):
    """Synthesis works on a copy."""
    shutil.copytree(SAMPLE, tmp_path / "tiny")
    check_design(tmp_path / "tiny")
    assert sorted(path.name for path in (tmp_path / "tiny").iterdir()) == sorted(
        path.name for path in SAMPLE.iterdir() if path.name != "reports"
    )
