"""Line buffer: a raster of words becomes a raster of three-row columns."""

from amaranth.hdl import *
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["LineBuffer"]


class LineBuffer(wiring.Component):
    """Two rows of memory that turn a raster into columns of three rows, zero above and below.

    Words arrive row by row, ``row_words`` to a row.  For every word position of every row the
    buffer gives the column (above, centre, below) around it, in the same order, zero where the
    image ends.  The row memories form a chain: a new word pushes the centre row's word of that
    position into the upper row's memory, so each is read and written once per word.

    *Latency*: a column leaves one row and one cycle after its centre word came in.
    *Throughput*: a word per cycle; every other cycle if a row is a single word, whose memory
    address would otherwise be read while it is being written.

    Parameters
    ----------
    word_bits : bits of a word.
    max_row_words : depth of the row memories.

    Members
    -------
    start : pulse that begins an image; the buffer must be idle.
    row_words, height : words per row and rows, 1 or more, stable during an image.
    i : stream of words.
    o : stream of columns: above, centre, below.
    """

    def __init__(self, word_bits: int, max_row_words: int):
        self._word_bits = word_bits
        self._depth = max_row_words
        super().__init__(
            {
                "start": In(1),
                "row_words": In(range(max_row_words + 1)),
                "height": In(16),
                "i": In(stream.Signature(word_bits)),
                "o": Out(stream.Signature(data.ArrayLayout(word_bits, 3))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.centre = centre = memory.Memory(
            shape=self._word_bits, depth=self._depth, init=[]
        )
        m.submodules.above = above = memory.Memory(
            shape=self._word_bits, depth=self._depth, init=[]
        )
        reads = [mem.read_port() for mem in (above, centre)]
        writes = [mem.write_port() for mem in (above, centre)]

        active = Signal()
        row = Signal.like(self.height)
        position = Signal(range(self._depth))
        # The word between memory read and output.
        held = Signal()
        held_word = Signal(self._word_bits)
        held_position = Signal.like(position)
        held_row = Signal.like(row)

        emit = held_row != 0
        advance = Signal()
        room = Signal()
        step = Signal()
        flush = Signal()
        m.d.comb += [
            self.o.valid.eq(held & emit),
            advance.eq(~held | ~emit | self.o.ready),
            room.eq(active & advance & ~(held & (self.row_words == 1))),
            flush.eq(row == self.height),
            self.i.ready.eq(room & ~flush),
            step.eq(room & (flush | self.i.valid)),
            self.o.payload[0].eq(Mux(held_row == 1, 0, reads[0].data)),
            self.o.payload[1].eq(reads[1].data),
            self.o.payload[2].eq(Mux(held_row == self.height, 0, held_word)),
            writes[0].data.eq(reads[1].data),
            writes[1].data.eq(held_word),
        ]
        for port in reads:
            m.d.comb += [port.addr.eq(position), port.en.eq(step)]
        for port in writes:
            m.d.comb += [port.addr.eq(held_position), port.en.eq(held & advance)]

        with m.If(advance):
            m.d.sync += held.eq(step)
        with m.If(step):
            m.d.sync += [
                held_word.eq(self.i.payload),
                held_position.eq(position),
                held_row.eq(row),
                position.eq(position + 1),
            ]
            with m.If(position == self.row_words - 1):
                m.d.sync += [position.eq(0), row.eq(row + 1)]
                with m.If(flush):
                    m.d.sync += active.eq(0)
        with m.If(self.start):
            m.d.sync += [active.eq(1), row.eq(0), position.eq(0)]
        return m
