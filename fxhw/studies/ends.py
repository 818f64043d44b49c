"""First and last layer: what their bits are worth, up to full precision."""

from pathlib import Path

from .em_small import small_job
from .figures import new_figure, save_figure
from .jobs import load_metrics
from .results import markdown_table, write_json, write_text

__all__ = ["JOBS", "write"]

_BODIES = ((4, 6), (2, 4))
_ENDS = ((2, 2), (4, 4), (8, 8), (32, 8), (8, 32), (32, 32))


def _job(body, ends):
    (wbits, abits), (first, last) = body, ends
    name = f"w{wbits}a{abits}" + ("" if ends == (8, 8) else f"_first{first}_last{last}")
    options = {} if ends == (8, 8) else {"first_wbits": first, "last_wbits": last}
    return small_job(name, wbits=wbits, abits=abits, **options)


_GRID = {(body, ends): _job(body, ends) for body in _BODIES for ends in _ENDS}

JOBS = tuple(_GRID.values())


def write(work: Path, results: Path) -> None:
    """Write ``ends.json``, ``ends.md`` and ``ends.svg``."""
    found = []
    for ((wbits, abits), (first, last)), job in _GRID.items():
        cell, membrane = load_metrics(job, work)["torch"]["slices"]
        found.append({
            "body": f"w{wbits} a{abits}", "first": first, "last": last,
            "cell": cell, "membrane": membrane,
        })
    write_json(found, results / "ends.json")
    rows = [
        [e["body"], _bits(e["first"]), _bits(e["last"]), f"{e['cell']:.2f}", f"{e['membrane']:.2f}"]
        for e in found
    ]
    table = markdown_table(["body", "first layer", "last layer", "cell", "membrane"], rows)
    write_text(_TEXT + table + "\n\n![dice](ends.svg)\n", results / "ends.md")
    _draw(found, results / "ends.svg")


_TEXT = """# First and last layer

EM, 8 base channels, one seed, dice on `val`; weight bits of the first convolution and of the 1x1
head, full precision being real numbers. `python -m fxhw.studies ends`

"""


def _bits(count: int) -> str:
    return "full" if count == 32 else f"{count} bits"


def _draw(found, path: Path) -> None:
    figure, (axis,) = new_figure(1)
    for body, colour in zip(dict.fromkeys(e["body"] for e in found), ("#1f6f8b", "#c8553d")):
        line = [e for e in found if e["body"] == body]
        labels = [f"{_bits(e['first'])}\n{_bits(e['last'])}" for e in line]
        axis.plot(labels, [e["membrane"] for e in line], "o-", color=colour, label=body)
    axis.set_ylabel("membrane dice on val, %")
    axis.set_xlabel("first, last layer")
    axis.tick_params(axis="x", labelsize=6)
    axis.legend(frameon=False)
    save_figure(figure, path)
