"""Window: a raster of columns becomes a raster of 3x3 windows."""

from amaranth.hdl import *
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Window"]


class Window(wiring.Component):
    """3x3 windows from three-row columns, zero left and right of the image.

    Columns arrive as pixels of ``groups`` words, group fastest.  The two columns before the
    incoming one are remembered per group.  The raster is taken as one long line: while the last
    pixel of a row waits for its right neighbour, which is the zero border, the first column of
    the next row comes in, so that no cycle is lost between rows.

    *Latency*: a pixel's windows leave one pixel and one cycle after its columns came in.
    *Throughput*: a window per cycle.

    Parameters
    ----------
    word_bits : bits of a word.
    max_groups : most words per pixel.

    Members
    -------
    start : pulse that begins an image; the block must be idle.
    groups, width, height : words per pixel, pixels per row, rows; stable during an image.
    busy : whether windows are still to come.
    i : stream of columns: above, centre, below.
    o : stream of windows, tap ``3 * ky + kx``.
    """

    def __init__(self, word_bits: int, max_groups: int):
        self._word_bits = word_bits
        self._max_groups = max_groups
        super().__init__(
            {
                "start": In(1),
                "groups": In(range(max_groups + 1)),
                "width": In(16),
                "height": In(16),
                "busy": Out(1),
                "i": In(stream.Signature(data.ArrayLayout(word_bits, 3))),
                "o": Out(stream.Signature(data.ArrayLayout(word_bits, 9))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        column = data.ArrayLayout(self._word_bits, 3)
        m.submodules.history = history = memory.Memory(
            shape=data.ArrayLayout(column, 2), depth=self._max_groups, init=[]
        )
        recall = history.read_port(domain="comb")
        store = history.write_port()

        active = Signal()
        group = Signal(range(self._max_groups))
        # Position of the incoming pixel; the window's centre is the pixel before it.
        x = Signal.like(self.width)
        y = Signal.like(self.height)
        flush = Signal()
        step = Signal()
        room = Signal()
        m.d.comb += [
            self.busy.eq(active | self.o.valid),
            room.eq(active & (~self.o.valid | self.o.ready)),
            flush.eq(y == self.height),
            self.i.ready.eq(room & ~flush),
            step.eq(room & (flush | self.i.valid)),
            recall.addr.eq(group),
            store.addr.eq(group),
            store.en.eq(step),
            store.data[0].eq(recall.data[1]),
            store.data[1].eq(self.i.payload),
        ]
        at_left = (x == 1) | (self.width == 1)
        at_right = x == 0
        left, centre, right = (data.View(column, Signal(column)) for _ in range(3))
        m.d.comb += [
            left.eq(Mux(at_left, 0, recall.data[0].as_value())),
            centre.eq(recall.data[1]),
            right.eq(Mux(at_right, 0, self.i.payload.as_value())),
        ]
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(step):
            m.d.sync += self.o.valid.eq((x != 0) | (y != 0))
            for ky in range(3):
                for kx, source in enumerate((left, centre, right)):
                    m.d.sync += self.o.payload[3 * ky + kx].eq(source[ky])
            m.d.sync += group.eq(group + 1)
            with m.If(group == self.groups - 1):
                m.d.sync += [group.eq(0), x.eq(x + 1)]
                with m.If(flush):
                    m.d.sync += active.eq(0)
                with m.If(x == self.width - 1):
                    m.d.sync += [x.eq(0), y.eq(y + 1)]
        with m.If(self.start):
            m.d.sync += [active.eq(1), group.eq(0), x.eq(0), y.eq(0)]
        return m
