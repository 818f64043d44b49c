"""Cells given back to the blocks of the design."""

import re
import shutil
from collections import Counter
from pathlib import Path

import pytest

from fxhw.emit import run_yosys
from fxhw.errors import FxhwError
from fxhw.synth import find_target, synthesize
from fxhw.synth.blocks import assign_blocks, block_of, block_title
from fxhw.synth.netlist import Netlist
from fxhw.synth.synthesize import count
from tests.synth.designs import make_folder

SAMPLE = Path(__file__).parents[2] / "rtl_out" / "tiny_w4a4"


def cell(kind, inputs, outputs, src="", hidden=True, **parameters):
    """A cell with these bits on ports A, B, ... and Z (Q of a flip-flop)."""
    ports = dict(zip("ABCDEF", ([bit] for bit in inputs)))
    name = "Q" if kind == "FF" else "Z"
    return {
        "type": kind,
        "hide_name": int(hidden),
        "attributes": {"src": src} if src else {},
        "parameters": parameters,
        "port_directions": dict.fromkeys(ports, "input") | {name: "output"},
        "connections": ports | {name: list(outputs)},
    }


def scope(path, first, last):
    """The note that Yosys leaves of an instance."""
    return path, {
        "type": "$scopeinfo",
        "attributes": {"module": f"dut_{path}", "module_src": f"dut.v:{first}.1-{last}.10"},
        "parameters": {"TYPE": "module"},
    }


def netlist(cells, nets=None, inputs=()):
    """A netlist of blocks ``main.array`` (lines 1 to 9) and ``lines`` (11 to 19) in the top."""
    notes = dict([scope("main", 30, 39), scope("main.array$3", 1, 9), scope("lines", 11, 19)])
    names = {
        name: {"hide_name": 0, "bits": bits, "attributes": {}}
        for name, bits in (nets or {}).items()
    }
    module = {
        "attributes": {"src": "dut.v:50.1-60.10"},
        "cells": notes | cells,
        "netnames": names,
        "ports": {},
    }
    return Netlist("dut", module, frozenset(inputs))


def test_paths_stop_at_blocks():
    assert block_of("main.engine.array.lane_0.tree") == "main.engine.array"
    assert block_of("front$189.window$93") == "front.window"
    assert block_of("sequencer.check") == "sequencer"
    assert block_of("main.engine") == "main.engine"
    assert block_title("main.engine.lines") == "line buffer"
    assert block_title("main.engine") == "between the blocks"
    assert block_title("") == "top level, its memories included"
    assert block_title("lane_0") == "lane_0"


def test_a_cell_is_of_the_line_it_was_made_from():
    found = assign_blocks(
        netlist({
            "a": cell("FF", [], [2], "dut.v:4.3-4.9|/share/cells.v:60.1-61.2"),
            "b": cell("FF", [], [3], "dut.v:17.3-18.9"),
            "c": cell("FF", [], [4], "dut.v:55.3-55.9"),
        })
    )
    assert found == {"a": "main.array", "b": "lines", "c": ""}


def test_a_cell_of_two_blocks_lines_is_of_neither():
    found = assign_blocks(
        netlist(
            {"a": cell("FF", [], [2], "dut.v:4.3-4.9|dut.v:17.3-18.9")},
            {"lines.q": [2]},
        )
    )
    assert found == {"a": "lines"}


def test_a_memory_keeps_its_name():
    memory = cell("RAM", [], [2], hidden=False)
    named_by_yosys = cell("LUT4", [], [3], hidden=False)
    found = assign_blocks(netlist({"lines.row.0.1": memory, "lines.q_LUT4_Z_1": named_by_yosys}))
    assert found == {"lines.row.0.1": "lines", "lines.q_LUT4_Z_1": ""}


def test_a_register_is_of_the_block_whose_net_it_drives_but_not_of_one_it_feeds():
    cells = {"a": cell("FF", [], [2])}
    nets = {"main.array$3.word": [2]}
    assert assign_blocks(netlist(cells, nets)) == {"a": "main.array"}
    ports = ["dut_main.array$3/word"]
    assert assign_blocks(netlist(cells, nets, ports)) == {"a": ""}


def test_what_drives_an_input_port_lies_outside_that_block():
    """A memory's output register: as near to the array as to the store it is of."""
    cells = {
        "lines.row.0.0": cell("RAM", [], [2], hidden=False),
        "bank": cell("LUT4", [2], [3]),
        "word": cell("FF", [3], [4]),
        **{f"q{n}": cell("FF", [4, 4], [10 + n], "dut.v:4.3-4.9") for n in range(3)},
    }
    nets = {"main.array$3.word": [4]}
    assert assign_blocks(netlist(cells, nets))["word"] == "main.array"
    found = assign_blocks(netlist(cells, nets, ["dut_main.array$3/word"]))
    assert (found["word"], found["bank"]) == ("lines", "lines")


def test_logic_goes_where_its_wires_lead_and_a_reset_says_nothing():
    array = "dut.v:4.3-4.9"
    cells = {
        "reset": cell("FF", [], [2], "dut.v:17.3-18.9"),
        **{f"q{n}": cell("FF", [20 + n], [10 + n], array) for n in range(4)},
        **{f"d{n}": cell("LUT4", [2, 10 + n], [20 + n]) for n in range(4)},
    }
    found = assign_blocks(netlist(cells))
    assert {found[f"d{n}"] for n in range(4)} == {"main.array"}
    assert found["reset"] == "lines"


def test_logic_on_a_boundary_goes_with_most_of_its_wires():
    cells = {
        **{f"i{n}": cell("FF", [], [2 + n], "dut.v:17.3-18.9") for n in range(4)},
        "first": cell("LUT4", [2, 3, 4, 5], [6]),
        "second": cell("LUT4", [6], [7]),
        "q": cell("FF", [7], [8], "dut.v:4.3-4.9"),
    }
    found = assign_blocks(netlist(cells))
    assert found["first"] == "lines"
    assert found["second"] == "main.array"


def test_blocks_sum_to_the_whole_even_when_all_names_are_gone():
    cells = {f"x{n}": cell("LUT4", [n], [n + 1]) for n in range(5)}
    found = count(netlist(cells), find_target("ecp5"))
    assert found.blocks == {"": found.classes}


def test_memories_count_by_their_bits():
    memory = cell("$mem_v2", [], [2], "dut.v:12.1-12.3", SIZE="1010", WIDTH="11")
    found = count(netlist({"m": memory}), find_target("generic"))
    assert found.cells == {"memory bit": 30}
    assert found.blocks["lines"]["memory bits"] == 30


def test_cells_that_were_not_mapped_are_refused():
    with pytest.raises(FxhwError, match=r"cells that ecp5 does not have: \$alu"):
        count(netlist({"a": cell("$alu", [], [2])}), find_target("ecp5"))


@pytest.mark.parametrize("name", ["ecp5", "generic"])
def test_a_design_by_its_blocks(tmp_path, name):
    found = synthesize(make_folder(tmp_path / "dut"), find_target(name), dsp=False)
    assert set(found.blocks) == {"", "main", "main.array", "main.lines"}
    for kind, total in found.classes.items():
        assert sum(block[kind] for block in found.blocks.values()) == pytest.approx(total)
    memory, logic = ("memory bits", "NAND2") if name == "generic" else ("LUT RAM", "LUT")
    assert found.blocks["main.lines"][memory] == found.classes[memory] > 0
    assert found.blocks["main.array"][logic] > 0.6 * found.classes[logic]
    assert found.blocks["main.array"]["FF"] == 16
    assert found.blocks[""]["FF"] == 24


@pytest.mark.slow
def test_flip_flops_of_the_sample_are_where_a_kept_hierarchy_has_them(tmp_path):
    """The other way to count: blocks kept apart, at the price of a larger design."""
    shutil.copytree(SAMPLE, tmp_path / "tiny")
    names = "front_* main_engine_* main_arbiter main_fork main_*writer main_head main_pool "
    names += "main_reader registers sequencer slave intake"
    run_yosys(
        "read_verilog tiny_w4a4.v\n"
        f"setattr -mod -set keep_hierarchy 1 {' '.join(f'tiny_w4a4_{n}' for n in names.split())}\n"
        "setattr -mod -unset keep_hierarchy *_queue\nsynth_ecp5 -top tiny_w4a4\n"
        "tee -q -o kept.txt stat\n",
        tmp_path / "tiny",
    )
    found = synthesize(SAMPLE, find_target("ecp5"))
    places = {path.replace(".", "_") + "_": path for path in found.blocks if path}
    kept, place = Counter(), ""
    for line in (tmp_path / "tiny" / "kept.txt").read_text().splitlines():
        if line.startswith("=== "):
            module = line.split()[1].removeprefix("tiny_w4a4").lstrip("_") + "_"
            module = re.sub(r"_\d\d+(?=_)", "", module)  # numbers of modules with equal names
            inner = max((name for name in places if module.startswith(name)), key=len, default="")
            place = "whole" if module == "design_" else places.get(inner, "")
        elif line.split()[1:] == ["TRELLIS_FF"]:
            kept[place] += int(line.split()[0])
    flat = Counter()
    for path, counts in found.blocks.items():
        flat[path if path in kept else ""] += counts["FF"]
    assert len(kept) > 20
    assert set(kept) == {*flat, "whole"}
    # What nothing outside reads goes only if there is no hierarchy.
    less = {"front.scales", "front.weights", "main.engine.scales", "registers", "sequencer"}
    for path, number in flat.items():
        assert number <= kept[path] + 9, path
        assert path in less or number >= kept[path] - 9, path
    assert found.classes["LUT"] > 1000
