"""Feature writer: gives a layer's result words their addresses in the feature memory."""

from amaranth.hdl import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .lap_counter import LapCounter
from .memory_port import WriteRequest, address_bits

__all__ = ["FeatureWriter", "WriteArbiter"]


class FeatureWriter(wiring.Component):
    """Addresses for a raster of words: ``words`` to a pixel, ``stride`` from pixel to pixel.

    *Latency*: 1 cycle.  *Throughput*: a word per cycle.

    Parameters
    ----------
    word_bits : bits of a word.
    depth : words of the memory.
    max_width, max_height, max_words : largest raster, and most words per pixel.

    Members
    -------
    start : pulse that begins a layer; words are taken from the cycle after it on.
    base, words, stride, width, height : the raster; stable until done.
    busy : words are still to come or to be taken.
    overrun : a word was taken in the cycle before that lies outside the memory, which ignores it.
    i : stream of words.
    o : stream of writes.
    """

    def __init__(
        self, word_bits: int, depth: int, *, max_width: int, max_height: int, max_words: int
    ):
        self._depth = depth
        self._max_width = max_width
        self._max_height = max_height
        self._max_words = max_words
        super().__init__(
            {
                "start": In(1),
                "base": In(32),
                "words": In(range(max_words + 1)),
                "stride": In(16),
                "width": In(range(max_width + 1)),
                "height": In(range(max_height + 1)),
                "busy": Out(1),
                "overrun": Out(1),
                "i": In(stream.Signature(word_bits)),
                "o": Out(stream.Signature(WriteRequest(depth, word_bits))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.x = x = LapCounter(self._max_width)
        m.submodules.y = y = LapCounter(self._max_height)
        address = Signal(address_bits(self._depth), reset_less=True)
        # Words from a pixel's last one to the next pixel's first one, less one; 0 within a pixel.
        gap = Signal.like(address)
        skipped = Signal.like(address)
        follower = Signal(range(self._max_words + 2), reset_less=True)  # of the word after
        single, last, next_last = Signal(), Signal(), Signal()
        starting, counting, taken = Signal(), Signal(), Signal()
        m.d.sync += [
            starting.eq(self.start),
            gap.eq(self.stride - self.words),
            single.eq(self.words == 1),
        ]
        free = ~self.o.valid | self.o.ready
        m.d.comb += [
            self.busy.eq(starting | counting | self.o.valid),
            self.i.ready.eq(counting & free),
            taken.eq(self.i.valid & self.i.ready),
            next_last.eq(Mux(last, single, follower == self.words)),
            x.start.eq(starting),
            x.count.eq(self.width),
            x.step.eq(taken & last),
            y.start.eq(starting),
            y.count.eq(self.height),
            y.step.eq(taken & last & x.last),
        ]
        m.d.sync += self.overrun.eq(taken & (address >= self._depth))
        with m.If(free):
            m.d.sync += self.o.valid.eq(taken)
        with m.If(taken):
            m.d.sync += [
                self.o.payload.address.eq(address),
                self.o.payload.data.eq(self.i.payload),
                address.eq(_next_sum(address, skipped)),
                skipped.eq(Mux(next_last, gap, 0)),
                last.eq(next_last),
                follower.eq(Mux(last, 2, follower + 1)),
            ]
            with m.If(last & x.last & y.last):
                m.d.sync += counting.eq(0)
        with m.If(starting):
            m.d.sync += [
                counting.eq(1),
                address.eq(self.base),
                skipped.eq(Mux(single, gap, 0)),
                last.eq(single),
                follower.eq(2),
            ]
        return m


def _next_sum(a, b):
    """``a + b + 1`` in one adder: the 1 is its carry."""
    return (Cat(C(1, 1), a) + Cat(C(1, 1), b))[1:]


class WriteArbiter(wiring.Component):
    """One write port for two writers; the first has priority.

    A request that was offered stays offered, whoever else comes: the output keeps to the writer
    it offered last until that one is taken.

    *Latency*: combinational.  *Throughput*: a write per cycle.

    Parameters
    ----------
    payload : shape of a write.

    Members
    -------
    i : two streams of writes.
    o : stream of writes.
    """

    def __init__(self, payload):
        super().__init__(
            {
                "i": In(stream.Signature(payload)).array(2),
                "o": Out(stream.Signature(payload)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        waiting = Signal()
        kept = Signal()
        choice = Signal()
        m.d.comb += choice.eq(Mux(waiting, kept, ~self.i[0].valid))
        with m.If(choice):
            wiring.connect(m, wiring.flipped(self.i[1]), wiring.flipped(self.o))
        with m.Else():
            wiring.connect(m, wiring.flipped(self.i[0]), wiring.flipped(self.o))
        m.d.sync += [waiting.eq(self.o.valid & ~self.o.ready), kept.eq(choice)]
        return m
