"""Dice from files: every format, and files that are none."""

import json

import pytest

from fxhw.errors import FxhwError
from fxhw.sweep.accuracy import read_metrics
from tests.sweep.tiny import tiny_record, tiny_results

TABLE = [
    {"row": "w4 a6", "dataset": "em", "activation": "relu",
     "scores": [{"slices": [90.0, 70.0]}, {"slices": [92.0, 80.0]}]},
    {"row": "w4 a6", "dataset": "em", "activation": "tanh", "scores": [{"slices": [1, 1]}]},
    {"row": "w4 a6", "dataset": "gm", "activation": "relu", "scores": [{"slices": [60, 1]}]},
    {"row": "float", "dataset": "em", "activation": "relu", "scores": [{"slices": [99, 9]}]},
    {"row": "w16 a16", "dataset": "em", "activation": "relu", "scores": [{"slices": [99, 9]}]},
]
TRAINING = {
    "run": {"quantizer": "fixed", "activation": "relu", "wbits": 3, "abits": 5,
            "base_channels": 8},
    "golden": {"whole": {"slices": [88.0, 66.0]}},
}
GOLDEN = {"wbits": 2, "abits": 4, "mean_dice": {"foreground": 81.5, "background": 40.0}}
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
    (widths, dice), = read(TABLE).items()
    assert widths == (4, 6)
    assert (dice.foreground, dice.background, dice.kind) == (91, 75, "trained")
    assert dice.source == "metrics.json, row w4 a6, 2 seeds"
    assert read(TABLE, "gm")[4, 6].foreground == 60


def test_training(read):
    (widths, dice), = read(TRAINING).items()
    assert (widths, dice.foreground, dice.kind) == ((3, 5), 88, "trained")


def test_golden(read):
    (widths, dice), = read(GOLDEN).items()
    assert (widths, dice.foreground, dice.background) == ((2, 4), 81.5, 40)


def test_records(read):
    found = read(RECORDS)
    assert found[1, 2].source == "metrics.json: by hand"
    assert (found[1, 3].foreground, found[1, 3].background) == (78.5, None)


def test_a_sweep(read):
    results = tiny_results([tiny_record(2, 4, 10, 91.5), tiny_record(4, 4, 20)])
    (widths, dice), = read(results).items()
    assert (widths, dice.foreground, dice.source) == ((2, 4), 91.5, "a test")
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
        (TABLE[1:2], "hold no dice of em"),
        ([], "hold no dice of em"),
        (TRAINING | {"run": TRAINING["run"] | {"quantizer": "ternary"}}, "hold no dice of em"),
    ],
)
def test_files_that_are_none(read, value, message):
    with pytest.raises(FxhwError, match=message):
        read(value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FxhwError, match=r"nothing\.json cannot be read: No such file"):
        read_metrics(tmp_path / "nothing.json", "em")
