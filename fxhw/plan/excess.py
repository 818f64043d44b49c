"""What the sums of an array may have too much, where it depends on the weights alone.

The bias of an output channel makes up for it when the program is compiled, so that terms that are
functions of the weights need not be added in hardware.  An excess is a list of (factor, bits): the
factor counts where all of these bits of the weights are 1.
"""

from dataclasses import dataclass

import numpy as np

from ..fixed import Accumulator, FixedFormat, WeightFormat

__all__ = ["Room", "find_room", "split_terms", "sum_range"]

_BIT = 0b10


@dataclass(frozen=True)
class Room:
    """Range that sums with an excess may take: that of the array's sums, which the accumulators,
    too, can add up.

    Parameters
    ----------
    low, high : its ends.
    width : bits of a sum.
    """

    low: int
    high: int
    width: int

    def constant_for(self, low: int, high: int, constant: int) -> int | None:
        """What to add to sums in ``low`` .. ``high`` to have them in the range, or None.

        Of all such numbers, one that leaves few ones of ``constant``, which the heap adds anyway,
        below its highest bit: that one costs nothing.
        """
        first, last = self.low - low + constant, self.high - high + constant
        best = None
        for step in reversed(range(self.width + 1)):
            start = -(-first >> step) << step
            for number in range(start, min(last, start + (7 << step)) + 1, 1 << step):
                ones = (number % (1 << (self.width - 1))).bit_count()
                if best is None or ones < best[0]:
                    best = ones, number - constant
        return best and best[1]


def find_room(weight: WeightFormat, activation: FixedFormat, count: int, groups: int) -> Room:
    """The range for sums of ``count`` products, of which accumulators add up ``groups``."""
    width = Accumulator(weight, activation, count).width
    held = 1 << (Accumulator(weight, activation, count * groups).width - 1)
    end = 1 << (width - 1)
    return Room(max(-end, -(held // groups)), min(end - 1, (held - 1) // groups), width)


def split_terms(terms, first_weight: int):
    """``terms`` that depend on activations, and the excess where the others are left out."""
    kept, excess = [], []
    for term, column, sign in terms:
        if term.table == _BIT and min(term.inputs) >= first_weight:
            excess.append((-sign << column, term.inputs))
        else:
            kept.append((term, column, sign))
    return kept, excess


def sum_range(
    weight: WeightFormat, activation: FixedFormat, count: int, excess
) -> tuple[int, int]:
    """Least and largest sum of ``count`` products, the excess of single bits included."""
    first, bits = count * activation.width, weight.bits
    factors = np.zeros((count, bits), np.int64)
    for factor, (bit,) in excess:
        factors[divmod(bit - first, bits)] += factor
    codes = np.arange(weight.min, weight.max + 1, 2 if weight.binary else 1)
    patterns = weight.encode(codes)[:, None] >> np.arange(bits) & 1
    low = high = 0
    for row, times in zip(*np.unique(factors, axis=0, return_counts=True)):
        sums = np.multiply.outer([activation.min, activation.max], codes) + patterns @ row
        low += int(times) * int(sums.min())
        high += int(times) * int(sums.max())
    return low, high
