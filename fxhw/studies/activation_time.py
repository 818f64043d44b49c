"""The paper's Table 2: run time of ReLU and tanh, on this CPU through torch."""

from pathlib import Path

from .figures import new_figure, save_figure
from .results import markdown_table, write_json, write_text

__all__ = ["write"]

_SHAPES = ((1, 64, 200, 200), (1, 128, 100, 100), (1, 256, 50, 50), (1, 256, 25, 25))


def write(results: Path) -> None:
    """Write ``activation_time.json``, ``activation_time.md`` and ``activation_time.svg``."""
    from ..train.timing import activation_times

    found = [
        {"shape": list(shape)} | activation_times(shape) for shape in _SHAPES
    ]
    write_json(found, results / "activation_time.json")
    rows = [
        ["x".join(map(str, entry["shape"]))]
        + [f"{entry[kind]:.0f}" for kind in ("relu", "tanh", "hard_tanh")]
        + [f"{entry['tanh'] / entry['relu']:.1f}"]
        for entry in found
    ]
    table = markdown_table(
        ["tensor", "relu, us", "tanh, us", "hard tanh, us", "tanh / relu"], rows
    )
    write_text(_TEXT + table + "\n\n![times](activation_time.svg)\n",
               results / "activation_time.md")
    _draw(found, results / "activation_time.svg")


_TEXT = """# Run time of ReLU and tanh (the paper's Table 2)

Feature maps of the paper's network, one thread, median of many runs through torch. The paper saw
up to 8 times through OpenVINO; the ratio is what carries over, the microseconds are this
machine's. In hardware a hard tanh is the same clamp as ReLU with another lower bound.
`python -m fxhw.studies activation-time`

"""


def _draw(found, path: Path) -> None:
    figure, (axis,) = new_figure(1)
    names = ["x".join(map(str, entry["shape"][1:])) for entry in found]
    for offset, kind in enumerate(("relu", "tanh", "hard_tanh")):
        places = [index + 0.25 * (offset - 1) for index in range(len(found))]
        axis.bar(places, [entry[kind] for entry in found], 0.23, label=kind.replace("_", " "))
    axis.set_xticks(range(len(found)), names)
    axis.set_yscale("log")
    axis.set_ylabel("microseconds")
    axis.legend(frameon=False)
    save_figure(figure, path)
