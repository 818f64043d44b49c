"""The sweep folder."""

import json
import os

import pytest

from fxhw.errors import FxhwError
from fxhw.sweep.point import Point
from fxhw.sweep.store import Store, write_atomic
from tests.sweep.tiny import ActingJob

JOB = ActingJob(name="some", recipe={"a": 1})
POINT = Point("ecp5", "array", "lut", 2, 2, 1, 2)


def test_results_come_back(tmp_path):
    store = Store(tmp_path / "sweep")
    assert store.load(JOB) is None
    store.save(JOB, {"cycles": 3})
    assert Store(tmp_path / "sweep").load(JOB) == {"cycles": 3}
    assert store.load(ActingJob(name="some", recipe={"a": 2})) is None


def test_jobs_of_one_content_share_its_synthesis(tmp_path):
    store = Store(tmp_path / "sweep")
    other = ActingJob(name="other", recipe={})
    assert store.contents() == frozenset()
    store.save(JOB, {"content": "c0ffee", "classes": {"LUT": 1}})
    assert store.contents() == {"c0ffee"}
    assert store.save(other, {"content": "c0ffee"}) == store.load(JOB)
    assert store.load(other)["classes"] == {"LUT": 1}


def test_damaged_files_are_made_again(tmp_path):
    store = Store(tmp_path / "sweep")
    store.save(JOB, {"content": "c0ffee", "classes": {"LUT": 1}})
    path, = (store.folder / "synthesis").iterdir()
    path.write_text('{"classes": {"LU')
    assert store.load(JOB) is None
    assert store.contents() == frozenset()


def test_points_and_logs(tmp_path):
    store = Store(tmp_path / "sweep")
    store.save_point(POINT, {"point": POINT.to_json()})
    assert store.points() == [POINT]
    store.drop_point(POINT)
    assert store.points() == []
    log = store.save_log(JOB, "why")
    assert log.read_text() == "why\n"
    store.save(JOB, {})
    assert not log.exists()


def test_another_layout_is_refused(tmp_path):
    Store(tmp_path)
    (tmp_path / "layout.json").write_text(json.dumps({"layout": "fxhw-sweep-0"}))
    with pytest.raises(FxhwError, match="has the layout 'fxhw-sweep-0', this version of fxhw wri"):
        Store(tmp_path)


def test_folders_that_are_none(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FxhwError, match="is a file; name a folder"):
        Store(tmp_path / "file")
    with pytest.raises(FxhwError, match="is not empty and no sweep folder"):
        Store(tmp_path)


def test_a_file_is_whole_or_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_atomic("old", path)

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(FxhwError, match="cannot be written: No space left"):
        write_atomic("new", path)
    assert path.read_text() == "old"
