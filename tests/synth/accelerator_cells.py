"""Resources that whole accelerators take on ECP5 without multiplier blocks, by Yosys.

``python -m tests.synth.accelerator_cells`` writes those of :data:`DESIGNS` to
accelerator_cells.json, which a test compares with.
"""

import json
import tempfile
from pathlib import Path

from fxhw.emit import write_bundle
from fxhw.plan import compile_network, design_for
from fxhw.synth import find_target, synthesize
from tests.networks import random_network

__all__ = ["DESIGNS", "SAVED", "accelerator_cells"]

SAVED = Path(__file__).with_suffix(".json")

DESIGNS = {
    "w4a6": {"wbits": 4, "abits": 6},
    "w8a8": {"wbits": 8, "abits": 8},
    "w2a4": {"wbits": 2, "abits": 4},
    "w1a2": {"wbits": 1, "abits": 2},
}
"""Widths of two-by-two lanes for a network of two levels and an image of 16x16, by name."""


def accelerator_cells(name: str) -> dict[str, int]:
    """Resources of one of :data:`DESIGNS`: look-up tables, carry cells, flip-flops, memories."""
    network = random_network(0, (4, 8), (16, 16), **DESIGNS[name])
    design = design_for(network, 2, 2, style="lut", target="ecp5")
    with tempfile.TemporaryDirectory() as folder:
        write_bundle(network, compile_network(network, design), Path(folder) / "dut")
        return dict(synthesize(Path(folder) / "dut", find_target("ecp5-85k"), dsp=False).classes)


if __name__ == "__main__":
    cells = {name: accelerator_cells(name) for name in DESIGNS}
    SAVED.write_text(json.dumps(cells, indent=1, sort_keys=True) + "\n", encoding="utf-8")
