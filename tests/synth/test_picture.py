"""The picture of the blocks."""

import pytest

from fxhw.synth.picture import bars, draw_blocks
from tests.synth.test_report import make_result


def test_a_bar_has_every_block_and_carry_cells_at_their_places():
    assert bars(make_result()) == [
        ("MAC array, main.engine.array", {"LUT": 900, "carry": 60}, 400),
        ("line buffer, main.engine.lines", {"LUT": 334, "LUT RAM": 12}, 10),
        ("1 smaller ones", {"LUT": 0, "carry": 0, "LUT RAM": 0, "NAND2": 0}, 0),
    ]


def test_equal_results_give_equal_pictures():
    pytest.importorskip("matplotlib")
    first = draw_blocks("dut", [make_result(), make_result("ecp5")])
    assert first == draw_blocks("dut", [make_result(), make_result("ecp5")])
    assert first.startswith("<?xml")
    for text in ("MAC array, main.engine.array", "Lattice LFE5U-85F", "LUT RAM"):
        assert text in first
