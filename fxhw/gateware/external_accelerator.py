"""The accelerator with external memory: AXI4-Lite registers, one AXI4 master, an interrupt."""

from amaranth.hdl import *
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from ..plan.design import Design
from ..plan.registers import RANGES, ErrorCode
from .accelerator import Accelerator, cleared
from .axi4 import Axi4Signature
from .bus_share import ReadShare, WriteShare
from .column_trim import ColumnTrim
from .external_features import ExternalFeatures
from .external_parameters import ExternalParameters
from .image_reader import ImageReader
from .mask_writer import MaskWriter
from .range_check import RangeCheck

__all__ = ["ID_BITS", "ExternalAccelerator"]

_READ_WEIGHTS = (1, 1, 1, 1)
"""Bursts in a row of source A, source B, parameters and image, while others wait: both sources are
wanted at once."""

_WRITE_WEIGHTS = (1, 1, 1)
"""The same of the result, its pooled copy and the mask."""

ID_BITS = 2
"""Bits of an ID of the readers, and of the writers."""

_FAULT_CYCLES = 3
"""Cycles from a fault to the sequencer's failure: in the client, among the faults, the failure."""


class ExternalAccelerator(Accelerator):
    """A quantized U-Net accelerator whose images, masks, feature maps and program lie in memory.

    ::

        registers -> sequencer <- parameters -+
                                              |
        intake <- image ----------------------+- reads  -+
           |                                  |          +-- AXI4
        first convolution -> main datapath <- features   |
                                  |           +- writes -+
                                  +-> mask ---+

    Every address is an offset into one of four ranges, whose bases and sizes the registers hold;
    a run begins when these have been checked and everything of the run before is home.

    Parameters
    ----------
    design : widths and maxima, ``memory`` being ``axi``.

    Members
    -------
    aclk, aresetn : clock, and reset, low, synchronous.
    s_axi_* : registers, AXI4-Lite.
    m_axi_* : external memory, AXI4.
    irq : a run has ended.
    trace_* : what the datapath does, for test benches and logic analyzers; may be left open.
    """

    def __init__(self, design: Design):
        super().__init__(design)

    def _data_pins(self):
        bursts = self._design.bursts
        bus = Axi4Signature(bursts.address_bits, bursts.data_bits, ID_BITS)
        return {f"m_axi_{name}": member for name, member in bus.members.items()}

    def _memory_trace(self):
        return {}

    def elaborate(self, platform):
        m = super().elaborate(platform)
        self._connect_master(m)
        self._open(m)
        return m

    def _connect_features(self, m):
        m.submodules.features = self._features = features = ExternalFeatures(
            self._design, self._design.bursts
        )
        self._attach(m, features, "FEATURE")
        return features

    def _connect_parameters(self, m):
        m.submodules.parameters = self._parameters = parameters = ExternalParameters(self._design)
        self._attach(m, parameters, "PROGRAM")
        self._distribute(m, parameters)

    def _trim_front(self, m):
        """Without the columns beside a strip, where another one would have been computed."""
        design, config = self._design, self._sequencer.front
        trim = ColumnTrim(
            design.feature_bits, max_groups=design.front_groups, max_width=design.max_width,
            max_height=design.max_height,
        )
        m.submodules.front_trim = cleared(trim)
        wiring.connect(m, self._front.o, trim.i)
        m.d.comb += [
            trim.start.eq(self._sequencer.front_start),
            trim.left.eq(config.trim_left),
            trim.right.eq(config.trim_right),
            trim.groups.eq(config.conv.groups_out),
            trim.width.eq(config.conv.width),
            trim.height.eq(config.conv.height),
            self._sequencer.front_running.eq(trim.busy),
        ]
        return trim.o

    def _feed_intake(self, m, intake):
        image = ImageReader(self._design, self._design.bursts)
        m.submodules.image = self._image = image
        self._attach(m, image, "IMAGE")
        wiring.connect(m, image.o, intake.i)
        m.d.comb += [
            image.start.eq(self._sequencer.front_start),
            image.base.eq(self._sequencer.front.a.base),
            image.row_stride.eq(self._sequencer.front.a.row_stride),
            image.row.eq(intake.row),
            image.height.eq(intake.height),
            # What is still to come is thrown away before it gets here.
            intake.cancel.eq(self._clear),
        ]

    def _connect_mask(self, m):
        layer = self._sequencer.layer
        mask = MaskWriter(self._design, self._design.bursts)
        m.submodules.mask = self._mask = mask
        self._attach(m, mask, "MASK")
        wiring.connect(m, self._main.mask, mask.i)
        m.d.comb += [
            mask.start.eq(self._sequencer.layer_start & layer.to_head),
            # It never pools, so these are free to tell what part of the mask it makes.
            mask.first_column.eq(layer.pool_base),
            mask.row_pixels.eq(layer.pool_row_stride[self._design.bursts.lane_bits :]),
            mask.width.eq(layer.columns),
            mask.height.eq(layer.conv.height),
            mask.logits.eq(self._registers.logits),
        ]

    def _attach(self, m, client, name):
        """Give a client of the memory its range, and let it forget what it has after a run."""
        m.d.comb += [
            client.origin.eq(self._registers.ranges[name].base),
            client.limit.eq(self._registers.ranges[name].bytes),
            client.cancel.eq(self._clear),
            client.clear.eq(self._clear),
        ]

    @property
    def _clients(self):
        return self._features, self._parameters, self._image, self._mask

    def _storing(self, m, features):
        # An error of the last write must be seen before the step counts as ended.
        storing = features.busy | self._mask.busy
        before = Signal(_FAULT_CYCLES)
        m.d.sync += before.eq(Cat(storing, before))
        # It begins a cycle late, when the main datapath still runs.
        return before.any()

    def _faults(self, features):
        parameters, image, mask = self._parameters, self._image, self._mask
        ranges = self._ranges = RangeCheck(self._design.bursts)
        refused = {
            code: ranges.done & (ranges.error == code)
            for code in (ErrorCode.RANGE_ALIGNMENT, ErrorCode.RANGE_OVERLAP)
        }
        left = features.overrun | image.overrun | mask.overrun
        beyond = Cat(self._registers.ranges[name].beyond for name in RANGES).any()
        outside = ranges.done & (beyond | (ranges.error == ErrorCode.RANGE_LIMIT))
        return refused | {
            ErrorCode.MEMORY_READ: features.read_fault | parameters.fault | image.fault,
            ErrorCode.MEMORY_WRITE: features.write_fault | mask.fault,
            ErrorCode.RANGE_LIMIT: left | outside,
        }

    def _open(self, m):
        """Check the ranges, wait until everything is home, then let the run begin."""
        ranges, registers = self._ranges, self._registers
        # The check before may not have come to its end.
        m.submodules.ranges = cleared(ranges)
        starting, checked = Signal(2), Signal()
        m.d.sync += starting.eq(Cat(registers.start, starting))
        with m.If(registers.start):
            m.d.sync += checked.eq(0)
        with m.Elif(ranges.done & (ranges.error == ErrorCode.NONE)):
            m.d.sync += checked.eq(1)
        for base, size, name in zip(ranges.bases, ranges.sizes, RANGES):
            held = registers.ranges[name]
            m.d.comb += [base.eq(held.base), size.eq(held.bytes)]
        m.d.comb += ranges.start.eq(starting[-1])
        home = Signal()
        m.d.sync += home.eq(Cat(client.idle for client in self._clients).all())
        m.d.comb += self._sequencer.opened.eq(checked & home)

    def _connect_master(self, m):
        """All clients at one port."""
        bursts, features = self._design.bursts, self._features
        readers = (*features.reads, self._parameters.read, self._image.read)
        writers = (*features.writes, self._mask.write)
        m.submodules.reads = reads = ReadShare(bursts, _READ_WEIGHTS, ID_BITS)
        m.submodules.writes = writes = WriteShare(bursts, _WRITE_WEIGHTS, ID_BITS)
        for share, clients in ((reads, readers), (writes, writers)):
            for port, client in zip(share.clients, clients):
                wiring.connect(m, client, port)
        self._connect_memory(m, reads.bus, writes.bus)

    def _connect_memory(self, m, *ports):
        """The ports for reads and for writes at the pins."""
        for port in ports:
            for name, member in port.signature.members.items():
                outer, inner = getattr(self, f"m_axi_{name}"), getattr(port, name)
                m.d.comb += outer.eq(inner) if member.flow is Out else inner.eq(outer)
