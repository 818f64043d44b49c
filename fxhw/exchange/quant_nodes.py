"""Quant and BipolarQuant: what their inputs and attributes mean, and what they do to constants."""

from dataclasses import replace

import numpy as np

from ..errors import FxhwError
from .draft import Quantizer, Weights
from .model_file import Node

__all__ = ["plain", "quantize_constant", "read_quantizer", "signless_rounding"]

_ROUNDINGS = {
    "ROUND": "HALF_EVEN",
    "HALF_EVEN": "HALF_EVEN",
    "HALF_UP": "HALF_UP",
    "HALF_DOWN": "HALF_DOWN",
    "FLOOR": "FLOOR",
    "CEIL": "CEIL",
    "UP": "UP",
    "DOWN": "DOWN",
}


def plain(value):
    return value.array if isinstance(value, Weights) else value


def _quant_inputs(node: Node, inputs: list):
    """(scale, bits, signed, narrow, rounding) of a Quant or BipolarQuant."""
    constants = []
    for value in inputs[1:]:
        if not isinstance(value, np.ndarray | Weights):
            raise FxhwError(f"{node} has a scale, zero point or width that is no constant")
        constants.append(np.asarray(plain(value)))
    scale = constants[0].astype(np.float32)
    if not scale.min(initial=1) > 0:
        raise FxhwError(f"{node} has the scale {scale.min():g}; it must be positive")
    if node.kind == "BipolarQuant":
        return scale, 1, True, False, "FLOOR"
    zero, bits = constants[1], constants[2]
    if np.any(zero != 0):
        raise FxhwError(f"{node} has a zero point of {zero.reshape(-1)[0]}; 0 is supported")
    bits = np.unique(bits)
    if bits.size != 1 or bits[0] != int(bits[0]) or not 1 <= bits[0] <= 64:
        raise FxhwError(f"{node} has the bit width {bits.tolist()}; one of 1 to 64 is supported")
    rounding = node.attributes.get("rounding_mode", "ROUND").upper()
    if rounding not in _ROUNDINGS:
        raise FxhwError(
            f"{node} has rounding_mode {rounding}; supported are {', '.join(_ROUNDINGS)}"
        )
    signed, narrow = (bool(node.attributes.get(name, 1)) for name in ("signed", "narrow"))
    return scale, int(bits[0]), signed, narrow, _ROUNDINGS[rounding]


def read_quantizer(node: Node, inputs: list) -> Quantizer:
    scale, bits, signed, narrow, rounding = _quant_inputs(node, inputs)
    if scale.size != 1:
        raise FxhwError(f"{node} has a scale per channel; activations have one for the tensor")
    kind = "signed" if signed else "unsigned"
    if signed and bits == 1:
        kind = "sign"
    elif signed and narrow and bits == 2:
        kind = "ternary"
    elif narrow:
        raise FxhwError(
            f"{node} has narrow=1 with {bits} {kind} bits; activations use every code, narrow=0"
        )
    if bits > 16:
        raise FxhwError(f"{node} has {bits}-bit activations; at most 16 bits are supported")
    return Quantizer(float(scale.reshape(-1)[0]), bits, kind, rounding)


def signless_rounding(node: Node, quantizer: Quantizer) -> Quantizer:
    """``quantizer`` with a rounding that does not depend on the sign."""
    rounding = quantizer.rounding
    if rounding in ("UP", "DOWN"):
        if quantizer.kind != "unsigned":
            raise FxhwError(f"{node} has rounding_mode {rounding} with signed codes; ROUND, FLOOR "
                            "and CEIL are supported")
        rounding = "CEIL" if rounding == "UP" else "FLOOR"
    return replace(quantizer, rounding=rounding)


def quantize_constant(node: Node, inputs: list) -> Weights:
    """The codes of constants, in the very arithmetic of QONNX."""
    scale, bits, signed, narrow, rounding = _quant_inputs(node, inputs)
    x = np.asarray(plain(inputs[0])).astype(np.float32)
    with np.errstate(over="ignore"):
        scaled = x / scale
    if signed and bits == 1:
        return Weights(np.where(scaled >= 0, 1, -1), scale.astype(np.float64), 1, "binary")
    low = -(1 << (bits - 1)) + narrow if signed else 0
    high = (1 << (bits - 1)) - 1 if signed else (1 << bits) - 1 - narrow
    scaled = np.clip(scaled.astype(np.float64), low, high)
    magnitude, sign = np.abs(scaled), np.sign(scaled)
    codes = {
        "HALF_EVEN": lambda: np.rint(scaled),
        "HALF_UP": lambda: sign * np.floor(magnitude + 0.5),
        "HALF_DOWN": lambda: sign * np.ceil(magnitude - 0.5),
        "FLOOR": lambda: np.floor(scaled),
        "CEIL": lambda: np.ceil(scaled),
        "UP": lambda: sign * np.ceil(magnitude),
        "DOWN": lambda: np.fix(scaled),
    }[rounding]().astype(np.int64)
    kind = "ternary" if signed and narrow and bits == 2 else "fixed"
    return Weights(codes, scale.astype(np.float64), bits + (not signed), kind)
