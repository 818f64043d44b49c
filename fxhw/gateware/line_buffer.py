"""Line buffer: a raster of words becomes a raster of three-row columns."""

from amaranth.hdl import *
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from .collisions import NEVER
from .lap_counter import LapCounter

__all__ = ["LineBuffer", "column_layout"]


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

    A word passes two stages, in which it lies beside the memories' words and beside the registers
    that these go to: block RAM is slow, so nothing else happens between them.

    *Latency*: a column leaves one row and two cycles after its centre word came in.
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
        m.submodules.rows = rows = LapCounter((1 << 16) - 1)
        # Rows come in, then the row below the image is made up.
        taking, flushing = Signal(), Signal()
        first, second = Signal(), Signal()
        step, advance, free = Signal(), Signal(), Signal()
        held = self._held = Signal()
        single = Signal()
        m.d.sync += single.eq(self.row_words == 1)
        m.d.comb += [
            free.eq(advance & ~(held & single)),
            self.i.ready.eq(taking & free),
            step.eq(free & (flushing | (taking & self.i.valid))),
            position.start.eq(self.start),
            position.count.eq(self.row_words),
            position.step.eq(step),
            rows.start.eq(self.start),
            rows.count.eq(self.height),
            rows.step.eq(step & position.last),
        ]
        with m.If(step & position.last):
            m.d.sync += [first.eq(0), second.eq(first)]
            with m.If(flushing):
                m.d.sync += flushing.eq(0)
            with m.Elif(rows.last):
                m.d.sync += [taking.eq(0), flushing.eq(1)]
        with m.If(self.start):
            m.d.sync += [taking.eq(1), first.eq(1), second.eq(0)]
        with m.If(advance):
            m.d.sync += held.eq(step)
        marks = {
            "emitted": step & ~first,
            "top": second,
            "bottom": flushing,
            "ends_row": position.last,
            "ends_image": flushing & position.last,
        }
        self._connect_column(m, advance, position.value, self._hold(m, advance, marks))
        return m

    @staticmethod
    def _hold(m, advance, values):
        """``values`` by name, in the stage of the word held."""
        held = {name: Signal(name=f"held_{name}") for name in values}
        with m.If(advance):
            m.d.sync += [held[name].eq(value) for name, value in values.items()]
        return held

    def _connect_column(self, m, advance, position, held):
        """The memories, the word held beside theirs, and the column offered."""
        memories = [
            # A word is read before the next one at its position is written, or once more.
            memory.Memory(shape=self._word_bits, depth=self._depth, init=[], attrs=NEVER)
            for _ in range(2)
        ]
        m.submodules.above, m.submodules.centre = memories
        reads = [mem.read_port() for mem in memories]
        writes = [mem.write_port() for mem in memories]
        word = Signal(self._word_bits, name="held_word", reset_less=True)
        held_position = Signal.like(position, reset_less=True)
        for port in reads:
            m.d.comb += [port.addr.eq(position), port.en.eq(advance)]
        for port, value in zip(writes, (reads[1].data, word)):
            m.d.comb += [
                port.addr.eq(held_position),
                port.en.eq(self._held & advance),
                port.data.eq(value),
            ]
        with m.If(advance):
            m.d.sync += [word.eq(self.i.payload), held_position.eq(position)]

        moves = Signal()
        m.d.comb += [
            moves.eq(~self.o.valid | self.o.ready),
            advance.eq(~held["emitted"] | moves),
        ]
        with m.If(moves):
            m.d.sync += self.o.valid.eq(held["emitted"])
        words = [Signal(self._word_bits, name=name, reset_less=True)
                 for name in ("column_above", "column_centre", "column_below")]  # fmt: skip
        sources = (reads[0].data, reads[1].data, word)
        for column, source, border in zip(words, sources, (held["top"], 0, held["bottom"])):
            with m.If(moves & border):
                m.d.sync += column.eq(0)
            with m.Elif(moves):
                m.d.sync += column.eq(source)
        m.d.comb += self.o.payload.words.as_value().eq(Cat(words))
        for name in ("ends_row", "ends_image"):
            mark = Signal(name=f"column_{name}", reset_less=True)
            with m.If(moves):
                m.d.sync += mark.eq(held[name])
            m.d.comb += self.o.payload[name].eq(mark)
