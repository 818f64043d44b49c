# amaranth: UnusedElaboratable=no

"""RangeCheck == check_ranges, at the borders of ranges and of the address space."""

import random

import pytest

from fxhw.gateware.range_check import RangeCheck
from fxhw.plan.bursts import BurstSpec
from fxhw.plan.ranges import check_ranges
from fxhw.plan.registers import ErrorCode

from .mutants import mutant
from .phases import Phases


def check(cases, bus_bytes=8, address_bits=40, component=RangeCheck):
    """Check each of ``cases``, lists of (base, bytes); returns the codes."""
    dut = component(BurstSpec(bus_bytes, address_bits=address_bits))
    bench = Phases(dut, watch=("done",))
    codes = []

    async def body(ctx):
        for case in cases:
            setup = {f"bases.{n}": base for n, (base, _) in enumerate(case)}
            setup |= {f"sizes.{n}": size for n, (_, size) in enumerate(case)}
            await bench.phase(
                ctx, setup=setup, pulse=["start"], until=lambda: ctx.get(dut.done), timeout=60
            )
            assert bench.cycle == 24
            named = dict(zip("abcd", case))
            codes.append(ctx.get(dut.error))
            assert codes[-1] == check_ranges(named, bus_bytes, address_bits).code, case
        await bench.phase(ctx, until=None, surplus=40)

    bench.run()(body)
    assert bench.seen["done"] == len(cases)
    return codes


NEAR = [
    [(0, 8), (8, 8), (16, 8), (24, 8)],
    [(0, 9), (8, 8), (16, 8), (24, 8)],
    [(24, 8), (16, 8), (8, 8), (0, 8)],
    [(24, 8), (16, 8), (8, 9), (0, 8)],
    [(0, 0), (0, 0), (0, 0), (0, 0)],
    [(0, 64), (8, 0), (64, 8), (72, 0)],
    [(0, 64), (80, 0), (8, 8), (72, 0)],
    [(0, 1), (0, 1), (64, 8), (72, 8)],
    [(0, 8), (12, 8), (32, 8), (40, 8)],
    [(0, 8), (16, 8), (32, 8), (41, 0)],
    [(0, 0xFFFF_FFFF), (1 << 32, 8), (1 << 33, 8), (3 << 32, 8)],
    [(0, 0xFFFF_FFFF), (0xFFFF_FFF8, 8), (1 << 33, 8), (3 << 32, 8)],
    [(0, 8), (16, 8), (32, 8), ((1 << 40) - 8, 8)],
    [(0, 8), (16, 8), (32, 8), ((1 << 40) - 8, 9)],
    [((1 << 40) - 64, 0xFFFF_FFFF), (16, 8), (32, 8), (0, 8)],
    [((1 << 40) - 8, 0), (16, 8), (32, 8), (0, 8)],
]


def test_near():
    codes = check(NEAR)
    assert set(codes) == {
        ErrorCode.NONE, ErrorCode.RANGE_ALIGNMENT, ErrorCode.RANGE_LIMIT, ErrorCode.RANGE_OVERLAP
    }


@pytest.mark.parametrize(("bus_bytes", "address_bits"), [(8, 32), (16, 40), (32, 64), (4, 33)])
def test_random(bus_bytes, address_bits):
    rng = random.Random(address_bits)
    space = 1 << address_bits
    cases = []
    for _ in range(150):
        corner = rng.choice([0, space // 2, space - 40 * bus_bytes, rng.randrange(space // 2)])
        corner -= corner % bus_bytes
        case = []
        for _ in range(4):
            base = corner + rng.randrange(0, 40 * bus_bytes, rng.choice([bus_bytes] * 20 + [1]))
            size = rng.choice([0, 1, bus_bytes, rng.randrange(10 * bus_bytes), 0xFFFF_FFFF])
            case.append((min(base, space - 1), size if rng.random() < 0.9 else bus_bytes))
        cases.append(case)
    codes = check(cases, bus_bytes, address_bits)
    assert len(set(codes)) == 4


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("< size_then", "<= size_then"),
        ("last[-1] & within", "last[-1]"),
        ("& some.bit_select(other, 1)", ""),
        ("& ~self.start", ""),
        ("reversed(found.items())", "found.items()"),
    ],
    ids=["ranges that touch", "limit", "empty ranges", "an old fault", "wrong fault first"],
)  # fmt: skip
def test_broken_checks_are_caught(old, new):
    broken = mutant(RangeCheck, old, new)
    misaligned_too = [(0, 64), (8, 8), (17, 8), (64, 8)]
    with pytest.raises(AssertionError):
        check([*NEAR, misaligned_too, NEAR[0]], component=broken)


def test_more_bytes_than_addresses_are_refused():
    with pytest.raises(ValueError, match=r"2\^32 bytes need addresses.*not of 24"):
        RangeCheck(BurstSpec(8, address_bits=24))
