"""Products with powers of two, as one-bit terms of shifted activations.

A weight is a sign and ``2**k``.  The low bits of k shift the activation, complemented if the
weight is negative, a bit of k after the other; what remains of k chooses, one out of all, the
column at which the result is added::

    x ^ sign --> << k[0] --> << k[1] --> ... --> & (rest == 0), at column 0
                                             +-> & (rest == 1), at column step
                                             +-> ...

A shift takes a look-up table for every bit, a choice repeats them all in the heap, where each
takes a carry cell.  The cheapest split is taken.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

from ..fixed import FixedFormat, WeightFormat
from .bit_heap import Term, combine

__all__ = ["PowerProduct", "plan_power_product"]

_BIT = 0b10

_LUT_INPUTS = 4
"""Inputs of a function made here, so that it is one look-up table on every family."""


@dataclass(frozen=True)
class PowerProduct:
    """One product, of an activation's bits 0, 1, .. and a weight's behind them.

    Parameters
    ----------
    functions : levels of (bit by number, the term it is), each of bits made before it.
    terms : (term, column, sign) that add up to the product.
    """

    functions: tuple[tuple[tuple[int, Term], ...], ...]
    terms: tuple[tuple[Term, int, int], ...]

    @property
    def made(self) -> int:
        """Bits that the functions make."""
        return sum(map(len, self.functions))

    @property
    def cells(self) -> int:
        """Look-up tables of the functions and carry cells of the terms, about."""
        return self.made + len(self.terms)


@lru_cache(maxsize=32)
def plan_power_product(weight: WeightFormat, activation: FixedFormat) -> PowerProduct:
    """The product that takes fewest cells.

    Parameters
    ----------
    weight : format of the weights, powers of two.
    activation : format of the activations, any.
    """
    plans = [_Planner(weight, activation).plan(shifts) for shifts in range(weight.bits - 1)]
    return min(plans, key=lambda plan: (plan.cells, len(plan.functions)))


class _Planner:
    def __init__(self, weight, activation):
        self.weight = weight
        self.activation = activation
        width = activation.width
        self.x = [Term(_BIT, (bit,)) for bit in range(width)]
        *self.exponent, negative = range(width, width + weight.bits)
        self.negative = Term(_BIT, (negative,))
        self.bits = width + weight.bits
        self.functions = {}
        self.depth = {}

    def plan(self, shifts):
        """The product with ``shifts`` bits of the exponent that shift."""
        bits, has_sign = self._complement()
        for index in range(shifts):
            bits = self._shift(bits, has_sign, index)
        terms = self._choose([self._function(bit) for bit in bits], has_sign, 1 << shifts)
        levels = [[] for _ in range(max(self.depth.values(), default=0))]
        for term, bit in self.functions.items():
            levels[self.depth[bit] - 1].append((bit, term))
        return PowerProduct(tuple(map(tuple, levels)), tuple(terms))

    def _complement(self):
        """The activation, complemented if the weight is negative, and whether it has a sign bit."""
        bits = [combine(lambda n, b: n ^ b, self.negative, bit) for bit in self.x]
        if self.activation.codes == "sign":
            # In two's complement +1 is 01 and -1 is 11.
            return [~self.negative, ~bits[0]], True
        return bits, self.activation.signed

    def _shift(self, bits, has_sign, index):
        """``bits`` shifted by ``2**index`` if that bit of the exponent is set."""
        distance = 1 << index
        # A weight of zero chooses no column later on, whatever comes of it here.
        select = self._of_exponent({k + 1: k >> index & 1 for k in self._exponents()})
        kept = [*bits, *[bits[-1] if has_sign else self.negative] * distance]
        moved = [*[self.negative] * distance, *bits]
        return [self._function(self._mux(select, a, b)) for a, b in zip(moved, kept)]

    def _choose(self, bits, has_sign, step):
        """Terms of ``bits`` at every column that the rest of the exponent may choose."""
        terms = []
        for low in range(0, self.weight.top_exponent + 1, step):
            chosen = self._of_exponent(
                {0: 0} | {k + 1: int(k & -step == low) for k in self._exponents()}
            )
            chosen = self._function(chosen)
            for column, bit in enumerate(bits, low):
                negative = has_sign and column == low + len(bits) - 1
                terms.append((_both(chosen, bit), column, -1 if negative else 1))
            # The negative is the complement and one; without a sign bit, it is that much short.
            minus = _both(chosen, self.negative)
            terms.append((minus, low, 1))
            if not has_sign:
                terms.append((minus, low + len(bits), -1))
        return terms

    def _exponents(self):
        return range(self.weight.top_exponent + 1)

    def _of_exponent(self, wanted) -> Term:
        """A function of the stored exponent, of as few of its bits as will do.

        ``wanted`` has the value for every exponent field for which it matters.
        """
        for size in range(len(self.exponent) + 1):
            for places in combinations(range(len(self.exponent)), size):
                table = {}
                for field, value in wanted.items():
                    key = sum((field >> place & 1) << n for n, place in enumerate(places))
                    if table.setdefault(key, value) != value:
                        break
                else:
                    bits = sum(value << key for key, value in table.items())
                    return Term(bits, tuple(self.exponent[place] for place in places))
        raise ValueError(f"Exponent fields must decide {wanted}")

    def _mux(self, select, high, low) -> Term:
        term = combine(lambda s, a, b: a if s else b, select, high, low)
        if len(term.inputs) <= _LUT_INPUTS:
            return term
        return self._mux(self._function(select), self._function(high), self._function(low))

    def _function(self, term) -> Term:
        """``term`` as a bit of its own, if it is not one yet."""
        if len(term.inputs) < 2:
            return term
        if term not in self.functions:
            self.functions[term] = self.bits
            self.depth[self.bits] = 1 + max(self.depth.get(bit, 0) for bit in term.inputs)
            self.bits += 1
        return Term(_BIT, (self.functions[term],))


def _both(a: Term, b: Term) -> Term:
    return combine(lambda a, b: a & b, a, b)
