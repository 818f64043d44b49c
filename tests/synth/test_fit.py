"""Shares of a part, what does not fit, and the price of a multiply-accumulate."""

import pytest

from fxhw.synth import Resources, find_target, luts_per_mac, misfit, shares


def result(name, dsp=True, **cells):
    target = find_target(name)
    return Resources(target, dsp, target.classify(cells), cells, 1.0)


def test_shares():
    found = shares(result("ecp5-85k", LUT4=41_820, MULT18X18D=39, DP16KD=208))
    assert found == {"LUT": 0.5, "LUT RAM": 0, "FF": 0, "DSP": 0.25, "block RAM": 1.0}
    assert shares(result("ecp5", LUT4=5)) == {}


def test_what_fits_says_nothing():
    assert misfit(result("ecp5-85k", LUT4=83_640, MULT18X18D=156)) is None
    assert misfit(result("ecp5", LUT4=10**9)) is None


def test_what_does_not_fit_is_said_with_its_numbers():
    sentence = misfit(result("ecp5-85k", MULT18X18D=656, DP16KD=216))
    assert "656 DSP where there are 156 and 216 block RAM where there are 208" in sentence
    assert "--no-dsp" in sentence
    assert "--no-dsp" not in misfit(result("ecp5-85k", dsp=False, DP16KD=216))
    assert "--no-dsp" not in misfit(result("ecp5-85k", DP16KD=216))


def test_carry_cells_and_memories_take_look_up_tables_too():
    assert misfit(result("ecp5-25k", LUT4=24_280, CCU2C=4)) is None
    assert "24,290 LUT where" in misfit(result("ecp5-25k", LUT4=24_280, CCU2C=5))
    assert "24,286 LUT" not in (misfit(result("ecp5-25k", LUT4=24_280, TRELLIS_DPR16X4=1)) or "")
    assert "24,292 LUT" in misfit(result("ecp5-25k", LUT4=24_280, TRELLIS_DPR16X4=2))


def test_a_part_without_a_kind_of_memory_has_no_share_of_it():
    assert "LUT RAM" not in shares(result("up5k", SB_LUT4=1))


def test_price_of_a_multiply_accumulate():
    found = result("ecp5-85k", LUT4=100, CCU2C=50, TRELLIS_DPR16X4=3)
    assert luts_per_mac(found, 8) == 25
    assert luts_per_mac(found, 0) is None
    assert luts_per_mac(found, None) is None
    assert luts_per_mac(result("generic", **{"$_NAND_": 12}), 3) == pytest.approx(4)
