"""Image reader: streams an image out of external memory."""

from amaranth.hdl import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..plan.bursts import BurstSpec
from ..plan.design import Design
from ..plan.packed_words import PackedWords
from .axi4 import Axi4ReadSignature
from .burst_reader import BurstReader
from .image_intake import ImageBeat
from .lap_counter import LapCounter
from .row_fetcher import RowFetcher
from .stream import StreamFork
from .word_unpacker import WordUnpacker

__all__ = ["ImageReader"]


class ImageReader(wiring.Component):
    """The bytes of ``height`` rows of an image, or of a strip of one, from ``origin`` on.

    An image is a feature map of one word per pixel, and a word is a byte.  A row of which a byte
    lies outside the range is never asked for; the stream ends before it.

    *Throughput*: a byte per cycle, across rows too.

    Parameters
    ----------
    design : largest image.
    bursts : the bus and its bursts.
    depth : beats the burst reader's queue holds.

    Members
    -------
    start : pulse that begins an image; all of the one before was taken, or it was cancelled.
    base, row_stride : where the first row begins in the range, and bytes from row to row.
    row, height : bytes of a row, and rows, 1 or more; these are stable from the cycle before
        ``start`` on.
    origin, limit : first address and bytes of the range.
    cancel : pulse: forget the image and everything on its way.
    clear : pulse: forget a fault.
    overrun : pulse: a row would leave the range.
    fault : the memory answered with an error; stays until ``clear``.
    idle : nothing is on its way from the memory; so, after ``cancel``, all is forgotten.
    o : stream of bytes, the last one marked.
    read : the port, without IDs.
    """

    def __init__(self, design: Design, bursts: BurstSpec, *, depth: int = 128):
        self._packed = PackedWords(8, bursts.data_bits)
        self._max_row = design.max_width * design.image_channels
        self._max_height = design.max_height
        self._rows = RowFetcher(self._packed, bursts, max_width=self._max_row, max_groups=1)
        self._bursts = BurstReader(bursts, depth=depth, target=design.target)
        super().__init__(
            {
                "start": In(1),
                "base": In(32),
                "row_stride": In(32),
                "row": In(range(self._max_row + 1)),
                "height": In(range(self._max_height + 1)),
                "origin": In(bursts.address_bits),
                "limit": In(32),
                "cancel": In(1),
                "clear": In(1),
                "overrun": Out(1),
                "fault": Out(1),
                "idle": Out(1),
                "o": Out(stream.Signature(ImageBeat)),
                "read": Out(Axi4ReadSignature(bursts.address_bits, bursts.data_bits)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        rows, bursts = self._rows, self._bursts
        unpacker = WordUnpacker(self._packed, self._max_row)
        m.submodules.rows = ResetInserter(self.cancel)(rows)
        m.submodules.unpacker = ResetInserter(self.cancel)(unpacker)
        m.submodules.bursts = bursts
        wiring.connect(m, rows.commands, bursts.commands)
        wiring.connect(m, rows.segments, unpacker.segments)
        wiring.connect(m, bursts.bus, wiring.flipped(self.read))
        m.d.comb += [
            rows.start.eq(self.start),
            rows.config.base.eq(self.base),
            rows.config.row_stride.eq(self.row_stride),
            rows.config.groups.eq(1),
            rows.width.eq(self.row),
            rows.height.eq(self.height),
            rows.origin.eq(self.origin),
            rows.limit.eq(self.limit),
            bursts.cancel.eq(self.cancel),
            bursts.clear.eq(self.clear),
            unpacker.i.valid.eq(bursts.o.valid),
            unpacker.i.payload.eq(bursts.o.payload.data),
            bursts.o.ready.eq(unpacker.i.ready),
            self.overrun.eq(rows.overrun),
            self.fault.eq(bursts.fault),
            self.idle.eq(bursts.idle),
        ]
        m.submodules.column = column = LapCounter(self._max_row)
        m.submodules.line = line = LapCounter(self._max_height)
        # What takes the bytes looks at the mark, which comes from two counters.
        m.submodules.stage = stage = ResetInserter(self.cancel)(StreamFork(ImageBeat, 1))
        wiring.connect(m, stage.o[0], wiring.flipped(self.o))
        # A row ends a cycle late, and one of a single byte waits for that.
        single, waits = Signal(), Signal()
        m.d.sync += [single.eq(self.row == 1), line.step.eq(column.step & column.last)]
        m.d.comb += [
            stage.enable.eq(1),
            waits.eq(single & line.step),
            stage.i.valid.eq(unpacker.o.valid & ~waits),
            stage.i.payload.data.eq(unpacker.o.payload),
            unpacker.o.ready.eq(stage.i.ready & ~waits),
        ]
        m.d.comb += [
            column.count.eq(self.row),
            column.start.eq(self.start),
            column.step.eq(unpacker.o.valid & unpacker.o.ready),
            line.count.eq(self.height),
            line.start.eq(self.start),
            stage.i.payload.last.eq(column.last & line.last),
        ]
        return m
