"""Mask writer: puts the mask, or the logits, into external memory."""

from amaranth.hdl import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..plan.bursts import BurstSpec
from ..plan.design import Design
from ..plan.packed_words import PackedWords
from .axi4 import Axi4WriteSignature
from .burst_writer import BurstWriter
from .external_writer import ExternalWriter
from .head import MaskBeat

__all__ = ["MaskWriter"]


class MaskWriter(wiring.Component):
    """The bytes of ``height`` rows of the mask, or of a strip of it, from ``origin`` on.

    A mask is a feature map whose words are bytes, ``design.logit_bytes`` of them per pixel if they
    are logits.  A row of which a byte lies outside the range is never written; bytes from there on
    are thrown away.  Where the mask ends is known from its size, not from ``i``'s mark.

    *Throughput*: a byte per cycle, with 2 or 3 cycles between rows.

    Parameters
    ----------
    design : largest mask, and bytes of a logit.
    bursts : the bus and its bursts.
    depth : beats the burst writer's queue holds.

    Members
    -------
    start : pulse that begins a mask; the writer must not be busy.
    first_column, row_pixels : where the strip begins, and pixels of a row of the whole mask.
    width, height, logits : the strip; these are stable from ``start`` on while it is busy.
    origin, limit : first address and bytes of the range.
    cancel : pulse: forget the mask and everything on its way.
    clear : pulse: forget a fault.
    busy : bytes are still to come, to be written, or to be answered.
    overrun : pulse: a row would leave the range.
    fault : the memory answered with an error; stays until ``clear``.
    idle : nothing is on its way to the memory; so, after ``cancel``, all is forgotten.
    i : stream of bytes.
    write : the port, without IDs.
    """

    def __init__(self, design: Design, bursts: BurstSpec, *, depth: int = 128):
        self._logit_bytes = design.logit_bytes
        self._rows = ExternalWriter(
            PackedWords(8, bursts.data_bits), bursts,
            max_width=design.max_width, max_words=design.logit_bytes,
        )
        self._bursts = BurstWriter(bursts, depth=depth, target=design.target)
        super().__init__(
            {
                "start": In(1),
                "first_column": In(range(design.max_width)),
                "row_pixels": In(range(design.max_width + 1)),
                "width": In(range(design.max_width + 1)),
                "height": In(range(design.max_height + 1)),
                "logits": In(1),
                "origin": In(bursts.address_bits),
                "limit": In(32),
                "cancel": In(1),
                "clear": In(1),
                "busy": Out(1),
                "overrun": Out(1),
                "fault": Out(1),
                "idle": Out(1),
                "i": In(stream.Signature(MaskBeat)),
                "write": Out(Axi4WriteSignature(bursts.address_bits, bursts.data_bits)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        rows, bursts = self._rows, self._bursts
        m.submodules.rows = ResetInserter(self.cancel)(rows)
        m.submodules.bursts = bursts
        wiring.connect(m, rows.commands, bursts.commands)
        wiring.connect(m, rows.beats, bursts.i)
        wiring.connect(m, bursts.bus, wiring.flipped(self.write))
        words = Mux(self.logits, self._logit_bytes, 1)
        stride = Signal(range(self._logit_bytes << len(self.row_pixels)))
        base = Signal(range(self._logit_bytes << len(self.first_column)))
        # The writer starts a cycle later, when these are there.
        starting = Signal()
        m.d.sync += [
            starting.eq(self.start & ~self.cancel),
            stride.eq(Mux(self.logits, self.row_pixels * self._logit_bytes, self.row_pixels)),
            base.eq(Mux(self.logits, self.first_column * self._logit_bytes, self.first_column)),
        ]
        m.d.comb += [
            rows.start.eq(starting),
            rows.target.base.eq(base),
            rows.target.row_stride.eq(stride),
            rows.target.pixel_stride.eq(words),
            rows.target.words.eq(words),
            rows.width.eq(self.width),
            rows.height.eq(self.height),
            rows.origin.eq(self.origin),
            rows.limit.eq(self.limit),
            rows.i.valid.eq(self.i.valid),
            rows.i.payload.eq(self.i.payload.data),
            self.i.ready.eq(rows.i.ready),
            bursts.cancel.eq(self.cancel),
            bursts.clear.eq(self.clear),
            self.busy.eq(starting | rows.busy | ~bursts.idle),
            self.overrun.eq(rows.overrun),
            self.fault.eq(bursts.fault),
            self.idle.eq(bursts.idle),
        ]
        return m
