"""External parameters: descriptors and parameters out of an external memory."""

from contextlib import contextmanager

from amaranth.hdl import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..plan.design import Design
from ..plan.parameters import word_beats
from ..plan.program import DESCRIPTOR_WORDS, Kind
from .axi4 import Axi4ReadSignature
from .burst_reader import BurstReader
from .lap_counter import LapCounter
from .parameter_port import ParameterPort
from .weight_store import LoadSignature

__all__ = ["ExternalParameters"]


class ExternalParameters(wiring.Component):
    """Asks for descriptors and, word by word, for parameters, and hands them on as they come.

    ::

        Idle -> Place -> Judge -> Ask -> Place ... -> Wait -> Idle
                                   +-> Stray

    A descriptor, or a word of a section, is one command of the burst reader; no command reaches
    past the program's range.

    *Latency*: the memory's, and 8 cycles.  *Throughput*: a beat per cycle for words of 6 beats and
    more.

    Parameters
    ----------
    design : the maxima and the bus.
    depth : beats the burst reader's queue holds.

    Members
    -------
    port : the sequencer.
    origin, limit : first address and bytes of the program's range.
    load : a beat of parameters; ``targets`` has the bit of the step's kind set with it.
    cancel, clear, fault, idle : of the burst reader.
    read : its port, without IDs.
    """

    def __init__(self, design: Design, depth: int = 256):
        self._design = design
        self._reader = BurstReader(design.bursts, depth=depth, target=design.target)
        bursts = design.bursts
        super().__init__(
            {
                "port": In(ParameterPort(design)),
                "origin": In(bursts.address_bits),
                "limit": In(32),
                "load": Out(LoadSignature(design.bus_bits)),
                "targets": Out(1 + max(Kind)),
                "cancel": In(1),
                "clear": In(1),
                "fault": Out(1),
                "idle": Out(1),
                "read": Out(Axi4ReadSignature(bursts.address_bits, bursts.data_bits)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        port, reader = self.port, self._reader
        m.submodules.reader = reader
        wiring.connect(m, reader.bus, wiring.flipped(self.read))
        m.d.comb += [
            reader.cancel.eq(self.cancel),
            reader.clear.eq(self.clear),
            self.fault.eq(reader.fault),
            self.idle.eq(reader.idle),
        ]
        low = self._design.bursts.lane_bits
        sizes = word_beats(self._design)
        descriptor = 32 * DESCRIPTOR_WORDS // self._design.bus_bits
        most = max(descriptor, *(max(counts) for counts in sizes.values()))
        size = Signal(range(most + 1))
        count = Signal(range(1 + (1 << len(port.last_word))))  # words of the section
        fetching, begins, ended = Signal(), Signal(), Signal()
        loading = Signal()  # the first section was begun; the second lies behind it
        address, following = Signal(32), Signal(32)
        end, beyond = Signal(33), Signal()
        left, last_command = Signal.like(port.last_word), Signal()
        command = reader.commands
        m.d.comb += command.payload.beats.eq(size)
        # The counts are there for a cycle before they are counted to.
        settling = Signal()
        m.d.sync += begins.eq(settling)
        rewinding = Signal()
        m.d.sync += rewinding.eq(port.rewind)
        with m.If(rewinding):
            m.d.sync += following.eq(port.program)
        with m.If(~port.active):
            m.d.sync += loading.eq(0)
        m.d.sync += [port.stray.eq(0), settling.eq(0), beyond.eq(end > self.limit[low:])]
        # A command waits in a register, so that nothing of the reader stands before a state.
        with m.If(command.ready):
            m.d.sync += command.valid.eq(0)

        @contextmanager
        def state(name):
            """A state that is left once the step is given up."""
            with m.State(name):
                yield
                with m.If(~port.active):
                    m.next = "Idle"

        with m.FSM():
            with state("Idle"):
                m.d.sync += [
                    fetching.eq(port.fetch),
                    left.eq(Mux(port.fetch, 0, port.last_word)),
                    count.eq(port.last_word + 1),
                    settling.eq(1),
                ]
                with m.If(port.fetch):
                    m.d.sync += address.eq(following)
                with m.Elif(~loading):
                    m.d.sync += address.eq(port.address)
                with m.Switch(port.kind):
                    for kind, counts in sizes.items():
                        with m.Case(kind):
                            m.d.sync += size.eq(Mux(port.section, counts[1], counts[0]))
                with m.If(port.fetch):
                    m.d.sync += size.eq(descriptor)
                with m.If(port.fetch | port.load):
                    m.d.sync += loading.eq(~port.fetch)
                    m.next = "Place"
            with state("Place"):
                m.d.sync += [end.eq(address + size), last_command.eq(left == 0)]
                m.next = "Judge"
            with state("Judge"):
                with m.If(~command.valid):
                    m.d.sync += [
                        command.payload.address.eq(self.origin + (address << low)),
                        address.eq(end),
                        left.eq(left - 1),
                    ]
                    m.next = "Ask"
            with state("Ask"):
                m.d.sync += command.valid.eq(~beyond)
                with m.If(beyond):
                    m.d.sync += port.stray.eq(port.active)
                    m.next = "Stray"
                with m.Elif(last_command):
                    m.next = "Wait"
                with m.Else():
                    m.next = "Place"
            with state("Stray"):
                pass
            with state("Wait"):
                with m.If(ended):
                    with m.If(fetching):
                        m.d.sync += following.eq(address)
                    m.next = "Idle"
        with m.If(~port.active):
            m.d.sync += command.valid.eq(0)
        m.submodules.beat = beat = LapCounter(most)
        m.submodules.word = word = LapCounter(1 << len(port.last_word))
        for lap, lap_count in (beat, size), (word, count):
            m.d.comb += [lap.count.eq(lap_count), lap.start.eq(begins)]
        self._take_beats(m, beat, word, fetching, ended)
        return m

    def _take_beats(self, m, beat, word, fetching, ended):
        """Count the beats, and tell each where it belongs."""
        port, load, beats = self.port, self.load, self._reader.o
        taken = Signal()
        m.d.comb += [
            beats.ready.eq(1),
            taken.eq(beats.valid & port.active),
            # What comes after the step was given up is counted for nothing.
            beat.step.eq(beats.valid),
            word.step.eq(beats.valid & beat.last),
            port.valid.eq(taken & fetching),
            port.data.eq(beats.payload.data),
            port.loaded.eq(ended & ~fetching),
            load.valid.eq(self.targets.any()),
        ]
        m.d.sync += [
            ended.eq(taken & beat.last & (fetching | word.last)),
            load.data.eq(beats.payload.data),
            load.second.eq(port.section),
            load.bank.eq(port.bank),
            load.word.eq(word.value),
            load.beat.eq(beat.value),
        ]
        for kind in Kind:
            m.d.sync += self.targets[kind].eq(taken & ~fetching & (port.kind == kind))
