"""What arrays cost: no more than they did, and no more than they should."""

import json

import pytest

from .array_cells import FAMILIES, OPERANDS, SAVED, array_cells, array_spec, count_cells

LIMITS = {
    "w4a6": 30,
    "w8a8": 77,
    "w6a6": 45,
    "w4a4": 22,
    "w2a4": 11.5,
    "ternary-a6": 11.7,
    "binary-a6": 8.5,
    "binary-sign": 2.4,
}
"""LUT4 + 2 x CCU2C per MAC of a 9 x 8 x 8 array with accumulators."""

XCUP_LIMIT = 15
"""LUTs per MAC of the same array on UltraScale+, at w4a6."""


def check_saved(name, family):
    saved = json.loads(SAVED.read_text())[family][name]
    counts = count_cells(array_cells(array_spec(name, 1, target=family)), family)
    assert counts == pytest.approx(count_cells(saved, family), rel=0.02)


@pytest.mark.parametrize("name", ["w2a4", "ternary-a6", "binary-sign"])
def test_cells_are_those_saved(name):
    check_saved(name, "ecp5")


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES[1:])
@pytest.mark.parametrize("name", ["w4a6", "binary-sign"])
def test_cells_of_other_families_are_those_saved(name, family):
    check_saved(name, family)


@pytest.mark.slow
@pytest.mark.parametrize("name", OPERANDS)
def test_cells_per_mac(name):
    spec = array_spec(name)
    luts, ffs = count_cells(array_cells(spec))
    assert luts <= LIMITS[name] * spec.macs_per_cycle
    assert ffs <= luts


@pytest.mark.slow
def test_cells_per_mac_on_ultrascale():
    spec = array_spec("w4a6", target="xcup")
    luts, ffs = count_cells(array_cells(spec), "xcup")
    assert luts <= XCUP_LIMIT * spec.macs_per_cycle
    assert ffs <= luts


@pytest.mark.slow
def test_a_quarter_of_what_plain_operators_take():
    plain, _ = count_cells(array_cells(array_spec("w4a6", 8, "generic", "generic"), "ecp5"))
    luts, _ = count_cells(array_cells(array_spec("w4a6")))
    assert luts <= 0.27 * plain
