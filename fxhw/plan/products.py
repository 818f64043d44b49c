"""What a multiply-accumulate adds, as one-bit terms of its operands' bits."""

from functools import lru_cache

from ..fixed import Accumulator, FixedFormat, WeightFormat
from .bit_heap import HeapPlan, Term, plan_heap

__all__ = ["plan_dot_product", "product_terms"]

_AND = 0b1000
_XOR = 0b0110
_BIT = 0b10
# Inputs: not zero, negative, activation bit.
_TERNARY = 0b00101000


def _weight_signs(bits: int, signed: bool) -> list[int]:
    return [-1 if signed and k == bits - 1 else 1 for k in range(bits)]


def product_terms(weight: WeightFormat, activation: FixedFormat, w, x):
    """Terms and constant that add up to one product.

    Parameters
    ----------
    w, x : numbers of the bits of the weight and of the activation, lowest first.

    Returns
    -------
    list of (term, column, sign), and an integer.
    """
    terms, constant = [], 0
    bits = len(x)
    if activation.codes == "sign":
        # -w, negated bit by bit, or w: -(w * x) = sum(w ^ x) + x, the weight's code in two's
        # complement; a binary one is 2 * w - 1.
        if weight.binary:
            # w * x = 1 - 2 * (w ^ x)
            return [(Term(_XOR, (w[0], x[0])), 1, -1)], 1
        for k, sign in enumerate(_weight_signs(len(w), True)):
            terms.append((Term(_XOR, (w[k], x[0])), k, -sign))
        return [*terms, (Term(_BIT, (x[0],)), 0, -1)], 0
    signs = _weight_signs(bits, activation.signed)
    if weight.binary:
        # -(w * x) = (x ^ w) + w in two's complement; without a sign, 2**bits * w too much.
        terms = [(Term(_XOR, (w[0], x[k])), k, -sign) for k, sign in enumerate(signs)]
        terms.append((Term(_BIT, (w[0],)), 0, -1))
        if not activation.signed:
            terms.append((Term(_BIT, (w[0],)), bits, +1))
    elif weight.kind == "ternary":
        # w * x = (x ^ negative) & nonzero, + negative.
        terms = [(Term(_TERNARY, (w[0], w[1], x[k])), k, sign) for k, sign in enumerate(signs)]
        terms.append((Term(_BIT, (w[1],)), 0, +1))
        if not activation.signed:
            terms.append((Term(_BIT, (w[1],)), bits, -1))
    else:
        for i, outer in enumerate(_weight_signs(len(w), True)):
            for k, inner in enumerate(signs):
                terms.append((Term(_AND, (w[i], x[k])), i + k, outer * inner))
    return terms, constant


@lru_cache(maxsize=32)
def plan_dot_product(weight: WeightFormat, activation: FixedFormat, count: int) -> HeapPlan:
    """The adders of ``count`` products.

    Bits given are those of the activations, one after the other, then those of the weights.
    """
    xbits, wbits = activation.width, weight.bits
    terms, constant = [], 0
    for index in range(count):
        x = range(index * xbits, (index + 1) * xbits)
        start = count * xbits + index * wbits
        more, offset = product_terms(weight, activation, range(start, start + wbits), x)
        terms += more
        constant += offset
    width = Accumulator(weight, activation, count).width
    return plan_heap(count * (xbits + wbits), terms, constant, width)
