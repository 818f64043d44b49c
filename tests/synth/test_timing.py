"""nextpnr's timing report, read by blocks."""

from fxhw.synth.netlist import Netlist
from fxhw.synth.placement import Hop
from fxhw.synth.timing import find_block, read_arrivals, read_critical_path

BLOCKS = {"sum_CCU2C_S0": "array", "row_Q": "lines", "front$3.mem": "front", "q": "array"}


def step(kind, delay, source, sink, net=None):
    entry = {"type": kind, "delay": delay, "from": {"cell": source}, "to": {"cell": sink}}
    return entry | ({"net": net} if net else {})


def end(cell, delay, event="posedge clk"):
    return {"cell": cell, "delay": [0.1, delay], "event": event}


SLOW = [
    step("clk-to-q", 0.5, "row_Q", "row_Q"),
    step("routing", 2.0, "row_Q", "sum_CCU2C_S0$CCU2_COMB0", "row[3]"),
    step("logic", 0.25, "sum_CCU2C_S0$CCU2_COMB0", "sum_CCU2C_S0$CCU2_COMB0"),
    step("routing", 0.0, "sum_CCU2C_S0$CCU2_COMB0", "$nextpnr_CCU2C_4", "sum_CCU2C_S0_COUT"),
    step("logic", 0.25, "$nextpnr_CCU2C_4", "$nextpnr_CCU2C_4"),
    step("routing", 1.0, "$nextpnr_CCU2C_4", "q", "sum"),
    step("setup", 0.1, "q", "q"),
]

NETLIST = Netlist(
    "dut",
    {
        "cells": {"sum_CCU2C_S0": {"type": "CCU2C"}},
        "netnames": {
            "row": {"hide_name": 0},
            "sum": {"hide_name": 0},
            "sum_CCU2C_S0_COUT": {"hide_name": 0},
        },
    },
)


def test_names_that_nextpnr_made_of_a_cells():
    assert find_block("q", BLOCKS) == "array"
    assert find_block("sum_CCU2C_S0$CCU2_COMB1", BLOCKS) == "array"
    assert find_block("front$3.mem$RAMW$BLOCK", BLOCKS) == "front"
    assert find_block("row_Q_DFFLC", BLOCKS) == "lines"
    assert find_block("front$3.mem_RAM", BLOCKS) == "front"
    assert find_block("$nextpnr_CCU2C_4", BLOCKS) is None
    assert find_block("shift_in", BLOCKS) is None


def test_critical_path():
    report = {
        "critical_paths": [
            {"from": "<async>", "to": "posedge clk", "path": [step("routing", 99.0, "q", "q")]},
            {"from": "posedge clk", "to": "posedge clk", "path": SLOW},
            {"from": "posedge clk", "to": "posedge clk", "path": SLOW[:1]},
        ]
    }
    assert read_critical_path(report, NETLIST, BLOCKS) == (
        Hop("lines", 0.5, 0, ""),
        Hop("array", 0.6, 3.0, "sum"),
    )


def test_slowest_path_into_each_block():
    report = {
        "detailed_net_timings": [
            {"event": "posedge clk", "endpoints": [end("q", 3.0), end("row_Q", 1.0)]},
            {"event": "posedge clk", "endpoints": [end("q", 2.0), end("q", 50.0, "<async>")]},
            {"event": "<async>", "endpoints": [end("row_Q", 70.0)]},
            {"event": "posedge clk", "endpoints": [end("$PACKER_VCC", 80.0)]},
        ]
    }
    assert read_arrivals(report, BLOCKS) == {"array": 3.0, "lines": 1.0}
