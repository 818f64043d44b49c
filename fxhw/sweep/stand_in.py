"""A network of other operands, to be planned and synthesized, not to segment anything.

What an accelerator costs and how long it takes follow from the shapes and formats of a network;
which weights it holds plays no part.  So a network of ternary weights, say, is had from one of
fixed weights by taking each one's nearest code, without any training.
"""

from dataclasses import replace

import numpy as np

from ..errors import FxhwError
from ..fixed import (
    ActivationFormat,
    FixedFormat,
    SignActivation,
    SignedActivation,
    TernaryActivation,
    WeightFormat,
)
from ..graph import Conv, Head, Network
from ..plan.support import common_formats
from ..quantize import requantize, widths
from .operands import Operands

__all__ = ["give_operands", "has_operands"]


def give_operands(network: Network, operands: Operands) -> Network:
    """``network`` with ``operands`` on the main array: itself, requantized, or a stand-in for it.

    The first convolution's weights and the head's stay as they are.

    Raises
    ------
    FxhwError if the network cannot be requantized.
    """
    if has_operands(network, operands):
        return network
    if operands.plain:
        return requantize(network, operands.wbits, operands.abits)
    # Powers of two reach as far as the widest fixed weights.
    wbits = 8 if operands.weights == "power" else operands.wbits
    own = operands.activations in ("ternary", "sign")
    network = requantize(network, wbits, widths(network)[1] if own else operands.abits)
    weight = WeightFormat(operands.wbits, operands.weights)
    formats = {name: info.format for name, info in network.tensors().items()}
    for op in network.convs:
        formats[op.output] = _activation(operands, formats[op.output].frac)
    ops, sources = [], {"image": network.image}
    for op in network.ops:
        if isinstance(op, Conv):
            op = _convert(op, weight, sources[op.input], formats[op.output])
        elif isinstance(op, Head):
            most = op.accumulator(sources[op.input]).max
            op = replace(op, bias=int(np.clip(op.bias, -most, most)))
        first = op.inputs[0] if hasattr(op, "inputs") else op.input
        sources[op.output] = op.out if isinstance(op, Conv) else sources[first]
        ops.append(op)
    meta = dict(network.meta) | {"stands_in": f"for one of {operands.title}, not trained"}
    return replace(network, ops=tuple(ops), meta=meta)


def has_operands(network: Network, operands: Operands) -> bool:
    """Whether the main array multiplies ``operands`` for ``network`` as it is."""
    try:
        weight, activation = common_formats(network)
    except FxhwError:
        return False  # layers of several formats
    found = Operands(weight.bits, activation.width, weight.kind, activation.kind)
    return found == operands


def _activation(operands: Operands, frac: int) -> FixedFormat:
    if operands.activations == "ternary":
        return TernaryActivation(frac)
    if operands.activations == "sign":
        return SignActivation()
    linear = SignedActivation if operands.activations == "signed" else ActivationFormat
    return linear(operands.abits, frac)


def _convert(op: Conv, weight: WeightFormat, source: FixedFormat, out: FixedFormat) -> Conv:
    """``op`` with the nearest codes, and biases and shifts that its narrower sums allow."""
    if op.input != "image":
        op = replace(op, weight=weight, codes=_nearest(op.codes, weight))
    op = replace(op, out=out)
    most = op.accumulator(source).max
    shift = np.clip(op.shift(source), 0, op.requantize(source).max_shift)
    return replace(
        op,
        bias=np.clip(op.bias, -most, most),
        weight_frac=shift + out.frac - source.frac if out.codes != "sign" else op.weight_frac,
    )


def _nearest(codes: np.ndarray, weight: WeightFormat) -> np.ndarray:
    """The codes of ``weight`` nearest to ``codes``."""
    if weight.kind != "power":
        return np.clip(codes, weight.min, weight.max).astype(weight.dtype)
    sizes = np.abs(codes.astype(np.int64))
    powers = np.array([0] + [1 << k for k in range(min(weight.top_exponent, 8) + 1)])
    nearest = powers[np.abs(sizes[..., None] - powers).argmin(axis=-1)]
    return (np.sign(codes) * nearest).astype(weight.dtype)
