"""BurstPlanner == BurstSpec.compute."""

import random

import pytest

from fxhw.gateware.burst_planner import BurstPlanner
from fxhw.plan.bursts import BurstSpec

from .simulate import run_stream, simulate_stream


def planned(spec, pieces, bytewise):
    """What the planner says of each (address, count) in bytes, as compute() would."""
    result = []
    for address, count in pieces:
        bursts = spec.compute(address, count)
        for burst in bursts:
            lane = (burst.first_strobes & -burst.first_strobes).bit_length() - 1
            end = burst.address + burst.beats * spec.bus_bytes
            end -= spec.bus_bytes - burst.last_strobes.bit_length()
            unit = 1 if bytewise else spec.bus_bytes
            result.append(
                {
                    "block": burst.address // spec.block_bytes,
                    "first": (burst.address + lane) % spec.block_bytes // unit,
                    "end": end % spec.block_bytes // unit,
                    "final": int(burst is bursts[-1]),
                }
            )
    return result


def commands(spec, pieces, bytewise):
    unit = 1 if bytewise else spec.bus_bytes
    return [{"address": address // unit, "count": count // unit} for address, count in pieces]


def random_pieces(spec, count, seed, bytewise):
    rng = random.Random(seed)
    unit = 1 if bytewise else spec.bus_bytes
    pieces = []
    for _ in range(count):
        size = rng.choice([0, 1, 2, rng.randrange(1, 40), rng.randrange(1, 3 * spec.block_bytes)])
        near = rng.randrange(1 << 20) * spec.block_bytes + rng.randrange(-20, 20)
        address = rng.choice([near, rng.randrange(1 << 30)]) // unit * unit
        pieces.append((max(address, 0), size // unit * unit))
    return pieces


@pytest.mark.parametrize("bytewise", [False, True])
@pytest.mark.parametrize("stall", [0, 0.5])
@pytest.mark.parametrize(
    "spec",
    [BurstSpec(8, 64), BurstSpec(32, 256), BurstSpec(16, 1), BurstSpec(4, 2), BurstSpec(1, 16)],
    ids=lambda spec: f"{spec.bus_bytes}x{spec.max_beats}",
)
def test_equals_the_reference(spec, stall, bytewise):
    pieces = random_pieces(spec, 60, seed=spec.bus_bytes, bytewise=bytewise)
    expected = planned(spec, pieces, bytewise)
    dut = BurstPlanner(spec, bytewise)
    words = commands(spec, pieces, bytewise)
    assert run_stream(dut, words, len(expected), idle=stall, stall=stall) == expected


def test_longest_piece_and_widest_address():
    spec = BurstSpec(8, 256, address_bits=64, max_count=1 << 24)
    pieces = [((1 << 64) - (1 << 14) - 8, 1 << 14), ((1 << 63) + 8, 3 << 11)]
    expected = planned(spec, pieces, False)
    assert run_stream(BurstPlanner(spec, False), commands(spec, pieces, False), len(expected)) == (
        expected
    )
    # 2^24 beats: the first bursts and the rate.
    run = simulate_stream(
        BurstPlanner(spec, False), [{"address": 5, "count": 1 << 24}], 100, surplus=0
    )
    assert run.outputs["o"] == planned(spec, [(40, 8 << 24)], False)[:100]
    cycles = run.given["o"]
    assert {b - a for a, b in zip(cycles, cycles[1:])} == {2}
