"""The reports made of results."""

import json
from dataclasses import replace

import pytest

from fxhw.errors import FxhwError
from fxhw.synth import Resources, find_target, resource_rows, write_reports
from fxhw.synth.placement import Hop, Placement
from fxhw.synth.report import block_rows, share_rows

MANIFEST = {"top": "dut", "content_hash": "y", "macs_per_cycle": 4}


def make_result(name="ecp5-85k"):
    target = find_target(name)
    blocks = {
        "": {"DP16KD": 2},
        "main.engine.array": {"LUT4": 900, "CCU2C": 30, "TRELLIS_FF": 400, "MULT18X18D": 200},
        "main.engine.lines": {"LUT4": 334, "TRELLIS_DPR16X4": 2, "TRELLIS_FF": 10},
    }
    cells = {}
    for counts in blocks.values():
        for cell, number in counts.items():
            cells[cell] = cells.get(cell, 0) + number
    classes = {path: target.classify(counts) for path, counts in blocks.items()}
    return Resources(target, True, target.classify(cells), cells, 2.4, classes)


PLACEMENT = Placement(
    tool="nextpnr-ecp5 1",
    method="ports open",
    seed=7,
    goal=125.0,
    fmax=99.5,
    utilization={"TRELLIS_COMB": (900, 83640), "DCCA": (0, 56)},
    critical=(Hop("main.engine.lines", 0.5, 1.25, "row[3]"), Hop("", 1.0, 0.25, "")),
    arrivals={"": 9.5, "main.engine.lines": 4.0},
)


def test_rows():
    rows = resource_rows([make_result(), make_result("ecp5")], 4)
    assert rows[0] == ("target", "LUT", "carry", "LUT RAM", "FF", "DSP", "block RAM", "per MAC")
    assert rows[1] == ("Lattice LFE5U-85F", "1,234", "30", "12", "410", "200", "2", "323.5 LUT")
    assert rows[2][0] == "Lattice ECP5"
    assert share_rows([make_result("ecp5")]) == [("of",)]
    assert share_rows([make_result()])[1][-2:] == ("200 / 156 (128%)", "2 / 208 (1%)")


def test_gates_stand_beside_look_up_tables():
    target = find_target("generic")
    cells = {"$_NAND_": 8, "memory bit": 64}
    gates = Resources(target, True, target.classify(cells), cells, 1.0)
    rows = resource_rows([make_result(), gates], 4)
    assert rows[0][-3:] == ("NAND2", "memory bits", "per MAC")
    assert rows[2] == ("ASIC gates", "", "", "", "0", "", "", "8", "64", "2.0 NAND2")


def test_blocks_are_sorted_by_size_and_columns_of_nothing_left_out():
    rows = block_rows(make_result())
    assert rows[0][:3] == ("block", "path", "LUT")
    assert [row[1] for row in rows[1:]] == ["main.engine.array", "main.engine.lines", ""]
    assert rows[1][-1] == "73.5%"
    rows = block_rows(make_result(), 4)
    assert [row[-1] for row in rows] == ["per MAC", "240.00", "83.50", "0.00"]


def test_files(tmp_path):
    paths = write_reports(tmp_path, MANIFEST, [make_result()], {"ecp5-85k": PLACEMENT})
    assert [path.name for path in paths] == ["synthesis.json", "synthesis.md"]
    (entry,) = json.loads(paths[0].read_text())["targets"]
    assert entry["cells"]["LUT4"] == 1234
    assert entry["luts_per_mac"] == 323.5
    assert entry["capacity"]["DSP"] == 156
    assert entry["fits"] is False
    assert entry["blocks"]["main.engine.array"]["FF"] == 400
    assert entry["placement"]["fmax_mhz"] == 99.5
    assert entry["placement"]["critical_path"][0]["net"] == "row[3]"
    page = paths[1].read_text()
    for text in (
        "| Lattice LFE5U-85F | 1,234 | 30 |",
        "| line buffer | main.engine.lines | 334 |",
        "| 26.5% | 83.50 |",
        "200 DSP where there are 156",
        "99.5 MHz; the goal of 125 MHz is missed",
        "| main.engine.lines | 0.50 | 1.25 | row[3] |",
    ):
        assert text in page
    assert "DCCA" not in page


def test_the_time_it_took_is_in_no_file(tmp_path):
    texts = []
    for seconds in (1.0, 77.7):
        paths = write_reports(tmp_path, MANIFEST, [replace(make_result(), seconds=seconds)])
        texts.append([path.read_bytes() for path in paths])
    assert texts[0] == texts[1]


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "reports").write_text("a file")
    with pytest.raises(FxhwError, match=r"Reports in .*reports cannot be written: "):
        write_reports(tmp_path, MANIFEST, [make_result()])
