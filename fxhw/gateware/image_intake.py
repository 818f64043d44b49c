"""Image intake: checks the length of the image stream against the program."""

from amaranth.hdl import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .lap_counter import LapCounter

__all__ = ["ImageBeat", "ImageIntake"]


class ImageBeat(data.Struct):
    """A byte of the image stream and whether it is the last."""

    data: 8
    last: 1


class ImageIntake(wiring.Component):
    """Passes one image of ``height`` rows of ``row`` bytes and compares its end with TLAST.

    *Latency*: combinational.  *Throughput*: a byte per cycle.

    Parameters
    ----------
    code_bits : bits of an image code, the low ones of each byte.
    row_bits, height_bits : bits of the largest row and height.

    Members
    -------
    start : pulse that begins an image.
    row, height : bytes of a row, and rows; stable during an image and in the cycle before.
    drop : pulse that abandons an image: the rest of it is swallowed up to its TLAST.
    cancel : pulse that abandons an image of which nothing more will come.
    short, long : pulses: TLAST came too early, or did not come with the last byte.
    starved : an image byte was wanted and there was none.
    i : stream of bytes.
    o : stream of codes.
    """

    def __init__(self, code_bits: int, row_bits: int = 16, height_bits: int = 16):
        self._code_bits = code_bits
        super().__init__(
            {
                "start": In(1),
                "row": In(row_bits),
                "height": In(height_bits),
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
        end_image = Signal()
        taken = self.i.valid & self.i.ready
        m.d.comb += [
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
            with m.If(end_image | self.i.payload.last):
                m.d.sync += active.eq(0)
        with m.If(dropping & taken & self.i.payload.last):
            m.d.sync += dropping.eq(0)
        with m.If(self.start):
            m.d.sync += active.eq(1)
        with m.If(self.drop):
            # The byte taken in this very cycle may be the one that ends the image.
            rest = Mux(taken, ~self.i.payload.last, inside)
            m.d.sync += [active.eq(0), dropping.eq(rest)]
        with m.If(self.cancel):
            m.d.sync += [active.eq(0), dropping.eq(0), inside.eq(0)]
        self._count(m, taken & passing, end_image)
        return m

    def _count(self, m, step, end_image):
        """Count bytes and rows."""
        m.submodules.byte = byte = LapCounter((1 << len(self.row)) - 1)
        m.submodules.line = line = LapCounter((1 << len(self.height)) - 1)
        m.d.comb += [
            byte.count.eq(self.row),
            byte.start.eq(self.start),
            byte.step.eq(step),
            line.count.eq(self.height),
            line.start.eq(self.start),
            line.step.eq(step & byte.last),
            end_image.eq(byte.last & line.last),
        ]
