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
from .onchip_features import OnchipFeatures
from .onchip_parameters import OnchipParameters
from .register_file import RegisterFile
from .sequencer import Sequencer
from .stream import StreamFork

__all__ = ["ADDRESS_BITS", "Accelerator", "cleared"]

ADDRESS_BITS = 8
"""Bits of a register's byte address."""


def cleared(component):
    """A component of a run: the end of the run resets it."""
    return DomainRenamer("run")(component)


class Accelerator(wiring.Component):
    """A quantized U-Net accelerator with on-chip memories.

    ::

        image -> intake -> first convolution -> main datapath -> mask
                                                 |      |
        registers -> sequencer <- parameters   feature memory

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
        super().__init__(
            {
                **self._control_pins(),
                **self._data_pins(),
                "irq": Out(1),
                "trace_step": Out(16),
                "trace_running": Out(1),
                "trace_front_valid": Out(1),
                "trace_front_data": Out(design.feature_bits),
                "trace_out_valid": Out(1),
                "trace_out_data": Out(design.main.out_bits),
                **self._memory_trace(),
            }
        )

    @property
    def design(self) -> Design:
        """Widths and maxima."""
        return self._design

    def _control_pins(self):
        """Clock, reset and registers."""
        bus = AxiLiteSignature(ADDRESS_BITS).members.items()
        return {
            "aclk": In(1), "aresetn": In(1),
            **{f"s_axi_{name}": member.flip() for name, member in bus},
        }  # fmt: skip

    def _data_pins(self):
        """Where images come from and masks go."""
        return {
            "s_axis_tdata": In(8),
            "s_axis_tvalid": In(1),
            "s_axis_tready": Out(1),
            "s_axis_tlast": In(1),
            "m_axis_tdata": Out(8),
            "m_axis_tvalid": Out(1),
            "m_axis_tready": In(1),
            "m_axis_tlast": Out(1),
        }

    def _memory_trace(self):
        """What is written into the feature memory."""
        return {
            "trace_write_valid": Out(1),
            "trace_write_address": Out(address_bits(self._design.feature_words)),
            "trace_write_data": Out(self._design.feature_bits),
        }

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = ClockDomain(local=True)
        m.domains.run = ClockDomain(local=True)
        # Resets reach everything, so they come from registers; this one is set by a reset, too.
        self._clear = clear = Signal(init=1)
        self._connect_clocks(m)
        design = self._design
        self._front = front = ConvEngine(design.front, design.bus_bits)
        self._main = main = MainDatapath(design)
        m.submodules.sequencer = self._sequencer = sequencer = Sequencer(design)
        m.submodules.registers = self._registers = RegisterFile(design, ADDRESS_BITS - 2)
        m.submodules.intake = self._intake = ImageIntake(
            design.ibits, design.front.row_words.bit_length(), design.max_height.bit_length()
        )
        m.submodules.front = cleared(front)
        m.submodules.main = cleared(main)
        m.d.sync += clear.eq(sequencer.clear)
        self._connect_bus(m)
        # Words on their way to a datapath that is cleared must not arrive.
        features = self._connect_features(m)
        self._connect_parameters(m)
        self._connect_image(m)
        self._connect_mask(m)
        self._connect_control(m, features)
        m.d.comb += [
            self.trace_step.eq(sequencer.running_step),
            self.trace_running.eq(sequencer.layer_running),
            self.trace_out_valid.eq(main.result_valid),
            self.trace_out_data.eq(main.result),
        ]
        return m

    def _clock_pins(self):
        """Clock, and whether there is a reset."""
        return self.aclk, ~self.aresetn

    def _connect_clocks(self, m):
        """One clock; what runs a program is reset by ``clear`` alone, the rest by the pin."""
        clock, pin = self._clock_pins()
        reset = Signal(init=1, reset_less=True)
        m.d.sync += reset.eq(pin)
        m.d.comb += [
            ClockSignal().eq(clock),
            ResetSignal().eq(reset),
            ClockSignal("run").eq(clock),
            ResetSignal("run").eq(self._clear),
        ]

    def _connect_bus(self, m):
        """The registers behind the AXI4-Lite pins."""
        count = len(registers_of(self._design.external))
        m.submodules.slave = slave = AxiLiteSlave(ADDRESS_BITS, count)
        wiring.connect(m, slave.registers, self._registers.port)
        for name, member in AxiLiteSignature(ADDRESS_BITS).members.items():
            outer, inner = getattr(self, f"s_axi_{name}"), getattr(slave.bus, name)
            m.d.comb += inner.eq(outer) if member.flow is Out else outer.eq(inner)

    def _connect_features(self, m):
        """The feature memory at the main datapath's streams."""
        features = OnchipFeatures(self._design)
        m.submodules.features = cleared(features)
        m.d.comb += [
            self.trace_write_valid.eq(features.writes.valid),
            self.trace_write_address.eq(features.writes.payload.address),
            self.trace_write_data.eq(features.writes.payload.data),
        ]
        return features

    def _connect_parameters(self, m):
        """The parameter memory: the host writes it, the sequencer reads it into the stores."""
        banks, registers = self._design.parameter_banks, self._registers
        m.submodules.parameter_memory = memory = BankedMemory(
            banks, "parameters", self._init, self._design.target
        )
        m.submodules.parameters = parameters = OnchipParameters(self._design)
        wiring.connect(m, parameters.memory, memory.read)
        m.d.comb += [
            memory.write.valid.eq(registers.load_enable),
            memory.write.payload.address.eq(registers.load_address),
            memory.write.payload.data.eq(registers.load_data),
        ]
        self._distribute(m, parameters)

    def _distribute(self, m, parameters):
        """Parameters to the sequencer and to the stores."""
        wiring.connect(m, self._sequencer.parameters, parameters.port)
        for kind, load in (
            (Kind.FRONT, self._front.load),
            (Kind.HEAD, self._main.load_head),
            (Kind.CONV, self._main.load),
        ):
            for name in parameters.load.signature.members:
                m.d.comb += getattr(load, name).eq(getattr(parameters.load, name))
            m.d.comb += load.valid.eq(parameters.targets[kind])

    def _connect_image(self, m):
        """The image, from its pins through its intake and the first convolution."""
        sequencer, intake, front = self._sequencer, self._intake, self._front
        # Between what tells the image's end and what tells the end of a row of it.
        stage = cleared(StreamFork(intake.o.payload.shape(), 1))
        m.submodules.intake_stage = stage
        wiring.connect(m, intake.o, stage.i)
        wiring.connect(m, stage.o[0], front.i)
        words = self._trim_front(m)
        wiring.connect(m, words, self._main.front)
        self._feed_intake(m, intake)
        m.d.comb += [
            stage.enable.eq(1),
            intake.start.eq(sequencer.front_start),
            intake.row.eq(sequencer.front.conv.row_words),
            intake.height.eq(sequencer.front.conv.height),
            front.start.eq(sequencer.front_start),
            front.config.eq(sequencer.front.conv),
            self.trace_front_valid.eq(words.valid & words.ready),
            self.trace_front_data.eq(words.payload),
        ]

    def _trim_front(self, m):
        """What the first convolution hands to the main datapath: all of it."""
        return self._front.o

    def _feed_intake(self, m, intake):
        """Bytes of the image, and what becomes of the rest after an error."""
        m.d.comb += [
            intake.i.valid.eq(self.s_axis_tvalid),
            intake.i.payload.data.eq(self.s_axis_tdata),
            intake.i.payload.last.eq(self.s_axis_tlast),
            self.s_axis_tready.eq(intake.i.ready),
            intake.drop.eq(self._sequencer.error),
            # Not later: the next image may come right behind the answer to the write of ABORT.
            intake.cancel.eq(self._registers.abort),
        ]

    def _connect_mask(self, m):
        """The mask's pins."""
        mask = self._main.mask
        m.d.comb += [
            self.m_axis_tvalid.eq(mask.valid),
            self.m_axis_tdata.eq(mask.payload.data),
            self.m_axis_tlast.eq(mask.payload.last),
            mask.ready.eq(self.m_axis_tready),
        ]

    def _storing(self, m, features):
        """Whether results of the step are still on their way to memory."""
        return features.busy

    def _faults(self, features):
        """What ends a run, by error code."""
        return {
            ErrorCode.FEATURE_ADDRESS: features.overrun,
            ErrorCode.IMAGE_SHORT: self._intake.short,
            ErrorCode.IMAGE_LONG: self._intake.long,
        }

    def _connect_control(self, m, features):
        """Runs, faults and what each cycle is spent on."""
        sequencer, registers, main = self._sequencer, self._registers, self._main
        wiring.connect(m, features.source, main.source)
        wiring.connect(m, main.full, features.full)
        wiring.connect(m, main.pooled, features.pooled)
        m.d.comb += [
            sequencer.start.eq(registers.start),
            sequencer.abort.eq(registers.abort),
            sequencer.program.eq(registers.program),
            sequencer.layer_running.eq(main.running | self._storing(m, features)),
            main.start.eq(sequencer.layer_start),
            main.layer.eq(sequencer.layer),
            main.logits.eq(registers.logits),
            features.start.eq(sequencer.layer_start),
            features.layer.eq(sequencer.layer),
            registers.busy.eq(sequencer.busy),
            registers.done.eq(sequencer.done),
            registers.error.eq(sequencer.error),
            registers.error_code.eq(sequencer.error_code),
            registers.error_step.eq(sequencer.error_step),
            registers.running_step.eq(sequencer.running_step),
            self.irq.eq(registers.irq),
        ]
        faults = self._faults(features)
        m.d.sync += [sequencer.faults[code].eq(fault) for code, fault in faults.items()]
        self._account(m)

    def _account(self, m):
        """What a cycle is spent on; it comes from far and may come late."""
        sequencer, registers, main = self._sequencer, self._registers, self._main
        running = sequencer.layer_running
        starved = Signal()
        names = ("fire", "blocked", "waiting")
        seen = {name: Signal(name=f"was_{name}") for name in (*names, "running")}
        m.d.sync += [seen[name].eq(getattr(main, name)) for name in names]
        preparing = Signal()
        m.d.sync += [
            seen["running"].eq(running),
            starved.eq(sequencer.layer.from_front & self._intake.starved),
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
