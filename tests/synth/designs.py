"""Small generated folders, so that Yosys and nextpnr take seconds."""

import json

from fxhw.emit.manifest import MANIFEST, SCHEMA, content_hash

__all__ = ["VERILOG", "make_folder"]

VERILOG = """\
module dut_main_lines(input clk, input [7:0] i, output reg [7:0] o);
  reg [7:0] held [0:127];
  reg [6:0] place;
  always @(posedge clk) begin
    place <= place + 1'd1;
    held[place] <= i;
    o <= held[place];
  end
endmodule

module dut_main_array(input clk, input [7:0] i, input [7:0] w, output reg [15:0] o);
  always @(posedge clk) o <= i * w + o;
endmodule

module dut_main(input clk, input [7:0] i, input [7:0] w, output [15:0] o);
  wire [7:0] word;
  reg [7:0] held;
  dut_main_lines lines(.clk(clk), .i(i), .o(word));
  always @(posedge clk) held <= word ^ w;
  dut_main_array \\array$7 (.clk(clk), .i(held), .w(w), .o(o));
endmodule

module dut(input clk, input rst, input [7:0] i, input [7:0] w, output reg [15:0] o, output any);
  reg [7:0] weight;
  wire [15:0] sum;
  dut_main \\main$3 (.clk(clk), .i(i), .w(weight), .o(sum));
  always @(posedge clk) begin
    weight <= rst ? 8'd0 : w;
    o <= sum;
  end
  assign any = |o;
endmodule
"""
"""A line buffer of 128 words in a memory, a multiplier with its sum, and registers around."""


def make_folder(folder, verilog=VERILOG, macs=1, **design):
    """``folder`` with a manifest and this Verilog, whose top is ``dut``."""
    folder.mkdir()
    manifest = {"schema": SCHEMA, "top": "dut", "design": design, "macs_per_cycle": macs}
    manifest["content_hash"] = content_hash(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest))
    (folder / "dut.v").write_text(verilog)
    return folder
