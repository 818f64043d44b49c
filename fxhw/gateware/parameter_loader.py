"""Parameter loader: counts the beats of a step's parameters on their way into the stores."""

from amaranth.hdl import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..plan.design import Design
from ..plan.parameters import word_beats
from ..plan.program import Kind

__all__ = ["ParameterLoader", "most_words"]


def most_words(design: Design) -> int:
    """Most words of a section of parameters."""
    front, main = design.front, design.main
    return max(
        *(spec.weight_words for spec in (front, main)),
        *(spec.max_groups_out for spec in (front, main)),
        design.head_groups,
    )


class ParameterLoader(wiring.Component):
    """Counts the words of a section and the beats of each; a beat follows its read.

    *Latency*: that of the parameter memory.
    *Throughput*: a beat per cycle; the first one is read in the second cycle, and
    ``loaded`` comes in the cycle after the last.

    Parameters
    ----------
    design : the widths of each kind's words.

    Members
    -------
    run : a section is to be loaded; stays until ``loaded``.
    kind, section, last_word : which one, and the number of its last word.
    bank : the bank it goes to; a beat keeps the one that was named when it was read.
    read : a beat is read in this cycle.
    loaded : all of them have been.
    word, beat, second, to_bank : where the beat belongs that arrives in this cycle.
    targets : one-hot: the kind of step it belongs to.
    """

    def __init__(self, design: Design):
        self._design = design
        super().__init__(
            {
                "run": In(1),
                "kind": In(2),
                "section": In(1),
                "bank": In(1),
                "last_word": In(range(most_words(design))),
                "read": Out(1),
                "loaded": Out(1),
                "word": Out(16),
                "beat": Out(16),
                "second": Out(1),
                "to_bank": Out(1),
                "targets": Out(1 + max(Kind)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        design = self._design
        last_beats = {
            kind: [count - 1 for count in counts] for kind, counts in word_beats(design).items()
        }
        word = Signal.like(self.last_word)
        beat = Signal(range(1 + max(max(counts) for counts in last_beats.values())))
        last_beat = Signal.like(beat)
        started = Signal()
        with m.Switch(self.kind):
            for kind, counts in last_beats.items():
                with m.Case(kind):
                    m.d.sync += last_beat.eq(Mux(self.section, counts[1], counts[0]))
        m.d.sync += started.eq(self.run)
        m.d.comb += self.read.eq(self.run & started & ~self.loaded)
        with m.If(self.read):
            m.d.sync += beat.eq(beat + 1)
            with m.If(beat == last_beat):
                m.d.sync += [beat.eq(0), word.eq(word + 1), self.loaded.eq(word == self.last_word)]
        with m.Else():
            m.d.sync += [word.eq(0), beat.eq(0), self.loaded.eq(0)]

        arriving = [Cat(self.read, self.section, self.bank, beat, word)]
        for stage in range(design.parameter_banks.latency):
            arriving.append(Signal(len(arriving[0]), name=f"arriving_{stage}"))
            m.d.sync += arriving[-1].eq(arriving[-2])
        # One register per target, so that nothing is left to decode on the way.
        *_, before, last = arriving
        place = Cat(self.second, self.to_bank, self.beat[: len(beat)], self.word[: len(word)])
        m.d.comb += place.eq(last[1:])
        for kind in Kind:
            m.d.sync += self.targets[kind].eq(before[0] & (self.kind == kind))
        return m
