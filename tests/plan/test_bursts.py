"""Pieces of memory as bursts: all of the piece, nothing else, and within AXI4's rules."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fxhw.plan.bursts import BOUNDARY, Burst, BurstSpec

POWERS = [1 << n for n in range(9)]


@st.composite
def pieces(draw):
    """A bus and a piece of memory, often near a 4-KiB boundary."""
    spec = BurstSpec(draw(st.sampled_from(POWERS[:8])), draw(st.sampled_from(POWERS)))
    base = draw(st.integers(0, 1 << 19)) * BOUNDARY
    address = max(0, base + draw(st.integers(-300, 300)))
    return spec, address, draw(st.integers(0, 5 * spec.block_bytes + 300))


@given(pieces())
def test_every_byte_once_and_no_other(piece):
    spec, address, count = piece
    covered = []
    for burst in spec.compute(address, count):
        assert 1 <= burst.beats <= min(spec.max_beats, 256)
        assert burst.address % spec.bus_bytes == 0
        last = burst.address + burst.beats * spec.bus_bytes - 1
        assert burst.address // BOUNDARY == last // BOUNDARY
        for beat in range(burst.beats):
            strobes = spec.strobes(burst, beat)
            start = burst.address + beat * spec.bus_bytes
            covered += [start + lane for lane in range(spec.bus_bytes) if strobes >> lane & 1]
    assert covered == list(range(address, address + count))


@given(pieces())
def test_at_most_one_burst_too_many(piece):
    spec, address, count = piece
    beats = -(-(address % spec.bus_bytes + count) // spec.bus_bytes) if count else 0
    assert len(spec.compute(address, count)) <= -(-beats // spec.block_beats) + 1


def test_by_hand():
    spec = BurstSpec(8, 16)
    assert spec.compute(0x1075, 30) == [
        Burst(0x1070, 2, 0xE0, 0xFF),
        Burst(0x1080, 3, 0xFF, 0x07),
    ]
    assert spec.compute(0x1003, 3) == [Burst(0x1000, 1, 0x38, 0x38)]
    assert spec.compute(0x1003, 0) == []
    assert [(b.address, b.beats) for b in BurstSpec(32, 256).compute(0xFE0, 4096 + 64)] == [
        (0xFE0, 1), (0x1000, 128), (0x2000, 1),
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bus_bytes": 12}, "bus_bytes must be a power of two from 1 to 128, not 12"),
        ({"bus_bytes": 256}, "bus_bytes must be a power of two from 1 to 128, not 256"),
        ({"max_beats": 0}, "max_beats must be a power of two from 1 to 256, not 0"),
        ({"max_beats": 512}, "max_beats must be a power of two from 1 to 256, not 512"),
        ({"address_bits": 9}, "address_bits must be 10 to 64, .* block of 512 bytes, not 9"),
        ({"address_bits": 65}, "not 65"),
        ({"max_count": 0}, "max_count must be a positive integer, not 0"),
    ],
)
def test_refused_parameters(options, message):
    with pytest.raises(ValueError, match=message):
        BurstSpec(**options)


def test_refused_pieces():
    spec = BurstSpec(8, 16, max_count=100)
    with pytest.raises(ValueError, match="16 bytes from 0xfffffff8 on do not lie within addresses"):
        spec.compute(0xFFFFFFF8, 16)
    assert len(spec.compute(0xFFFFFFF8, 8)) == 1
    with pytest.raises(ValueError, match="795 bytes from 0x7 on are more than 100 beats of 8"):
        spec.compute(7, 795)
