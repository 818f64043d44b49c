"""The same sweep on a Dask cluster, one of whose workers is lost half way."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.run import run_command
from tests.sweep.commands import SMALL, same, start

ROOT = Path(__file__).parents[2]


@contextlib.contextmanager
def dask(folder, what, *arguments):
    """A scheduler or a worker in a process group of its own."""
    command = [sys.executable, "-m", "dask", what, "--no-dashboard", *map(str, arguments)]
    with open(folder / f"{what}.log", "a") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=log,
            stderr=log, start_new_session=True,
        )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextlib.contextmanager
def cluster(folder, workers):
    """Address and process of a scheduler on this machine, and the processes of its workers."""
    contact = folder / "scheduler.json"
    with contextlib.ExitStack() as stack:
        scheduler = stack.enter_context(
            dask(folder, "scheduler", "--host", "127.0.0.1", "--port", 0,
                 "--scheduler-file", contact)
        )
        limit = time.monotonic() + 60
        while not contact.is_file():
            assert time.monotonic() < limit, (folder / "scheduler.log").read_text()
            time.sleep(0.2)
        address = json.loads(contact.read_text())["address"]
        yield address, scheduler, [
            stack.enter_context(
                dask(folder, "worker", address, "--nthreads", 1, "--no-nanny", "--name", name,
                     "--host", "127.0.0.1", "--local-directory", folder / f"worker{name}")
            )
            for name in range(workers)
        ]


@pytest.mark.slow
def test_a_worker_is_lost_half_way(tiny, tmp_path):
    pytest.importorskip("distributed")
    grid = [*SMALL, "--wbits", "1-3"]
    run_command("sweep", *grid, *tiny, "-o", tmp_path / "here")
    with cluster(tmp_path, 2) as (address, _, workers):
        process = start(tmp_path / "there", *grid, *tiny, "--scheduler", address)
        lines = [process.stderr.readline() for _ in range(2)]
        os.killpg(workers[0].pid, signal.SIGKILL)
        _, err = process.communicate(timeout=300)
        assert [" of 6 " in line for line in lines] == [True, True], (lines, err)
        assert process.returncode == 0, err
        assert workers[1].poll() is None
    assert same(tmp_path / "here", tmp_path / "there")


@pytest.mark.slow
def test_the_scheduler_is_lost(tiny, tmp_path):
    pytest.importorskip("distributed")
    with cluster(tmp_path, 1) as (address, scheduler, _):
        process = start(tmp_path / "sweep", *SMALL, *tiny, "--scheduler", address)
        first = process.stderr.readline()
        os.killpg(scheduler.pid, signal.SIGKILL)
        _, err = process.communicate(timeout=120)
    assert " of 4 " in first, first + err
    assert process.returncode == 2
    assert "is gone; what is finished is kept" in err.splitlines()[-1]
    assert "Traceback" not in err
    run_command("sweep", *SMALL, *tiny, "-o", tmp_path / "sweep")


def test_nobody_answers(tiny, tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr("fxhw.sweep.cluster._CONNECT_SECONDS", 1)
    for address, message in (("tcp://127.0.0.1:9", "cannot be reached"), ("nowhere://", "cannot")):
        result = run_command(
            "sweep", *SMALL, *tiny, "-o", tmp_path / "sweep", "--scheduler", address, ok=False
        )
        assert message in result.stderr
