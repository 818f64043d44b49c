"""Register file: what :data:`fxhw.plan.registers.REGISTERS` says, in gateware."""

from amaranth.hdl import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..plan.design import Design
from ..plan.registers import (
    IDENTITY,
    RANGES,
    REGISTERS,
    VERSION,
    Cause,
    Control,
    ErrorCode,
    errors_of,
)
from .axi_lite import RegisterPort
from .cycle_counters import CycleCounters

__all__ = ["RegisterFile"]

_WRITTEN = ("CONTROL", "ERROR", "PROGRAM")
"""Registers that a write does something to."""

_LOADED = ("LOAD_ADDRESS", "LOAD_DATA")
"""The same where the parameter memory is on chip."""

_RANGE_PARTS = ("BASE_LOW", "BASE_HIGH", "BYTES")


class RegisterFile(wiring.Component):
    """Control, status, errors, counters, and the way into the parameter memory.

    *Latency*: a register can be read after three cycles, a counter when it comes by.

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
    cause : what the cycle before was spent on, if ``busy`` then.
    load_enable, load_address, load_data : a beat to write into the parameter memory, if it is on
        chip.
    ranges : base and bytes of each range of external memory, if there is one; they do not change
        during a run.  ``beyond`` tells of a base with bits that no address has.
    irq : a run has ended and interrupts are enabled.
    """

    def __init__(self, design: Design, index_bits: int):
        self._design = design
        self._busy = Signal()  # until the end of the run is noted
        if design.external:
            part = data.StructLayout({"base": design.address_bits, "bytes": 32, "beyond": 1})
            memory = {"ranges": Out(data.StructLayout({name: part for name in RANGES}))}
        else:
            memory = {
                "load_enable": Out(1),
                "load_address": Out(32),
                "load_data": Out(design.bus_bits),
            }
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
                "error_code": In(range(1 + max(errors_of(design.external)))),
                "error_step": In(16),
                "running_step": In(16),
                "cause": In(Cause),
                **memory,
                "irq": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        written, word = self._decode(m)
        finished = Signal()
        irq_enable = Signal()
        code, step = Signal.like(self.error_code), Signal.like(self.error_step)
        start_bit, abort_bit = (
            bit.value.bit_length() - 1 for bit in (Control.START, Control.ABORT)
        )
        # Known with the write, as much depends on it.
        asked, starting = Signal(), Signal()
        # The end of a run is noted a cycle late.
        done, error, busy = Signal(), Signal(), self._busy
        m.d.comb += [busy.eq(self.busy | done | error), starting.eq(asked & ~busy)]
        m.d.sync += [
            done.eq(self.done),
            error.eq(self.error),
            asked.eq(self._selects("CONTROL") & self.port.write_data[start_bit]),
            self.start.eq(starting),
            self.abort.eq(written["CONTROL"] & word[abort_bit]),
        ]
        with m.If(written["CONTROL"]):
            m.d.sync += irq_enable.eq(word[3])
            with m.If(~busy):
                m.d.sync += self.logits.eq(word[2])
        with m.If(written["PROGRAM"]):
            m.d.sync += self.program.eq(word)

        # The first error since the last clear stays; it is noted a cycle late.
        raised, raised_code = Signal(), Signal.like(self.error_code)
        noted = Signal()  # there is an error
        with m.If(raised & ~noted):
            m.d.sync += [code.eq(raised_code), step.eq(self.error_step), noted.eq(1)]
        with m.If(written["ERROR"] | self.start):
            m.d.sync += [code.eq(ErrorCode.NONE), step.eq(0), noted.eq(0)]
        m.d.sync += raised.eq(0)
        place = self._place if self._design.external else self._load
        held = place(m, written, word, raised, raised_code)
        with m.If(asked & busy):
            m.d.sync += [raised.eq(1), raised_code.eq(ErrorCode.START_BUSY)]
        with m.If(self.error):
            m.d.sync += [raised.eq(1), raised_code.eq(self.error_code)]

        ended = Signal()
        with m.If(self.start):
            m.d.sync += [finished.eq(0), ended.eq(0)]
        with m.Elif(done | error):
            m.d.sync += [finished.eq(done), ended.eq(1)]
        # That of the run before must not be taken for this one's.
        m.d.comb += self.irq.eq(irq_enable & ended & ~self.start)

        values = {
            "CONTROL": Cat(C(0, 2), self.logits, irq_enable),
            "STATUS": Cat(busy | raised, finished, noted, C(0, 13), self.running_step),
            "ERROR": Cat(code, C(0, 16 - len(code)), step),
            "PROGRAM": self.program,
            **held,
        }
        self._read(m, values)
        return m

    def _decode(self, m):
        """Which register was written in the cycle before, and what."""
        port = self.port
        names = _LOADED
        if self._design.external:
            names = tuple(f"{name}_{part}" for name in RANGES for part in _RANGE_PARTS)
        written = {name: Signal(name=f"written_{name.lower()}") for name in (*_WRITTEN, *names)}
        word = Signal(32)
        m.d.sync += word.eq(port.write_data)
        for name, flag in written.items():
            m.d.sync += flag.eq(self._selects(name))
        return written, word

    def _selects(self, name):
        """Whether this register is being written."""
        port = self.port
        return port.write & (port.write_index == REGISTERS[name].offset // 4)

    def _read(self, m, values):
        """Give a register of ``values``, a constant or a counter, whichever is wanted."""
        port = self.port
        m.submodules.counters = counters = CycleCounters(8)
        first = REGISTERS["CYCLES"].offset // 4
        slots = {n: (first + n) % 8 for n in range(1 + len(Cause))}
        # What a cycle is spent on comes late, so the cycles to count do too.
        busy, counting, cause = Signal(), Signal(), Signal(Cause)
        m.d.sync += [busy.eq(self.busy), counting.eq(busy), cause.eq(self.cause)]
        m.d.comb += counters.clear.eq(self.start)
        for n, slot in slots.items():
            counted = counting if n == 0 else counting & (cause == n - 1)
            m.d.comb += counters.count[slot].eq(counted)

        # Selects and constants in registers of their own: the index stays long enough.
        selects = Signal(len(values))
        constant = Signal(32)
        counter = Signal()
        wanted, at_hand = Signal(), Signal()
        m.d.sync += [
            wanted.eq(port.read),
            counter.eq((port.read_index >= first) & (port.read_index < first + len(slots))),
            at_hand.eq(counters.slot == port.read_index[: len(counters.slot)]),
        ]
        for select, name in zip(selects, values):
            m.d.sync += select.eq(port.read_index == REGISTERS[name].offset // 4)
        # Bit by bit, lest one reset for all of them becomes the longest path.
        constants = _constants(self._design)
        for bit, target in enumerate(constant):
            those = [REGISTERS[name].offset // 4 for name, v in constants.items() if v >> bit & 1]
            m.d.sync += target.eq(Cat(port.read_index == index for index in those).any())
        word = constant | Mux(counter, counters.value, 0)
        for select, value in zip(selects, values.values()):
            word |= Mux(select, value, 0)
        m.d.sync += port.read_done.eq(0)
        with m.If(port.read & wanted & ~port.read_done):
            with m.If(~counter | (at_hand & counters.settled)):
                m.d.sync += [port.read_data.eq(word), port.read_done.eq(1)]

    def _place(self, m, written, word, raised, raised_code):
        """Where the ranges lie; what they hold, by register."""
        held = {}
        for name in RANGES:
            place = self.ranges[name]
            high = place.base[32:]
            targets = (place.base[:32], high, place.bytes)
            for part, target in zip(_RANGE_PARTS, targets):
                register = f"{name}_{part}"
                held[register] = target
                with m.If(written[register] & ~self._busy):
                    m.d.sync += target.eq(word)
            with m.If(written[f"{name}_BASE_HIGH"] & ~self._busy):
                m.d.sync += place.beyond.eq(word[len(high) :].any())
        some = Signal()  # one of them was written
        m.d.sync += some.eq(Cat(self._selects(register) for register in held).any())
        with m.If(some & self._busy):
            m.d.sync += [raised.eq(1), raised_code.eq(ErrorCode.LOAD_BUSY)]
        return held

    def _load(self, m, written, data, raised, raised_code):
        """Gather 32-bit words to a beat, write it, move on; the address, by its register."""
        design = self._design
        address = Signal(32, name="load_address_at")
        words = design.bus_bits // 32
        lower = Signal(design.bus_bits - 32)
        word = Signal(range(words))
        # The host takes a cycle between two words.
        outside = Signal()
        m.d.sync += outside.eq(address >= design.parameter_beats)
        m.d.comb += [
            self.load_address.eq(address),
            self.load_data.eq(Cat(lower, data)),
        ]
        with m.If(written["LOAD_ADDRESS"]):
            m.d.sync += [address.eq(data), word.eq(0)]
        with m.If(written["LOAD_DATA"]):
            with m.If(self._busy):
                m.d.sync += [raised.eq(1), raised_code.eq(ErrorCode.LOAD_BUSY)]
            with m.Elif(outside):
                m.d.sync += [raised.eq(1), raised_code.eq(ErrorCode.LOAD_ADDRESS)]
            with m.Else():
                m.d.sync += [lower.eq(Cat(lower, data)[32:]), word.eq(word + 1)]
                with m.If(word == words - 1):
                    m.d.comb += self.load_enable.eq(1)
                    # It does not leave the bits that the memory has.
                    low = address[: design.parameter_beats.bit_length()]
                    m.d.sync += [word.eq(0), low.eq(low + 1)]
        return {"LOAD_ADDRESS": address}


def _constants(design: Design) -> dict[str, int]:
    """Values of the registers that never change."""
    return {
        "ID": IDENTITY,
        "VERSION": VERSION,
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
    }
