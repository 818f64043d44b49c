"""Few pins around a netlist of many ports."""

import json
from dataclasses import replace

import pytest

from fxhw.emit import run_yosys
from fxhw.errors import FxhwError
from fxhw.synth import find_target
from fxhw.synth.harness import wrap
from fxhw.synth.netlist import INPUTS, Netlist, load_netlist
from fxhw.synth.nextpnr import DEVICES

DESIGN = """\
module dut(input clk, input [2:0] a, input b, output [1:0] x, output y);
  assign x = {a[2], 1'b1};
  assign y = a[0] ^ b;
endmodule
"""

MODEL = """\
module SB_DFF(input C, D, output reg Q); initial Q = 0; always @(posedge C) Q <= D; endmodule
module SB_LUT4(input I0, I1, I2, I3, output O);
  parameter [15:0] LUT_INIT = 0;
  assign O = LUT_INIT[{I3, I2, I1, I0}];
endmodule
module TRELLIS_FF(input CLK, DI, output reg Q);
  parameter GSR = "", CEMUX = "", REGSET = "";
  initial Q = REGSET != "RESET" || CEMUX != "1" || GSR != "DISABLED";
  always @(posedge CLK) Q <= DI;
endmodule
module LUT4(input A, B, C, D, output Z);
  parameter [15:0] INIT = 0;
  assign Z = INIT[{D, C, B, A}];
endmodule
"""

EXPECTED = """\
module expected(input clk, shift_in, output reg shift_out);
  reg [3:0] i = 0; reg [1:0] s = 0; initial shift_out = 0;
  always @(posedge clk) begin
    i <= {i[2:0], shift_in};
    s[0] <= shift_in ^ shift_in ^ i[3] ^ 1'b1;
    s[1] <= s[0] ^ i[2];
    shift_out <= s[1] ^ i[0] ^ i[3];
  end
endmodule

module both(input clk, shift_in, output same);
  wire a, b;
  expected e(.clk(clk), .shift_in(shift_in), .shift_out(a));
  dut d(.clk(clk), .shift_in(shift_in), .shift_out(b));
  assign same = a == b;
endmodule
"""


def prove(tmp_path, name, primitives):
    """Have Yosys prove that a wrapped design equals one written out."""
    (tmp_path / "dut.v").write_text(DESIGN)
    (tmp_path / INPUTS).write_text("")
    (tmp_path / "expected.v").write_text(MODEL + EXPECTED)
    family = find_target(name).family
    run_yosys(f"read_verilog dut.v\nsynth_{family} -top dut\nwrite_json netlist.json\n", tmp_path)
    module = wrap(load_netlist(tmp_path, "dut"), primitives)
    assert {name: port["direction"] for name, port in module["ports"].items()} == {
        "clk": "input",
        "shift_in": "input",
        "shift_out": "output",
    }
    module["netnames"] = {}
    (tmp_path / "wrapped.json").write_text(json.dumps({"creator": "", "modules": {"dut": module}}))
    run_yosys(
        "read_json wrapped.json\nread_verilog expected.v\nhierarchy -top both\nproc\nflatten\n"
        "sat -prove same 1 -tempinduct -seq 1 -set-init-zero -verify both\n",
        tmp_path,
    )


@pytest.mark.parametrize("name", ["up5k", "ecp5-25k"])
def test_inputs_come_from_one_shift_register_and_outputs_are_summed_in_another(name, tmp_path):
    prove(tmp_path, name, DEVICES[name].primitives)


@pytest.mark.parametrize(("name", "parameter"), [("up5k", "LUT_INIT"), ("ecp5-25k", "INIT")])
def test_the_proof_finds_a_wrong_sum(name, parameter, tmp_path):
    right = DEVICES[name].primitives
    with pytest.raises(FxhwError, match="proof did fail"):
        prove(tmp_path, name, replace(right, parameters={parameter: "1000100010001000"}))


def test_a_module_without_a_clock_is_refused():
    netlist = Netlist("dut", {"cells": {}, "netnames": {}, "ports": {}, "attributes": {}})
    with pytest.raises(FxhwError, match="Module dut has no clock port, aclk or clk"):
        wrap(netlist, DEVICES["up5k"].primitives)
