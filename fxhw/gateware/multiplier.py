"""One product, of weights and activations of every kind."""

from amaranth.hdl import *

from ..fixed import FixedFormat, WeightFormat

__all__ = ["agree", "multiply"]


def multiply(weight: WeightFormat, activation: FixedFormat, w: Value, x: Value) -> Value:
    """The product of a weight and an activation, signed, from their stored bits.

    A multiplier only where both are linear: an operand that is a sign, or a sign and a zero,
    selects the other one or its negative, and a power of two shifts.
    """
    if weight.kind == "power":
        exponent = w[:-1]
        # 0 stands for zero, k + 1 for 2**k.
        shift = (exponent - 1)[: weight.bits - 2]
        return _times_unit(activation, x, exponent.any(), w[-1]) << shift
    if weight.kind == "ternary":
        return _times_unit(activation, x, w[0], w[1])
    if weight.binary:
        return _times_sign(activation, x, w)
    if activation.codes == "sign":
        return Mux(x, w.as_signed(), -w.as_signed())
    if activation.codes == "ternary":
        return Mux(x[0], Mux(x[1], -w.as_signed(), w.as_signed()), 0)
    return _number(activation, x) * w.as_signed()


def agree(w: Value, x: Value) -> Value:
    """Whether a binary weight and a sign have a product of +1, and not -1: their XNOR."""
    return ~(w ^ x)


def _number(activation: FixedFormat, x: Value) -> Value:
    return x.as_signed() if activation.twos_complement else x


def _times_sign(activation: FixedFormat, x: Value, positive: Value) -> Value:
    """An activation, or its negative unless ``positive``."""
    if activation.codes == "sign":
        return Cat(1, ~agree(positive, x)).as_signed()
    if activation.codes == "ternary":
        return Cat(x[0], x[0] & ~agree(positive, ~x[1])).as_signed()
    code = _number(activation, x)
    return Mux(positive, code, -code)


def _times_unit(activation: FixedFormat, x: Value, nonzero: Value, negative: Value) -> Value:
    """An activation, its negative where ``negative``, or 0 unless ``nonzero``."""
    product = _times_sign(activation, x, ~negative)
    return Mux(nonzero, product, 0)
