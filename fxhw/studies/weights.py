"""The paper's S.1: how the weights of a float network are distributed, and what codes they get."""

from pathlib import Path

import numpy as np

from ..checkpoint import load_checkpoint
from .em_small import REAL, small_job
from .figures import new_figure, save_figure
from .jobs import load_weights
from .results import markdown_table, write_json, write_text

__all__ = ["JOBS", "write"]

_QUANTIZED = small_job("w4a6", wbits=4, abits=6)

JOBS = (_QUANTIZED,)


def write(work: Path, results: Path) -> None:
    """Write ``weights.json``, ``weights.md`` and ``weights.svg``."""
    real = load_weights(REAL, work)
    network = load_checkpoint(_QUANTIZED.output(work))
    layers = [_describe(conv, real[conv.name]) for conv in network.convs]
    write_json(layers, results / "weights.json")
    rows = [
        [layer["layer"]]
        + [f"{layer[key]:.3f}" for key in ("std", "largest", "folded_std")]
        + [f"{layer['spread']:.1f}", f"{layer['zeros']:.1f} %", f"{layer['ends']:.1f} %"]
        for layer in layers
    ]
    table = markdown_table(
        ["layer", "std", "largest", "std folded", "steps spread, bits", "codes 0", "codes at ends"],
        rows,
    )
    write_text(_TEXT + table + "\n\n![histograms](weights.svg)\n", results / "weights.md")
    _draw(network, real, results / "weights.svg")


_TEXT = """# Distribution of the weights (the paper's S.1)

EM, 8 base channels: weights with real numbers, the same with batch-norm folded in, and the 4-bit
codes they are trained to. The channels of a layer differ in scale once batch-norm is folded in
("steps spread": between the largest and the smallest step of a layer), which is why every channel
has a step of its own. `python -m fxhw.studies weights`

"""


def _describe(conv, real) -> dict:
    weight, folded = real
    codes = conv.codes.astype(int)
    return {
        "layer": conv.name,
        "std": float(weight.std()),
        "largest": float(np.abs(weight).max()),
        "folded_std": float(folded.std()),
        "spread": float(conv.weight_frac.max() - conv.weight_frac.min()),
        "zeros": float((codes == 0).mean() * 100),
        "ends": float(((codes == conv.weight.min) | (codes == conv.weight.max)).mean() * 100),
    }


def _draw(network, real, path: Path) -> None:
    chosen = [network.convs[1], network.convs[len(network.convs) // 2], network.convs[-1]]
    figure, axes = new_figure(len(chosen) * 2, height=2.6)
    for index, conv in enumerate(chosen):
        left, right = axes[2 * index : 2 * index + 2]
        left.hist(real[conv.name][0].ravel(), bins=61, color="#1f6f8b")
        left.set_title(f"{conv.name}, real")
        values, counts = np.unique(conv.codes, return_counts=True)
        right.bar(values, counts, color="#c8553d")
        right.set_title(f"{conv.name}, codes")
    save_figure(figure, path)
