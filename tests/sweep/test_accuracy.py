"""Dice from files: every format, and files that are none."""

import json
from pathlib import Path

import pytest

from fxhw.errors import FxhwError
from fxhw.sweep.accuracy import read_metrics
from fxhw.sweep.operands import Operands
from tests.sweep.tiny import tiny_record, tiny_results

TABLE = [
    {"row": "w4 a6", "dataset": "em", "activation": "relu",
     "scores": [{"slices": [90.0, 70.0]}, {"slices": [92.0, 80.0]}]},
    {"row": "w4 a6", "dataset": "em", "activation": "tanh", "scores": [{"slices": [1, 1]}]},
    {"row": "w4 a6", "dataset": "gm", "activation": "relu", "scores": [{"slices": [60, 1]}]},
    {"row": "float", "dataset": "em", "activation": "relu", "scores": [{"slices": [99, 9]}]},
    {"row": "w16 a16", "dataset": "em", "activation": "relu", "scores": [{"slices": [99, 9]}]},
    {"row": "paper Q6.0, Q0.4", "dataset": "em", "activation": "relu",
     "scores": [{"slices": [99, 9]}]},
]
KINDS = {
    ("ternary, a6", "relu"): "ternary-a6",
    ("ternary, ternary tanh", "ternary"): "ternary-ternary",
    ("binary, a6", "relu"): "w1a6",
    ("binary, sign", "sign"): "binary-sign",
    ("INQ 5 bits, a8", "relu"): "inq5-a8",
    ("w8 a8", "tanh"): "w8-tanh8",
}
"""Row and activation of Table 1 -> the operands they are of."""
TRAINING = {
    "run": {"quantizer": "fixed", "activation": "relu", "wbits": 3, "abits": 5,
            "base_channels": 8},
    "golden": {"whole": {"slices": [88.0, 66.0]}},
}
GOLDEN = {"wbits": 2, "abits": 4, "mean_dice": {"foreground": 81.5, "background": 40.0}}
TABLE_1 = Path(__file__).parents[2] / "docs" / "results" / "table1.json"
RECORDS = [{"wbits": 1, "abits": 2, "dice": 77, "source": "by hand", "kind": "trained"},
           {"wbits": 1, "abits": 3, "dice": 78.5}]


@pytest.fixture
def read(tmp_path):
    def write_and_read(value, dataset="em"):
        path = tmp_path / "metrics.json"
        path.write_text(value if isinstance(value, str) else json.dumps(value))
        return read_metrics(path, dataset)

    return write_and_read


def test_table(read):
    found = read(TABLE)
    assert [operands.name for operands in found] == ["w4a6", "w4-tanh6"]
    dice = found[Operands(4, 6)]
    assert (dice.foreground, dice.background, dice.kind) == (91, 75, "trained")
    assert dice.source == "metrics.json, row w4 a6, 2 seeds"
    assert read(TABLE, "gm")[Operands(4, 6)].foreground == 60


def test_rows_of_every_kind(read):
    rows = [
        {"row": row, "dataset": "em", "activation": activation, "scores": [{"slices": [90 + n, 1]}]}
        for n, (row, activation) in enumerate(KINDS)
    ]
    found = read(rows)
    assert [operands.name for operands in found] == list(KINDS.values())
    assert [dice.foreground for dice in found.values()] == [90 + n for n in range(len(KINDS))]


def test_table_1_has_dice_of_every_kind():
    names = {operands.name for operands in read_metrics(TABLE_1, "em")}
    assert {"w4a6", "ternary-a6", "ternary-ternary", "w1a6", "binary-sign", "inq5-a8"} <= names


def test_training(read):
    (operands, dice), = read(TRAINING).items()
    assert (operands, dice.foreground, dice.kind) == (Operands(3, 5), 88, "trained")
    other = TRAINING["run"] | {"quantizer": "binary", "activation": "sign", "wbits": 1, "abits": 1}
    (operands, _), = read(TRAINING | {"run": other}).items()
    assert operands.name == "binary-sign"


def test_golden(read):
    (operands, dice), = read(GOLDEN).items()
    assert (operands, dice.foreground, dice.background) == (Operands(2, 4), 81.5, 40)


def test_records(read):
    found = read(RECORDS)
    assert found[Operands(1, 2)].source == "metrics.json: by hand"
    one = found[Operands(1, 3)]
    assert (one.foreground, one.background) == (78.5, None)
    (operands, _), = read([RECORDS[0] | {"wbits": 2, "weights": "ternary"}]).items()
    assert operands.name == "ternary-a2"


def test_a_sweep(read):
    records = [tiny_record(2, 4, 10, 91.5), tiny_record(4, 4, 20),
               tiny_record(2, 4, 9, 90.5, weights="ternary")]
    results = tiny_results(records)
    (plain, dice), (ternary, other) = read(results).items()
    assert (plain, dice.foreground, dice.source) == (Operands(2, 4), 91.5, "a test")
    assert (ternary.name, other.foreground) == ("ternary-a4", 90.5)
    with pytest.raises(FxhwError, match="hold no dice of gm"):
        read(results, "gm")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("{", "are no JSON"),
        ("3", "have a record without"),
        ([{"wbits": 1, "dice": 3}], "have a record without 'abits'"),
        ([{"wbits": 1, "abits": 2, "dice": 0.5}, {"wbits": 1, "abits": 3, "dice": 101}],
         "give w1a3 a dice of 101; dice must be in percent"),
        (TABLE[2:3], "hold no dice of em"),
        ([RECORDS[1] | {"weights": "odd"}], "a kind of fixed, ternary, power, but 'odd'"),
        ([], "hold no dice of em"),
        (TRAINING | {"run": TRAINING["run"] | {"quantizer": "paper"}}, "hold no dice of em"),
    ],
)
def test_files_that_are_none(read, value, message):
    with pytest.raises(FxhwError, match=message):
        read(value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FxhwError, match=r"nothing\.json cannot be read: No such file"):
        read_metrics(tmp_path / "nothing.json", "em")
