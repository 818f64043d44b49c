"""External writer: puts a stream of words where a feature map lies in external memory."""

from amaranth.hdl import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..plan.bursts import BurstSpec
from ..plan.packed_words import PackedWords
from .burst_writer import WriteCommand
from .word_packer import WordPacker

__all__ = ["ExternalTarget", "ExternalWriter"]

_SEGMENT_BITS = 24


class ExternalTarget(data.Struct):
    """Where results go: ``base`` is the byte offset of the first word in its range,
    ``row_stride`` the bytes from row to row, ``pixel_stride`` the words from pixel to pixel and
    ``words`` how many of them are written."""

    base: 32
    row_stride: 32
    pixel_stride: 16
    words: 16


class ExternalWriter(wiring.Component):
    """Words in raster order become commands and beats for a burst writer.

    A row whose pixels are written whole is one burst command; of a tile of output channels, every
    pixel is a command of its own.  Nothing outside the range is ever written: the writer takes
    what is left of the stream, throws it away and says so.

    *Throughput*: a word per cycle in whole rows; pixels of tiles need two cycles more each.

    Parameters
    ----------
    packed : words and bus.
    bursts : the bus and its bursts.

    Members
    -------
    start : pulse that begins a feature map; the writer must be idle.
    target, width, height : stable while it is busy.
    origin, limit : first address and bytes of the range.
    i : stream of words.
    commands, beats : for the burst writer.
    busy : words are still to come or to be given away; what the burst writer holds does not count.
    overrun : pulse: a pixel would lie outside the range.
    """

    def __init__(self, packed: PackedWords, bursts: BurstSpec):
        self._packed = packed
        super().__init__(
            {
                "start": In(1),
                "target": In(ExternalTarget),
                "width": In(16),
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

    def elaborate(self, platform):
        m = Module()
        target, packed = self.target, self._packed
        m.submodules.packer = packer = WordPacker(packed, (1 << _SEGMENT_BITS) - 1)
        wiring.connect(m, packer.o, wiring.flipped(self.beats))
        whole = Signal()
        words = Signal(_SEGMENT_BITS)
        size = Signal(_SEGMENT_BITS + 8)
        columns, rows = Signal(16), Signal(16)
        row, offset = Signal(33), Signal(33)
        end = Signal(34)
        command, segment = self.commands, packer.segments
        low_bits = (packed.bus_bytes - 1).bit_length()
        unit_shift = (packed.unit_bytes - 1).bit_length()
        m.d.comb += [
            size.eq(words * packed.word_bytes),
            segment.payload.words.eq(words),
        ]
        with m.If(command.ready):
            m.d.sync += command.valid.eq(0)
        with m.If(segment.ready):
            m.d.sync += segment.valid.eq(0)
        # Words are counted as they come in, so the writer knows when nothing is left.
        coming = Signal(_SEGMENT_BITS)
        drop = Signal()
        waiting = command.valid | segment.valid | ~packer.segments.ready | packer.o.valid
        m.d.comb += [
            packer.i.valid.eq(self.i.valid & ~drop),
            packer.i.payload.eq(self.i.payload),
            self.i.ready.eq((packer.i.ready | drop) & (coming != 0)),
        ]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += coming.eq(coming - 1)
        with m.FSM() as fsm:
            m.d.comb += self.busy.eq(~fsm.ongoing("Idle") | waiting)
            with m.State("Idle"):
                m.d.sync += [
                    whole.eq(target.words == target.pixel_stride),
                    words.eq(Mux(target.words == target.pixel_stride, 0, target.words)),
                    columns.eq(0),
                    rows.eq(self.height),
                    row.eq(target.base),
                    offset.eq(target.base),
                    drop.eq(0),
                ]
                with m.If(self.start):
                    m.next = "Measure"
            with m.State("Measure"):
                # A row's words, pixel by pixel's word: it saves a multiplier.
                m.d.sync += columns.eq(columns + 1)
                with m.If(~whole):
                    m.next = "Row"
                with m.Else():
                    m.d.sync += words.eq(words + self.width)
                    with m.If(columns == target.words - 1):
                        m.next = "Row"
            with m.State("Row"):
                m.d.sync += [
                    columns.eq(Mux(whole, 1, self.width)),
                    rows.eq(rows - 1),
                    row.eq(row + target.row_stride),
                    offset.eq(row),
                ]
                m.next = "Place"
            with m.State("Place"):
                m.d.sync += [
                    end.eq(offset + size),
                    command.payload.address.eq(self.origin + offset),
                    command.payload.bytes.eq(size),
                    segment.payload.skip.eq(offset[unit_shift:low_bits]),
                    columns.eq(columns - 1),
                ]
                m.next = "Ask"
            with m.State("Ask"):
                with m.If(end > self.limit):
                    m.d.comb += self.overrun.eq(~drop)
                    m.d.sync += drop.eq(1)
                with m.Elif(~drop):
                    m.d.sync += [command.valid.eq(1), segment.valid.eq(1)]
                m.d.sync += coming.eq(words)
                m.next = "Stream"
            with m.State("Stream"):
                with m.If((coming == 0) | ((coming == 1) & self.i.valid & self.i.ready)):
                    with m.If(~command.valid | command.ready):
                        m.d.sync += offset.eq(offset + target.pixel_stride * packed.word_bytes)
                        m.next = "Place"
                        with m.If(columns == 0):
                            m.next = "Row"
                            with m.If(rows == 0):
                                m.next = "Idle"
        return m
