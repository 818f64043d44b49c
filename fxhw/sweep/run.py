"""The sweep itself: points become jobs, jobs become results, results become points' records."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from .jobs import Job
from .local import Failure
from .point import Point
from .record import make_record
from .setup import Needs, Setup
from .store import Store
from .training import TrainingJob

__all__ = ["Failed", "run_sweep"]


@dataclass(frozen=True)
class Failed:
    """A point without a record.

    Parameters
    ----------
    point : the point.
    reason : a sentence.
    log : file with all there is to know.
    """

    point: Point
    reason: str
    log: Path

    def to_json(self) -> dict:
        """JSON types only."""
        return {"point": self.point.to_json(), "reason": self.reason}


def run_sweep(
    points: Iterable[Point],
    setup: Setup,
    store: Store,
    execute: Callable,
    progress: Callable | None = None,
) -> tuple[list[dict], list[Failed]]:
    """Measure what of ``points`` is not in the store.

    Points that the store has whole from earlier sweeps of the same network come along.

    Parameters
    ----------
    execute : runs jobs: takes a list of them and the contents known, yields (job, result or
        :class:`.local.Failure`), as :func:`.local.run_local`.
    progress : called with (jobs to do) first, then with (job, outcome) after each.

    Returns
    -------
    records of the points, sorted, and those that failed.
    """
    needs = {point: setup.needs(point, store) for point in points}
    for point in store.points():
        need = setup.needs(point, store)
        if all(store.load(job) is not None for job in need.jobs):
            needs.setdefault(point, need)
    run = _Run(dict(sorted(needs.items())), setup, store)
    early, late = run.stages()
    if progress:
        progress(early + late)
    for stage in (early, late):
        stage = [job for job in stage if run.startable(job)]
        for job, outcome in execute(stage, store.contents()) if stage else ():
            run.finish(job, outcome)
            if progress:
                progress(job, outcome)
    return run.records(), run.failures()


class _Run:
    """Results and failures by key of their job, while they come in."""

    def __init__(self, needs: dict[Point, Needs], setup: Setup, store: Store):
        self._needs, self._setup, self._store = needs, setup, store
        jobs = {job.key: job for need in needs.values() for job in need.jobs}
        self._results = {
            key: result for key, job in jobs.items() if (result := store.load(job)) is not None
        }
        self._todo = [job for key, job in jobs.items() if key not in self._results]
        self._todo.sort(key=lambda job: -job.cost)
        self._failures: dict[str, tuple[str, Path]] = {}
        self._records: dict[Point, dict] = {}
        self._put_together()

    def stages(self) -> tuple[list[Job], list[Job]]:
        """What there is to do, long jobs first: what stands by itself, then what starts from a
        network of real numbers, which is trained first where that is still to do."""
        late = [job for job in self._todo if isinstance(job, TrainingJob)]
        early = [job for job in self._todo if job not in late]
        real = {job.after.key: job.after for job in late}
        return [job for job in real.values() if self._store.load(job) is None] + early, late

    def startable(self, job: Job) -> bool:
        """Whether what ``job`` starts from is there; if not, it fails."""
        if not isinstance(job, TrainingJob) or job.after is None:
            return True
        real = job.after
        if real.key in self._failures:
            reason, _ = self._failures[real.key]
            self.finish(job, Failure(f"{real.name}, which it starts from, failed", reason))
            return False
        return True

    def finish(self, job: Job, outcome: dict | Failure) -> None:
        """Keep what became of ``job``."""
        if isinstance(outcome, Failure):
            self._failures[job.key] = outcome.reason, self._store.save_log(job, outcome.log)
            return
        self._results[job.key] = self._store.save(job, outcome)
        self._put_together()

    def _put_together(self) -> None:
        """Write the record of every point that has become complete."""
        for point, need in self._needs.items():
            if point in self._records or any(job.key not in self._results for job in need.jobs):
                continue
            record = make_record(
                point,
                self._results[need.plan.key],
                {job.lanes: self._results[job.key] for job in need.synthesis},
                self._setup.source(point, need, self._results),
            )
            self._records[point] = record
            self._store.save_point(point, record)

    def records(self) -> list[dict]:
        """Records in the order of the points."""
        return [self._records[point] for point in self._needs if point in self._records]

    def failures(self) -> list[Failed]:
        """Points without a record, in their order."""
        failed = []
        for point, need in self._needs.items():
            if point in self._records:
                continue
            broken = next(job.key for job in need.jobs if job.key in self._failures)
            self._store.drop_point(point)
            failed.append(Failed(point, *self._failures[broken]))
        return failed
