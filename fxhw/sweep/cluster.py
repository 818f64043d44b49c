"""Jobs on a Dask cluster: the same jobs, the same results, other machines."""

import logging
from collections.abc import Iterable, Iterator

from ..errors import FxhwError
from .local import Failure, attempt

__all__ = ["run_cluster"]

_CONNECT_SECONDS = 15

_LOGGERS = ("distributed", "distributed.client", "tornado.application")


def run_cluster(jobs: Iterable, scheduler: str, known: frozenset[str]) -> Iterator[tuple]:
    """Run ``jobs`` on the workers of ``scheduler`` and yield (job, result or :class:`.Failure`).

    The order is that in which they end.  A job whose worker is lost goes to another one; one that
    takes several workers along fails.  A generator that is closed cancels what is left.

    Raises
    ------
    FxhwError if the scheduler cannot be reached, or goes away.
    """
    try:
        from distributed import Client, as_completed
    except ModuleNotFoundError as error:
        raise FxhwError(
            f"A cluster needs {error.name}; get it by: pip install 'fxhw[cluster]'"
        ) from error

    # What goes wrong is told in a sentence; its tracebacks would bury that.
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        client = Client(scheduler, timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise FxhwError(
            f"Scheduler {scheduler} cannot be reached ({error}); start one with 'dask scheduler' "
            "and give its address, as tcp://host:8786"
        ) from error
    with client:
        futures = {
            client.submit(attempt, job, known, key=f"{job.name}-{job.key}", pure=False): job
            for job in jobs
        }
        try:
            for future in as_completed(list(futures), loop=client.loop):
                if future.status == "cancelled":
                    raise FxhwError(
                        f"Scheduler {scheduler} is gone; what is finished is kept, and the same "
                        "command goes on from here"
                    )
                yield futures[future], _outcome(future)
        finally:
            client.cancel(list(futures))


def _outcome(future) -> dict | Failure:
    try:
        return future.result()
    except Exception as error:
        # A job's own mistakes are outcomes; what is left are lost workers and what breaks on
        # the way, as a worker without this package.
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        return Failure(reason, reason)
