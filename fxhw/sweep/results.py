"""The results of a sweep as one JSON document."""

import json
import os
from pathlib import Path

from ..emit.manifest import tool_versions
from ..errors import FxhwError
from .run import Failed
from .setup import Setup
from .store import write_json

__all__ = ["DOCUMENT", "find_results", "load_results", "make_results", "write_results"]

DOCUMENT = "fxhw-sweep-results-2"
"""Layout of the document; another name is another layout."""

_NAME = "sweep.json"


def make_results(
    setup: Setup, dataset: str, clock_mhz: float, records: list[dict], failed: list[Failed]
) -> dict:
    """The document, JSON types only.

    Parameters
    ----------
    dataset : name of the data set that the dice are of.
    clock_mhz : clock that frames per second are stated at.
    """
    height, width = setup.network.size
    points = [
        record | {"frames_per_second": round(clock_mhz * 1e6 / record["cycles"], 3)}
        for record in records
    ]
    return {
        "layout": DOCUMENT,
        "network": {
            "name": setup.name,
            "sha256": setup.digest,
            "size": [height, width],
            "macs": sum(setup.network.macs().values()),
        },
        "dataset": dataset,
        "constant_dice": setup.constant,
        "clock_mhz": clock_mhz,
        "tools": tool_versions(),
        "points": points,
        "failed": [failure.to_json() for failure in failed],
    }


def write_results(results: dict, folder: Path) -> Path:
    """Write the document into ``folder``; returns its path."""
    path = folder / _NAME
    write_json(results, path)
    return path


def load_results(path: str | os.PathLike) -> dict:
    """The document in a file, or in a folder that a sweep wrote to.

    Raises
    ------
    FxhwError if there is none, or one of another layout.
    """
    path = Path(path)
    if path.is_dir():
        path = next(
            (p for p in (path / "results" / _NAME, path / _NAME) if p.is_file()), path / _NAME
        )
    try:
        results = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FxhwError(
            f"Results {path} cannot be read ({error.strerror}); make them with 'fxhw sweep'"
        ) from error
    except ValueError as error:
        raise FxhwError(f"Results {path} are damaged ({error}); run 'fxhw sweep' again") from error
    layout = results.get("layout") if isinstance(results, dict) else None
    if layout != DOCUMENT:
        raise FxhwError(
            f"Results {path} have the layout {layout!r}, this version of fxhw reads "
            f"{DOCUMENT!r}; run 'fxhw sweep' again"
        )
    return results


def find_results() -> Path:
    """The results that come with fxhw: of the sources' tree, or those that ship.

    Raises
    ------
    FxhwError if there are none.
    """
    package = Path(__file__).parents[1]
    for path in (package.parent / "docs" / "results" / _NAME, package / "bundled" / _NAME):
        if path.is_file():
            return path
    raise FxhwError("No results of a sweep are there; make some with 'fxhw sweep', and name them")
