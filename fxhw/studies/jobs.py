"""Many trainings on all cores: each in a process of its own, resumed after a break."""

import contextlib
import hashlib
import json
import os
import signal
import time
from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from multiprocessing import connection, get_context
from pathlib import Path

from ..errors import FxhwError

__all__ = ["Job", "load_metrics", "load_weights", "run_jobs", "with_sources"]


_TRAINER = 2
"""Raised when a change to the trainer gives other networks for the same recipe."""


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

    def digest(self) -> str:
        """A name of its recipe's contents and of the trainer, the same on every machine."""
        text = json.dumps([_TRAINER, self.dataset, self.recipe().to_json()], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def load_metrics(job: Job, work: Path) -> dict | None:
    """Metrics of a job that is finished, else None; those of another recipe are not its own."""
    metrics = _read_metrics(job, work)
    finished = metrics is not None and "torch" in metrics and _is_of(job, metrics)
    return metrics if finished else None


def _read_metrics(job: Job, work: Path) -> dict | None:
    """What lies where the job puts its metrics, None if nothing or if it is damaged."""
    from ..train.state import metrics_path

    try:
        metrics = json.loads(metrics_path(job.output(work)).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return metrics if isinstance(metrics, dict) and "run" in metrics else None


def _is_of(job: Job, metrics: dict) -> bool:
    """Whether ``metrics`` are of the job's recipe."""
    wanted = json.loads(json.dumps(job.recipe().to_json()))
    return all(metrics["run"].get(name) == value for name, value in wanted.items())


def load_weights(job: Job, work: Path) -> dict:
    """Arrays (weight, weight with batch-norm folded in) of a finished job's float network."""
    from ..dataset import find_dataset
    from ..train.pretrained import float_weights
    from ..train.state import float_path

    channels = find_dataset(job.dataset).load("val")[0].image.shape[2]
    return float_weights(float_path(job.output(work)), job.recipe(), channels)


def run_jobs(
    jobs: Iterable[Job], work: Path, processes: int, report=None, known: Container[str] = ()
) -> None:
    """Train every job that is not finished, and whatever it starts from.

    What a break has left is resumed, what other options have left is trained anew.

    Parameters
    ----------
    jobs : in the order in which they matter.
    work : folder of checkpoints, metrics and states.
    processes : trainings at a time, one thread each.
    report : called with (job, seconds, jobs done, jobs in all) after each.
    known : names of jobs whose figures are on record elsewhere; they are trained only where
        another starts from their network.

    Raises
    ------
    FxhwError naming the jobs that failed, after all others are done.
    """
    work.mkdir(parents=True, exist_ok=True)
    jobs = with_sources(jobs)
    total = len(jobs)
    wanted = [job for job in jobs if job.name not in known and load_metrics(job, work) is None]
    todo = [job for job in with_sources(wanted) if load_metrics(job, work) is None]
    finished = total - len(todo)
    failed: dict[str, str] = {}
    running: dict[str, _Training] = {}
    try:
        while todo or running:
            for job in list(todo):
                if job.after is not None and job.after.name in failed:
                    todo.remove(job)
                    failed[job.name] = f"{job.after.name}, which it starts from, failed"
                elif len(running) < processes and not _waits(job, todo, running):
                    todo.remove(job)
                    running[job.name] = _Training(job, work)
            for name in _ended(running):
                training = running.pop(name)
                reason = training.reason()
                if reason is not None:
                    failed[name] = reason
                finished += 1
                if report:
                    report(training.job, time.monotonic() - training.began, finished, total)
    finally:
        for training in running.values():
            training.interrupt()
    if failed:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in failed.items())
        raise FxhwError(f"{len(failed)} of {total} trainings failed ({reasons})")


def with_sources(jobs: Iterable[Job]) -> list[Job]:
    """``jobs``, each after the one it starts from, none twice."""
    ordered: dict[str, Job] = {}
    for job in jobs:
        chain = [job]
        while chain[-1].after is not None:
            chain.append(chain[-1].after)
        for link in reversed(chain):
            ordered.setdefault(link.name, link)
    return list(ordered.values())


def _waits(job: Job, todo, running) -> bool:
    """Whether what ``job`` starts from is still to come."""
    pending = {other.name for other in todo} | set(running)
    return job.after is not None and job.after.name in pending


class _Training:
    """A job in a process of its own, so that one killed for memory takes no other along."""

    def __init__(self, job: Job, work: Path):
        self.job, self.began = job, time.monotonic()
        context = get_context("spawn")
        self.result, sender = context.Pipe(duplex=False)
        self._process = context.Process(
            target=_run, args=(job, work, sender), daemon=True
        )
        self._process.start()
        sender.close()

    def reason(self) -> str | None:
        """Why it failed, None if it did not; waits for its end."""
        try:
            reason = self.result.recv()
        except EOFError:
            reason = "its process was killed"
        self._process.join()
        return reason

    def interrupt(self) -> None:
        """End it as Ctrl-C would."""
        self._process.join(1)  # Ctrl-C in a terminal reaches it without this
        if self._process.is_alive():
            os.kill(self._process.pid, signal.SIGINT)
        self._process.join()


def _ended(running: dict[str, _Training]) -> list[str]:
    """Names of trainings that ended, as soon as there are any."""
    if not running:
        return []
    ready = connection.wait([training.result for training in running.values()])
    return [name for name, training in running.items() if training.result in ready]


def _run(job: Job, work: Path, sender) -> None:
    # The process is fresh: torch, imported from here on, takes its threads from this.  One each
    # is the most trainings per hour, and sums come out the same wherever they run.
    os.environ["OMP_NUM_THREADS"] = "1"
    reason = None
    try:
        _train(job, work)
    except KeyboardInterrupt:
        reason = "interrupted"
    except FxhwError as error:
        reason = str(error)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
    with contextlib.suppress(BrokenPipeError):  # nobody listens once the parent was killed
        sender.send(reason)


def _train(job: Job, work: Path) -> None:
    from ..dataset import find_dataset
    from ..train.loop import train
    from ..train.state import float_path

    old = _read_metrics(job, work)
    train(
        find_dataset(job.dataset),
        job.recipe(),
        job.output(work),
        resume=old is None or _is_of(job, old),
        float_from=None if job.after is None else float_path(job.after.output(work)),
    )
