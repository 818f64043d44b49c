"""Points, and the lists of the command line."""

import pytest

from fxhw.errors import FxhwError
from fxhw.sweep.operands import Operands, list_operands
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
    operands = [Operands(1, 4), Operands(2, 4)]
    points = span_grid(operands, ["ecp5"], ["lut", "generic"], ["lut"], [8], [8])
    assert len(points) == len(set(points)) == 6
    assert [p.style for p in points if p.scope == "accelerator"] == ["lut", "lut"]
    assert points[0].name == "ecp5_array_lut_8x8_w1a4"
    assert all(Point(**p.to_json()) == p for p in points)
    assert len({p.name for p in points}) == 6


def test_two_pixels_are_for_multiplier_blocks():
    points = span_grid([Operands(4, 6)], ["ecp5"], ["lut", "dsp"], [], [8], [4], pixels=(1, 2))
    made = [(p.style, p.lanes) for p in points]
    assert made == [("lut", "8x4"), ("dsp", "8x4"), ("dsp", "8x4x2")]
    assert points[-1].name == "ecp5_array_dsp_8x4x2_w4a6"


WBITS = {"fixed": [1, 4], "inq": [5]}


@pytest.mark.parametrize(
    ("quantizer", "activations", "names"),
    [
        ("fixed", None, ["w1a6", "w4a6"]),
        ("ternary", None, ["ternary-ternary"]),
        ("ternary", ["relu"], ["ternary-a6"]),
        ("binary", None, ["binary-sign"]),
        ("binary", ["relu", "tanh"], ["w1a6", "binary-tanh6"]),
        ("inq", None, ["inq5-a6"]),
    ],
)
def test_operands_as_the_trainer_names_them(quantizer, activations, names):
    found = list_operands([quantizer], activations, WBITS, [6])
    assert [one.name for one in found] == names
    for one in found:
        again = Operands.trained(one.quantizer, one.activation, one.wbits, one.abits)
        assert again == one


def test_equal_operands_are_one():
    assert len(list_operands(["fixed", "binary"], ["relu"], WBITS, [6])) == 2
    with pytest.raises(FxhwError, match="--abits must be at least 2 for tanh"):
        list_operands(["fixed"], ["tanh"], WBITS, [1, 2])
