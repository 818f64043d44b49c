"""A network of your own: build it, run it, generate an accelerator, co-simulate it.

Usage: python examples/tiny_unet.py [FOLDER]
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

from fxhw.cosim import simulate
from fxhw.emit import write_bundle
from fxhw.fixed import ActivationFormat, FixedFormat, WeightFormat
from fxhw.graph import Conv, Head, Network, UNetTopology
from fxhw.graph.unet import ConvShape
from fxhw.plan import compile_network, design_for

rng = np.random.default_rng(0)
topology = UNetTopology.doubling(base_channels=2, depth=1)

ops = []
for layer in topology.layers:
    if isinstance(layer, ConvShape):
        # The first layer sees the raw image and keeps 8-bit weights; the others have 4 bits.
        weight = WeightFormat(8 if layer.input == "image" else 4)
        shape = (layer.out_channels, layer.in_channels, 3, 3)
        codes = rng.integers(weight.min, weight.max, shape, endpoint=True).astype(np.int8)
        layer = Conv(
            name=layer.name,
            input=layer.input,
            output=layer.output,
            weight=weight,
            codes=codes,
            weight_frac=np.full(layer.out_channels, weight.bits),
            bias=rng.integers(-50, 50, layer.out_channels),
            out=ActivationFormat(6, frac=2),
        )
    ops.append(layer)
ops.append(
    Head("head", topology.head_input, "logits", WeightFormat(8), np.array([40, -60], np.int8), 6, 0)
)
network = Network(FixedFormat(8, 8), 1, tuple(ops), size=(12, 16))

design = design_for(network, pin=2, pout=2)
plan = compile_network(network, design)
print(f"{plan.estimate.total} cycles estimated, array {plan.estimate.utilization:.0%} busy")

with tempfile.TemporaryDirectory() as temporary:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else temporary) / "tiny"
    write_bundle(network, plan, folder)
    image = rng.integers(0, 256, (12, 16, 1)).astype(np.uint8)
    result = simulate(folder, image=image, cache=folder.parent / "build")
print(f"{result.cycles} cycles simulated, every code equal: {result.passed}")
sys.exit(0 if result.passed else 1)
