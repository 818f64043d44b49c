"""2x2 max-pooling of a raster stream."""

from amaranth.hdl import *
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["MaxPool"]


class MaxPool(wiring.Component):
    """2x2 maximum with stride 2, ceil mode: an odd last row or column pools what exists.

    A word holds ``lanes`` codes, unsigned or in two's complement.  Words arrive by row ``y``, then
    column ``x``, then group ``g``, the group fastest, and leave in the same order.  Word
    ``(y, x, g)`` meets the partial maximum of window ``(y // 2, x // 2, g)`` in the row memory; the
    window's last word is put out, one for every ``ceil(height / 2) * ceil(width / 2) * groups``.

    ``width``, ``height`` and ``groups`` are held from ``start`` to the last word, with
    ``ceil(width / 2) * groups <= max_row_words``.  ``start`` comes while no word is offered.  A
    following map of the same size needs no ``start``.

    Latency: 2 cycles from a window's last word to its maximum.
    Throughput: 1 input word per cycle, without gaps.

    Two stages.  The first counts the position and reads the row memory; the second takes the
    maximum, writes it back and hands it to the output register.  A word that directly follows
    another one of its window (``groups`` 1, or a map one word wide) reads too early to see that
    one's write, and finds the partial maximum in the output register instead.

    Parameters
    ----------
    code_bits : bits of a code, at least 1.
    lanes : codes per word, at least 1.
    max_row_words : depth of the row memory, at least 1.
    max_size : largest ``width`` and ``height``.
    signed : whether codes are in two's complement.

    Members
    -------
    i : :py:`In(stream.Signature(ArrayLayout(code_bits, lanes)))`
    o : :py:`Out(stream.Signature(ArrayLayout(code_bits, lanes)))`
    start : :py:`In(1)`
        The next word is the first of a map.
    width, height : :py:`In(range(max_size + 1))`
        Pixels of the unpooled map, at least 1.
    groups : :py:`In(range(max_row_words + 1))`
        Words per pixel, at least 1.
    """

    def __init__(self, code_bits, lanes, max_row_words, *, max_size=4096, signed=False):
        for name, value in (
            ("code width", code_bits),
            ("lanes", lanes),
            ("row words", max_row_words),
            ("size", max_size),
        ):
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"Max-pool {name} must be a positive integer, not {value!r}")
        self._code_bits = code_bits
        self._lanes = lanes
        self._max_row_words = max_row_words
        self._max_size = max_size
        self._signed = signed

        word = data.ArrayLayout(unsigned(code_bits), lanes)
        super().__init__({
            "i": In(stream.Signature(word)),
            "o": Out(stream.Signature(word)),
            "start": In(1),
            "width": In(range(max_size + 1)),
            "height": In(range(max_size + 1)),
            "groups": In(range(max_row_words + 1)),
        })

    @property
    def code_bits(self):
        """Bits of a code."""
        return self._code_bits

    @property
    def lanes(self):
        """Codes per word."""
        return self._lanes

    @property
    def max_row_words(self):
        """Depth of the row memory."""
        return self._max_row_words

    @property
    def max_size(self):
        """Largest width and height."""
        return self._max_size

    @property
    def signed(self):
        """Whether codes are in two's complement."""
        return self._signed

    def elaborate(self, platform):
        m = Module()

        word_shape = self.i.payload.shape()
        m.submodules.row = row = memory.Memory(
            shape=word_shape, depth=self._max_row_words, init=[]
        )
        read, write = row.read_port(), row.write_port()

        # First stage: where the offered word lies in the map and in the row memory.
        addr, first, last = self._position(m, self.i.valid & self.i.ready)

        # Second stage.
        valid = Signal()  # the registers below hold a word
        word = Signal(word_shape)
        word_addr = Signal.like(read.addr)
        word_first, word_last = Signal(), Signal()
        follows = Signal()  # directly after another word of its window

        moves = Signal()  # the second stage's word, if any, goes on
        m.d.comb += [
            moves.eq(~self.o.valid | self.o.ready),
            self.i.ready.eq(~valid | moves),
            read.addr.eq(addr),
            read.en.eq(self.i.valid & self.i.ready),
        ]
        with m.If(self.i.ready):
            m.d.sync += [
                valid.eq(self.i.valid),
                word.eq(self.i.payload),
                word_addr.eq(addr),
                word_first.eq(first),
                word_last.eq(last),
                follows.eq(valid & (word_addr == addr)),
            ]

        m.d.comb += [
            write.addr.eq(word_addr),
            write.en.eq(valid & moves),
        ]
        for n in range(self._lanes):
            partial = Mux(follows, self.o.payload[n], read.data[n])
            m.d.comb += write.data[n].eq(
                Mux(word_first | self._exceeds(word[n], partial), word[n], partial)
            )

        with m.If(moves):
            m.d.sync += self.o.valid.eq(valid & word_last)
            with m.If(valid):
                m.d.sync += self.o.payload.eq(write.data)

        return m

    def _exceeds(self, code, other):
        if self._signed:
            return code.as_signed() > other.as_signed()
        return code > other

    def _position(self, m, accept):
        """Row memory address of the offered word; whether it is its window's first, last one."""
        group = Signal.like(self.groups)
        x = Signal.like(self.width)
        y = Signal.like(self.height)
        addr = Signal(range(self._max_row_words))
        pixel_addr = Signal.like(addr)  # of the pixel's group 0

        last_group = group + 1 == self.groups
        last_x = x + 1 == self.width
        last_y = y + 1 == self.height

        with m.If(accept):
            m.d.sync += [group.eq(group + 1), addr.eq(addr + 1)]
            with m.If(last_group):
                m.d.sync += [group.eq(0), x.eq(x + 1)]
                with m.If(last_x):
                    m.d.sync += [x.eq(0), y.eq(Mux(last_y, 0, y + 1))]
                    m.d.sync += [addr.eq(0), pixel_addr.eq(0)]
                with m.Elif(x[0]):
                    m.d.sync += pixel_addr.eq(addr + 1)
                with m.Else():
                    m.d.sync += addr.eq(pixel_addr)
        with m.If(self.start):
            m.d.sync += [group.eq(0), x.eq(0), y.eq(0), addr.eq(0), pixel_addr.eq(0)]

        return addr, ~x[0] & ~y[0], (x[0] | last_x) & (y[0] | last_y)
