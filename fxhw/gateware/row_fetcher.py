"""Row fetcher: asks an external memory for the rows of a feature map, one after the other."""

from amaranth.hdl import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..plan.bursts import BurstSpec
from ..plan.packed_words import PackedWords
from .burst_reader import ReadCommand
from .word_unpacker import Segment

__all__ = ["RowConfig", "RowFetcher"]


class RowConfig(data.Struct):
    """Rows of a feature map in external memory.

    ``base`` is the byte offset of the first row's first word in its range, ``row_stride`` the
    bytes from row to row, a multiple of the bus's, ``words`` and ``beats`` what is fetched of
    each, and ``up`` whether every row is fetched twice (nearest upsampling by two).
    """

    base: 32
    row_stride: 32
    words: 24
    beats: 24
    up: 1


class RowFetcher(wiring.Component):
    """One burst command per row, and beside it the segment that cuts the row's words out.

    No row outside the range is ever asked for: the fetcher stops there and says so.

    *Latency*: 3 cycles.  *Throughput*: a row every 3 cycles.

    Parameters
    ----------
    packed : words and bus.
    bursts : the bus and its bursts.

    Members
    -------
    start : pulse that begins ``height`` rows; the fetcher must be idle.
    config, height : stable while it is busy.
    origin, limit : first address and bytes of the range.
    busy : rows are still to be asked for.
    overrun : pulse: a row would leave the range.
    commands : for the burst reader.
    segments : for the unpacker of what it reads.
    """

    def __init__(self, packed: PackedWords, bursts: BurstSpec):
        self._packed = packed
        super().__init__(
            {
                "start": In(1),
                "config": In(RowConfig),
                "height": In(16),
                "origin": In(bursts.address_bits),
                "limit": In(32),
                "busy": Out(1),
                "overrun": Out(1),
                "commands": Out(stream.Signature(ReadCommand(bursts))),
                "segments": Out(stream.Signature(Segment(packed, (1 << 24) - 1))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config, packed = self.config, self._packed
        low_bits = (packed.bus_bytes - 1).bit_length()
        unit_shift = (packed.unit_bytes - 1).bit_length()
        offset = Signal(33)
        end = Signal(34)
        left = Signal(16)
        second = Signal()
        command, segment = self.commands, self.segments
        m.d.comb += [
            segment.payload.skip.eq(config.base[unit_shift:low_bits]),
            segment.payload.words.eq(config.words),
            command.payload.beats.eq(config.beats),
        ]
        with m.If(command.ready):
            m.d.sync += command.valid.eq(0)
        with m.If(segment.ready):
            m.d.sync += segment.valid.eq(0)
        with m.FSM() as fsm:
            m.d.comb += self.busy.eq(~fsm.ongoing("Idle"))
            with m.State("Idle"):
                m.d.sync += [
                    offset.eq(config.base[low_bits:] << low_bits),
                    left.eq(self.height),
                    second.eq(0),
                ]
                with m.If(self.start):
                    m.next = "Measure"
            with m.State("Measure"):
                m.d.sync += [
                    end.eq(offset + (config.beats << low_bits)),
                    command.payload.address.eq(self.origin + offset),
                    left.eq(left - 1),
                ]
                m.next = "Ask"
            with m.State("Ask"):
                with m.If(end > self.limit):
                    m.d.comb += self.overrun.eq(1)
                    m.next = "Idle"
                with m.Else():
                    m.d.sync += [command.valid.eq(1), segment.valid.eq(1)]
                    m.next = "Wait"
            with m.State("Wait"):
                done = (~command.valid | command.ready) & (~segment.valid | segment.ready)
                with m.If(done):
                    m.d.sync += second.eq(~second)
                    with m.If(~config.up | second):
                        m.d.sync += offset.eq(offset + config.row_stride)
                    m.next = "Measure"
                    with m.If(left == 0):
                        m.next = "Idle"
        return m
