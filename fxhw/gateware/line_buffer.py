"""Line buffer: a raster of words becomes a raster of three-row columns."""

from amaranth.hdl import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .credits import Credits
from .delay import delay
from .lap_counter import LapCounter
from .registered_memory import RegisteredMemory
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
    image ends.  The row memories take rows in turn, so both are read once per word, and the one
    with the upper row then written.

    A word waits beside those that come out of the memories, which are slow: nothing else is done in
    that cycle.  The columns go into a queue, and words are taken only while it has room (credits),
    so that nothing on the way there stalls and ``i.ready`` follows from registers.

    *Latency*: a column leaves one row and five cycles after its centre word came in.
    *Throughput*: a word per cycle; every other cycle if a row is a single word, whose memory
    address would otherwise be read while it is being written.

    Parameters
    ----------
    word_bits : bits of a word.
    max_row_words : depth of the row memories.
    target : family of the cells, as of :class:`.registered_memory.RegisteredMemory`.

    Members
    -------
    start : pulse that begins an image; the buffer must be idle.
    row_words, height : words per row and rows, 1 or more, stable during an image and in the cycle
        before.
    i : stream of words.
    o : stream of columns, see :func:`column_layout`.
    """

    def __init__(self, word_bits: int, max_row_words: int, target: str = "generic"):
        self._word_bits = word_bits
        self._depth = max_row_words
        self._target = target
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
        single = Signal()
        m.d.sync += [
            single.eq(self.row_words == 1),
            free.eq(credits.room_next & ~(single & (step | self.start))),
        ]
        m.d.comb += [
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
        # The memories may lie far away, and there is a choice between them: a register more.
        column = Signal.like(queue.i.payload)
        self._connect_column(m, position.value, step, row_ends, marks, column)
        m.d.comb += [
            queue.i.payload.eq(delay(m, column, 1, "column", reset_less=True)),
            queue.i.valid.eq(delay(m, step & ~first, 3, "emitted")),
        ]
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

    def _connect_column(self, m, position, step, row_ends, marks, column):
        """The memories, what comes out of them beside the word taken, and the column of those."""
        word = delay(m, self.i.payload, 1, "word")
        written = delay(m, position, 1, "written")
        # Which memory has the row above, and takes the row at hand in its place.
        turn = Signal()
        m.d.sync += turn.eq(turn ^ row_ends)
        rows = []
        for number in range(2):
            # A word is read before the next one at its position is written, or once more.
            mem = RegisteredMemory(self._depth, self._word_bits, "words", self._target)
            m.submodules[f"row_{number}"] = mem
            writing = Signal(name=f"writing_{number}")
            m.d.sync += writing.eq(step & (turn == number))
            m.d.comb += [
                mem.enable.eq(1),
                mem.address.eq(position),
                mem.write_address.eq(written),
                mem.write_enable.eq(writing),
                mem.data.eq(word),
            ]
            rows.append(mem.word)
        below = Signal.like(word, reset_less=True)
        below_is_border = delay(m, marks["below_is_border"], 1, "below_is_border")
        # A register that is cleared takes no logic.
        m.d.sync += below.eq(Mux(below_is_border, 0, word))
        held = {name: delay(m, mark, 2, name) for name, mark in marks.items()}
        swapped = delay(m, turn, 2, "swapped")
        above = Mux(swapped, rows[1], rows[0])
        m.d.comb += [
            column.words[0].eq(Mux(held["above_is_border"], 0, above)),
            column.words[1].eq(Mux(swapped, rows[0], rows[1])),
            column.words[2].eq(below),
            column.ends_row.eq(held["ends_row"]),
            column.ends_image.eq(held["ends_image"]),
        ]
