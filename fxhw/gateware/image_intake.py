"""Image intake: checks the length of the image stream against the program."""

from amaranth.hdl import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["ImageBeat", "ImageIntake"]


class ImageBeat(data.Struct):
    """A byte of the image stream and whether it is the last."""

    data: 8
    last: 1


class ImageIntake(wiring.Component):
    """Passes one image of ``width * height * channels`` bytes and compares its end with TLAST.

    *Latency*: combinational.  *Throughput*: a byte per cycle.

    Parameters
    ----------
    code_bits : bits of an image code, the low ones of each byte.

    Members
    -------
    start : pulse that begins an image.
    channels, width, height : its size; stable during an image.
    drop : pulse that abandons an image: the rest of it is swallowed up to its TLAST.
    cancel : pulse that abandons an image of which nothing more will come.
    short, long : pulses: TLAST came too early, or did not come with the last byte.
    starved : an image byte was wanted and there was none.
    i : stream of bytes.
    o : stream of codes.
    """

    def __init__(self, code_bits: int):
        self._code_bits = code_bits
        super().__init__(
            {
                "start": In(1),
                "channels": In(16),
                "width": In(16),
                "height": In(16),
                "drop": In(1),
                "cancel": In(1),
                "short": Out(1),
                "long": Out(1),
                "starved": Out(1),
                "i": In(stream.Signature(ImageBeat)),
                "o": Out(stream.Signature(self._code_bits)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        active, dropping, inside = Signal(), Signal(), Signal()
        # An image may be started while the rest of an abandoned one is still to come.
        passing = Signal()
        channel = Signal.like(self.channels)
        x, y = Signal.like(self.width), Signal.like(self.height)
        end_channel, end_row, end_image = Signal(), Signal(), Signal()
        taken = self.i.valid & self.i.ready
        m.d.comb += [
            end_channel.eq(channel == self.channels - 1),
            end_row.eq(end_channel & (x == self.width - 1)),
            end_image.eq(end_row & (y == self.height - 1)),
            passing.eq(active & ~dropping),
            self.o.valid.eq(self.i.valid & passing),
            self.o.payload.eq(self.i.payload.data[: self._code_bits]),
            self.i.ready.eq(dropping | (active & self.o.ready)),
            self.starved.eq(active & self.o.ready & ~self.o.valid),
            self.short.eq(passing & taken & self.i.payload.last & ~end_image),
            self.long.eq(passing & taken & ~self.i.payload.last & end_image),
        ]
        with m.If(taken):
            m.d.sync += inside.eq(~self.i.payload.last)
        with m.If(taken & passing):
            m.d.sync += channel.eq(channel + 1)
            with m.If(end_channel):
                m.d.sync += [channel.eq(0), x.eq(x + 1)]
            with m.If(end_row):
                m.d.sync += [x.eq(0), y.eq(y + 1)]
            with m.If(end_image | self.i.payload.last):
                m.d.sync += active.eq(0)
        with m.If(dropping & taken & self.i.payload.last):
            m.d.sync += dropping.eq(0)
        with m.If(self.start):
            m.d.sync += [active.eq(1), channel.eq(0), x.eq(0), y.eq(0)]
        with m.If(self.drop):
            # The byte taken in this very cycle may be the one that ends the image.
            rest = Mux(taken, ~self.i.payload.last, inside)
            m.d.sync += [active.eq(0), dropping.eq(rest)]
        with m.If(self.cancel):
            m.d.sync += [active.eq(0), dropping.eq(0), inside.eq(0)]
        return m
