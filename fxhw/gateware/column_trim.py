"""Column trim: drops the first or the last pixel of every row, the halo of a strip."""

from amaranth.hdl import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .lap_counter import LapCounter
from .stream import StreamFork

__all__ = ["ColumnTrim"]


class ColumnTrim(wiring.Component):
    """A raster without the first, the last or either column, the words of which are thrown away.

    Words arrive by row, then column, then group, the group fastest.  What is behind is not known to
    the source in the same cycle; what is thrown away waits for it, too.

    *Latency*: 1 cycle.  *Throughput*: a word per cycle.

    Parameters
    ----------
    word_bits : bits of a word.
    max_groups, max_width, max_height : most words per pixel, and the largest raster.

    Members
    -------
    start : pulse that begins a raster; the one before must be done.
    left, right : whether the first and the last column are thrown away; of a column that is both,
        either does.
    groups, width, height : the raster as it arrives, 1 or more each; these are stable from the
        cycle before ``start`` to the last word.
    busy : words are still to come; one may wait to be given.
    i, o : streams of words.
    """

    def __init__(self, word_bits: int, *, max_groups: int, max_width: int, max_height: int):
        self._laps = [LapCounter(most) for most in (max_groups, max_width, max_height)]
        super().__init__(
            {
                "start": In(1),
                "left": In(1),
                "right": In(1),
                "groups": In(range(max_groups + 1)),
                "width": In(range(max_width + 1)),
                "height": In(range(max_height + 1)),
                "busy": Out(1),
                "i": In(stream.Signature(word_bits)),
                "o": Out(stream.Signature(word_bits)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.group, m.submodules.column, m.submodules.row = self._laps
        m.submodules.stage = stage = StreamFork(len(self.i.payload), 1)
        wiring.connect(m, stage.o[0], wiring.flipped(self.o))
        group, column, row = self._laps
        first = Signal()
        drop = Signal()
        m.d.comb += [
            drop.eq((self.left & first) | (self.right & column.last)),
            stage.enable.eq(1),
            stage.i.valid.eq(self.i.valid & ~drop),
            stage.i.payload.eq(self.i.payload),
            self.i.ready.eq(stage.i.ready),
            group.step.eq(self.i.valid & self.i.ready),
            column.step.eq(group.step & group.last),
        ]
        # Rows only tell when the raster is done.
        m.d.sync += row.step.eq(column.step & column.last)
        for lap, count in zip(self._laps, (self.groups, self.width, self.height)):
            m.d.comb += [lap.start.eq(self.start), lap.count.eq(count)]
        with m.If(column.step):
            m.d.sync += first.eq(column.last)
        with m.If(row.step & row.last):
            m.d.sync += self.busy.eq(0)
        with m.If(self.start):
            m.d.sync += [first.eq(1), self.busy.eq(1)]
        return m
