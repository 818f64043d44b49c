"""A U-Net of random weights whose activations are alive: a stand-in for a trained one."""

from dataclasses import replace

import numpy as np

from ..fixed import Accumulator
from ..golden import conv3x3, run_op
from ..graph import Concat, Conv, Head, Network, UNetTopology, Upsample, outline_network

__all__ = ["untrained_network"]


def untrained_network(
    topology: UNetTopology, image: np.ndarray, wbits: int, abits: int, seed: int = 0
) -> Network:
    """A network for images of ``image``'s size; equal arguments give an equal one.

    Bias and shift of every channel follow from the sums that ``image`` gives, so that about half
    of its codes are above zero and few saturate.

    Parameters
    ----------
    image : uint8 (height, width, image_channels) codes.
    """
    rng = np.random.default_rng(seed)
    network = outline_network(topology, image.shape[:2], wbits, abits)
    info = network.tensors()
    values, ops = {"image": image.astype(np.int64)}, []
    for op in network.ops:
        names = op.inputs if isinstance(op, Concat) else (op.input,)
        inputs = [values[name] for name in names]
        if isinstance(op, Conv):
            op = _fit(rng, op, inputs[0], info[op.input].format)
        elif isinstance(op, Head):
            codes = _codes(rng, op)
            logits = inputs[0] @ codes.astype(np.int64)
            op = replace(op, codes=codes, bias=-int(np.median(logits)))
        like = info[op.like] if isinstance(op, Upsample) else None
        values[op.output] = run_op(op, inputs, [info[name] for name in names], like)
        ops.append(op)
    return replace(network, ops=tuple(ops), meta={"trained": "no, random weights"})


def _codes(rng, op: Conv | Head) -> np.ndarray:
    codes = rng.integers(op.weight.min, op.weight.max, op.codes.shape, endpoint=True)
    if op.weight.binary:
        codes = np.where(codes >= 0, 1, -1)
    return codes.astype(op.codes.dtype)


def _fit(rng, op: Conv, source: np.ndarray, in_format) -> Conv:
    """``op`` with random weights; two standard deviations of its sums fill the codes."""
    codes = _codes(rng, op)
    sums = conv3x3(source, codes, Accumulator(op.weight, in_format, codes[0].size))
    sums = sums.reshape(-1, len(codes))
    spread = np.maximum(sums.std(axis=0), 1.0)
    shift = np.maximum(0, np.round(np.log2(2 * spread / (1 << op.out.width)))).astype(np.int64)
    bias = np.round(0.2 * spread - sums.mean(axis=0)).astype(np.int64)
    frac = shift + op.out.frac - in_format.frac
    return replace(op, codes=codes, weight_frac=frac, bias=bias)
