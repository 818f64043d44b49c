"""check_ranges == what byte for byte sets say, in a tiny address space."""

import random

import pytest

from fxhw.plan.ranges import RangeFault, check_ranges
from fxhw.plan.registers import ErrorCode


def expected(ranges, bus_bytes, space):
    bases = [base for base, _ in ranges.values()]
    bytes_of = [set(range(base, base + size)) for base, size in ranges.values()]
    if any(base % bus_bytes for base in bases):
        return ErrorCode.RANGE_ALIGNMENT
    if any(address >= space for found in bytes_of for address in found):
        return ErrorCode.RANGE_LIMIT
    together = sum(len(found) for found in bytes_of)
    return ErrorCode.NONE if len(set().union(*bytes_of)) == together else ErrorCode.RANGE_OVERLAP


def test_random():
    rng = random.Random(5)
    seen = set()
    for _ in range(4000):
        grain = rng.choice([1, 4, 4, 4])
        ranges = {
            name: (rng.randrange(0, 64, grain), rng.choice([0, rng.randrange(12)]))
            for name in "abcd"
        }
        fault = check_ranges(ranges, 4, 6)
        assert fault.code == expected(ranges, 4, 64)
        seen.add(fault.code)
        wrong = {name: ranges[name] for name in fault.names}
        if fault.code:
            assert expected(wrong, 4, 64) == fault.code
    assert len(seen) == 4


@pytest.mark.parametrize(
    ("ranges", "fault"),
    [
        ({"a": (8, 8), "b": (0, 8)}, RangeFault(ErrorCode.NONE)),
        ({"a": (8, 8), "b": (0, 9)}, RangeFault(ErrorCode.RANGE_OVERLAP, ("b", "a"))),
        ({"a": (8, 8), "b": (8, 0)}, RangeFault(ErrorCode.NONE)),
        ({"a": (12, 8)}, RangeFault(ErrorCode.RANGE_ALIGNMENT, ("a",))),
        ({"a": (2**64 - 8, 8)}, RangeFault(ErrorCode.NONE)),
        ({"a": (2**64 - 8, 9)}, RangeFault(ErrorCode.RANGE_LIMIT, ("a",))),
        ({"a": (0, 64), "b": (8, 8), "c": (56, 16)},
         RangeFault(ErrorCode.RANGE_OVERLAP, ("a", "b"))),
    ],
)  # fmt: skip
def test_named(ranges, fault):
    assert check_ranges(ranges, 8) == fault
