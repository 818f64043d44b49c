"""The roofline: what each layer makes of the array, against what it asks of the memory."""

import io

from .forecast import Forecast

__all__ = ["draw_roofline"]


def draw_roofline(forecast: Forecast, title: str) -> str:
    """SVG of the layers below the roof of array and memory (Williams, Waterman and Patterson 2009).

    Equal forecasts give equal text.

    Raises
    ------
    ModuleNotFoundError without matplotlib.
    ValueError if nothing is moved over a bus: there is no slope then.
    """
    if forecast.bus_bytes is None:
        raise ValueError("A roofline needs an external memory")
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    points = [
        (layer.array_macs / layer.bytes, layer.array_macs / layer.cycles, layer.name)
        for layer in forecast.layers
    ]
    peak, bandwidth = forecast.macs_per_cycle, forecast.bus_bytes
    ridge = peak / bandwidth
    left = min(ridge, *(x for x, _, _ in points)) / 2
    right = max(ridge, *(x for x, _, _ in points)) * 2
    with matplotlib.rc_context(
        {"svg.hashsalt": "fxhw", "svg.fonttype": "none", "font.size": 8}
    ):
        figure = Figure(figsize=(7, 4.2), layout="constrained")
        axis = figure.subplots()
        axis.loglog([left, ridge, right], [left * bandwidth, peak, peak], color="#333333")
        axis.annotate(f"array: {peak} MAC/cycle", (right, peak), ha="right", va="bottom")
        axis.annotate(
            f"bus: {bandwidth} byte/cycle", (left, left * bandwidth), ha="left", va="bottom"
        )
        axis.plot(*zip(*((x, y) for x, y, _ in points)), "o", color="#c8553d")
        # Names below each other in the order of the points, so that none hides another.
        for rank, (x, y, name) in enumerate(sorted(points)):
            axis.annotate(
                name, (x, y), xytext=(0, -12 - 9 * (rank % 4)), textcoords="offset points",
                ha="center", color="#c8553d",
            )
        axis.set_xlabel("MAC per byte moved")
        axis.set_ylabel("MAC per cycle")
        axis.set_title(title, loc="left")
        axis.spines[["top", "right"]].set_visible(False)
        text = io.StringIO()
        FigureCanvasSVG(figure).print_svg(text, metadata={"Date": None})
    return text.getvalue()
