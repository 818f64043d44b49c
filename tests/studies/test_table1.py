"""The trainings of the table: their names, seeds and recipes."""

from collections import Counter

import pytest

from fxhw.fixed import PaperFormat
from fxhw.graph import UNetTopology
from fxhw.published import PUBLISHED
from fxhw.studies import dropout, ends, table1, weights
from fxhw.studies.jobs import with_sources
from fxhw.studies.real_bits import parameter_bits, peak_activation_bits

JOBS = with_sources(table1.jobs())


def test_names_are_unique():
    named = {}
    sources = [job.after for job in table1.jobs() if job.after is not None]
    for job in [*table1.jobs(), *sources]:
        assert named.setdefault(job.name, job) == job
    assert len(named) == len(JOBS)
    for attribute in ("name", "key"):
        assert len({getattr(row, attribute) for row in table1.ROWS}) == len(table1.ROWS)


def test_every_cell_has_its_seeds():
    seeds = Counter()
    for job in table1.jobs():
        seeds[job.name.rpartition("_s")[0]] += 1
    for dataset in table1.DATASETS:
        for row in table1.ROWS:
            for activation in row.activations:
                count = seeds.pop(f"{dataset}_{row.key}_{activation}", 0)
                if activation == "tanh":
                    assert count == (dataset != "pancreas")
                else:
                    assert count == (3 if row.claim else 1), (dataset, row.name)
    assert not seeds


def test_fine_tuning_starts_from_a_network_of_the_same_seed():
    for job in table1.jobs():
        if job.after is None:
            assert "_real_" in job.name
            continue
        assert job.after.options["seed"] == job.options["seed"]
        assert job.after.dataset == job.dataset


def test_the_lines_of_the_paper_are_there():
    assert {row.published for row in table1.ROWS} - {None} == {line[0] for line in PUBLISHED}


@pytest.mark.train
@pytest.mark.parametrize(
    "jobs", [JOBS, [*dropout.JOBS, *ends.JOBS, *weights.JOBS]], ids=["table1", "smaller"]
)
def test_recipes_are_valid_and_match_what_they_start_from(data_folder, jobs):
    pytest.importorskip("torch")
    for job in with_sources(jobs):
        recipe = job.recipe()
        if job.after is not None:
            assert recipe.float_json() == job.after.recipe().float_json(), job.name


@pytest.mark.train
def test_figures_on_record_count_while_their_recipe_is_the_same(data_folder, tmp_path, monkeypatch):
    pytest.importorskip("torch")
    work = tmp_path / "work"
    finished = {"em_w4a6_relu_s0": 90.0, "em_w4a6_relu_s1": 91.0, "em_float_relu_s0": 92.0}

    def load(job, folder):
        assert folder == work
        if job.name not in finished:
            return None
        scores = {"slices": [finished[job.name], 70.0], "subjects": [1.0, 2.0]}
        exported = {"stored_bits": {"weights": 8}, "peak_activation_bits": 9}
        return {"torch": scores} | (exported if "w4a6" in job.name else {})

    monkeypatch.setattr(table1, "load_metrics", load)
    first = table1.collect(work)
    assert table1.recorded(first) == set(finished)

    finished.clear()
    finished["em_w4a6_relu_s2"] = 92.0
    later = table1.collect(work, first)
    scores = {entry["row"]: entry["scores"] for entry in later}
    assert [score["slices"][0] for score in scores["w4 a6"]] == [90.0, 91.0, 92.0]
    assert [score["slices"][0] for score in scores["float"]] == [92.0]

    finished.clear()
    monkeypatch.setitem(table1.EPOCHS, "em", (15, 7))
    assert table1.collect(work, first) == []
    assert table1.collect(work, [{"scores": [{"seed": 0}]}]) == []


def test_bits_of_real_numbers():
    """One level of two channels, by hand; four convolutions a level and two at the bottom."""
    topology = UNetTopology((2,))
    weights = {"enc0a": 18, "enc0b": 36, "mida": 36, "midb": 36, "dec0a": 72, "dec0b": 36}
    assert parameter_bits(topology, None) == {
        "weights": 32 * (sum(weights.values()) + 2), "biases": 32 * (6 * 2 + 1), "shifts": 0,
    }
    # 33 levels take 6 bits; batch-norm keeps scale and shift; the first level and the head float.
    assert parameter_bits(topology, PaperFormat(0, 4)) == {
        "weights": 32 * (18 + 36 + 2) + 6 * (36 + 36 + 72 + 36),
        "biases": 32 * (2 * 2 + 1) + 2 * 32 * 4 * 2,
        "shifts": 0,
    }
    # Most lives when dec0a is made: up0 and the skip, enc0b, go in, two channels come out.
    assert peak_activation_bits(topology, (4, 6), None) == 24 * 32 * (2 + 2 + 2)
    # With short codes beyond the first level, enc0a and enc0b together are more.
    assert peak_activation_bits(topology, (4, 6), 5) == 24 * (2 * 32 + 2 * 32)
