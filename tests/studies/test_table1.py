"""The trainings of the table: their names, seeds and recipes."""

from collections import Counter

import pytest

from fxhw.studies import dropout, ends, table1, weights
from fxhw.studies.jobs import with_sources
from fxhw.studies.published import PUBLISHED

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
