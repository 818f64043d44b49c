"""The table as Markdown and as a plot of dice against stored bits."""

from pathlib import Path
from statistics import mean

from ..published import PUBLISHED
from .figures import COLOURS, new_figure, save_figure
from .results import write_json, write_text
from .table1 import BASE_CHANNELS, DATASETS, EPOCHS, ROWS, planned

__all__ = ["write_report"]

_COLUMNS = (
    ("em", 0, "EM cell"), ("em", 1, "EM membrane"), ("gm", 0, "GM"), ("pancreas", 0, "pancreas")
)
"""Data set, class (0 is the foreground) and heading."""


def write_report(entries: list[dict], folder: Path) -> None:
    """Write ``table1.json``, ``table1.md`` and ``table1.svg``."""
    write_json(entries, folder / "table1.json")
    sections = [
        _heading(sum(len(entry["scores"]) for entry in entries)),
        _dice_table(entries, "slices", "relu"),
        _dice_table(entries, "slices", "tanh"),
        _dice_table(entries, "subjects", "relu"),
        _bits_table(entries),
        _published_table(),
    ]
    write_text("\n\n".join(section for section in sections if section) + "\n", folder / "table1.md")
    _draw(entries, folder / "table1.svg")


def find(entries, row: str, dataset: str, activation: str) -> dict | None:
    """The entry of one cell, if it is there."""
    for entry in entries:
        if (entry["row"], entry["dataset"], entry["activation"]) == (row, dataset, activation):
            return entry
    return None


def spread(entry: dict, kind: str, side: int) -> tuple[float, float, int]:
    """Mean, half the range, and number of the seeds of one figure."""
    values = [score[kind][side] for score in entry["scores"]]
    return mean(values), (max(values) - min(values)) / 2, len(values)


def _heading(count: int) -> str:
    steps = "; ".join(
        f"{dataset} {real} + {tuned} epochs" for dataset, (real, tuned) in EPOCHS.items()
    )
    total = sum(len(cells) for cells in planned().values())
    missing = "" if count == total else (
        f"\n**Not finished: {count} of {total} figures are there.** What is blank is still to be "
        "trained; the command goes on where it stopped.\n"
    )
    return f"""# Table 1, ours

Dice in percent on the `val` images, {BASE_CHANNELS} base channels, depth 3. Made by
`make table1`; figures with their seeds in [table1.json](table1.json). Every row is fine-tuned
from the same network of real numbers, one per seed, and "float" goes on with real numbers for as
many steps ({steps}). The last epoch counts, whatever it scores: `val` chooses nothing. First and
last layer have 8-bit weights but in "float" and "w16 a16"; the rows "paper" follow the paper's
equations (1) to (4), with its first level and last layer left real. Rows of integers are scored
by the golden model, whole images; a mean of several seeds has half their range behind it.
{missing}

![dice against stored bits](table1.svg)"""


def _dice_table(entries, kind: str, activation: str) -> str:
    title = {
        ("slices", "relu"): "## Dice per slice\n\nTernary and binary rows with their own "
        "activation stand here too. A slice without foreground counts 100 if the mask has none "
        "either, else 0.",
        ("slices", "tanh"): "## Dice per slice, tanh\n\nReal tanh with real numbers, a hard tanh "
        "of signed codes where quantized, as wide as the row says.",
        ("subjects", "relu"): "## Dice per subject\n\nAll slices of a subject taken together.",
    }[kind, activation]
    rows = []
    heading = [title, "", "| row | " + " | ".join(name for *_, name in _COLUMNS) + " |"]
    heading.append("|---|" + "---:|" * len(_COLUMNS))
    for row in ROWS:
        wanted = activation
        if activation == "relu" and "relu" not in row.activations:
            wanted = row.activations[0]
        cells = []
        for dataset, side, _ in _COLUMNS:
            entry = find(entries, row.name, dataset, wanted)
            cells.append(_cell(entry, kind, side) if entry else "")
        if any(cells):
            rows.append(f"| {row.name} | " + " | ".join(cells) + " |")
    return "\n".join(heading + rows) if rows else ""


def _cell(entry: dict, kind: str, side: int) -> str:
    average, half, count = spread(entry, kind, side)
    return f"{average:.2f}" + (f" ± {half:.2f}" if count > 1 else "")


def _bits_table(entries) -> str:
    lines = [
        "## Stored bits", "",
        "Parameters exactly as the checkpoint and the hardware store them; feature maps alive at "
        "once at most, for one image of the size the network is meant for (128x128, 200x200, "
        "112x176).", "",
        "| row | data set | weights | biases | shifts | all, KiB | peak feature maps, KiB |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for row in ROWS:
        for dataset in DATASETS:
            entry = find(entries, row.name, dataset, row.activations[0])
            if entry is None or entry["stored_bits"] is None:
                continue
            bits, peak = entry["stored_bits"], entry["peak_activation_bits"]
            lines.append(
                f"| {row.name} | {dataset} | {bits['weights']:,} | {bits['biases']:,} "
                f"| {bits['shifts']:,} | {sum(bits.values()) / 8192:.1f} | {peak / 8192:.1f} |"
            )
    return "\n".join(lines)


def _published_table() -> str:
    lines = [
        "## What the paper gives", "",
        "Table 1 of arXiv 1908.01073 (64 base channels, other splits, per-slice dice that counts "
        "empty slices 0, best epoch chosen on validation), so columns are to be compared within a "
        "table, not across. A constant answer scores 87.6 on EM cells.", "",
        "| activation, weight | MB | EM relu | EM tanh | GM relu | GM tanh | pancreas |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for name, *figures in PUBLISHED:
        cells = ["" if figure is None else f"{figure:.2f}" for figure in figures]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _draw(entries, path: Path) -> None:
    figure, axes = new_figure(len(_COLUMNS))
    for axis, (dataset, side, name) in zip(axes, _COLUMNS):
        real = find(entries, "float", dataset, "relu")
        if real:
            axis.axhline(spread(real, "slices", side)[0], color="#bbbbbb", linestyle="--")
        for row in ROWS:
            entry = find(entries, row.name, dataset, row.activations[0])
            if entry is None or entry["stored_bits"] is None:
                continue
            average, half, _ = spread(entry, "slices", side)
            kib = sum(entry["stored_bits"].values()) / 8192
            axis.errorbar(kib, average, half, fmt="o", color=COLOURS[dataset], markersize=4)
            axis.annotate(
                row.name, (kib, average), xytext=(4, -9), textcoords="offset points", fontsize=6
            )
        axis.set_xscale("log")
        axis.set_title(name)
        axis.set_xlabel("stored parameters, KiB")
    axes[0].set_ylabel("dice on val, %")
    save_figure(figure, path)
