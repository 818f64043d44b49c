"""Jobs in processes of their own."""

import os
import time

import pytest

from fxhw.errors import FxhwError
from fxhw.sweep.local import Failure, run_local
from tests.sweep.tiny import ActingJob


def job(name, **more):
    return ActingJob(name=name, recipe={}, **more)


def test_every_kind_of_end():
    names = ["fine", "killed", "refused", "tool", "broken"]
    ended = {j.name: out for j, out in run_local([job(n) for n in names], 3, frozenset())}
    assert set(ended) == set(names)
    assert ended["fine"]["process"] != os.getpid()
    assert "was killed by signal 9" in ended["killed"].reason
    assert ended["refused"] == Failure("It is refused", "It is refused")
    assert ended["tool"].log == "Yosys ended with status 1\n\nline 1\nline 2\n"
    assert ended["broken"].reason == "ValueError: never seen before"
    assert "Traceback" in ended["broken"].log


def test_closing_ends_the_processes():
    start = time.monotonic()
    jobs = run_local([job("fine"), job("slow")], 2, frozenset())
    assert next(jobs)[0].name == "fine"
    jobs.close()
    assert time.monotonic() - start < 30


def test_other_sources_are_refused():
    foreign = job("fine", code="0123")
    with pytest.raises(FxhwError, match="fine was made by other sources of fxhw"):
        foreign.run()


def test_keys_name_content():
    assert job("a").key == job("a").key
    assert ActingJob(name="a", recipe={"x": 1}).key != job("a").key
    assert job("a", code="0123").key != job("a").key
