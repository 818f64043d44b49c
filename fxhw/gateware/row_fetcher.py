"""Row fetcher: asks an external memory for the rows of a feature map, one after the other."""

from amaranth.hdl import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..plan.bursts import BurstSpec
from ..plan.packed_rows import source_columns
from ..plan.packed_words import PackedWords
from .burst_reader import ReadCommand
from .row_length import RowLength
from .word_unpacker import Segment

__all__ = ["RowConfig", "RowFetcher"]


class RowConfig(data.Struct):
    """Rows of a feature map in external memory.

    ``base`` is the byte offset of the first row's first word in its range, ``row_stride`` the
    bytes from row to row; both any multiple of the words' unit, whatever the bus.  ``groups`` is
    the words of a pixel, and ``up`` says whether every row and pixel is taken twice (nearest
    upsampling by two).
    """

    base: 32
    row_stride: 32
    groups: 16
    up: 1


class RowFetcher(wiring.Component):
    """One burst command per row, and beside it the segment that cuts the row's words out.

    What is asked for is what :meth:`PackedRows.read` says.  A row of which a byte lies outside
    the range is never asked for: the fetcher stops there and says so.  The words of a row are
    counted once, at the start.

    *Latency*: 5 cycles and ``config.groups``.  *Throughput*: a row every 3 cycles.

    Parameters
    ----------
    packed : words and bus.
    bursts : the bus and its bursts.
    max_width : most columns of a raster.
    max_groups : most words per pixel.

    Members
    -------
    start : pulse that begins ``height`` rows; the fetcher must be idle.
    config, width, height, odd : the rows; columns of the raster at the layer's resolution, rows of
        it, and whether it starts at an odd column; stable from ``start`` on while it is busy.
    origin, limit : first address, a multiple of the bus's bytes, and bytes of the range.
    busy : rows are still to be asked for; a register, from the cycle after ``start`` on.
    overrun : pulse: a row would leave the range.
    commands : for the burst reader.
    segments : for the unpacker of what it reads.

    Raises
    ------
    ValueError if a row is longer than a command of ``bursts`` can be.
    """

    def __init__(self, packed: PackedWords, bursts: BurstSpec, *, max_width: int, max_groups: int):
        self._packed = packed
        most = max_width * max_groups
        beats = packed.count_beats(packed.beat_units - 1, most)
        if beats > bursts.max_count:
            raise ValueError(
                f"A row of {most} words of {packed.word_bytes} bytes can touch {beats} beats, but "
                f"a command has at most {bursts.max_count}"
            )
        self._length = RowLength(packed, max_width, max_groups)
        super().__init__(
            {
                "start": In(1),
                "config": In(RowConfig),
                "width": In(range(max_width + 1)),
                "height": In(16),
                "odd": In(1),
                "origin": In(bursts.address_bits),
                "limit": In(32),
                "busy": Out(1),
                "overrun": Out(1),
                "commands": Out(stream.Signature(ReadCommand(bursts))),
                "segments": Out(stream.Signature(Segment(packed, most))),
            }
        )
        self._address = Signal.like(self.origin)
        self._room = Signal(signed(len(self.limit) + 1))  # bytes of the range from the row on
        self._reach = Signal(range((1 << len(self._length.bytes)) + packed.bus_bytes - 1))
        self._fits = Signal()
        self._state = Signal(data.StructLayout({"measure": 1, "place": 1, "ask": 1}))

    def elaborate(self, platform):
        m = Module()
        m.submodules.length = length = self._length
        config, packed = self.config, self._packed
        command, segment = self.commands, self.segments
        lane_bits = (packed.bus_bytes - 1).bit_length()
        unit_bits = (packed.unit_bytes - 1).bit_length()
        address, room, reach, fits = self._address, self._room, self._reach, self._fits
        left = Signal.like(self.height)
        second, free = Signal(), Signal()
        doubled = source_columns(self.width, True, self.odd)
        m.d.comb += [
            length.start.eq(self.start),
            length.groups.eq(config.groups),
            length.pixels.eq(Mux(config.up, doubled, self.width)),
            segment.payload.words.eq(length.words),
            free.eq(~(command.valid | segment.valid)),
        ]
        m.d.sync += reach.eq(length.bytes + packed.bus_bytes - 1)
        with m.If(command.ready):
            m.d.sync += command.valid.eq(0)
        with m.If(segment.ready):
            m.d.sync += segment.valid.eq(0)
        with m.FSM() as fsm:
            m.d.comb += [
                self._state.measure.eq(fsm.ongoing("Measure")),
                self._state.place.eq(fsm.ongoing("Place")),
                self._state.ask.eq(fsm.ongoing("Ask")),
            ]
            m.d.sync += self.busy.eq(
                self.start | ~fsm.ongoing("Idle") | command.valid | segment.valid
            )
            with m.State("Idle"):
                m.d.sync += [
                    address.eq(self.origin + config.base),
                    room.eq(self.limit - config.base),
                    left.eq(self.height),
                    second.eq(0),
                ]
                with m.If(self.start):
                    m.next = "Measure"
            with m.State("Measure"):
                with m.If(~length.busy):
                    m.next = "Place"
            with m.State("Place"):
                with m.If(free):
                    m.d.sync += [
                        fits.eq(room >= length.bytes),
                        command.payload.address.eq(address),
                        command.payload.beats.eq((address[:lane_bits] + reach) >> lane_bits),
                        segment.payload.skip.eq(address[unit_bits:lane_bits]),
                    ]
                    m.next = "Ask"
            with m.State("Ask"):
                m.d.sync += [left.eq(left - 1), second.eq(~second)]
                with m.If(~config.up | second):
                    m.d.sync += [
                        address.eq(address + config.row_stride),
                        room.eq(room - config.row_stride),
                    ]
                m.next = "Place"
                with m.If(~fits | (left == 1)):
                    m.next = "Idle"
                with m.If(fits):
                    m.d.sync += [command.valid.eq(1), segment.valid.eq(1)]
                with m.Else():
                    m.d.comb += self.overrun.eq(1)
        return m
