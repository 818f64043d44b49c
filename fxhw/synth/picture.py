"""A picture of what the blocks take."""

import importlib.util
import io

from .blocks import block_title
from .synthesize import Resources

__all__ = ["draw_blocks", "has_matplotlib"]

_LAYERS = {"LUT": "#1f6f8b", "carry": "#76b5c5", "LUT RAM": "#c8553d", "NAND2": "#1f6f8b"}
"""What a bar is made of, and its colour; carry cells at their places."""

_FLIP_FLOPS = "#333333"

_SMALL = 0.01
"""Share of the whole below which blocks are drawn as one."""


def has_matplotlib() -> bool:
    """Whether pictures can be drawn: ``pip install 'fxhw[plots]'``."""
    return importlib.util.find_spec("matplotlib") is not None


def bars(result: Resources) -> list[tuple[str, dict[str, float], float]]:
    """(block, places of look-up tables by layer, flip-flops), the largest first."""
    sums = {}
    for path, counts in result.blocks.items():
        layers = {kind: counts[kind] for kind in _LAYERS if counts.get(kind)}
        if "carry" in layers:
            layers["carry"] *= result.target.rules.carry_luts
        name = f"{block_title(path)}, {path}" if path else block_title(path)
        sums[name] = layers, counts.get("FF", 0)
    whole = sum(sum(layers.values()) for layers, _ in sums.values())
    large = {n: s for n, s in sums.items() if sum(s[0].values()) >= _SMALL * whole}
    rows = [(name, *s) for name, s in large.items()]
    rows.sort(key=lambda row: (-sum(row[1].values()), row[0]))
    rest = [s for name, s in sums.items() if name not in large]
    if rest:
        layers = {kind: sum(part.get(kind, 0) for part, _ in rest) for kind in _LAYERS}
        rows.append((f"{len(rest)} smaller ones", layers, sum(count for _, count in rest)))
    return rows


def draw_blocks(top: str, results: list[Resources]) -> str:
    """A picture in SVG of each result's blocks: bars of look-up tables, ticks of flip-flops.

    Equal results give equal text.

    Raises
    ------
    ModuleNotFoundError without matplotlib.
    """
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    tables = [bars(result) for result in results]
    style = {"svg.hashsalt": "fxhw", "svg.fonttype": "none", "font.size": 8}
    with matplotlib.rc_context(style):
        heights = [0.8 + 0.22 * len(rows) for rows in tables]
        figure = Figure(figsize=(8, sum(heights)), layout="constrained")
        axes = figure.subplots(len(results), 1, squeeze=False, height_ratios=heights)[:, 0]
        for axis, result, rows in zip(axes, results, tables):
            _draw(axis, result, rows)
        axes[0].legend(loc="lower right", frameon=False)
        figure.suptitle(f"{top}: what its blocks take", x=0.01, ha="left")
        text = io.StringIO()
        FigureCanvasSVG(figure).print_svg(text, metadata={"Date": None})
    return text.getvalue()


def _draw(axis, result: Resources, rows: list) -> None:
    """One target's bars."""
    names = [name for name, _, _ in rows]
    left = [0.0] * len(rows)
    for kind, colour in _LAYERS.items():
        widths = [layers.get(kind, 0) for _, layers, _ in rows]
        if any(widths):
            axis.barh(names, widths, left=left, color=colour, label=kind, height=0.7)
            left = [start + width for start, width in zip(left, widths)]
    axis.plot(
        [count for _, _, count in rows], names, "|", color=_FLIP_FLOPS, label="FF", markersize=8
    )
    axis.invert_yaxis()
    axis.spines[["top", "right"]].set_visible(False)
    axis.xaxis.set_major_formatter("{x:,.0f}")
    unit = "NAND2-equivalents" if "NAND2" in result.classes else "places of look-up tables"
    axis.set_xlabel(f"{result.target.title}{'' if result.dsp else ', no DSP'}: {unit}, flip-flops")
