"""What cells count as, and what parts have."""

import pytest

from fxhw.errors import FxhwError
from fxhw.synth import TARGETS, find_target
from fxhw.synth.families import CLASSES, FAMILIES


@pytest.mark.parametrize(
    ("target", "cells", "classes"),
    [
        (
            "ecp5",
            {"LUT4": 7, "CCU2C": 2, "TRELLIS_FF": 5, "DP16KD": 3, "PFUMX": 1, "MULT18X18D": 4},
            {"LUT": 7, "carry": 2, "LUT RAM": 0, "FF": 5, "DSP": 4, "block RAM": 3},
        ),
        (
            "xc7a100t",
            {"LUT2": 1, "LUT6": 2, "FDRE": 3, "FDSE": 1, "RAMB18E1": 1, "RAMB36E1": 2, "RAM32M": 4},
            {"LUT": 3, "carry": 0, "LUT RAM": 16, "FF": 4, "DSP": 0, "block RAM": 2.5},
        ),
        (
            "xcup",
            {"LUT3": 2, "CARRY8": 3, "RAM32M16": 2, "DSP48E2": 5, "RAMB18E2": 1, "URAM288": 1},
            {
                "LUT": 2,
                "carry": 3,
                "LUT RAM": 16,
                "FF": 0,
                "DSP": 5,
                "block RAM": 0.5,
                "large RAM": 1,
            },
        ),
        (
            "gowin",
            {"LUT1": 1, "LUT4": 2, "ALU": 3, "DFFRE": 4, "SDPX9B": 5, "RAM16SDP4": 6, "MULT9X9": 7},
            {"LUT": 3, "carry": 3, "LUT RAM": 36, "FF": 4, "DSP": 3.5, "block RAM": 5},
        ),
        (
            "up5k",
            {"SB_LUT4": 9, "SB_CARRY": 4, "SB_DFFESR": 3, "SB_MAC16": 2, "SB_SPRAM256KA": 1},
            {"LUT": 9, "carry": 4, "FF": 3, "DSP": 2, "block RAM": 0, "large RAM": 1},
        ),
    ],
)
def test_classes(target, cells, classes):
    assert TARGETS[target].classify(cells) == classes


def test_gates_are_weighed_by_their_area_and_flip_flops_are_in_it():
    cells = {"$_NAND_": 10, "$_NOT_": 3, "$_XOR_": 2, "$_DFF_P_": 3, "memory bit": 64}
    classes = TARGETS["generic"].classify(cells)
    assert classes["FF"] == 3
    assert classes["memory bits"] == 64
    assert classes["NAND2"] == pytest.approx(10 + 3 * 2 / 3 + 2 * 2 + 3 * 17 / 3)


def test_a_carry_cell_counts_at_its_places():
    assert TARGETS["ecp5"].logic_luts({"LUT": 10, "carry": 4}) == 18
    assert TARGETS["gowin"].logic_luts({"LUT": 10, "carry": 4}) == 14
    assert TARGETS["xc7"].logic_luts({"LUT": 10, "carry": 4}) == 10
    used = TARGETS["ecp5-85k"].used({"LUT": 10, "carry": 4, "LUT RAM": 6, "FF": 3, "DSP": 1})
    assert used == {"LUT": 24, "LUT RAM": 6, "FF": 3, "DSP": 1, "block RAM": 0}


@pytest.mark.parametrize("name", TARGETS)
def test_every_target_is_found_with_its_family(name):
    target = find_target(name)
    assert target.name == name
    assert target.family in FAMILIES
    assert set(target.rules.classes) <= set(CLASSES)
    assert (target.capacity is None) == (name in FAMILIES)
    if target.capacity:
        assert set(target.capacity) >= {"LUT", "FF", "DSP", "block RAM", "LUT RAM"}


def test_an_unknown_target_is_refused_with_all_there_are():
    with pytest.raises(FxhwError) as caught:
        find_target("ecp6")
    assert "'ecp6'" in str(caught.value)
    assert all(name in str(caught.value) for name in TARGETS)


@pytest.mark.parametrize(
    ("name", "dsp", "script"),
    [
        ("ecp5-85k", True, "synth_ecp5 -top t"),
        ("ecp5-85k", False, "synth_ecp5 -nodsp -top t"),
        ("up5k", True, "synth_ice40 -device u -spram -dsp -top t"),
        ("up5k", False, "synth_ice40 -device u -spram -top t"),
        ("gw1nr9", True, "synth_gowin -noiopads -family gw1n -top t"),
        ("xczu3eg", False, "synth_xilinx -family xcup -flatten -noiopad -nodsp -top t"),
    ],
)
def test_the_command_lets_multiplier_blocks_in_or_not(name, dsp, script):
    assert find_target(name).script("t", dsp) == script


def test_a_budget_comes_before_the_command_where_there_are_multiplier_blocks():
    ecp5, generic = find_target("ecp5-85k"), find_target("generic")
    *first, last = ecp5.script("t", budget=True).splitlines()
    assert last == ecp5.script("t")
    assert "select -set others t:$mul t_*block_[0-9]*/t:$mul %d" in first
    assert ecp5.script("t", dsp=False, budget=True) == ecp5.script("t", dsp=False)
    assert generic.script("t", budget=True) == generic.script("t")
