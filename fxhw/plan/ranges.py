"""What an accelerator asks of its ranges of external memory before it touches any."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

from .registers import ErrorCode

__all__ = ["RangeFault", "check_ranges"]


@dataclass(frozen=True)
class RangeFault:
    """What is wrong with a set of ranges.

    Parameters
    ----------
    code : ``RANGE_ALIGNMENT``, ``RANGE_LIMIT`` or ``RANGE_OVERLAP``; ``NONE`` if nothing is.
    names : the range, or the two ranges, lower address first.
    """

    code: ErrorCode
    names: tuple[str, ...] = ()


def check_ranges(
    ranges: Mapping[str, tuple[int, int]], bus_bytes: int, address_bits: int = 64
) -> RangeFault:
    """What is wrong with ``ranges``, each a base and a number of bytes.

    Bases must be multiples of ``bus_bytes``; then ranges must end within the address space; then
    no two may overlap.  A range of no bytes overlaps nothing.
    """
    for name, (base, _) in ranges.items():
        if base % bus_bytes:
            return RangeFault(ErrorCode.RANGE_ALIGNMENT, (name,))
    for name, (base, size) in ranges.items():
        if base + size > 1 << address_bits:
            return RangeFault(ErrorCode.RANGE_LIMIT, (name,))
    filled = [name for name, (_, size) in ranges.items() if size]
    for low, high in combinations(sorted(filled, key=lambda name: ranges[name]), 2):
        if ranges[high][0] < sum(ranges[low]):
            return RangeFault(ErrorCode.RANGE_OVERLAP, (low, high))
    return RangeFault(ErrorCode.NONE)
