"""Word packer: words of codes become beats of a bus."""

from amaranth.hdl import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..plan.packed_words import PackedWords
from .word_unpacker import Segment

__all__ = ["WordPacker"]


class WordPacker(wiring.Component):
    """Puts words into beats, segment by segment: the inverse of the unpacker.

    A segment starts a beat of its own, ``skip`` units into it, and ends with the beat that its
    last word ends in.  What a beat holds outside of the segment is undefined; byte strobes keep it
    from the memory.

    *Latency*: a beat is offered the cycle after the word that completes it came in.
    *Throughput*: a word per cycle, or what the bus carries if that is less; between the words of
    two segments lies a cycle, and another if the last word is spread over two beats.

    Parameters
    ----------
    packed : words and bus.
    max_words : most words of a segment.

    Members
    -------
    segments : what to put where, 1 word or more each.
    i : stream of words.
    o : stream of beats.
    """

    def __init__(self, packed: PackedWords, max_words: int):
        self._packed = packed
        self._segment = Segment(packed, max_words)
        super().__init__(
            {
                "segments": In(stream.Signature(self._segment)),
                "i": In(stream.Signature(packed.word_bits)),
                "o": Out(stream.Signature(packed.bus_bits)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        packed = self._packed
        beat, word = packed.beat_units, packed.word_units
        units = beat - 1 + word
        buffer = Signal(units * packed.unit_bits)
        level = Signal(range(units + 1))
        left = Signal.like(self.segments.payload.words)

        # A beat leaves once it is full, or with what there is behind the last word.
        full, more = Signal(), Signal()
        given, taken = Signal(), Signal()
        m.d.comb += [
            full.eq(level >= beat),
            more.eq(left != 0),
            self.o.valid.eq(full | (~more & (level != 0))),
            self.o.payload.eq(buffer),
            given.eq(self.o.valid & self.o.ready),
            # A word fits behind what a full beat leaves, unless that is a beat itself.
            self.i.ready.eq(more & (~full | (self.o.ready & (level < 2 * beat)))),
            taken.eq(self.i.valid & self.i.ready),
            # With the last beat on its way nothing is left here.
            self.segments.ready.eq(~more & ((level == 0) | (self.o.ready & (level <= beat)))),
        ]
        kept = Signal.like(level)
        m.d.comb += kept.eq(Mux(given, Mux(full, level - beat, 0), level))
        m.d.sync += level.eq(kept + Mux(taken, word, 0))
        with m.If(given):
            m.d.sync += buffer.eq(buffer >> packed.bus_bits)
        with m.If(taken):
            m.d.sync += left.eq(left - 1)
            with m.Switch(kept):
                for start in range(beat):
                    with m.Case(start):
                        low = start * packed.unit_bits
                        size = word * packed.unit_bits
                        m.d.sync += buffer[low : low + size].eq(self.i.payload)
        with m.If(self.segments.valid & self.segments.ready):
            m.d.sync += [
                left.eq(self.segments.payload.words),
                level.eq(self.segments.payload.skip),
            ]
        return m
