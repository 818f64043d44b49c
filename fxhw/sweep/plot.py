"""Area against dice as a picture."""

from pathlib import Path

import numpy as np

from ..published import NOMINAL_BITS, PUBLISHED, RELU_COLUMNS
from .operands import Operands
from .point import Point
from .tables import fronts, grouped

__all__ = ["draw", "paper_points"]

COLOURS = ("#1f6f8b", "#c8553d", "#588157", "#8d6a9f", "#b08900", "#5b6770")
"""Of the styles, in the order in which they come."""

_COLUMNS = 3

_SCORES = (0, 50, 70, 80, 85, 90, 92, 93, 94, 95, 96, 97, 98, 99, 99.5, 99.9)


def paper_points(results: dict) -> list[dict]:
    """The paper's dice of the data set: ``label``, ``dice`` and the ``bits`` they are drawn at.

    The line of full precision has no bits.
    """
    column = RELU_COLUMNS.get(results["dataset"])
    if column is None:
        return []
    return [
        {"label": line[0], "dice": line[column], "bits": NOMINAL_BITS.get(line[0])}
        for line in PUBLISHED
        if line[column] is not None and (line[0] in NOMINAL_BITS or line[0] == "full precision")
    ]


def draw(results: dict, path: Path) -> None:
    """Write the plot as SVG; equal results give equal bytes.

    Raises
    ------
    ModuleNotFoundError without matplotlib.
    """
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams |= {
        "svg.hashsalt": "fxhw",
        "svg.fonttype": "none",
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
    from matplotlib import pyplot
    from matplotlib.ticker import LogLocator, StrMethodFormatter

    groups, best = grouped(results), fronts(results)
    columns = min(_COLUMNS, max(1, len(groups)))
    rows = max(1, -(-len(groups) // columns))
    figure, axes = pyplot.subplots(
        rows, columns, figsize=(4.8 * columns, 3.8 * rows), squeeze=False, layout="constrained"
    )
    styles = list(dict.fromkeys(r["point"]["style"] for r in results["points"]))
    colours = {style: COLOURS[index % len(COLOURS)] for index, style in enumerate(styles)}
    for axis in axes.flat[len(groups):]:
        axis.set_visible(False)
    for axis, (group, records) in zip(axes.flat, groups.items()):
        target, scope, lanes = group
        what = "arrays" if scope == "array" else "whole accelerators"
        axis.set_title(f"{lanes} {what}, {target}")
        if not any(record["dice"] for record in records):
            axis.text(0.5, 0.5, "no dice", ha="center", transform=axis.transAxes)
            continue
        _draw_points(axis, records, colours)
        for blocks in (False, True):
            _draw_front(axis, best[*group, blocks], ", with multiplier blocks" if blocks else "")
        _draw_paper(axis, paper_points(results), records)
        if results["constant_dice"] is not None:
            _draw_level(axis, results["constant_dice"], "foreground everywhere", ":")
        axis.set_xlabel(records[0]["area_unit"])
        axis.set_xscale("log")
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        _scale_dice(axis, results["dataset"])
        axis.legend(frameon=False, fontsize=7, loc="lower right")
    temporary = path.with_name(f".{path.name}.part")
    figure.savefig(temporary, format="svg", metadata={"Date": None})
    pyplot.close(figure)
    temporary.replace(path)


def _scale_dice(axis, dataset: str) -> None:
    """What lacks to 100 by its logarithm: good dice are told apart, bad ones still seen."""
    axis.set_yscale("function", functions=(_to_scale, _from_scale))
    low, high = axis.get_ylim()
    marks = [mark for mark in _SCORES if low <= mark <= high]
    axis.set_yticks(marks, [f"{mark:g}" for mark in marks])
    axis.minorticks_off()
    axis.set_ylabel(f"dice on {dataset}, %")


def _to_scale(dice):
    return -np.log10(np.maximum(100 - np.asarray(dice, float), 0.01))


def _from_scale(value):
    return 100 - 10.0 ** -np.asarray(value, float)


def _draw_points(axis, records, colours) -> None:
    """Points, filled where trained."""
    for style, colour in colours.items():
        for trained, label in ((True, f"{style}, trained"), (False, f"{style}, requantized")):
            some = [
                r for r in records
                if r["dice"]
                and r["point"]["style"] == style
                and (r["dice"]["kind"] == "trained") == trained
            ]
            if some:
                axis.plot(
                    [r["area"] for r in some], [r["dice"]["foreground"] for r in some], "o",
                    color=colour, markerfacecolor=colour if trained else "none", markersize=4,
                    label=label,
                )


def _draw_front(axis, front, which: str) -> None:
    """The front as steps, its points with their widths."""
    if not front:
        return
    axis.plot(
        [r["area"] for r in front], [r["dice"]["foreground"] for r in front],
        color="#444444", linewidth=0.8, linestyle="-." if which else "-", zorder=0,
        drawstyle="steps-post", label=f"front{which}",
    )
    for record in front:
        axis.annotate(
            Point(**record["point"]).operands.name,
            (record["area"], record["dice"]["foreground"]),
            xytext=(3, 4), textcoords="offset points", fontsize=6,
        )


def _draw_level(axis, dice: float, label: str, linestyle: str) -> None:
    """A dice across the plot."""
    axis.axhline(dice, color="#999999", linestyle=linestyle, linewidth=0.8, label=label)


def _draw_paper(axis, points, records) -> None:
    """The paper's dice at the smallest area that ``records`` have for the same bits."""
    label = "paper, its own split"
    for point in points:
        if point["bits"] is None:
            _draw_level(axis, point["dice"], f"paper, {point['label']}", "--")
            continue
        areas = [
            r["area"] for r in records
            if Point(**r["point"]).operands == Operands(*point["bits"])
        ]
        if areas:
            axis.plot(min(areas), point["dice"], "x", color="#666666", markersize=5, label=label)
            label = None
