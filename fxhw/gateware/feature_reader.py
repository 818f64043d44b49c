"""Feature reader: streams a layer's input out of the feature memory."""

from amaranth.hdl import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .memory_port import ReadPort, address_bits

__all__ = ["FeatureReader", "SourceConfig"]


class SourceConfig(data.Struct):
    """A feature map to read: its first word, words per row and per pixel, and whether each pixel
    and row is read twice (nearest upsampling by two)."""

    base: 32
    row_stride: 32
    groups: 16
    up: 1


class FeatureReader(wiring.Component):
    """Addresses of up to two source feature maps in the order a convolution takes them.

    For each pixel of the raster, the words of source A, then those of source B: concatenation
    costs nothing.  An upsampled source is read at half the coordinates: neither does upsampling.

    *Latency*: 3 cycles.  *Throughput*: a word per cycle.

    Parameters
    ----------
    word_bits : bits of a word.
    depth : words of the memory.

    Members
    -------
    start : pulse that begins a layer; the reader must be idle.
    a, b : the sources; ``b.groups`` is 0 if there is one.
    width, height : the raster, at the layer's resolution.
    memory : the memory's read side.
    overrun : a word outside the memory was asked for; the stream goes on with what it finds.
    o : stream of words.
    """

    def __init__(self, word_bits: int, depth: int):
        self._depth = depth
        self._address_bits = address_bits(depth)
        super().__init__(
            {
                "start": In(1),
                "a": In(SourceConfig),
                "b": In(SourceConfig),
                "width": In(16),
                "height": In(16),
                "memory": Out(ReadPort(depth, word_bits)),
                "overrun": Out(1),
                "o": Out(stream.Signature(word_bits)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        active = Signal()
        x, y = Signal.like(self.width), Signal.like(self.height)
        second = Signal()
        group = Signal(16)
        row = [Signal(self._address_bits, name=f"row_{s}") for s in "ab"]
        pixel = [Signal(self._address_bits, name=f"pixel_{s}") for s in "ab"]

        # Two stages: the address, then the memory's word.
        pending = Signal()
        address = Signal(self._address_bits)
        advance = Signal()
        m.d.comb += [
            advance.eq(~self.o.valid | self.o.ready),
            self.memory.address.eq(address),
            self.memory.enable.eq(advance & pending),
            self.overrun.eq(pending & (address >= self._depth)),
            self.o.payload.eq(self.memory.data),
        ]
        with m.If(advance):
            m.d.sync += [
                self.o.valid.eq(pending),
                pending.eq(active),
                address.eq(Mux(second, pixel[1], pixel[0]) + group),
            ]
        groups = Mux(second, self.b.groups, self.a.groups)
        with m.If(advance & active):
            m.d.sync += group.eq(group + 1)
            with m.If(group == groups - 1):
                m.d.sync += [group.eq(0), second.eq(~second & (self.b.groups != 0))]
                with m.If(second | (self.b.groups == 0)):
                    self._next_pixel(m, active, x, y, row, pixel)
        with m.If(self.start):
            m.d.sync += [active.eq(1), x.eq(0), y.eq(0), second.eq(0), group.eq(0)]
            for source, base in ((0, self.a.base), (1, self.b.base)):
                m.d.sync += [row[source].eq(base), pixel[source].eq(base)]
        return m

    def _next_pixel(self, m, active, x, y, row, pixel):
        """Move both sources' pointers to the next pixel of the raster."""
        m.d.sync += x.eq(x + 1)
        for pointer, config in zip(pixel, (self.a, self.b)):
            with m.If(~config.up | x[0]):
                m.d.sync += pointer.eq(pointer + config.groups)
        with m.If(x == self.width - 1):
            m.d.sync += [x.eq(0), y.eq(y + 1)]
            for pointer, base, config in zip(pixel, row, (self.a, self.b)):
                with m.If(~config.up | y[0]):
                    m.d.sync += [
                        base.eq(base + config.row_stride),
                        pointer.eq(base + config.row_stride),
                    ]
                with m.Else():
                    m.d.sync += pointer.eq(base)
            with m.If(y == self.height - 1):
                m.d.sync += active.eq(0)
