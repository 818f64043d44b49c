"""Whole networks on arrays of every style equal the golden model, in both simulators."""

import pytest

from fxhw.cosim.simulators import lint
from fxhw.errors import FxhwError
from fxhw.plan.conv_spec import STYLES
from fxhw.synth import TARGETS, check_design, synthesize

from .designs import Case, check_case, generate, needs_icarus


def case_of(wbits, abits, target, **changes):
    widths = {"wbits": wbits, "abits": abits}
    return Case(7, (3, 5), (8, 10), widths, style="lut", target=target, **changes)


TARGETS_OF_LUT = [
    pytest.param(target, marks=[pytest.mark.slow] if target in ("xc7", "gowin", "ice40") else [])
    for target in STYLES["lut"]
]


@pytest.mark.cosim
@pytest.mark.parametrize("target", TARGETS_OF_LUT)
@pytest.mark.parametrize(
    ("wbits", "abits"),
    [(4, 6), *(pytest.param(bits, bits, marks=pytest.mark.slow) for bits in (1, 8))],
)
def test_widths(wbits, abits, target, tmp_path):
    assert check_case(case_of(wbits, abits, target, extreme=True), tmp_path) == 1


@pytest.mark.cosim
@pytest.mark.slow
def test_products_in_pairs(tmp_path):
    """The first layer's, whose excess is of products of weights, for six lanes."""
    widths = {"wbits": 1, "abits": 4}
    changes = {"style": "lut", "target": "ecp5", "pin": 6, "pout": 1, "extreme": True}
    case = Case(7, (6, 2), (6, 8), widths, **changes)
    assert check_case(case, tmp_path) == 1


@pytest.mark.cosim
@pytest.mark.parametrize("target", ["generic", "ecp5"])
def test_cycles_are_those_estimated(target, tmp_path):
    assert check_case(case_of(4, 6, target, stalls=False), tmp_path) == 1


@pytest.mark.cosim
@needs_icarus
def test_icarus(tmp_path):
    assert check_case(case_of(3, 4, "ecp5"), tmp_path, "icarus") == 1


@pytest.mark.cosim
def test_verilog_is_clean_and_bound_to_its_family(tmp_path):
    folder = generate(case_of(4, 6, "ecp5"), tmp_path)
    check_design(folder)
    assert lint(folder / "dut.v") == []
    with pytest.raises(FxhwError, match="made of ecp5 cells and cannot be synthesized for gowin"):
        synthesize(folder, TARGETS["gowin"])


BLOCKS = {
    "one pixel": {"style": "dsp"},
    "two pixels": {"style": "dsp", "pixels": 2},
    "a budget": {"style": "mixed", "pixels": 2, "dsps": 13},
}
"""Arrays of multiplier blocks."""


def block_case(wbits, abits, array, size=(9, 11), **changes):
    return Case(11, (3, 5), size, {"wbits": wbits, "abits": abits}, **BLOCKS[array], **changes)


@pytest.mark.cosim
@pytest.mark.parametrize("array", ["two pixels", "a budget"])
def test_multiplier_blocks(array, tmp_path):
    case = block_case(4, 6, array, others=(((2, 3, 4), (8, 6)),), extreme=True)
    assert check_case(case, tmp_path) == 2


@pytest.mark.slow
@pytest.mark.cosim
@pytest.mark.parametrize("array", BLOCKS)
@pytest.mark.parametrize(("wbits", "abits"), [(1, 1), (2, 8), (8, 8)])
def test_widths_of_multiplier_blocks(wbits, abits, array, tmp_path):
    assert check_case(block_case(wbits, abits, array, extreme=True), tmp_path) == 1


@pytest.mark.slow
@pytest.mark.cosim
@pytest.mark.parametrize("size", [(8, 12), (7, 9), (5, 1)])
def test_cycles_of_two_pixels_are_those_estimated(size, tmp_path):
    assert check_case(block_case(4, 6, "two pixels", size, stalls=False), tmp_path) == 1


@pytest.mark.slow
@pytest.mark.cosim
@pytest.mark.parametrize(("pin", "pout"), [(3, 1), (1, 3), (4, 2)])
def test_two_pixels_of_other_lanes(pin, pout, tmp_path):
    case = block_case(
        4, 4, "two pixels", pin=pin, pout=pout, target="xc7", multipliers=(0,), stalls=False
    )
    assert check_case(case, tmp_path) == 1


@pytest.mark.slow
@pytest.mark.cosim
@needs_icarus
def test_two_pixels_in_icarus(tmp_path):
    assert check_case(block_case(3, 4, "two pixels", target="ecp5"), tmp_path, "icarus") == 1


@pytest.mark.cosim
def test_verilog_of_multiplier_blocks_is_clean(tmp_path):
    folder = generate(block_case(4, 6, "a budget", target="ecp5"), tmp_path)
    check_design(folder)
    assert lint(folder / "dut.v") == []
