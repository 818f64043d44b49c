"""Many trainings on all cores: each in a process of its own, resumed after a break."""

import json
import os
import time
from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

from ..errors import FxhwError

__all__ = ["Job", "load_metrics", "load_weights", "run_jobs", "with_sources"]


@dataclass(frozen=True)
class Job:
    """One training.

    Parameters
    ----------
    name : of its files below the work folder.
    dataset : name or folder.
    options : of :func:`~fxhw.train.presets.preset`.
    after : the job whose real numbers this one starts from.
    """

    name: str
    dataset: str
    options: dict = field(default_factory=dict)
    after: "Job | None" = None

    def output(self, work: Path) -> Path:
        """Its checkpoint."""
        return work / f"{self.name}.safetensors"

    def recipe(self):
        """What it trains."""
        from ..dataset import find_dataset
        from ..train.presets import preset

        return preset(find_dataset(self.dataset).name, **self.options)


def load_metrics(job: Job, work: Path) -> dict | None:
    """Metrics of a job that is finished, else None."""
    from ..train.state import metrics_path

    path = metrics_path(job.output(work))
    if not path.is_file():
        return None
    metrics = json.loads(path.read_text(encoding="utf-8"))
    wanted = json.loads(json.dumps(job.recipe().to_json()))
    same = all(metrics["run"].get(name) == value for name, value in wanted.items())
    return metrics if same and "torch" in metrics else None


def load_weights(job: Job, work: Path) -> dict:
    """Arrays (weight, weight with batch-norm folded in) of a finished job's float network."""
    from ..dataset import find_dataset
    from ..train.pretrained import float_weights
    from ..train.state import float_path

    channels = find_dataset(job.dataset).load("val")[0].image.shape[2]
    return float_weights(float_path(job.output(work)), job.recipe(), channels)


def run_jobs(jobs: Iterable[Job], work: Path, processes: int, report=None) -> None:
    """Train every job that is not finished, and whatever it starts from.

    Parameters
    ----------
    jobs : in the order in which they matter.
    work : folder of checkpoints, metrics and states.
    processes : trainings at a time; they share the cores.
    report : called with (job, seconds, jobs done, jobs in all) after each.

    Raises
    ------
    FxhwError naming the jobs that failed, after all others are done.
    """
    work.mkdir(parents=True, exist_ok=True)
    todo = with_sources(jobs)
    total = len(todo)
    todo = [job for job in todo if load_metrics(job, work) is None]
    finished = total - len(todo)
    failed: dict[str, str] = {}
    threads = max(1, (os.cpu_count() or 1) // processes)
    with ProcessPoolExecutor(processes, get_context("spawn"), _use_threads, (threads,)) as pool:
        running = {}
        while todo or running:
            for job in list(todo):
                if job.after is not None and job.after.name in failed:
                    todo.remove(job)
                    failed[job.name] = f"{job.after.name}, which it starts from, failed"
                elif len(running) < processes and not _waits(job, todo, running):
                    todo.remove(job)
                    running[pool.submit(_run, job, work)] = job, time.monotonic()
            if not running:
                continue
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                job, began = running.pop(future)
                error = future.exception()
                if error is not None:
                    failed[job.name] = str(error)
                finished += 1
                if report:
                    report(job, time.monotonic() - began, finished, total)
    if failed:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in failed.items())
        raise FxhwError(f"{len(failed)} of {total} trainings failed ({reasons})")


def with_sources(jobs: Iterable[Job]) -> list[Job]:
    """``jobs``, each after the one it starts from, none twice."""
    ordered: dict[str, Job] = {}
    for job in jobs:
        if job.after is not None:
            ordered.setdefault(job.after.name, job.after)
        ordered.setdefault(job.name, job)
    return list(ordered.values())


def _waits(job: Job, todo, running) -> bool:
    """Whether what ``job`` starts from is still to come."""
    pending = [other for other, _ in running.values()]
    return job.after is not None and any(job.after.name == o.name for o in (*todo, *pending))


def _use_threads(count: int) -> None:
    # The process is fresh: torch, imported later, takes its threads from here.
    os.environ["OMP_NUM_THREADS"] = str(count)


def _run(job: Job, work: Path) -> None:
    from ..dataset import find_dataset
    from ..train.loop import train
    from ..train.state import float_path

    source = None if job.after is None else float_path(job.after.output(work))
    train(
        find_dataset(job.dataset), job.recipe(), job.output(work), resume=True, float_from=source
    )
