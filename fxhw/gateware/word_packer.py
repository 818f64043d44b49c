"""Word packer: words of codes become beats of a bus."""

from amaranth.hdl import *
from amaranth.lib import enum, stream, wiring
from amaranth.lib.wiring import In, Out

from ..plan.packed_words import PackedWords
from .early_queue import EarlyQueue
from .word_unpacker import Segment

__all__ = ["WordPacker"]


class _Turn(enum.Enum, shape=2):
    """The word in hand: there is none, or it fills no beat, or one more, or several."""

    NONE = 0
    REST = 1
    LAST = 2
    MORE = 3


class WordPacker(wiring.Component):
    """Puts words into beats, segment by segment: the inverse of the unpacker.

    A segment starts a beat of its own, ``skip`` units into it, and ends with the beat that its
    last word ends in.  What a beat holds outside of the segment is undefined; byte strobes keep it
    from the memory.

    A word is turned in a ring of whole beats until its first unit lies where it belongs; what it
    has behind a beat's end is then where the next beat begins.  Of the first beat, the units before
    the word are those kept from the words before.

    ::

        word -> turned, beats to be given -> kept
                              +----------------+-> beat -> queue

    *Latency*: a beat is offered 3 cycles after the word that completes it came in.
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
    busy : words are to come, or to be given away.
    """

    def __init__(self, packed: PackedWords, max_words: int):
        self._packed = packed
        self._segment = Segment(packed, max_words)
        super().__init__(
            {
                "segments": In(stream.Signature(self._segment)),
                "i": In(stream.Signature(packed.word_bits)),
                "o": Out(stream.Signature(packed.bus_bits)),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        segments, beat = self.segments, self._packed.beat_units
        active, turn = Signal(), Signal(_Turn)
        left = Signal(range(-2, 1 << len(segments.payload.words)))  # negative: the last word
        place = Signal(range(max(2, beat)))  # of the next word's first unit
        opens, taken, gives = Signal(), Signal(), Signal()
        m.submodules.beats = beats = EarlyQueue(self._packed.bus_bits)
        room = beats.room
        wiring.connect(m, beats.o, wiring.flipped(self.o))
        m.d.comb += [
            gives.eq((turn == _Turn.LAST) | (turn == _Turn.MORE)),
            opens.eq((turn == _Turn.NONE) | (room & (turn != _Turn.MORE))),
            beats.i.valid.eq(room & gives),
            # Not `opens`: that one has many loads.
            self.i.ready.eq(active & room & (turn != _Turn.MORE)),
            taken.eq(self.i.valid & self.i.ready),
            segments.ready.eq(~active),
        ]
        # The queue still shows nothing of what was given in the cycle before.
        given = Signal()
        m.d.sync += given.eq(beats.i.valid)
        m.d.comb += self.busy.eq(active | (turn != _Turn.NONE) | given | self.o.valid)
        with m.If(taken):
            m.d.sync += [place.eq((place + self._packed.word_units) % beat), active.eq(~left[-1])]
        with m.If(~active):
            m.d.sync += [active.eq(segments.valid), place.eq(segments.payload.skip)]
        with m.If(taken | ~active):
            m.d.sync += left.eq(Mux(active, left - 1, segments.payload.words - 2))
        self._count(m, turn, opens, taken, room, place, left[-1])
        self._turn(m, turn, opens, room, place, beats.i.payload)
        return m

    def _count(self, m, turn, opens, taken, room, place, last):
        """Count the beats that the word in hand gives; a segment's last word gives what is left."""
        beat, word = self._packed.beat_units, self._packed.word_units
        most = (beat - 1 + word + beat - 1) // beat
        beats = Signal(range(max(3, most + 1)))
        with m.If(opens):
            m.d.sync += turn.eq(_Turn.NONE)
            with m.Switch(Cat(place, last)):
                for index in range(2 * beat):
                    start, ends = index % beat, index // beat
                    count = (start + word + (beat - 1) * ends) // beat
                    kind = (_Turn.REST, _Turn.LAST, _Turn.MORE)[min(count, 2)]
                    with m.Case(start | ends << len(place)):
                        m.d.sync += beats.eq(count)
                        with m.If(taken):
                            m.d.sync += turn.eq(kind)
        with m.Elif(room & (turn == _Turn.MORE)):
            m.d.sync += beats.eq(beats - 1)
            with m.If(beats == 2):
                m.d.sync += turn.eq(_Turn.LAST)

    def _turn(self, m, turn, opens, room, place, given):
        """Turn a word in its ring; ``given`` is the beat at hand there."""
        packed = self._packed
        beat, word, bits = packed.beat_units, packed.word_units, packed.unit_bits
        count = -(-word // beat)
        ring = Signal(count * packed.bus_bits)
        kept = Signal(packed.bus_bits)
        fresh = Signal(beat)  # units of the beat that are the word's
        spread = Cat(self.i.payload, C(0, len(ring) - packed.word_bits))
        head, behind = ring[: packed.bus_bits], ring.rotate_right(packed.bus_bits)
        with m.If(opens):
            with m.Switch(place):
                for start in range(beat):
                    with m.Case(start):
                        m.d.sync += [
                            ring.eq(spread.rotate_left(start * bits)),
                            fresh.eq(-1 << start),
                        ]
        with m.Elif(room & (turn == _Turn.MORE)):
            m.d.sync += [ring.eq(behind), fresh.eq(-1)]
        m.d.comb += given.eq(
            Cat(
                Mux(own, head.word_select(n, bits), kept.word_select(n, bits))
                for n, own in enumerate(fresh)
            )
        )
        gives = (turn == _Turn.LAST) | (turn == _Turn.MORE)
        for n, own in enumerate(fresh):
            with m.If(Mux(gives, room, own)):
                unit = Mux(gives, behind.word_select(n, bits), head.word_select(n, bits))
                m.d.sync += kept.word_select(n, bits).eq(unit)
