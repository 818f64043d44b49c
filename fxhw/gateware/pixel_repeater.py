"""Pixel repeater: the columns of nearest upsampling by two."""

from amaranth.hdl import *
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["PixelRepeater"]


class PixelRepeater(wiring.Component):
    """Gives every pixel of a row twice, all its words before they come again; or lets rows pass.

    A row of odd width ends with the first of the two; a row that starts at an odd column starts
    with the second one.

    *Latency*: none.  *Throughput*: a word per cycle.

    Parameters
    ----------
    word_bits : bits of a word.
    max_groups : most words per pixel.

    Members
    -------
    start : pulse that begins a feature map; nothing may be on its way.
    up, odd : whether pixels come twice; whether rows start at an odd column.
    groups, width : words per pixel, and pixels per row as they leave; 1 or more.
    i : stream of words.
    o : stream of words.
    last : the word at ``o`` is its pixel's last.
    """

    def __init__(self, word_bits: int, max_groups: int):
        self._word_bits = word_bits
        self._max_groups = max_groups
        super().__init__(
            {
                "start": In(1),
                "up": In(1),
                "odd": In(1),
                "groups": In(16),
                "width": In(16),
                "i": In(stream.Signature(word_bits)),
                "o": Out(stream.Signature(word_bits)),
                "last": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.pixel = pixel = memory.Memory(
            shape=self._word_bits, depth=self._max_groups, init=[]
        )
        store, recall = pixel.write_port(), pixel.read_port(domain="comb")
        group = Signal(range(self._max_groups))
        # Counted down, so that the last is a flag and no comparison.
        groups_left, columns_left = Signal(16), Signal(16)
        again = Signal()
        given = Signal()
        m.d.comb += [
            given.eq(self.o.valid & self.o.ready),
            self.o.valid.eq(again | self.i.valid),
            self.o.payload.eq(Mux(again, recall.data, self.i.payload)),
            self.i.ready.eq(~again & self.o.ready),
            store.en.eq(given & ~again),
            store.addr.eq(group),
            store.data.eq(self.i.payload),
            recall.addr.eq(group),
            self.last.eq(groups_left == 0),
        ]
        with m.If(given):
            m.d.sync += [group.eq(group + 1), groups_left.eq(groups_left - 1)]
            with m.If(self.last):
                m.d.sync += [group.eq(0), groups_left.eq(self.groups - 1)]
                m.d.sync += columns_left.eq(columns_left - 1)
                # The first pixel of a row is always a new one.
                parity = Signal()
                m.d.comb += parity.eq(columns_left[0] ^ self.width[0] ^ self.odd)
                m.d.sync += again.eq(self.up & parity)
                with m.If(columns_left == 0):
                    m.d.sync += [columns_left.eq(self.width - 1), again.eq(0)]
        with m.If(self.start):
            m.d.sync += [
                group.eq(0),
                again.eq(0),
                groups_left.eq(self.groups - 1),
                columns_left.eq(self.width - 1),
            ]
        return m
