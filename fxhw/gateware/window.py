"""Window: a raster of columns becomes a raster of 3x3 windows."""

from amaranth.hdl import *
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from .copies import assert_opposite
from .lap_counter import LapCounter
from .line_buffer import column_layout

__all__ = ["Window"]


class Window(wiring.Component):
    """3x3 windows from three-row columns, zero left and right of the image.

    Columns arrive as pixels of ``groups`` words, group fastest.  The two columns before the
    incoming one are remembered per group.  The raster is taken as one long line: while the last
    pixel of a row waits for its right neighbour, which is the zero border, the first column of
    the next row comes in, so that no cycle is lost between rows.  Where rows and the image end,
    the columns themselves tell.

    *Latency*: a pixel's windows leave one pixel and one cycle after its columns came in.
    *Throughput*: a window per cycle.

    Parameters
    ----------
    word_bits : bits of a word.
    max_groups : most words per pixel.

    Members
    -------
    start : pulse that begins an image; the block must be idle.
    groups : words per pixel, stable during an image and in the cycle before.
    busy : whether windows are still to come.
    i : stream of columns, see :func:`.line_buffer.column_layout`.
    o : stream of windows, tap ``3 * ky + kx``.
    """

    def __init__(self, word_bits: int, max_groups: int):
        self._word_bits = word_bits
        self._max_groups = max_groups
        super().__init__(
            {
                "start": In(1),
                "groups": In(range(max_groups + 1)),
                "busy": Out(1),
                "i": In(stream.Signature(column_layout(word_bits))),
                "o": Out(stream.Signature(data.ArrayLayout(word_bits, 9))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.group = group = LapCounter(self._max_groups)
        taking, flushing = Signal(), Signal()
        # The window's centre is the pixel before the incoming one.
        early = Signal()  # there is none yet
        row_begins = Signal()  # the incoming pixel is its row's first: behind the centre is border
        at_left = Signal()  # the centre is its row's first
        step, moves = Signal(), Signal()
        # Copies for what is hundreds of registers and cells, and far away: taps and memory.
        free, idle = Signal(init=1), Signal(init=1)  # nothing waits; no column is taken
        assert_opposite(m, platform, free, self.o.valid)
        assert_opposite(m, platform, idle, taking)
        opens, stores = Signal(), Signal()
        m.d.comb += [
            self.busy.eq(taking | flushing | self.o.valid),
            moves.eq(~self.o.valid | self.o.ready),
            opens.eq(free | self.o.ready),
            self.i.ready.eq(moves & ~idle),
            step.eq(moves & (flushing | (taking & self.i.valid))),
            stores.eq(moves & (flushing | (~idle & self.i.valid))),
            group.start.eq(self.start),
            group.count.eq(self.groups),
            group.step.eq(step),
        ]
        with m.If(moves):
            m.d.sync += [self.o.valid.eq(step & ~early), free.eq(~(step & ~early))]
        with m.If(step & group.last):
            m.d.sync += [
                early.eq(0),
                row_begins.eq(self.i.payload.ends_row),
                at_left.eq(row_begins),
                flushing.eq(taking & self.i.payload.ends_image),
            ]
            with m.If(self.i.payload.ends_image):
                m.d.sync += [taking.eq(0), idle.eq(1)]
        with m.If(self.start):
            m.d.sync += [taking.eq(1), idle.eq(0), early.eq(1), row_begins.eq(1)]
        self._connect_taps(m, opens, stores, group.value, at_left, row_begins)
        return m

    def _connect_taps(self, m, opens, stores, group, at_left, at_right):
        """Three columns, in registers, and zero where a column lies beside the image.

        What takes the windows has a register, which is then cleared instead and needs no logic.
        """
        column = data.ArrayLayout(self._word_bits, 3)
        taps = [
            data.View(column, Signal(column, name=f"column_{kx}", reset_less=True))
            for kx in range(3)
        ]
        incoming = self.i.payload.words
        before = self._remember(m, column, stores, group, taps[1:])
        for kx, (source, border) in enumerate(zip((*before, incoming), (at_left, 0, at_right))):
            beside = Signal(name=f"beside_{kx}", reset_less=True)
            # They take what there is, be it valid or not: less stands before many registers.
            with m.If(opens):
                m.d.sync += [taps[kx].eq(source), beside.eq(border)]
            for ky in range(3):
                m.d.comb += self.o.payload[3 * ky + kx].eq(Mux(beside, 0, taps[kx][ky]))

    def _remember(self, m, column, stores, group, taken):
        """The two columns before the incoming one, of its group.

        They are written a cycle late, as they were ``taken``, from registers: the memory is dozens
        of cells, far from any one gate.  By then the next word may be of the same group.
        """
        m.submodules.history = history = memory.Memory(
            shape=data.ArrayLayout(column, 2), depth=self._max_groups, init=[]
        )
        recall = history.read_port(domain="comb")
        store = history.write_port()
        single, again = Signal(), Signal()
        m.d.sync += [
            single.eq(self.groups == 1),
            again.eq(stores & single),
            store.en.eq(stores),
            store.addr.eq(group),
        ]
        m.d.comb += recall.addr.eq(group)
        before = []
        for kx, tap in enumerate(taken):
            m.d.comb += store.data[kx].eq(tap)
            word = Mux(again, tap.as_value(), recall.data[kx].as_value())
            before.append(data.View(column, word))
        return before
