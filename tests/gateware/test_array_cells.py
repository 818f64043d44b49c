"""What arrays cost: no more than they did, and no more than they should."""

import json

import pytest

from .array_cells import OPERANDS, SAVED, array_cells, array_spec, lut_places

LIMITS = {
    "w4a6": 31,
    "w8a8": 77,
    "w6a6": 45,
    "w4a4": 22,
    "w2a4": 11.5,
    "ternary-a6": 14.7,
    "binary-a6": 10.7,
    "binary-sign": 2.4,
}
"""LUT4 + 2 x CCU2C per MAC of a 9 x 8 x 8 array with accumulators."""


@pytest.mark.parametrize("name", ["w2a4", "ternary-a6", "binary-sign"])
def test_cells_are_those_saved(name):
    cells, saved = array_cells(array_spec(name, 1)), json.loads(SAVED.read_text())[name]
    assert lut_places(cells) == pytest.approx(lut_places(saved), rel=0.02)
    assert cells["TRELLIS_FF"] == pytest.approx(saved["TRELLIS_FF"], rel=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("name", OPERANDS)
def test_cells_per_mac(name):
    spec = array_spec(name)
    cells = array_cells(spec)
    assert lut_places(cells) <= LIMITS[name] * spec.macs_per_cycle
    assert cells["TRELLIS_FF"] <= lut_places(cells)


@pytest.mark.slow
def test_a_quarter_of_what_plain_operators_take():
    plain = array_cells(array_spec("w4a6", 8, "generic", "generic"))
    assert lut_places(array_cells(array_spec("w4a6"))) <= 0.27 * lut_places(plain)
