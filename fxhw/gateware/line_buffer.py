"""Line buffer: a raster of words becomes a raster of three-row columns."""

from amaranth.hdl import *
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from .credits import Credits
from .lap_counter import LapCounter
from .memory_marks import NEVER
from .stream import StreamFifo

__all__ = ["LineBuffer", "column_layout"]

_QUEUE = 16
"""Columns the queue holds: what LUT RAM is deep at least, and enough for the credits."""


def column_layout(word_bits: int) -> data.StructLayout:
    """Three words, above, centre and below, and whether the column ends a row, and the image."""
    return data.StructLayout(
        {"words": data.ArrayLayout(word_bits, 3), "ends_row": 1, "ends_image": 1}
    )


class LineBuffer(wiring.Component):
    """Two rows of memory that turn a raster into columns of three rows, zero above and below.

    Words arrive row by row, ``row_words`` to a row.  For every word position of every row the
    buffer gives the column (above, centre, below) around it, in the same order, zero where the
    image ends.  The row memories form a chain: a new word pushes the centre row's word of that
    position into the upper row's memory, so each is read and written once per word.

    A word waits beside those that come out of the memories, which are slow: nothing else is done in
    that cycle.  The columns go into a queue, and words are taken only while it has room (credits),
    so that nothing on the way there stalls and ``i.ready`` follows from registers.

    *Latency*: a column leaves one row and four cycles after its centre word came in.
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
    o : stream of columns, see :func:`column_layout`.
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
                "o": Out(stream.Signature(column_layout(word_bits))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.position = position = LapCounter(self._depth)
        m.submodules.credits = credits = Credits(_QUEUE)
        m.submodules.queue = queue = StreamFifo(
            column_layout(self._word_bits), _QUEUE, always_ready=True
        )
        # Rows come in, then the row below the image is made up.
        taking, flushing = Signal(), Signal()
        first, second, last_row = Signal(), Signal(), Signal()
        free, step, row_ends = Signal(), Signal(), Signal()
        # Only a row of one word has its word read while it may still have to be written.
        single, writing, begins = Signal(), Signal(), Signal()
        m.d.sync += [
            single.eq(self.row_words == 1),
            writing.eq(step),
            begins.eq(self.start),
        ]
        m.d.comb += [
            free.eq(credits.room & ~(single & (writing | begins))),
            self.i.ready.eq(taking & free),
            step.eq(free & (flushing | (taking & self.i.valid))),
            row_ends.eq(step & position.last),
            position.start.eq(self.start),
            position.count.eq(self.row_words),
            position.step.eq(step),
            credits.sent.eq(step & ~first),
            credits.returned.eq(self.o.valid & self.o.ready),
        ]
        self._count_rows(m, row_ends, last_row)
        with m.If(row_ends):
            m.d.sync += [
                first.eq(0),
                second.eq(first),
                taking.eq(taking & ~last_row),
                flushing.eq(taking & last_row),
            ]
        with m.If(self.start):
            m.d.sync += [taking.eq(1), first.eq(1), second.eq(0)]
        marks = {
            "above_is_border": second,
            "below_is_border": flushing,
            "ends_row": position.last,
            "ends_image": flushing & position.last,
        }
        self._connect_column(m, position.value, writing, marks, queue.i.payload)
        m.d.comb += queue.i.valid.eq(_later(m, step & ~first, 2, "emitted"))
        wiring.connect(m, queue.o, wiring.flipped(self.o))
        return m

    def _count_rows(self, m, row_ends, last_row):
        """Rows end every other cycle at most, so a cycle may pass before their number is known."""
        row = Signal.like(self.height, reset_less=True)
        with m.If(self.start):
            m.d.sync += row.eq(1)
        with m.Elif(row_ends):
            m.d.sync += row.eq(row + 1)
        m.d.sync += last_row.eq(row == self.height)

    def _connect_column(self, m, position, writing, marks, column):
        """The memories, what comes out of them beside the word taken, and the column of those."""
        memories = [
            # A word is read before the next one at its position is written, or once more.
            memory.Memory(shape=self._word_bits, depth=self._depth, init=[], attrs=NEVER)
            for _ in range(2)
        ]
        m.submodules.above, m.submodules.centre = memories
        reads = [mem.read_port() for mem in memories]
        writes = [mem.write_port() for mem in memories]
        word = _later(m, self.i.payload, 1, "word")
        written = _later(m, position, 1, "written")
        for read, write, value in zip(reads, writes, (reads[1].data, word)):
            m.d.comb += [
                read.addr.eq(position),
                write.addr.eq(written),
                write.en.eq(writing),
                write.data.eq(value),
            ]
        held = {name: _later(m, mark, 1, name) for name, mark in marks.items()}
        sources = (reads[0].data, reads[1].data, word)
        borders = (held["above_is_border"], 0, held["below_is_border"])
        for row, (source, border) in enumerate(zip(sources, borders)):
            # A register that is cleared takes no logic.
            part = Signal(self._word_bits, name=f"row_{row}", reset_less=True)
            with m.If(border):
                m.d.sync += part.eq(0)
            with m.Else():
                m.d.sync += part.eq(source)
            m.d.comb += column.words[row].eq(part)
        for name in ("ends_row", "ends_image"):
            m.d.comb += column[name].eq(_later(m, held[name], 1, f"held_{name}"))


def _later(m, value, cycles, name):
    """``value`` some cycles later."""
    for cycle in range(cycles):
        later = Signal(value.shape(), name=f"{name}_{cycle}")
        m.d.sync += later.eq(value)
        value = later
    return value
