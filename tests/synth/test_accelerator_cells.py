"""What whole accelerators cost: no more than they did, and less the fewer bits there are."""

import json
from itertools import pairwise

import pytest

from .accelerator_cells import DESIGNS, SAVED, accelerator_cells

SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in DESIGNS if name != "w4a6"]


def saved():
    return json.loads(SAVED.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["w4a6", *SLOW])
def test_cells_are_those_saved(name):
    assert accelerator_cells(name) == pytest.approx(saved()[name], rel=0.02, abs=4)


@pytest.mark.parametrize("kind", ["LUT", "FF", "DSP", "block RAM"])
def test_fewer_bits_take_no_more(kind):
    cells = saved()
    for more, fewer in pairwise(("w8a8", "w4a6", "w2a4", "w1a2")):
        taken = [_places(cells[name], kind) for name in (more, fewer)]
        assert taken[1] <= taken[0], (more, fewer)


def _places(cells, kind):
    """A CCU2C takes two places of look-up tables."""
    return cells["LUT"] + 2 * cells["carry"] if kind == "LUT" else cells[kind]


def test_more_cells_are_seen():
    once = saved()["w4a6"]
    more = {**once, "LUT": int(once["LUT"] * 1.03)}
    assert more != pytest.approx(once, rel=0.02, abs=4)
