"""Register file: what :data:`fxhw.plan.registers.REGISTERS` says, in gateware."""

from amaranth.hdl import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..plan.design import Design
from ..plan.registers import (
    IDENTITY,
    REGISTERS,
    VERSION,
    Cause,
    Control,
    ErrorCode,
    registers_of,
)
from .axi_lite import RegisterPort

__all__ = ["RegisterFile"]


class RegisterFile(wiring.Component):
    """Control, status, errors, counters, and the way into the parameter memory.

    Parameters
    ----------
    design : what the read-only registers tell.
    index_bits : bits of a register's index.

    Members
    -------
    port : access from the bus.
    start, abort : pulses; ``start`` never comes during a run.
    program, logits : configuration.
    busy, done, error, error_code, error_step, running_step : from the sequencer.
    cause : what this cycle is spent on, while ``busy``.
    load_enable, load_address, load_data : a beat to write into the parameter memory.
    irq : a run has ended and interrupts are enabled.
    """

    def __init__(self, design: Design, index_bits: int):
        self._design = design
        super().__init__(
            {
                "port": In(RegisterPort(index_bits)),
                "start": Out(1),
                "abort": Out(1),
                "program": Out(32),
                "logits": Out(1),
                "busy": In(1),
                "done": In(1),
                "error": In(1),
                "error_code": In(8),
                "error_step": In(16),
                "running_step": In(16),
                "cause": In(Cause),
                "load_enable": Out(1),
                "load_address": Out(32),
                "load_data": Out(design.bus_bits),
                "irq": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        design, port = self._design, self.port

        def writes(name):
            return port.write & (port.write_index == REGISTERS[name].offset // 4)

        finished = Signal()
        irq_enable = Signal()
        code, step = Signal(8), Signal(16)
        load_address = Signal(32)
        control = port.write_data
        start_bit, abort_bit = (
            control[bit.value.bit_length() - 1] for bit in (Control.START, Control.ABORT)
        )
        with m.If(writes("CONTROL")):
            m.d.comb += [self.start.eq(start_bit & ~self.busy), self.abort.eq(abort_bit)]
            m.d.sync += [
                self.logits.eq(Mux(self.busy, self.logits, control[2])),
                irq_enable.eq(control[3]),
            ]
        with m.If(writes("PROGRAM")):
            m.d.sync += self.program.eq(port.write_data)

        # The first error since the last clear stays.
        raised, raised_code = Signal(), Signal(8)
        with m.If(writes("ERROR") | self.start):
            m.d.sync += [code.eq(ErrorCode.NONE), step.eq(0)]
        with m.Elif(raised & (code == ErrorCode.NONE)):
            m.d.sync += [code.eq(raised_code), step.eq(self.error_step)]
        with m.If(self.error):
            m.d.comb += [raised.eq(1), raised_code.eq(self.error_code)]
        with m.Elif(writes("CONTROL") & start_bit & self.busy):
            m.d.comb += [raised.eq(1), raised_code.eq(ErrorCode.START_BUSY)]

        ended = Signal()
        with m.If(self.start):
            m.d.sync += [finished.eq(0), ended.eq(0)]
        with m.Elif(self.done | self.error):
            m.d.sync += [finished.eq(self.done), ended.eq(1)]
        m.d.comb += self.irq.eq(irq_enable & ended)

        self._load(m, writes, load_address, raised, raised_code)
        total, causes = self._count(m)
        values = {
            "ID": IDENTITY,
            "VERSION": VERSION,
            "CONTROL": Cat(C(0, 2), self.logits, irq_enable),
            "STATUS": Cat(self.busy, finished, code != 0, C(0, 13), self.running_step),
            "ERROR": Cat(code, C(0, 8), step),
            "PROGRAM": self.program,
            "LOAD_ADDRESS": load_address,
            "LOAD_DATA": 0,
            "DESIGN": int(design.digest[:8], 16),
            "WIDTHS": design.weight_field
            | design.activation_field << 8
            | design.first_wbits << 16
            | design.last_wbits << 24,
            "LANES": design.pin
            | design.pout << 8
            | design.ibits << 16
            | design.image_channels << 24,
            "MAX_IMAGE": design.max_width | design.max_height << 16,
            "FEATURE_WORDS": design.feature_words,
            "PARAMETER_BEATS": design.parameter_beats,
            "BUS_BITS": design.bus_bits | design.mul_bits << 16,
            "CYCLES": total,
            **{f"CYCLES_{cause.name}": causes[cause] for cause in Cause},
        }
        with m.Switch(port.read_index):
            for name, register in registers_of(external=False).items():
                with m.Case(register.offset // 4):
                    m.d.comb += port.read_data.eq(values[name])
        return m

    def _load(self, m, writes, address, raised, raised_code):
        """Gather 32-bit words to a beat, write it, move on."""
        design, port = self._design, self.port
        words = design.bus_bits // 32
        lower = Signal(design.bus_bits - 32)
        word = Signal(range(words))
        m.d.comb += [
            self.load_address.eq(address),
            self.load_data.eq(Cat(lower, port.write_data)),
        ]
        with m.If(writes("LOAD_ADDRESS")):
            m.d.sync += [address.eq(port.write_data), word.eq(0)]
        with m.If(writes("LOAD_DATA")):
            with m.If(self.busy):
                m.d.comb += [raised.eq(1), raised_code.eq(ErrorCode.LOAD_BUSY)]
            with m.Elif(address >= design.parameter_beats):
                m.d.comb += [raised.eq(1), raised_code.eq(ErrorCode.LOAD_ADDRESS)]
            with m.Else():
                m.d.sync += lower.eq(Cat(lower, port.write_data)[32:])
                m.d.sync += word.eq(word + 1)
                with m.If(word == words - 1):
                    m.d.comb += self.load_enable.eq(1)
                    m.d.sync += [word.eq(0), address.eq(address + 1)]

    def _count(self, m):
        """Cycles of the last run, in all and by cause."""
        total = Signal(32)
        causes = {cause: Signal(32, name=f"cycles_{cause.name.lower()}") for cause in Cause}
        with m.If(self.start):
            m.d.sync += [total.eq(0), *(counter.eq(0) for counter in causes.values())]
        with m.Elif(self.busy):
            m.d.sync += total.eq(total + 1)
            for cause, counter in causes.items():
                with m.If(self.cause == cause):
                    m.d.sync += counter.eq(counter + 1)
        return total, causes
