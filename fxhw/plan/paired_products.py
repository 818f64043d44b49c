"""Two products for one multiplication, of sums that both have a part in.

With weights ``v``, unsigned, which are ``w`` with its sign bit flipped (``v = w + o``)::

    (x0 + v1) * (x1 + v0) == x0 * v0 + x1 * v1 + x0 * x1 + v0 * v1

What depends on the activations alone, ``x0 * x1 + o * (x0 + x1)``, is the same for all output
channels, and made once; what depends on the weights alone is an excess (:mod:`.excess`).  Operands
are a bit wider, so this pays from about six bits on.  (S. Winograd, A New Algorithm for Inner
Product, IEEE Transactions on Computers C-17, 1968.)
"""

from itertools import product

from ..fixed import FixedFormat, WeightFormat
from .bit_heap import Adder, HeapPlan, Term, first_bit, plan_heap
from .excess import Room

__all__ = ["plan_pairs"]

_AND, _AND_NOT, _BIT, _NOT = 0b1000, 0b0010, 0b10, 0b01


def plan_pairs(
    weight: WeightFormat, activation: FixedFormat, count: int, room: Room
) -> HeapPlan | None:
    """The adders of ``count`` products, in pairs; None if the sums find no room.

    Parameters
    ----------
    weight : fixed, in two's complement.
    activation : unsigned.
    room : the range of the sums.
    """
    return _Pairs(weight, activation, count).plan(room)


class _Pairs:
    def __init__(self, weight, activation, count):
        self.weight = weight
        self.activation = activation
        self.count = count
        self.offset = 1 << (weight.bits - 1)
        self.inputs = count * (activation.width + weight.bits)
        self.pairs = [(n, n + 1) for n in range(0, count - 1, 2)]
        self.last = [count - 1] * (count % 2)

    def plan(self, room):
        shared = self._shared(room.width)
        excess, (low, high) = self._excess(), self._range()
        # A negative number is its bits inverted and one more than a power of two less.
        negated = (1 << len(shared.total)) - 1
        more = room.constant_for(low, high, -negated)
        if more is None:
            return None
        before, terms = self._sums(first_bit(self.inputs, shared))
        joining = [(Term(_NOT, (self.inputs + k,)), k) for k in range(len(shared.total))]
        constant = more - negated
        plan = plan_heap(self.inputs, terms, constant, room.width, before, shared, joining)
        return plan.with_excess([*excess, (more, ())])

    def _x(self, index):
        bits = self.activation.width
        return range(index * bits, (index + 1) * bits)

    def _v(self, index):
        """Terms of a weight's unsigned code."""
        first = self.count * self.activation.width + index * self.weight.bits
        *low, top = (Term(_BIT, (first + k,)) for k in range(self.weight.bits))
        return [*low, ~top]

    def _shared(self, width):
        """The sum of what the activations alone add."""
        terms = []
        for one, other in self.pairs:
            for (i, a), (k, b) in product(enumerate(self._x(one)), enumerate(self._x(other))):
                terms.append((Term(_AND, (a, b)), i + k, +1))
        for index in range(self.count):
            for k, bit in enumerate(self._x(index)):
                terms.append((Term(_BIT, (bit,)), self.weight.bits - 1 + k, +1))
        most = self.activation.max
        largest = len(self.pairs) * most**2 + self.count * self.offset * most
        width = min(width, largest.bit_length())
        return plan_heap(self.count * self.activation.width, terms, 0, width)

    def _sums(self, bit):
        """Adders of the operands, whose sums are numbered from ``bit``, and the products' terms."""
        adders, terms = [], []
        for one, other in self.pairs:
            operands = []
            for x, v in ((self._x(one), self._v(other)), (self._x(other), self._v(one))):
                rows = [()] * max(len(x), len(v))
                for k, code in enumerate(x):
                    rows[k] += (Term(_BIT, (code,)),)
                for k, term in enumerate(v):
                    rows[k] += (term,)
                sums = tuple(range(bit, bit + len(rows) + 1))
                bit += len(sums)
                adders.append(Adder(0, tuple(rows), None, sums))
                operands.append(sums)
            for (i, a), (k, b) in product(*map(enumerate, operands)):
                terms.append((Term(_AND, (a, b)), i + k, +1))
        for index in self.last:
            for (i, v), (k, x) in product(enumerate(self._v(index)), enumerate(self._x(index))):
                # Inputs are the activation's bit, then the weight's, whose sign bit is flipped.
                table = _AND if v.table == _BIT else _AND_NOT
                terms.append((Term(table, (x, *v.inputs)), i + k, +1))
        return tuple(adders), terms

    def _excess(self):
        """The products of the pairs' weights."""
        excess = []
        for pair in self.pairs:
            for (one, ones), (other, others) in product(*map(self._linear, pair)):
                excess.append((one * other, ones + others))
        return excess

    def _linear(self, index):
        """A weight's unsigned code as (factor, bits)."""
        parts = [(self.offset, ())]
        for k, term in enumerate(self._v(index)):
            parts.append((1 << k if term.table == _BIT else -1 << k, term.inputs))
        return parts

    def _range(self):
        """Least and largest sum of products and excess."""
        ws, xs = (self.weight.min, self.weight.max), (self.activation.min, self.activation.max)
        # Linear in each operand, so the ends are where all of them are at an end.
        pair = [
            w0 * x0 + w1 * x1 + (w0 + self.offset) * (w1 + self.offset)
            for w0, w1, x0, x1 in product(ws, ws, xs, xs)
        ]
        one = [w * x for w, x in product(ws, xs)]
        pairs, last = len(self.pairs), len(self.last)
        return pairs * min(pair) + last * min(one), pairs * max(pair) + last * max(one)
