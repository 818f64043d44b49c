"""Jobs on this machine: a process each, so that one killed for memory takes no other along.

Imports nothing heavy: what is set before a job is unpacked decides its number of threads.
"""

import contextlib
import os
import pickle
import signal
import threading
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from multiprocessing import connection, get_context, parent_process, resource_tracker

from ..errors import FxhwError

__all__ = ["Failure", "attempt", "run_local"]


@dataclass(frozen=True)
class Failure:
    """Why a job has no result.

    Parameters
    ----------
    reason : a sentence.
    log : all there is to know.
    """

    reason: str
    log: str


def run_local(jobs: Iterable, processes: int, known: frozenset[str]) -> Iterator[tuple]:
    """Run ``jobs``, ``processes`` at a time, and yield (job, result or :class:`Failure`).

    The order is that in which they end.  A generator that is closed, as by an exception where it
    is read, ends the processes that still run.
    """
    todo, running = list(jobs), []
    try:
        while todo or running:
            while todo and len(running) < processes:
                running.append(_Process(todo.pop(0), known))
            ready = connection.wait([process.outcome for process in running])
            for process in [one for one in running if one.outcome in ready]:
                running.remove(process)
                yield process.job, process.finish()
    finally:
        for process in running:
            process.interrupt()


def attempt(job, known: frozenset[str]) -> dict | Failure:
    """The result of ``job``, or why there is none."""
    try:
        return job.run(known)
    except FxhwError as error:
        output = getattr(error, "output", "")
        return Failure(str(error), f"{error}\n\n{output}" if output else str(error))
    except MemoryError:
        return Failure("It ran out of memory", traceback.format_exc())
    except Exception as error:
        return Failure(f"{type(error).__name__}: {error}", traceback.format_exc())


class _Process:
    """A job in a process of its own."""

    def __init__(self, job, known: frozenset[str]):
        self.job = job
        context = get_context("spawn")
        self.outcome, sender = context.Pipe(duplex=False)
        self._process = context.Process(
            target=_main, args=(pickle.dumps((job, known)), sender), daemon=True
        )
        # Ctrl-C while it starts would have Python print where; it is held until it listens.
        resource_tracker.ensure_running()  # which would let it through half way
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        sender.close()

    def finish(self) -> dict | Failure:
        """Its outcome, once there is one."""
        try:
            outcome = self.outcome.recv()
        except EOFError:
            outcome = None
        self._process.join()
        if outcome is None:
            code = self._process.exitcode
            how = f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"
            reason = f"Its process {how}, perhaps for lack of memory"
            outcome = Failure(reason, reason)
        return outcome

    def interrupt(self) -> None:
        """End it as Ctrl-C would."""
        while self._process.is_alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGINT)
            self._process.join(0.5)


def _main(payload: bytes, sender) -> None:
    # One thread each is the most jobs per hour, and sums come out the same everywhere.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        # What is started in the background inherits that Ctrl-C is ignored.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        job, known = pickle.loads(payload)
        sender.send(attempt(job, known))


def _end_with_parent() -> None:
    """Interrupt this process, and by that its tools, when the one that started it is gone."""
    connection.wait([parent_process().sentinel])
    os.kill(os.getpid(), signal.SIGINT)
