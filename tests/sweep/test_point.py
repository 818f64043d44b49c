"""Points, and the lists of the command line."""

import pytest

from fxhw.errors import FxhwError
from fxhw.sweep.point import Point, parse_names, parse_numbers, span_grid


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("4", [4]), ("1-3", [1, 2, 3]), ("8, 1-2,2", [1, 2, 8]), (" 2 - 2 ", [2])],
)
def test_lists_of_numbers(text, numbers):
    assert parse_numbers(text, "--wbits", 1, 8) == numbers


@pytest.mark.parametrize("text", ["", "0", "9", "3-1", "1-9", "a", "1,,2", "-1", "1-2-3"])
def test_wrong_lists_of_numbers(text):
    with pytest.raises(FxhwError, match="--wbits must be numbers or ranges from 1 to 8"):
        parse_numbers(text, "--wbits", 1, 8)


def test_lists_of_names():
    assert parse_names("lut, generic,lut", "--styles", ("generic", "lut")) == ["lut", "generic"]
    with pytest.raises(FxhwError, match=r"--styles must be of generic, lut, not 'cut'"):
        parse_names("lut,cut", "--styles", ("generic", "lut"))


def test_grid():
    points = span_grid([1, 2], [4], ["ecp5"], ["lut", "generic"], ["lut"], [8], [8])
    assert len(points) == len(set(points)) == 6
    assert [p.style for p in points if p.scope == "accelerator"] == ["lut", "lut"]
    assert points[0].name == "ecp5_array_lut_8x8_w1a4"
    assert all(Point(**p.to_json()) == p for p in points)
    assert len({p.name for p in points}) == 6
