"""The sweep folder: one file per result, each written whole or not at all.

::

    layout.json                 layout of the folder
    jobs/<name>-<key>.json      result of a job
    synthesis/<content>.json    what a generated design takes, by its content
    points/<point>.json         what was put together for a point
    logs/<name>.log             why a job failed, with all its tool printed
    training/                   checkpoints of the trainings
    results/                    the tables, the plot and the page
"""

import json
import os
from pathlib import Path

from ..errors import FxhwError
from .jobs import Job
from .point import Point

__all__ = ["LAYOUT", "Store", "write_atomic"]

LAYOUT = "fxhw-sweep-2"
"""Layout of the folder; another name is another layout."""


class Store:
    """A sweep folder, made if it is not there.

    Parameters
    ----------
    folder : new or empty, or a sweep folder of this layout.

    Raises
    ------
    FxhwError if the folder is something else, of another layout, or cannot be written.
    """

    def __init__(self, folder: str | os.PathLike):
        self.folder = Path(folder)
        mark = self.folder / "layout.json"
        if self.folder.exists() and not self.folder.is_dir():
            raise FxhwError(f"Sweep folder {folder} is a file; name a folder")
        if mark.is_file():
            layout = _read(mark).get("layout")
            if layout != LAYOUT:
                raise FxhwError(
                    f"Sweep folder {folder} has the layout {layout!r}, this version of fxhw "
                    f"writes {LAYOUT!r}; choose another folder, or remove this one"
                )
        elif self.folder.is_dir() and any(self.folder.iterdir()):
            raise FxhwError(
                f"Folder {folder} is not empty and no sweep folder, it has no layout.json; "
                "choose another"
            )
        write_json({"layout": LAYOUT}, mark)

    def load(self, job: Job) -> dict | None:
        """The result of ``job`` if it is there."""
        result = _read_if_there(self._job(job))
        if result is None or "content" not in result:
            return result
        counts = _read_if_there(self._synthesis(result["content"]))
        return None if counts is None else result | counts

    def save(self, job: Job, result: dict) -> dict:
        """Keep the result of ``job``; returns it, completed by what its content is known to take.

        A synthesis is kept by its content, which other jobs may share.
        """
        if "content" in result:
            path = self._synthesis(result["content"])
            counts = {name: value for name, value in result.items() if name != "content"}
            if counts:
                write_json(counts, path)
            else:
                counts = _read(path)
            write_json({"content": result["content"]}, self._job(job))
            result = {"content": result["content"]} | counts
        else:
            write_json(result, self._job(job))
        (self.folder / "logs" / f"{job.name}.log").unlink(missing_ok=True)
        return result

    def contents(self) -> frozenset[str]:
        """Contents whose synthesis is there."""
        paths = (self.folder / "synthesis").glob("*.json")
        return frozenset(path.stem for path in paths if _read_if_there(path) is not None)

    def points(self) -> list[Point]:
        """The points that there are records of, sorted."""
        records = map(_read_if_there, (self.folder / "points").glob("*.json"))
        return sorted(Point(**record["point"]) for record in records if record is not None)

    def save_point(self, point: Point, record: dict) -> None:
        """Keep what was put together for a point."""
        write_json(record, self.folder / "points" / f"{point.name}.json")

    def drop_point(self, point: Point) -> None:
        """Forget an older record of a point that has failed."""
        (self.folder / "points" / f"{point.name}.json").unlink(missing_ok=True)

    def save_log(self, job: Job, text: str) -> Path:
        """Keep the log of a job that failed; returns its path."""
        path = self.folder / "logs" / f"{job.name}.log"
        write_atomic(text if text.endswith("\n") else text + "\n", path)
        return path

    def training(self, name: str) -> Path:
        """Checkpoint of a training."""
        return self.folder / "training" / f"{name}.safetensors"

    def _job(self, job: Job) -> Path:
        return self.folder / "jobs" / f"{job.name}-{job.key}.json"

    def _synthesis(self, content: str) -> Path:
        return self.folder / "synthesis" / f"{content}.json"


def write_json(value, path: Path) -> None:
    """Write ``value`` as JSON; equal values give equal bytes."""
    write_atomic(json.dumps(value, indent=1, sort_keys=True) + "\n", path)


def write_atomic(text: str, path: Path) -> None:
    """Write ``text`` beside ``path`` and put it in its place, whatever happens in between.

    Raises
    ------
    FxhwError if it cannot be written.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    except OSError as error:
        raise FxhwError(
            f"File {path} cannot be written: {error.strerror or error}; make room or choose "
            "another folder, the same command goes on from here"
        ) from error


def _read_if_there(path: Path) -> dict | None:
    """The JSON in ``path``; None where there is none, or a damaged one."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def _read(path: Path) -> dict:
    value = _read_if_there(path)
    if value is None:
        raise FxhwError(f"File {path} is damaged; remove it, the same command makes it again")
    return value
