"""Two bits of a weight at once: a digit times an activation is a row of look-up tables.

The upper bits of a weight are a digit 2 * -high + low, one of -2, -1, 0 and 1.  Its product with x
is x or 2 * x, masked and, where high is set, inverted.  So every bit of the row is a function of
four bits, and two neighbours, of five bits in all, fit a LUT6 with two outputs.  Of bits further
down, 2 * high + low, it is x * (1 - digit) that is such a row::

    (2 * -high + low) * x == row - (2**n - 1) * high
     (2 * high + low) * x == x - row + (2**n - 1) * high

n being the bits of a row, one more than x has.  The bits ``high`` are counted first, or left to an
excess (:mod:`.excess`).  The sum of all such x is the same for all output channels, and made once.
"""

from ..fixed import FixedFormat, WeightFormat
from .bit_heap import HeapPlan, Term
from .carry_cells import CarryCells
from .excess import Room, sum_range
from .waiting_heap import plan_waiting_heap

__all__ = ["plan_digits"]

_SHARES = ((6, 0), (12, 0), (9, 9), (10, 10), (12, 12))
"""Twelfths of the products whose upper and whose lower bits are taken as digits."""


def plan_digits(
    weight: WeightFormat,
    activation: FixedFormat,
    terms,
    width: int,
    cells: CarryCells,
    plan: HeapPlan,
    room: Room | None = None,
) -> HeapPlan:
    """The cheapest of ``plan`` and those with digits.

    Parameters
    ----------
    weight : in two's complement.
    activation : unsigned; its bits are numbered first.
    terms : (term, column, sign) of all one-bit products.
    width : bits of the sum.
    cells : what a cell can add.
    plan : adders of ``terms``.
    room : the range of sums that may have an excess; None if they have to be exact.
    """
    count = plan.inputs // (weight.bits + activation.width)
    plans = [plan]
    for upper, lower in sorted({(u * count // 12, low * count // 12) for u, low in _SHARES}):
        if lower == 0 or weight.bits > 3:
            made = _Digits(weight, activation, count, upper, lower)
            plans.append(made.plan(terms, width, cells, room))
    return min(plans, key=cells.cost)


class _Digits:
    """The digits of some products.

    Parameters
    ----------
    upper, lower : how many products' upper bits, and how many's lower bits, are digits.
    """

    def __init__(self, weight, activation, count, upper, lower):
        self.weight = weight
        self.activation = activation
        self.wbits = weight.bits
        self.xbits = activation.width
        self.count = count
        self.upper = upper
        self.lower = lower
        self.lows = range(weight.bits - 4, -1, -2)

    def plan(self, terms, width, cells, room):
        """The adders, of the digits and of those of ``terms`` that are none."""
        rows, taken, counted = [], set(), []
        for index in range(max(self.upper, self.lower)):
            x = list(range(index * self.xbits, (index + 1) * self.xbits))
            start = self.count * self.xbits + index * self.wbits
            lows = [low for low in self.lows if index < self.lower]
            for low in [self.wbits - 2] * (index < self.upper) + lows:
                pair = start + low, start + low + 1
                taken.update(pair)
                upper = low == self.wbits - 2
                sign = +1 if upper else -1
                row = _row(*pair, x, upper)
                rows += [(bit, low + k, sign) for k, bit in enumerate(row)]
                counted.append((Term(2, (pair[1],)), low, sign))
        rows += [term for term in terms if not taken.intersection(term[0].inputs)]
        shared, columns = None, ()
        if self.lower:
            shared, columns = self._shared(cells), tuple(self.lows)
        inputs = self.count * (self.xbits + self.wbits)
        times = 1 - (1 << (self.xbits + 1))
        if room:
            excess = [(-times * sign << low, term.inputs) for term, low, sign in counted]
            low, high = sum_range(self.weight, self.activation, self.count, excess)
            added = -sum(1 << column for _, column, sign in rows if sign < 0)
            constant = room.constant_for(low, high, added)
            if constant is not None:
                plan = plan_waiting_heap(inputs, rows, constant, width, cells, shared, columns)
                return plan.with_excess([*excess, (constant, ())])
        return plan_waiting_heap(inputs, rows, 0, width, cells, shared, columns, counted, times)

    def _shared(self, cells):
        """The sum of the activations whose lower bits' digits are taken."""
        bits = [(Term(2, (bit,)), bit % self.xbits, +1) for bit in range(self.lower * self.xbits)]
        width = (self.lower * ((1 << self.xbits) - 1)).bit_length()
        return plan_waiting_heap(self.lower * self.xbits, bits, 0, width, cells)


def _row(low, high, x, upper):
    """Bits of a digit's product, lowest first."""
    return [
        _row_bit(low, high, x[k : k + 1], x[max(k - 1, 0) : k], upper) for k in range(len(x) + 1)
    ]


def _row_bit(low, high, once, twice, upper):
    """A bit of a row: that of x, or that of 2 * x, or none; inverted where ``high`` is set."""
    inputs = (low, high, *once, *twice)
    table = 0
    for n in range(1 << len(inputs)):
        levels = [n >> k & 1 for k in range(len(inputs))]
        factor = (levels[0] if upper else 1 - levels[0]) - 2 * levels[1]
        bits = {1: levels[2 : 2 + len(once)], 2: levels[2 + len(once) :]}
        table |= (sum(bits.get(abs(factor), [])) ^ levels[1]) << n
    return Term(table, inputs)
