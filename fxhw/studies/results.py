"""Results on disk: JSON with sorted keys, Markdown tables; equal figures give equal bytes."""

import json
from pathlib import Path

__all__ = ["markdown_table", "write_json", "write_text"]


def write_json(value, path: Path) -> None:
    """Write ``value`` as JSON, its folder made if need be."""
    write_text(json.dumps(value, indent=1, sort_keys=True) + "\n", path)


def write_text(text: str, path: Path) -> None:
    """Write ``text``, its folder made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def markdown_table(heading: list[str], rows: list[list[str]]) -> str:
    """A table whose first column is text and whose others are figures."""
    lines = ["| " + " | ".join(heading) + " |", "|---|" + "---:|" * (len(heading) - 1)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])
