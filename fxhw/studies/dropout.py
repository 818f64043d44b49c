"""The paper's S.3: dropout helps real numbers and hurts quantized ones; does it here?"""

from pathlib import Path

from .em_small import REAL, small_job
from .figures import new_figure, save_figure
from .jobs import load_metrics
from .results import markdown_table, write_json, write_text

__all__ = ["JOBS", "write"]

_RATE = 0.1
_REAL_DROPPED = small_job("real_dropout", None, quantizer="float", qat_epochs=0, dropout=_RATE)
_QUANTIZED = {f"w{w} a{a}": {"wbits": w, "abits": a} for w, a in ((8, 8), (4, 6), (2, 4))}

PAIRS = {"real numbers": (REAL, _REAL_DROPPED)} | {
    name: (
        small_job(f"w{bits['wbits']}a{bits['abits']}", **bits),
        small_job(f"w{bits['wbits']}a{bits['abits']}_dropout", _REAL_DROPPED, **bits,
                  dropout=_RATE),
    )
    for name, bits in _QUANTIZED.items()
}
"""Row -> trainings without and with dropout."""

JOBS = tuple(job for pair in PAIRS.values() for job in pair)


def write(work: Path, results: Path) -> None:
    """Write ``dropout.json``, ``dropout.md`` and ``dropout.svg``."""
    metrics = {name: [load_metrics(job, work) for job in pair] for name, pair in PAIRS.items()}
    found = {
        name: [{"dice": m["torch"]["slices"], "loss": m["epochs"][-1]["loss"]} for m in pair]
        for name, pair in metrics.items()
    }
    write_json(found, results / "dropout.json")
    rows = [
        [name] + [f"{run[key]:.3f}" for run in pair for key in ("loss",)]
        + [f"{run['dice'][side]:.2f}" for side in (0, 1) for run in pair]
        for name, pair in found.items()
    ]
    table = markdown_table(
        ["", "loss", "loss, dropout", "cell", "cell, dropout", "membrane", "membrane, dropout"],
        rows,
    )
    write_text(_TEXT + table + "\n\n![curves](dropout.svg)\n", results / "dropout.md")
    _draw(metrics, results / "dropout.svg")


_TEXT = f"""# Dropout with quantization (the paper's S.3)

EM, 8 base channels, one seed, dice on `val`; with dropout, {_RATE:.0%} of the channels after every
convolution, in the network of real numbers as well as in what is fine-tuned from it.
`python -m fxhw.studies dropout`

"""


def _draw(metrics, path: Path) -> None:
    figure, axes = new_figure(len(metrics), height=2.8)
    for axis, (name, pair) in zip(axes, metrics.items()):
        for run, style in zip(pair, ("-", "--")):
            losses = [epoch["loss"] for epoch in run["epochs"]]
            axis.plot(range(1, len(losses) + 1), losses, style, color="#1f6f8b")
        axis.set_title(name)
        axis.set_xlabel("epoch")
    axes[0].set_ylabel("training loss (-- dropout)")
    save_figure(figure, path)
