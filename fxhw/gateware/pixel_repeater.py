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
        # Counted down to less than 0, so that the last is a bit and no comparison.
        groups_left, columns_left = Signal(signed(17)), Signal(signed(17))
        # Whether the word comes again, and whether the next pixel's words do.
        again, repeats = Signal(), Signal()
        fresh = Signal(init=1)  # not `again`: that one has many loads
        last_column = columns_left[-1]
        given = Signal()
        m.d.comb += [
            given.eq(self.o.valid & self.o.ready),
            self.o.valid.eq(again | self.i.valid),
            self.o.payload.eq(Mux(again, recall.data, self.i.payload)),
            self.i.ready.eq(fresh & self.o.ready),
            store.en.eq(given & fresh),
            store.addr.eq(group),
            store.data.eq(self.i.payload),
            recall.addr.eq(group),
            self.last.eq(groups_left[-1]),
        ]
        with m.If(self.start | given):
            m.d.sync += [
                group.eq(Mux(self.start | self.last, 0, group + 1)),
                groups_left.eq(
                    Mux(self.start | self.last, self.groups - 2, groups_left - 1)
                ),
            ]
        with m.If(self.start | (given & self.last)):
            begins = self.start | last_column
            # The first pixel of a row is always a new one.
            m.d.sync += [
                again.eq(repeats & ~begins),
                fresh.eq(~repeats | begins),
                repeats.eq(Mux(begins, self.up & ~self.odd, self.up & ~repeats)),
                columns_left.eq(Mux(begins, self.width - 2, columns_left - 1)),
            ]
        return m
