"""WordPacker and WordUnpacker == PackedWords, and one undoes the other."""

# amaranth: UnusedElaboratable=no

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fxhw.gateware.word_packer import WordPacker
from fxhw.gateware.word_unpacker import Segment, WordUnpacker
from fxhw.plan.packed_words import PackedWords

from .simulate import run_stream, simulate_stream

# Word and bus: shorter, as wide, wider by one beat and by several, with padding bits.
SHAPES = [(48, 64), (64, 64), (96, 64), (200, 64), (8, 64), (13, 32), (96, 128), (1, 8), (24, 16)]
STALLS = [(0.0, 0.0), (0.5, 0.0), (0.0, 0.5), (0.4, 0.4)]


def segments_of(packed, rng, count=12, most=9):
    """Random segments, the first at a beat's border, one word in the second."""
    found = [
        {"skip": int(rng.integers(packed.beat_units)), "words": int(rng.integers(1, most + 1))}
        for _ in range(count)
    ]
    found[0]["skip"], found[1]["words"] = 0, 1
    return found


def random_words(packed, rng, count):
    return [int.from_bytes(rng.bytes(packed.word_bytes), "little") & ((1 << packed.word_bits) - 1)
            for _ in range(count)]


def packed_segments(packed, segments, words):
    """Beats of all segments, and for each the bits that belong to words."""
    beats, masks, at = [], [], 0
    ones = (1 << (8 * packed.word_bytes)) - 1
    for segment in segments:
        part = words[at : at + segment["words"]]
        at += segment["words"]
        beats += packed.pack(part, segment["skip"])
        masks += packed.pack([ones] * len(part), segment["skip"])
    return beats, masks


@pytest.mark.parametrize(("word_bits", "bus_bits"), SHAPES)
@pytest.mark.parametrize(("idle", "stall"), STALLS)
def test_unpacker_equals_reference(word_bits, bus_bits, idle, stall):
    packed = PackedWords(word_bits, bus_bits)
    rng = np.random.default_rng(word_bits)
    segments = segments_of(packed, rng)
    words = random_words(packed, rng, sum(segment["words"] for segment in segments))
    beats, masks = packed_segments(packed, segments, words)
    # What surrounds a segment must not matter.
    noise = [int.from_bytes(rng.bytes(bus_bits // 8), "little") for _ in beats]
    beats = [beat | dirt & ~mask for beat, mask, dirt in zip(beats, masks, noise)]
    out = run_stream(
        WordUnpacker(packed, 9), {"segments": segments, "i": beats}, {"o": len(words)},
        idle=idle, stall=stall, seed=3,
    )["o"]
    assert out == words


@pytest.mark.parametrize(("word_bits", "bus_bits"), SHAPES)
@pytest.mark.parametrize(("idle", "stall"), STALLS)
def test_packer_equals_reference(word_bits, bus_bits, idle, stall):
    packed = PackedWords(word_bits, bus_bits)
    rng = np.random.default_rng(word_bits)
    segments = segments_of(packed, rng)
    words = random_words(packed, rng, sum(segment["words"] for segment in segments))
    beats, masks = packed_segments(packed, segments, words)
    out = run_stream(
        WordPacker(packed, 9), {"segments": segments, "i": words}, {"o": len(beats)},
        idle=idle, stall=stall, seed=3,
    )["o"]
    assert [beat & mask for beat, mask in zip(out, masks)] == beats


@pytest.mark.parametrize(("word_bits", "bus_bits"), SHAPES)
def test_pace(word_bits, bus_bits):
    packed = PackedWords(word_bits, bus_bits)
    words = random_words(packed, np.random.default_rng(1), 40)
    beats = packed.pack(words)
    segments = [{"skip": 0, "words": 40}]
    run = simulate_stream(
        WordUnpacker(packed, 40), {"segments": segments, "i": beats}, {"o": 40}
    )
    slowest = max(40, len(beats)) + 2
    assert run.given["o"][-1] - run.taken["i"][0] <= slowest
    run = simulate_stream(
        WordPacker(packed, 40), {"segments": segments, "i": words}, {"o": len(beats)}
    )
    assert run.given["o"][-1] - run.taken["i"][0] <= slowest


def test_segments_follow_without_a_pause():
    packed = PackedWords(48, 64)
    segments = [{"skip": 0, "words": 4}] * 8
    beats = packed.pack([5] * 4) * 8
    run = simulate_stream(
        WordUnpacker(packed, 4), {"segments": segments, "i": beats}, {"o": 32}
    )
    assert run.given["o"][-1] - run.given["o"][0] == 31


class RoundTrip(wiring.Component):
    """A packer into an unpacker."""

    def __init__(self, packed):
        self.packer, self.unpacker = WordPacker(packed, 9), WordUnpacker(packed, 9)
        segments = stream.Signature(Segment(packed, 9))
        words = stream.Signature(packed.word_bits)
        super().__init__(
            {"pack": In(segments), "unpack": In(segments), "i": In(words), "o": Out(words)}
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.packer, m.submodules.unpacker = self.packer, self.unpacker
        wiring.connect(m, wiring.flipped(self.pack), self.packer.segments)
        wiring.connect(m, wiring.flipped(self.unpack), self.unpacker.segments)
        wiring.connect(m, wiring.flipped(self.i), self.packer.i)
        wiring.connect(m, self.packer.o, self.unpacker.i)
        wiring.connect(m, self.unpacker.o, wiring.flipped(self.o))
        return m


@pytest.mark.parametrize(("word_bits", "bus_bits"), SHAPES)
def test_round_trip(word_bits, bus_bits):
    packed = PackedWords(word_bits, bus_bits)
    rng = np.random.default_rng(7)
    segments = segments_of(packed, rng)
    words = random_words(packed, rng, sum(segment["words"] for segment in segments))
    out = run_stream(
        RoundTrip(packed), {"pack": segments, "unpack": segments, "i": words},
        {"o": len(words)}, idle=0.3, stall=0.3, seed=2,
    )["o"]
    assert out == words


def test_spec():
    packed = PackedWords(48, 64)
    assert (packed.unit_bytes, packed.word_units, packed.beat_units) == (2, 3, 4)
    words = [0x010203040506, 0xF1F2F3F4F5F6]
    assert packed.pack(words) == [0xF5F6_0102_0304_0506, 0xF1F2F3F4]
    assert packed.unpack(packed.pack(words, 3), 3, 2) == words
    assert packed.count_beats(3, 2) == 3
    with pytest.raises(ValueError, match="at least 1 bit, not 0"):
        PackedWords(0, 64)
    with pytest.raises(ValueError, match="multiple of 8 bits, not 12"):
        PackedWords(8, 12)
