"""Pixel order: results of two pixels at a time become a raster."""

from amaranth.hdl import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .stream import StreamFifo

__all__ = ["PixelOrder"]


class PixelOrder(wiring.Component):
    """Two queues, of a row's odd and of its even pixels, emptied a pixel at a time in turn.

    Results come for pixels ``x - 1`` and ``x``, ``x`` even, group by group.  Of pixel ``x - 1``
    they pass at once; those of ``x`` wait for its last group.  The writer keeps account of the
    room: nothing holds a result back.

    *Latency*: that of a :class:`.stream.StreamFifo`.  *Throughput*: a word per cycle.

    Parameters
    ----------
    word_bits : bits of a word.
    depth : words each queue holds, at least a pixel's.

    Members
    -------
    start : pulse that begins an image; the block must be empty.
    groups, width : words per pixel and pixels per row; stable during an image.
    i_valid, i : words of the odd and of the even pixel, each with a bit that it is there.
    o : stream of words, raster order, groups fastest.
    taken : for each queue, whether a word of it leaves in this cycle.
    """

    def __init__(self, word_bits: int, depth: int, max_groups: int):
        self._word_bits = word_bits
        self._depth = depth
        self._max_groups = max_groups
        super().__init__(
            {
                "start": In(1),
                "groups": In(range(max_groups + 1)),
                "width": In(16),
                "i_valid": In(2),
                "i": In(data.ArrayLayout(word_bits, 2)),
                "o": Out(stream.Signature(word_bits)),
                "taken": Out(2),
            }
        )

    def elaborate(self, platform):
        m = Module()
        queues = [
            StreamFifo(self._word_bits, self._depth, always_ready=True) for _ in range(2)
        ]
        m.submodules.odd, m.submodules.even = queues
        group = Signal(range(self._max_groups))
        x = Signal.like(self.width)
        for number, queue in enumerate(queues):
            turn = x[0] == (number == 0)
            m.d.comb += [
                queue.i.valid.eq(self.i_valid[number]),
                queue.i.payload.eq(self.i[number]),
                queue.o.ready.eq(turn & self.o.ready),
                self.taken[number].eq(queue.o.valid & queue.o.ready),
            ]
        m.d.comb += [
            self.o.valid.eq(Mux(x[0], queues[0].o.valid, queues[1].o.valid)),
            self.o.payload.eq(Mux(x[0], queues[0].o.payload, queues[1].o.payload)),
        ]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += group.eq(group + 1)
            with m.If(group == self.groups - 1):
                m.d.sync += [group.eq(0), x.eq(x + 1)]
                with m.If(x == self.width - 1):
                    m.d.sync += x.eq(0)
        with m.If(self.start):
            m.d.sync += [group.eq(0), x.eq(0)]
        return m
