"""Word unpacker: beats of a bus become words of codes."""

from typing import NamedTuple

from amaranth.hdl import *
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.wiring import In, Out

from ..plan.packed_words import PackedWords
from .early_queue import EarlyQueue

__all__ = ["Segment", "WordUnpacker"]


def Segment(packed: PackedWords, max_words: int) -> data.StructLayout:
    """Words that lie behind each other: how many, and how many units into the first beat."""
    return data.StructLayout({"skip": range(packed.beat_units), "words": range(max_words + 1)})


class _Move(enum.Enum, shape=2):
    """What happens next: a word is cut out of what is held, or with the beat at the input, or that
    beat is only held, for a word that goes on behind it; or there is no segment."""

    IDLE = 0
    HELD = 1
    ENDS = 2
    BEAT = 3


class _Place(NamedTuple):
    """Where the next word ends, in what is held and the beat at the input.

    Parameters
    ----------
    move : what happens there.
    unit : unit that the word ends with, of its last beat.
    following : the place after that, by its index.
    """

    move: _Move
    unit: int
    following: int


def _places(packed: PackedWords) -> list[_Place]:
    """All places, those of first words last, by the units they begin with."""
    beat, word = packed.beat_units, packed.word_units
    lowest = min(1, word - beat + 1)  # units of the input's beat that the word reaches to
    places = []
    for reach in range(lowest, word + beat):
        if reach <= 0:
            move, after = _Move.HELD, reach + word
        elif reach <= beat:
            move, after = _Move.ENDS, reach + word - beat
        else:
            move, after = _Move.BEAT, reach - beat
        places.append(_Place(move, (reach - 1) % beat, after - lowest))
    return places


class WordUnpacker(wiring.Component):
    """Cuts words out of beats, segment by segment.

    A segment starts with a beat of its own, ``skip`` units into it, and takes as many beats as
    its words touch.  Beats are held until the words in them are cut out; every word ends in the
    newest one held, so a word has only a beat's units to choose from.  The words' ends walk
    through few places in a fixed order, so nothing is added or compared.

    ::

        place -> beats held, unit -> word -> queue

    *Latency*: a word is offered 3 cycles after its last beat came in.  *Throughput*: a word per
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
        segments = self.segments
        move = Signal(_Move)
        left = Signal(range(-2, 1 << len(segments.payload.words)))  # negative: the last word
        chosen = Signal()  # a word to be cut out
        cuts, goes, step = Signal(), Signal(), Signal()
        m.submodules.words = words = EarlyQueue(self._packed.word_bits, stages=1)
        wiring.connect(m, words.o, wiring.flipped(self.o))
        m.d.comb += [
            cuts.eq((move == _Move.HELD) | (move == _Move.ENDS)),
            goes.eq(words.room & ((move == _Move.HELD) | self.i.valid)),
            step.eq(cuts & goes),
            self.i.ready.eq(words.room & ((move == _Move.ENDS) | (move == _Move.BEAT))),
            segments.ready.eq((move == _Move.IDLE) | (step & left[-1])),
            words.i.valid.eq(chosen),
        ]
        m.d.sync += chosen.eq(step)
        with m.If(step | (move == _Move.IDLE)):
            ends = (move == _Move.IDLE) | left[-1]
            m.d.sync += left.eq(Mux(ends, segments.payload.words - 2, left - 1))
        unit = self._walk(m, move, goes, cuts & left[-1])
        self._cut(m, unit, words.i.payload)
        return m

    def _walk(self, m, move, goes, last):
        """Go from place to place; returns the unit that the word chosen ends with."""
        places = _places(self._packed)
        segments, first = self.segments, len(places) - self._packed.beat_units
        place = Signal(range(max(2, len(places))))
        unit = Signal(range(max(2, self._packed.beat_units)))
        begins = first + segments.payload.skip

        def at(index, values):
            return Array([Value.cast(value) for value in values])[index]

        kinds = [known.move for known in places]
        idle = move == _Move.IDLE
        with m.If(idle | goes):
            with m.If(idle | last):
                with m.If(segments.valid):
                    m.d.sync += [place.eq(begins), move.eq(at(begins, kinds))]
                with m.Else():
                    m.d.sync += move.eq(_Move.IDLE)
            with m.Else():
                following = [known.following for known in places]
                m.d.sync += [
                    place.eq(at(place, following)),
                    move.eq(at(place, [kinds[index] for index in following])),
                ]
        m.d.sync += unit.eq(at(place, [known.unit for known in places]))
        return unit

    def _cut(self, m, unit, cut):
        """Hold the latest beats; ``cut`` is the word out of them that ends with ``unit``."""
        beat, word = self._packed.beat_units, self._packed.word_units
        before = -(-(word - 1) // beat)  # beats that a word may begin before its last one
        held = Signal((before + 1) * self._packed.bus_bits)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += held.eq(Cat(held, self.i.payload)[self._packed.bus_bits :])
        with m.Switch(unit):
            for last in range(beat):
                with m.Case(last):
                    low = (before * beat + last + 1 - word) * self._packed.unit_bits
                    m.d.comb += cut.eq(held[low : low + self._packed.word_bits])
