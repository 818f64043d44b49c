"""Column pairs: a raster of columns becomes the windows of two pixels at a time."""

from amaranth.hdl import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .stream import StreamFifo

__all__ = ["ColumnPairs", "PairMarks", "pair_layout"]


class PairMarks(data.Struct):
    """Which of the pixels that a pair of columns ``x`` and ``x + 1`` touches there are.

    ``left`` is set where the row begins, so that nothing before ``x`` is of this row.  Pixel
    ``x - 1``, complete with this pair, is the last one of the row before then; ``before`` tells
    whether there is such a pixel, and ``own`` whether there is a pixel ``x``.
    """

    left: 1
    before: 1
    own: 1


def pair_layout(word_bits: int) -> data.StructLayout:
    """Words ``2 * row + column`` of a pair of columns, and its marks."""
    return data.StructLayout({"words": data.ArrayLayout(word_bits, 6), "marks": PairMarks})


class ColumnPairs(wiring.Component):
    """Pairs of three-row columns, each column once; behind a row of odd width a column of zeros.

    Columns arrive as pixels of ``groups`` words, group fastest, and are queued: even ones wait for
    odd ones, and those of the next pair come in while this one's leave.  A pair touches the pixel
    before it, its own two, and the one behind, and completes the first two.  So the last pixel of
    a row of even width is completed by the next row's first pair, and the last of all by one more
    pair, of which no pixel is own: its words mean nothing, and may change while it waits.

    *Latency*: a pair leaves two cycles after its second column came in.  *Throughput*: a column per
    cycle.

    Parameters
    ----------
    word_bits : bits of a word.
    max_groups : most words per pixel.

    Members
    -------
    start : pulse that begins an image; the block must be idle.
    groups, width, height : words per pixel, pixels per row, rows; stable during an image.
    busy : whether pairs are still to come.
    i : stream of columns: above, centre, below.
    o : stream of pairs, see :func:`pair_layout`.
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
                "o": Out(stream.Signature(pair_layout(word_bits))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        queues = [StreamFifo(3 * self._word_bits, self._max_groups + 3) for _ in range(2)]
        m.submodules.even, m.submodules.odd = even, odd = queues
        self._sort_columns(m, even, odd)

        active = Signal()
        group = Signal(range(self._max_groups))
        x = Signal.like(self.width)
        y = Signal.like(self.height)
        single = Signal()
        finish = Signal()
        step = Signal()
        left = x == 0
        m.d.comb += [
            self.busy.eq(active),
            single.eq(x == self.width - 1),
            finish.eq(y == self.height),
            self.o.valid.eq(active & (finish | (even.o.valid & (single | odd.o.valid)))),
            step.eq(self.o.valid & self.o.ready),
            even.o.ready.eq(step & ~finish),
            odd.o.ready.eq(step & ~finish & ~single),
            self.o.payload.marks.left.eq(left),
            self.o.payload.marks.before.eq(~left | (~self.width[0] & (y != 0))),
            self.o.payload.marks.own.eq(~finish),
        ]
        for ky in range(3):
            words = [queue.o.payload.word_select(ky, self._word_bits) for queue in queues]
            m.d.comb += [
                self.o.payload.words[2 * ky].eq(words[0]),
                self.o.payload.words[2 * ky + 1].eq(Mux(single, 0, words[1])),
            ]
        with m.If(step):
            m.d.sync += group.eq(group + 1)
            with m.If(group == self.groups - 1):
                m.d.sync += [group.eq(0), x.eq(x + 2)]
                with m.If(single | (x == self.width - 2)):
                    m.d.sync += [x.eq(0), y.eq(y + 1)]
                # An odd row's last pair completes its last pixel.
                with m.If(finish | (single & (y == self.height - 1))):
                    m.d.sync += active.eq(0)
        with m.If(self.start):
            m.d.sync += [active.eq(1), group.eq(0), x.eq(0), y.eq(0)]
        return m

    def _sort_columns(self, m, even, odd):
        """Incoming columns go where their number in the row belongs."""
        group = Signal(range(self._max_groups), name="in_group")
        x = Signal.like(self.width, name="in_x")
        y = Signal.like(self.height, name="in_y")
        active = Signal(name="in_active")
        m.d.comb += [
            even.i.payload.eq(self.i.payload.as_value()),
            odd.i.payload.eq(self.i.payload.as_value()),
            even.i.valid.eq(self.i.valid & active & ~x[0]),
            odd.i.valid.eq(self.i.valid & active & x[0]),
            self.i.ready.eq(active & Mux(x[0], odd.i.ready, even.i.ready)),
        ]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += group.eq(group + 1)
            with m.If(group == self.groups - 1):
                m.d.sync += [group.eq(0), x.eq(x + 1)]
                with m.If(x == self.width - 1):
                    m.d.sync += [x.eq(0), y.eq(y + 1)]
                    with m.If(y == self.height - 1):
                        m.d.sync += active.eq(0)
        with m.If(self.start):
            m.d.sync += [active.eq(1), group.eq(0), x.eq(0), y.eq(0)]
