"""Drawing: one style for every plot, the same bytes for the same figures."""

from pathlib import Path

__all__ = ["COLOURS", "new_figure", "save_figure"]

COLOURS = {"em": "#1f6f8b", "gm": "#c8553d", "pancreas": "#588157", "published": "#888888"}
"""Colour of each data set."""


def new_figure(columns: int = 1, height: float = 3.4):
    """A matplotlib figure with ``columns`` axes side by side, and the list of those."""
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

    figure, axes = pyplot.subplots(
        1, columns, figsize=(4.2 * columns, height), squeeze=False, layout="constrained"
    )
    return figure, list(axes[0])


def save_figure(figure, path: Path) -> None:
    """Write ``figure`` as SVG without a date."""
    from matplotlib import pyplot

    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
