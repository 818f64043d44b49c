"""Feature writer: gives a layer's result words their addresses in the feature memory."""

from amaranth.hdl import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .memory_port import WriteRequest, address_bits

__all__ = ["FeatureWriter", "WriteArbiter"]


class FeatureWriter(wiring.Component):
    """Addresses for a raster of words: ``words`` to a pixel, ``stride`` from pixel to pixel.

    *Latency*: combinational.  *Throughput*: a word per cycle.

    Parameters
    ----------
    word_bits : bits of a word.
    depth : words of the memory.

    Members
    -------
    start : pulse that begins a layer.
    base, words, stride, width, height : the raster; stable until done.
    busy : words are still to come.
    overrun : a word lies outside the memory; it is dropped.
    i : stream of words.
    o : stream of writes.
    """

    def __init__(self, word_bits: int, depth: int):
        self._depth = depth
        self._address_bits = address_bits(depth)
        super().__init__(
            {
                "start": In(1),
                "base": In(32),
                "words": In(16),
                "stride": In(16),
                "width": In(16),
                "height": In(16),
                "busy": Out(1),
                "overrun": Out(1),
                "i": In(stream.Signature(word_bits)),
                "o": Out(stream.Signature(WriteRequest(depth, word_bits))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        x, y = Signal.like(self.width), Signal.like(self.height)
        word = Signal(16)
        pixel = Signal(self._address_bits)
        address = Signal(self._address_bits)
        inside = address < self._depth
        taken = self.i.valid & self.i.ready
        m.d.comb += [
            self.o.valid.eq(self.busy & self.i.valid & inside),
            self.o.payload.address.eq(address),
            self.o.payload.data.eq(self.i.payload),
            self.i.ready.eq(self.busy & (self.o.ready | ~inside)),
            self.overrun.eq(self.busy & self.i.valid & ~inside),
        ]
        with m.If(taken):
            m.d.sync += [word.eq(word + 1), address.eq(address + 1)]
            with m.If(word == self.words - 1):
                m.d.sync += [
                    word.eq(0),
                    pixel.eq(pixel + self.stride),
                    address.eq(pixel + self.stride),
                    x.eq(x + 1),
                ]
                with m.If(x == self.width - 1):
                    m.d.sync += [x.eq(0), y.eq(y + 1)]
                    with m.If(y == self.height - 1):
                        m.d.sync += self.busy.eq(0)
        with m.If(self.start):
            m.d.sync += [
                self.busy.eq(1),
                x.eq(0),
                y.eq(0),
                word.eq(0),
                pixel.eq(self.base),
                address.eq(self.base),
            ]
        return m


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
