"""What studies write, from figures made up by hand: numbers, repeatability, missing rows."""

import json

import numpy as np
import pytest

from fxhw.studies import (
    activation_time,
    dropout,
    ends,
    full_size,
    table1,
    table1_report,
    weights,
)
from fxhw.studies.jobs import Job
from tests.networks import random_network

pytest.importorskip("matplotlib")


def entry(row, dataset, scores, activation="relu", bits=None):
    """A cell of the table; ``scores`` are (cell, membrane) per slice of each seed."""
    return {
        "row": row, "dataset": dataset, "activation": activation,
        "scores": [
            {"seed": seed, "slices": list(pair), "subjects": [pair[0] + 1, pair[1] + 1]}
            for seed, pair in enumerate(scores)
        ],
        "stored_bits": bits, "peak_activation_bits": None if bits is None else 8192 * 7,
    }


ENTRIES = [
    entry("float", "em", [(91.0, 71.0), (92.0, 74.0), (94.5, 72.5)]),
    entry("w4 a6", "em", [(90.0, 70.0), (90.5, 70.25), (91.0, 69.0)],
          bits={"weights": 8192 * 5, "biases": 8192 * 2, "shifts": 4096}),
    entry("w4 a6", "em", [(88.125, 60.0)], "tanh"),
    entry("w8 a8", "gm", [(77.7, 99.0)], bits={"weights": 1234567, "biases": 0, "shifts": 9}),
    entry("ternary, ternary tanh", "pancreas", [(0.0, 50.0)], "ternary"),
]


def lines_of(page, heading):
    """Table lines of a section, by their first cell."""
    section = page.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    return {cells[0].strip(): [cell.strip() for cell in cells[1:]] for cells in rows[2:]}


def twice(write, folder):
    """Files that ``write(folder)`` makes, after it has made the same ones twice."""
    found = []
    for name in ("first", "second"):
        write(folder / name)
        paths = sorted((folder / name).iterdir())
        found.append({path.name: path.read_bytes() for path in paths})
    assert found[0] == found[1]
    return found[0]


def test_the_table_has_the_figures_it_is_given(tmp_path):
    files = twice(lambda folder: table1_report.write_report(ENTRIES, folder), tmp_path)
    assert list(files) == ["table1.json", "table1.md", "table1.svg"]
    assert json.loads(files["table1.json"]) == ENTRIES
    page = files["table1.md"].decode()
    # Means of three seeds and half of what lies between their ends.
    assert lines_of(page, "Dice per slice") == {
        "float": ["92.50 ± 1.75", "72.50 ± 1.50", "", ""],
        "w8 a8": ["", "", "77.70", ""],
        "w4 a6": ["90.50 ± 0.50", "69.75 ± 0.62", "", ""],
        "ternary, ternary tanh": ["", "", "", "0.00"],
    }
    tanh = lines_of(page, "Dice per slice, tanh")
    assert tanh["w4 a6"] == ["88.12", "60.00", "", ""]
    assert "w8 a8" not in tanh
    subjects = lines_of(page, "Dice per subject")
    assert subjects["float"] == ["93.50 ± 1.75", "73.50 ± 1.50", "", ""]
    assert lines_of(page, "Stored bits") == {
        "w8 a8": ["gm", "1,234,567", "0", "9", "150.7", "7.0"],
        "w4 a6": ["em", "40,960", "16,384", "4,096", "7.5", "7.0"],
    }
    assert lines_of(page, "What the paper gives")["TernaryNet"] == [
        "1.15", "", "82.66", "", "43.02", "73.90"
    ]


def test_half_the_range_and_mean_of_seeds():
    assert table1_report.spread(ENTRIES[0], "slices", 0) == (92.5, 1.75, 3)
    assert table1_report.spread(ENTRIES[2], "subjects", 1) == (61.0, 0.0, 1)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_missing_rows_leave_gaps(tmp_path, count):
    table1_report.write_report(ENTRIES[:count], tmp_path)
    assert json.loads((tmp_path / "table1.json").read_text()) == ENTRIES[:count]
    assert "nan" not in (tmp_path / "table1.md").read_text()


def metrics_by_name(monkeypatch, module, make):
    """Let ``module`` find the metrics that ``make(number)`` gives for its jobs in order."""
    numbers = {}

    def load(job, work):
        return make(numbers.setdefault(job.name, len(numbers)))

    monkeypatch.setattr(module, "load_metrics", load)


def test_ends(tmp_path, monkeypatch):
    metrics_by_name(
        monkeypatch, ends,
        lambda number: {"torch": {"slices": [90 + number / 8, 60 + number / 4]}},
    )
    files = twice(lambda folder: ends.write(tmp_path, folder), tmp_path / "results")
    assert list(files) == ["ends.json", "ends.md", "ends.svg"]
    page = files["ends.md"].decode()
    assert "| w4 a6 | 2 bits | 2 bits | 90.00 | 60.00 |" in page
    assert "| w2 a4 | full | full | 91.38 | 62.75 |" in page
    assert len(json.loads(files["ends.json"])) == 12


def test_dropout(tmp_path, monkeypatch):
    metrics_by_name(
        monkeypatch, dropout,
        lambda number: {
            "torch": {"slices": [90 + number, 70 + number]},
            "epochs": [{"loss": 1.0}, {"loss": 0.5 + number / 100}],
        },
    )
    files = twice(lambda folder: dropout.write(tmp_path, folder), tmp_path / "results")
    assert list(files) == ["dropout.json", "dropout.md", "dropout.svg"]
    page = files["dropout.md"].decode()
    assert "| real numbers | 0.500 | 0.510 | 90.00 | 91.00 | 70.00 | 71.00 |" in page
    assert "| w2 a4 | 0.560 | 0.570 | 96.00 | 97.00 | 76.00 | 77.00 |" in page


def test_weights(tmp_path, monkeypatch):
    network = random_network(0, (2, 3), (8, 8), 4, 6)
    rng = np.random.default_rng(0)
    real = {conv.name: rng.normal(size=(2, *conv.codes.shape)) for conv in network.convs}
    first = network.convs[0]
    first.codes[:] = first.weight.min
    first.codes[0, 0, 0, :2] = 0
    real[first.name] = np.broadcast_to([[1.0, 3.0]], (2, 1, 2))
    monkeypatch.setattr(weights, "load_weights", lambda job, work: real)
    monkeypatch.setattr(weights, "load_checkpoint", lambda path: network)
    files = twice(lambda folder: weights.write(tmp_path, folder), tmp_path / "results")
    assert list(files) == ["weights.json", "weights.md", "weights.svg"]
    layer = json.loads(files["weights.json"])[0]
    share = 2 / first.codes.size * 100
    assert layer == {
        "layer": first.name, "std": 1.0, "largest": 3.0, "folded_std": 1.0,
        "spread": float(np.ptp(first.weight_frac)),
        "zeros": pytest.approx(share), "ends": pytest.approx(100 - share),
    }
    assert f"| {first.name} | 1.000 | 3.000 | 1.000 |" in files["weights.md"].decode()


@pytest.mark.train
def test_activation_time(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    from fxhw.train import timing

    times = {"relu": 100.0, "tanh": 250.0, "hard_tanh": 99.6}
    monkeypatch.setattr(timing, "activation_times", lambda shape: times)
    files = twice(activation_time.write, tmp_path)
    assert list(files) == ["activation_time.json", "activation_time.md", "activation_time.svg"]
    page = files["activation_time.md"].decode()
    assert "| 1x64x200x200 | 100 | 250 | 100 | 2.5 |" in page


@pytest.mark.train
def test_full_size(tmp_path, cells, monkeypatch):
    """With a network that is not."""
    pytest.importorskip("torch")
    from fxhw import dataset
    from fxhw.train import presets
    from fxhw.train.recipe import Recipe

    tiny = Recipe(base_channels=2, depth=1, crop=32, epochs=1, qat_epochs=1, size=(32, 32))
    monkeypatch.setattr(dataset, "find_dataset", lambda name: cells)
    monkeypatch.setattr(presets, "preset", lambda name, **_: tiny)
    full_size.write(tmp_path / "work", tmp_path / "results")
    found = json.loads((tmp_path / "results" / "full_size.json").read_text())
    assert [row["phase"] for row in found["epochs"]] == ["float", "norm"]
    assert found["peak_memory_gib"] > 0.05
    assert f"{found['parameters']:,} weights" in (
        tmp_path / "results" / "full_size.md"
    ).read_text()


def test_jobs_of_one_name_are_one_training():
    """The smaller studies share their trainings by name."""
    named = {}
    for job in [*dropout.JOBS, *ends.JOBS, *weights.JOBS]:
        assert named.setdefault(job.name, job) == job


def test_collected_seeds_and_bits(tmp_path, monkeypatch):
    pytest.importorskip("torch", reason="a job's digest is of its recipe")

    def load(job: Job, work):
        if job.dataset != "em" or not job.name.startswith("em_w4a6_relu"):
            return None
        seed = job.options["seed"]
        if seed == 1:
            return None
        return {
            "golden": {"whole": {"slices": [seed, 1], "subjects": [2, 3]}, "tiled": {}},
            "torch": {"slices": [9, 9], "subjects": [9, 9]},
            "stored_bits": {"weights": 1}, "peak_activation_bits": 5,
        }

    monkeypatch.setattr(table1, "load_metrics", load)
    row = next(row for row in table1.ROWS if row.name == "w4 a6")
    digests = [table1.job("em", row, "relu", seed).digest() for seed in range(3)]
    assert table1.collect(tmp_path) == [{
        "row": "w4 a6", "dataset": "em", "activation": "relu",
        "scores": [
            {"seed": seed, "job": f"em_w4a6_relu_s{seed}", "recipe": digests[seed],
             "slices": [seed, 1], "subjects": [2, 3]}
            for seed in (0, 2)
        ],
        "stored_bits": {"weights": 1}, "peak_activation_bits": 5,
    }]
