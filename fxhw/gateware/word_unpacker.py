"""Word unpacker: beats of a bus become words of codes."""

from amaranth.hdl import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..plan.packed_words import PackedWords

__all__ = ["Segment", "WordUnpacker"]


def Segment(packed: PackedWords, max_words: int) -> data.StructLayout:
    """Words that lie behind each other: how many, and how many units into the first beat."""
    return data.StructLayout({"skip": range(packed.beat_units), "words": range(max_words + 1)})


class WordUnpacker(wiring.Component):
    """Cuts words out of beats, segment by segment.

    A segment starts with a beat of its own, ``skip`` units into it, and takes as many beats as
    its words touch.  The latest beats are held; a word is cut out of them and the beat at the
    input, so that nothing is shifted but whole beats.

    *Latency*: a word is offered the cycle after its last beat came in.  *Throughput*: a word per
    cycle, or what the bus carries if that is less; segments follow each other without a pause.

    Parameters
    ----------
    packed : words and bus.
    max_words : most words of a segment.

    Members
    -------
    segments : what to cut, 1 word or more each.
    i : stream of beats.
    o : stream of words.
    """

    def __init__(self, packed: PackedWords, max_words: int):
        self._packed = packed
        self._segment = Segment(packed, max_words)
        super().__init__(
            {
                "segments": In(stream.Signature(self._segment)),
                "i": In(stream.Signature(packed.bus_bits)),
                "o": Out(stream.Signature(packed.word_bits)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        beat, word = self._packed.beat_units, self._packed.word_units
        # So many beats that any word ends in the one at the input.
        keep = max(1, -(-(word - 1) // beat))
        held_units, all_units = keep * beat, (keep + 1) * beat
        held = Signal(keep * self._packed.bus_bits)
        window = Cat(held, self.i.payload)

        active = Signal()
        left = Signal.like(self.segments.payload.words)
        offset = Signal(range(all_units))
        in_held, within, room, step, last = (Signal() for _ in range(5))
        m.d.comb += [
            in_held.eq(offset <= held_units - word),
            within.eq(offset <= all_units - word),
            room.eq(~self.o.valid | self.o.ready),
            step.eq(active & room & (in_held | (within & self.i.valid))),
            last.eq(left == 1),
            self.i.ready.eq(active & (~within | (~in_held & room))),
            self.segments.ready.eq(~active | (step & last)),
        ]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += held.eq(window[self._packed.bus_bits :])
        after = offset + Mux(step, word, 0) - Mux(self.i.valid & self.i.ready, beat, 0)
        m.d.sync += offset.eq(after)
        with m.If(room):
            m.d.sync += self.o.valid.eq(step)
        with m.If(step):
            m.d.sync += left.eq(left - 1)
            with m.Switch(offset):
                for start in range(all_units - word + 1):
                    with m.Case(start):
                        low = start * self._packed.unit_bits
                        m.d.sync += self.o.payload.eq(window[low : low + self._packed.word_bits])
        with m.If(self.segments.ready):
            m.d.sync += active.eq(self.segments.valid)
            with m.If(self.segments.valid):
                m.d.sync += [
                    left.eq(self.segments.payload.words),
                    offset.eq(held_units + self.segments.payload.skip),
                ]
        return m
