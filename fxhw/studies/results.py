"""Results on disk: JSON with sorted keys, Markdown tables; equal figures give equal bytes."""

import json
from pathlib import Path

from ..errors import FxhwError

__all__ = ["markdown_table", "read_json", "write_json", "write_text"]


def read_json(path: Path, default):
    """The JSON in ``path``, ``default`` if there is no such file.

    Raises
    ------
    FxhwError if the file is damaged.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return default
    except ValueError as error:
        raise FxhwError(
            f"Results {path} are no JSON ({error}); restore or remove the file"
        ) from error


def write_json(value, path: Path) -> None:
    """Write ``value`` as JSON, its folder made if need be."""
    write_text(json.dumps(value, indent=1, sort_keys=True) + "\n", path)


def write_text(text: str, path: Path) -> None:
    """Write ``text``, its folder made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def markdown_table(heading: list[str], rows: list[list[str]]) -> str:
    """A table whose first column is text and whose others are figures."""
    lines = ["| " + " | ".join(heading) + " |", "|---|" + "---:|" * (len(heading) - 1)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])
