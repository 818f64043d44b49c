"""Trainings side by side: their order, breaks, failures, and what counts as finished."""

import json
import multiprocessing
import os
import signal

import pytest

torch = pytest.importorskip("torch")

from fxhw.errors import FxhwError  # noqa: E402
from fxhw.studies import jobs  # noqa: E402
from fxhw.studies.jobs import Job, load_metrics, load_weights, run_jobs, with_sources  # noqa: E402
from fxhw.train.loop import train  # noqa: E402
from fxhw.train.state import float_path, metrics_path, state_path  # noqa: E402

pytestmark = pytest.mark.train

TINY = {
    "base_channels": 2, "depth": 1, "crop": 32, "batch": 4, "epochs": 2, "qat_epochs": 2,
    "size": (32, 32),
}


@pytest.fixture(autouse=True)
def quick_start(monkeypatch):
    """One core, one thread; processes start from one that has imported torch already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["fxhw.train.loop", "fxhw.train.presets"])
    monkeypatch.setattr(jobs, "get_context", lambda _: context)
    monkeypatch.setattr(jobs.os, "cpu_count", lambda: 1)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    torch.set_num_threads(1)


@pytest.fixture
def real(cells):
    return Job("real", str(cells.folder), TINY | {"quantizer": "float", "qat_epochs": 0})


@pytest.fixture
def quantized(cells, real):
    return Job("quantized", str(cells.folder), TINY, real)


def contents(folder):
    """File name -> (time of its last change, bytes)."""
    return {
        path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.iterdir()
    }


def test_sources_run_first_and_finished_jobs_are_left_alone(cells, real, quantized, tmp_path):
    other = Job("other", str(cells.folder), TINY | {"wbits": 2}, real)
    done = []

    def report(job, seconds, count, total):
        assert seconds > 0
        done.append((job.name, count, total))

    run_jobs([quantized], tmp_path, 1, report)
    assert done == [("real", 1, 2), ("quantized", 2, 2)]
    metrics = load_metrics(quantized, tmp_path)
    # It starts from the real numbers of the other: it has no epoch of its own with them.
    assert [epoch["phase"] for epoch in metrics["epochs"]] == ["norm", "norm"]
    assert load_weights(real, tmp_path)["enc0a"][0].shape == (2, 1, 3, 3)

    before = contents(tmp_path)
    done.clear()
    run_jobs([quantized, other], tmp_path, 1, report)
    assert done == [("other", 3, 3)]
    after = contents(tmp_path)
    assert {name: after[name] for name in before} == before


def test_jobs_on_record_are_trained_only_where_others_start_from_them(
    cells, real, quantized, tmp_path
):
    done = []

    def report(job, seconds, count, total):
        done.append((job.name, count, total))

    run_jobs([real, quantized], tmp_path, 1, report, {"real", "quantized"})
    assert done == []
    run_jobs([real, quantized], tmp_path, 1, report, {"real"})
    assert done == [("real", 1, 2), ("quantized", 2, 2)]


def test_a_digest_names_the_recipe(cells, real, quantized):
    assert real.digest() == Job("other name", real.dataset, real.options).digest()
    assert real.digest() != quantized.digest()
    assert real.digest() != Job("real", real.dataset, real.options | {"seed": 1}).digest()


def test_a_job_that_was_killed_goes_on(cells, real, tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    run_jobs([real], whole, 1)

    class Killed(Exception):
        pass

    def kill(_):
        raise Killed

    with pytest.raises(Killed):
        train(cells, real.recipe(), real.output(broken), progress=kill)
    assert load_metrics(real, broken) is None
    first = json.loads(metrics_path(real.output(broken)).read_text())["epochs"]
    # A mark that a run from the start would not leave in the state.
    path = state_path(real.output(broken))
    state = torch.load(path, weights_only=True)
    history = json.loads(state["history"])
    history[0]["loss"] = 123.0
    torch.save(state | {"history": json.dumps(history)}, path)

    run_jobs([real], broken, 1)
    epochs = load_metrics(real, broken)["epochs"]
    assert len(first) == 1
    assert [epoch["loss"] == 123.0 for epoch in epochs] == [True, False]
    float_bytes = [float_path(real.output(folder)).read_bytes() for folder in (whole, broken)]
    assert float_bytes[0] == float_bytes[1]


def test_failures_are_named_after_all_others_are_done(cells, real, tmp_path):
    wrong = Job("wrong", str(cells.folder), real.options | {"crop": 8, "depth": 3})
    after = Job("after", str(cells.folder), TINY | {"depth": 3}, wrong)
    done = []
    with pytest.raises(FxhwError) as caught:
        run_jobs([after, real], tmp_path, 1, lambda job, *_: done.append(job.name))
    message = str(caught.value)
    assert message.startswith("2 of 3 trainings failed (wrong: Crops of 8x8 shrink to one pixel")
    assert "after: wrong, which it starts from, failed" in message
    assert done == ["wrong", "real"]
    assert load_metrics(real, tmp_path)
    assert not metrics_path(wrong.output(tmp_path)).exists()


def test_a_killed_process_takes_no_other_along(cells, real, tmp_path):
    """As the kernel kills one when memory runs out."""
    after = Job("after", real.dataset, TINY | {"qat_epochs": 1}, real)
    victim = Job("victim", str(cells.folder), real.options | {"epochs": 100_000})

    def kill(job, *_):
        if job == real:  # beside which the victim runs, and nothing else yet
            for child in multiprocessing.active_children():
                os.kill(child.pid, signal.SIGKILL)

    with pytest.raises(FxhwError, match=r"1 of 3 .*victim: its process was killed"):
        run_jobs([victim, real, after], tmp_path, 2, kill)
    assert load_metrics(real, tmp_path)
    assert load_metrics(after, tmp_path)


def test_an_interruption_ends_all_trainings(real, tmp_path):
    endless = Job("endless", real.dataset, real.options | {"epochs": 100_000})

    def interrupt(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_jobs([endless, real], tmp_path, 2, interrupt)
    assert not multiprocessing.active_children()
    assert not list(tmp_path.glob(".*"))
    assert load_metrics(real, tmp_path)


def test_metrics_of_other_options_do_not_count(cells, real, tmp_path):
    run_jobs([real], tmp_path, 1)
    longer = Job("real", real.dataset, real.options | {"epochs": 3})
    assert load_metrics(longer, tmp_path) is None
    run_jobs([longer], tmp_path, 1)
    assert len(load_metrics(longer, tmp_path)["epochs"]) == 3
    assert load_metrics(real, tmp_path) is None


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"run": {}}'])
def test_damaged_metrics_do_not_count(real, tmp_path, text):
    metrics_path(real.output(tmp_path)).write_text(text)
    assert load_metrics(real, tmp_path) is None


def test_every_job_comes_once_after_all_it_starts_from():
    first = Job("first", "em")
    second = Job("second", "em", after=first)
    third = Job("third", "em", after=second)
    names = [job.name for job in with_sources([third, second, first, third])]
    assert names == ["first", "second", "third"]
