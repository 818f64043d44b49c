"""External writer: puts a stream of words where a feature map lies in external memory."""

from amaranth.hdl import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..plan.bursts import BurstSpec
from ..plan.packed_words import PackedWords
from .burst_writer import WriteCommand
from .row_length import RowLength
from .stream import StreamFork
from .word_packer import WordPacker

__all__ = ["ExternalTarget", "ExternalWriter"]


class ExternalTarget(data.Struct):
    """Where results go: ``base`` is the byte offset of the first word in its range and
    ``row_stride`` the bytes from row to row, both any multiple of the words' unit;
    ``pixel_stride`` is the words from pixel to pixel and ``words`` how many of them are
    written."""

    base: 32
    row_stride: 32
    pixel_stride: 16
    words: 16


_STATES = "idle", "begin", "measure", "row", "place", "ask"
"""States of the walk over rows and pieces."""


class ExternalWriter(wiring.Component):
    """Words in raster order become commands and beats for a burst writer.

    What is written is what :meth:`PackedRows.write` says: a row whose pixels are written whole is
    one burst command; of a tile of output channels, every pixel is a command of its own.  A row or
    a pixel of which a byte lies outside the range is never written: the writer says so, and takes
    all words from there on to throw them away.

    *Latency*: 8 cycles and ``target.words`` from ``start`` to the first command.  *Throughput*: a
    word per cycle in whole rows, with 2 or 3 cycles between rows; a pixel of a tile takes 1 or 2
    cycles more than its words, 3 at least, and what the burst writer takes for a command at least.

    Parameters
    ----------
    packed : words and bus.
    bursts : the bus and its bursts.
    max_width : most pixels of a row.
    max_words : most words of a pixel that are written.

    Members
    -------
    start : pulse that begins a feature map; the writer must be idle.
    target, width, height : stable from ``start`` on while it is busy.
    origin, limit : first address, a multiple of the bus's bytes, and bytes of the range.
    i : stream of words.
    commands, beats : for the burst writer.
    busy : words are still to come or to be given away, but for those thrown away; what the burst
        writer holds does not count.
    overrun : pulse: a row or a pixel would leave the range.

    Raises
    ------
    ValueError if a row is longer than a command of ``bursts`` can be.
    """

    def __init__(self, packed: PackedWords, bursts: BurstSpec, *, max_width: int, max_words: int):
        self._packed = packed
        most = max_width * max_words
        if most * packed.word_bytes > bursts.max_count * bursts.bus_bytes:
            raise ValueError(
                f"A row can have {most} words of {packed.word_bytes} bytes, but a command has at "
                f"most {bursts.max_count} beats of {bursts.bus_bytes} bytes"
            )
        self._length = RowLength(packed, max_width, max_words)
        self._packer = WordPacker(packed, most)
        super().__init__(
            {
                "start": In(1),
                "target": In(ExternalTarget),
                "width": In(range(max_width + 1)),
                "height": In(16),
                "origin": In(bursts.address_bits),
                "limit": In(32),
                "i": In(stream.Signature(packed.word_bits)),
                "commands": Out(stream.Signature(WriteCommand(bursts))),
                "beats": Out(stream.Signature(packed.bus_bits)),
                "busy": Out(1),
                "overrun": Out(1),
            }
        )
        # The row, and the piece of it; bytes of the range from either on; what is still to come.
        self._row, self._address = Signal.like(self.origin), Signal.like(self.origin)
        self._row_room = Signal(signed(len(self.limit) + 1))
        self._room = Signal.like(self._row_room)
        self._columns, self._rows = Signal.like(self.width), Signal.like(self.height)
        self._step = Signal(range(packed.word_bytes << len(self.target.pixel_stride)))
        self._whole, self._fits = Signal(), Signal()
        # The states in which much is loaded, a bit each.
        self._begins, self._turns, self._asks = Signal(), Signal(), Signal()
        self._state = Signal(data.StructLayout(dict.fromkeys(_STATES, 1)))

    def elaborate(self, platform):
        m = Module()
        m.submodules.packer = packer = self._packer
        wiring.connect(m, packer.o, wiring.flipped(self.beats))
        # What holds the beats up is not known to the source in the same cycle.
        m.submodules.stage = stage = StreamFork(self._packed.word_bits, 1)
        words = stage.o[0]
        begun = Signal()  # what is offered before is not of this feature map
        drop, dropping = Signal(), Signal()
        m.d.comb += [
            stage.enable.eq(1),
            stage.i.valid.eq(self.i.valid & begun),
            stage.i.payload.eq(self.i.payload),
            self.i.ready.eq(stage.i.ready & begun),
            packer.i.valid.eq(words.valid),
            packer.i.payload.eq(words.payload),
            words.ready.eq(packer.i.ready | dropping),
        ]
        walking = self._walk(m, packer.segments)
        m.d.comb += self.busy.eq(
            walking | self.commands.valid | packer.segments.valid | packer.busy
        )
        # Words of the pieces before still go to the packer.
        m.d.sync += dropping.eq(drop & ~packer.segments.valid & packer.segments.ready)
        with m.If(self.start):
            m.d.sync += [begun.eq(1), drop.eq(0), dropping.eq(0)]
        with m.Elif(self.overrun):
            m.d.sync += drop.eq(1)
        return m

    def _walk(self, m, segment):
        """Ask for one piece after the other; returns whether there are more."""
        m.submodules.length = length = self._length
        target, packed, command = self.target, self._packed, self.commands
        lane_bits = (packed.bus_bytes - 1).bit_length()
        unit_bits = (packed.unit_bytes - 1).bit_length()
        row, address, row_room, room = self._row, self._address, self._row_room, self._room
        columns, rows, step = self._columns, self._rows, self._step
        whole, fits, free = self._whole, self._fits, Signal()
        m.d.comb += [
            length.pixels.eq(Mux(whole, self.width, 1)),
            length.groups.eq(target.words),
            command.payload.bytes.eq(length.bytes),
            segment.payload.words.eq(length.words),
            free.eq(~(command.valid | segment.valid)),
        ]
        m.d.sync += [
            whole.eq(target.words == target.pixel_stride),
            step.eq(target.pixel_stride * packed.word_bytes),
        ]
        with m.If(command.ready):
            m.d.sync += command.valid.eq(0)
        with m.If(segment.ready):
            m.d.sync += segment.valid.eq(0)
        begins, turns, asks, turns_next = self._begins, self._turns, self._asks, Signal()
        m.d.comb += length.start.eq(begins)
        m.d.sync += [begins.eq(0), turns.eq(turns_next), asks.eq(0)]
        with m.FSM() as fsm:
            m.d.comb += [self._state[name].eq(fsm.ongoing(name.title())) for name in _STATES]
            with m.State("Idle"):
                m.d.sync += begins.eq(self.start)
                with m.If(self.start):
                    m.next = "Begin"
            with m.State("Begin"):
                m.next = "Measure"
            with m.State("Measure"):
                with m.If(~length.busy):
                    m.d.comb += turns_next.eq(1)
                    m.next = "Row"
            with m.State("Row"):
                m.next = "Place"
            with m.State("Place"):
                with m.If(free):
                    m.d.sync += [
                        asks.eq(1),
                        fits.eq(room >= length.bytes),
                        command.payload.address.eq(address),
                        segment.payload.skip.eq(address[unit_bits:lane_bits]),
                    ]
                    m.next = "Ask"
            with m.State("Ask"):
                m.next = "Place"
                with m.If(columns == 1):
                    m.next = "Row"
                    m.d.comb += turns_next.eq(fits & (rows != 0))
                    with m.If(rows == 0):
                        m.next = "Idle"
                with m.If(fits):
                    m.d.sync += [command.valid.eq(1), segment.valid.eq(1)]
                with m.Else():
                    m.d.comb += self.overrun.eq(1)
                    m.next = "Idle"
        with m.If(begins):
            m.d.sync += [
                row.eq(self.origin + target.base),
                row_room.eq(self.limit - target.base),
                rows.eq(self.height),
            ]
        with m.If(turns):
            m.d.sync += [
                address.eq(row),
                room.eq(row_room),
                row.eq(row + target.row_stride),
                row_room.eq(row_room - target.row_stride),
                columns.eq(Mux(whole, 1, self.width)),
                rows.eq(rows - 1),
            ]
        with m.If(asks):
            m.d.sync += [
                address.eq(address + step),
                room.eq(room - step),
                columns.eq(columns - 1),
            ]
        return ~self._state.idle
