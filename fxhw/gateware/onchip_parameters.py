"""On-chip parameters: descriptors and parameters out of the parameter memory."""

from amaranth.hdl import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..plan.design import Design
from ..plan.program import DESCRIPTOR_WORDS, Kind
from .memory_port import ReadPort
from .parameter_loader import ParameterLoader
from .parameter_port import ParameterPort
from .weight_store import LoadSignature

__all__ = ["OnchipParameters"]


class OnchipParameters(wiring.Component):
    """Reads the parameter memory for the sequencer.

    *Latency*: that of the memory.  *Throughput*: a beat per cycle.

    Parameters
    ----------
    design : the maxima.

    Members
    -------
    port : the sequencer.
    memory : the parameter memory's read side.
    load : a beat of parameters; ``targets`` has the bit of the step's kind set with it.
    """

    def __init__(self, design: Design):
        self._design = design
        super().__init__(
            {
                "port": In(ParameterPort(design)),
                "memory": Out(ReadPort(design.parameter_beats, design.bus_bits)),
                "load": Out(LoadSignature(design.bus_bits)),
                "targets": Out(1 + max(Kind)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        design, port = self._design, self.port
        m.submodules.loader = loader = ParameterLoader(design)
        address = Signal.like(self.memory.address)
        following = Signal.like(address)
        beats = 32 * DESCRIPTOR_WORDS // design.bus_bits
        left = Signal(range(beats))
        fetching, fetched, loading = Signal(), Signal(), Signal()
        # A program that starts past the memory must not be cut to an address within it.
        astray = Signal()
        # The next descriptor's address waits while parameters are read.
        m.d.comb += fetching.eq(port.fetch | (left != 0))
        m.d.sync += [fetched.eq(fetching), left.eq(left - (left != 0))]
        with m.If(port.fetch):
            m.d.sync += left.eq(beats - 1)
        with m.If(fetched & ~fetching):
            m.d.sync += [following.eq(address), astray.eq(0)]
        with m.If(port.rewind):
            m.d.sync += [following.eq(port.program), astray.eq(port.program[len(address) :].any())]
        with m.If(~port.active):
            m.d.sync += [loading.eq(0), left.eq(0), address.eq(following)]
        with m.Else():
            m.d.sync += loading.eq(loading | port.load)
            with m.If(self.memory.enable):
                m.d.sync += address.eq(address + 1)
            with m.Elif(~loading):
                m.d.sync += address.eq(port.address)

        read, past = Signal(), Signal()
        m.d.sync += [
            read.eq(self.memory.enable),
            past.eq(astray | (address >= design.parameter_beats)),
        ]
        arriving = Signal(design.parameter_banks.latency)
        m.d.sync += arriving.eq(Cat(fetching, arriving))
        m.d.comb += [
            port.stray.eq(read & past),
            port.valid.eq(arriving[-1]),
            port.data.eq(self.memory.data),
            port.loaded.eq(loader.loaded),
            self.memory.address.eq(address),
            self.memory.enable.eq(fetching | loader.read),
            loader.run.eq(port.load),
            loader.kind.eq(port.kind),
            loader.section.eq(port.section),
            loader.bank.eq(port.bank),
            loader.last_word.eq(port.last_word),
            self.load.data.eq(self.memory.data),
            self.load.valid.eq(self.targets.any()),
            self.load.second.eq(loader.second),
            self.load.word.eq(loader.word),
            self.load.beat.eq(loader.beat),
            self.load.bank.eq(loader.to_bank),
            self.targets.eq(loader.targets),
        ]
        return m
