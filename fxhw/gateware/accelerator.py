"""The accelerator: AXI4-Lite registers, AXI4-Stream image in and mask out."""

from amaranth.hdl import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..plan.design import Design
from ..plan.program import Kind
from ..plan.registers import Cause, ErrorCode, registers_of
from .axi_lite import AxiLiteSignature, AxiLiteSlave
from .banked_memory import BankedMemory
from .conv_engine import ConvEngine
from .image_intake import ImageIntake
from .main_datapath import MainDatapath
from .memory_port import address_bits
from .register_file import RegisterFile
from .sequencer import Sequencer

__all__ = ["ADDRESS_BITS", "Accelerator"]

ADDRESS_BITS = 8
"""Bits of a register's byte address."""


class Accelerator(wiring.Component):
    """A quantized U-Net accelerator with on-chip memories.

    ::

        image -> intake -> first convolution -> main datapath -> mask
                                                 |      |
        registers -> sequencer <- parameter   feature memory
                                  memory

    The first convolution streams into the first step of the main datapath; its result is never
    stored.  The program in the parameter memory decides everything else.

    Parameters
    ----------
    design : widths and maxima.
    init : initial beats of the parameter memory.

    Members
    -------
    aclk, aresetn : clock, and reset, low, synchronous.
    s_axi_* : registers, AXI4-Lite.
    s_axis_* : image, a byte per code, channels interleaved, TLAST with the last.
    m_axis_* : mask, a byte per pixel, or logits.
    irq : a run has ended.
    trace_* : what the datapath does, for test benches and logic analyzers; may be left open.
    """

    def __init__(self, design: Design, init: tuple[int, ...] = ()):
        self._design = design
        self._init = init
        self._main = MainDatapath(design)
        bus = {
            f"s_axi_{name}": member.flip()
            for name, member in AxiLiteSignature(ADDRESS_BITS).members.items()
        }
        super().__init__(
            {
                "aclk": In(1),
                "aresetn": In(1),
                **bus,
                "s_axis_tdata": In(8),
                "s_axis_tvalid": In(1),
                "s_axis_tready": Out(1),
                "s_axis_tlast": In(1),
                "m_axis_tdata": Out(8),
                "m_axis_tvalid": Out(1),
                "m_axis_tready": In(1),
                "m_axis_tlast": Out(1),
                "irq": Out(1),
                "trace_step": Out(16),
                "trace_running": Out(1),
                "trace_front_valid": Out(1),
                "trace_front_data": Out(design.feature_bits),
                "trace_out_valid": Out(1),
                "trace_out_data": Out(design.main.out_bits),
                "trace_write_valid": Out(1),
                "trace_write_address": Out(address_bits(design.feature_words)),
                "trace_write_data": Out(design.feature_bits),
            }
        )

    @property
    def design(self) -> Design:
        """Widths and maxima."""
        return self._design

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = ClockDomain(local=True)
        m.d.comb += [ClockSignal().eq(self.aclk), ResetSignal().eq(~self.aresetn)]
        design = self._design
        main = self._main
        front = ConvEngine(design.front, design.bus_bits)
        m.submodules.sequencer = sequencer = Sequencer(design)
        m.submodules.registers = registers = RegisterFile(design, ADDRESS_BITS - 2)
        m.submodules.intake = intake = ImageIntake(
            design.ibits, design.front.row_words.bit_length(), design.max_height.bit_length()
        )
        # It reaches everything, so it comes from a register.
        clear = Signal()
        m.d.sync += clear.eq(sequencer.clear)
        m.submodules.front = ResetInserter(clear)(front)
        m.submodules.main = ResetInserter(clear)(main)
        self._connect_bus(m, registers)
        self._connect_parameters(m, registers, sequencer, front, main)
        # Words on their way to a datapath that is cleared must not arrive.
        m.submodules.features = features = ResetInserter(clear)(
            BankedMemory(design.feature_banks, "words", target=design.target)
        )
        wiring.connect(m, main.write, features.write)
        wiring.connect(m, main.read, features.read)
        self._connect_image(m, sequencer, registers, intake, front, main)
        self._connect_control(m, sequencer, registers, intake, main)
        m.d.comb += [
            self.trace_step.eq(sequencer.running_step),
            self.trace_running.eq(main.running),
            self.trace_front_valid.eq(front.o.valid & front.o.ready),
            self.trace_front_data.eq(front.o.payload),
            self.trace_out_valid.eq(main.result_valid),
            self.trace_out_data.eq(main.result),
            self.trace_write_valid.eq(main.write.valid),
            self.trace_write_address.eq(main.write.payload.address),
            self.trace_write_data.eq(main.write.payload.data),
        ]
        return m

    def _connect_bus(self, m, registers):
        """The registers behind the AXI4-Lite pins."""
        count = len(registers_of(external=False))
        m.submodules.slave = slave = AxiLiteSlave(ADDRESS_BITS, count)
        wiring.connect(m, slave.registers, registers.port)
        for name, member in AxiLiteSignature(ADDRESS_BITS).members.items():
            outer, inner = getattr(self, f"s_axi_{name}"), getattr(slave.bus, name)
            m.d.comb += inner.eq(outer) if member.flow is Out else outer.eq(inner)

    def _connect_parameters(self, m, registers, sequencer, front, main):
        """The parameter memory: the host writes it, the sequencer reads it into the stores."""
        banks = self._design.parameter_banks
        m.submodules.parameter_memory = parameters = BankedMemory(
            banks, "parameters", self._init, self._design.target
        )
        wiring.connect(m, sequencer.memory, parameters.read)
        m.d.comb += [
            parameters.write.valid.eq(registers.load_enable),
            parameters.write.payload.address.eq(registers.load_address),
            parameters.write.payload.data.eq(registers.load_data),
        ]
        for kind, load in (
            (Kind.FRONT, front.load),
            (Kind.HEAD, main.load_head),
            (Kind.CONV, main.load),
        ):
            for name in sequencer.load.signature.members:
                m.d.comb += getattr(load, name).eq(getattr(sequencer.load, name))
            m.d.comb += load.valid.eq(sequencer.targets[kind])

    def _connect_image(self, m, sequencer, registers, intake, front, main):
        """Image pins to mask pins."""
        wiring.connect(m, intake.o, front.i)
        wiring.connect(m, front.o, main.front)
        m.d.comb += [
            intake.i.valid.eq(self.s_axis_tvalid),
            intake.i.payload.data.eq(self.s_axis_tdata),
            intake.i.payload.last.eq(self.s_axis_tlast),
            self.s_axis_tready.eq(intake.i.ready),
            self.m_axis_tvalid.eq(main.mask.valid),
            self.m_axis_tdata.eq(main.mask.payload.data),
            self.m_axis_tlast.eq(main.mask.payload.last),
            main.mask.ready.eq(self.m_axis_tready),
            intake.start.eq(sequencer.front_start),
            intake.row.eq(sequencer.front.row_words),
            intake.height.eq(sequencer.front.height),
            intake.drop.eq(sequencer.error),
            intake.cancel.eq(registers.abort),
            front.start.eq(sequencer.front_start),
            front.config.eq(sequencer.front),
        ]

    def _connect_control(self, m, sequencer, registers, intake, main):
        """Runs, faults and what each cycle is spent on."""
        faults = {
            ErrorCode.FEATURE_ADDRESS: main.overrun,
            ErrorCode.IMAGE_SHORT: intake.short,
            ErrorCode.IMAGE_LONG: intake.long,
        }
        m.d.comb += [
            sequencer.start.eq(registers.start),
            sequencer.abort.eq(registers.abort),
            sequencer.program.eq(registers.program),
            sequencer.layer_running.eq(main.running),
            main.start.eq(sequencer.layer_start),
            main.layer.eq(sequencer.layer),
            main.logits.eq(registers.logits),
            registers.busy.eq(sequencer.busy),
            registers.done.eq(sequencer.done),
            registers.error.eq(sequencer.error),
            registers.error_code.eq(sequencer.error_code),
            registers.error_step.eq(sequencer.step),
            registers.running_step.eq(sequencer.running_step),
            self.irq.eq(registers.irq),
        ]
        m.d.sync += [sequencer.faults[code].eq(fault) for code, fault in faults.items()]
        # What a cycle is spent on comes from far and may come late.
        starved = Signal()
        names = ("fire", "blocked", "waiting", "running")
        seen = {name: Signal(name=f"was_{name}") for name in names}
        m.d.sync += [flag.eq(getattr(main, name)) for name, flag in seen.items()]
        preparing = Signal()
        m.d.sync += [
            starved.eq(sequencer.layer.from_front & intake.starved),
            preparing.eq(sequencer.preparing),
        ]
        m.d.comb += registers.cause.eq(Cause.OVERHEAD)
        with m.If(seen["fire"]):
            m.d.comb += registers.cause.eq(Cause.ARRAY)
        with m.Elif(seen["blocked"]):
            m.d.comb += registers.cause.eq(Cause.OUTPUT)
        with m.Elif(seen["waiting"]):
            m.d.comb += registers.cause.eq(Mux(starved, Cause.IMAGE, Cause.INPUT))
        with m.Elif(~seen["running"] & preparing):
            m.d.comb += registers.cause.eq(Cause.PARAMETERS)
