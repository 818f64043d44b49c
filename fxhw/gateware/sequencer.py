"""Sequencer: fetches descriptors, checks them, loads their parameters and runs them."""

from contextlib import contextmanager

from amaranth.hdl import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..plan.design import Design
from ..plan.program import DESCRIPTOR_WORDS, Kind
from ..plan.registers import ErrorCode, errors_of
from .conv_engine import ConvConfig
from .descriptor import LayerConfig
from .descriptor_check import DescriptorCheck
from .memory_port import ReadPort
from .parameter_loader import ParameterLoader
from .weight_store import LoadSignature

__all__ = ["Sequencer"]


class Sequencer(wiring.Component):
    """Runs a program, loading each step's parameters while the step before it computes.

    ::

        Idle -> Fetch -> Prepare -> Wait -> Launch -> Fetch ... -> Finish -> Idle
                    a fault or an abort anywhere -> Idle

    A fault, from the check or from the datapath, stops the run, clears the datapath and is
    reported; the next start works.

    Parameters
    ----------
    design : the maxima.

    Members
    -------
    start : pulse that begins a run at beat ``program``; ignored during a run.
    abort : pulse that ends one.
    faults : error codes' bits raised by the datapath, bit n for code n.
    memory : the parameter memory's read side.
    load : a beat of parameters; ``targets`` has the bit of the step's kind set with it.
    front, front_start : the first convolution's shape, and the pulse that starts it.
    layer, layer_start : the main step's configuration, and the pulse that starts it, a cycle
        later at the earliest, as for ``front``.
    layer_running : the main datapath runs a step; true already with ``layer_start``.
    busy : a run is under way.
    preparing : the sequencer is busy with a step that is not running yet.
    done : pulse: the run ended well.
    error : pulse: the run ended with ``error_code`` at step ``step``.
    clear : pulse that clears the datapath.
    step : index of the descriptor in preparation; ``running_step`` of the one running.
    """

    def __init__(self, design: Design):
        self._design = design
        super().__init__(
            {
                "start": In(1),
                "abort": In(1),
                "program": In(32),
                "faults": In(len(errors_of(external=False))),
                "memory": Out(ReadPort(design.parameter_beats, design.bus_bits)),
                "load": Out(LoadSignature(design.bus_bits)),
                "targets": Out(1 + max(Kind)),
                "front": Out(ConvConfig),
                "front_start": Out(1),
                "layer": Out(LayerConfig),
                "layer_start": Out(1),
                "layer_running": In(1),
                "busy": Out(1),
                "preparing": Out(1),
                "done": Out(1),
                "error": Out(1),
                "error_code": Out(4),
                "clear": Out(1),
                "step": Out(16),
                "running_step": Out(16),
            }
        )

    def elaborate(self, platform):
        m = Module()
        design = self._design
        m.submodules.check = check = DescriptorCheck(design)
        beats = 32 * DESCRIPTOR_WORDS // design.bus_bits
        address = Signal.like(self.memory.address)
        following = Signal.like(address)
        beat = Signal(range(beats))
        place = Signal(2)
        # No program has more steps than fit the parameter memory.
        step = Signal(range(design.parameter_beats // beats + 2))
        bank = Signal()
        fetching, fetched, loading, launching = (Signal() for _ in range(4))
        # A program that starts past the memory must not be cut to an address within it.
        astray = Signal()
        m.d.sync += astray.eq(self.program[len(address) :].any())
        failure = self._collect_failures(m, check, address, astray & (place == 0))

        def leave(done=0, error=0, clear=0):
            m.d.comb += [self.done.eq(done), self.error.eq(error), self.clear.eq(clear)]
            m.d.sync += [self.busy.eq(0), self.preparing.eq(0), fetching.eq(0)]
            m.next = "Idle"

        @contextmanager
        def state(name):
            """A state of a run: a fault or an abort ends it, whatever the state does."""
            with m.State(name):
                yield
                with m.If(self.abort):
                    leave(clear=1)
                with m.Elif(failure != 0):
                    leave(error=1, clear=1)

        m.d.comb += [
            self.step.eq(step),
            self.memory.address.eq(address),
            self.error_code.eq(failure),
            check.place.eq(place),
            check.stop.eq(~self.preparing),
        ]
        m.d.sync += [self.front_start.eq(0), self.layer_start.eq(0)]
        # Seen a cycle late, so a step counts as running from its launch on.
        running = Signal()
        front, conv = Signal(), Signal()
        m.d.sync += [
            running.eq(self.layer_running | launching),
            front.eq(check.kind == Kind.FRONT),
            conv.eq(check.kind == Kind.CONV),
        ]
        self._load(m, check, bank, fetching)
        # The next descriptor's address waits while parameters are read.
        m.d.sync += fetched.eq(fetching)
        with m.If(fetched & ~fetching):
            m.d.sync += following.eq(address)
        with m.If(~self.preparing):
            m.d.sync += [loading.eq(0), address.eq(following)]
        with m.Else():
            m.d.sync += loading.eq(loading | check.load)
            with m.If(self.memory.enable):
                m.d.sync += address.eq(address + 1)
            with m.Elif(~loading):
                m.d.sync += address.eq(check.load_address)
        with m.FSM():
            with m.State("Idle"):
                m.d.sync += [step.eq(0), place.eq(0), bank.eq(0), beat.eq(0), failure.eq(0)]
                m.d.sync += following.eq(self.program)
                with m.If(self.start):
                    m.d.comb += self.clear.eq(1)
                    m.d.sync += [self.busy.eq(1), self.preparing.eq(1), fetching.eq(1)]
                    m.next = "Fetch"
            with state("Fetch"):
                m.d.sync += beat.eq(beat + 1)
                with m.If(beat == beats - 1):
                    m.d.sync += fetching.eq(0)
                    m.next = "Prepare"
            with state("Prepare"):
                # Parameters go into the bank that the running step does not use.
                with m.If(check.done):
                    m.d.sync += self.preparing.eq(0)
                    m.next = "Wait"
            with state("Wait"):
                with m.If(front):
                    m.d.sync += self.front.eq(check.step.conv)
                with m.If(conv & ~running):
                    self._configure(m, check, bank)
                with m.If(~conv | ~running):
                    m.next = "Launch"
            with state("Launch"):
                m.d.comb += launching.eq(conv)
                m.d.sync += [
                    self.front_start.eq(front),
                    self.layer_start.eq(conv),
                    step.eq(step + 1),
                    place.eq(place + (place != 3)),
                ]
                with m.If(check.flags.last):
                    m.next = "Finish"
                with m.Else():
                    m.d.sync += [self.preparing.eq(1), fetching.eq(1)]
                    m.next = "Fetch"
            with state("Finish"):
                with m.If(~running):
                    leave(done=1)
        return m

    def _collect_failures(self, m, check, address, astray):
        """The first error code since the run began, 0 if there is none; a cycle late."""
        failure = Signal(4)
        fault = Signal(4)
        for code in reversed(errors_of(external=False)):
            with m.If(self.faults.bit_select(code.value, 1)):
                m.d.comb += fault.eq(code)
        read, past = Signal(), Signal()
        m.d.sync += [
            read.eq(self.memory.enable),
            past.eq(astray | (address >= self._design.parameter_beats)),
        ]
        with m.If(fault != 0):
            m.d.sync += failure.eq(fault)
        with m.Elif(read & past):
            m.d.sync += failure.eq(ErrorCode.PARAMETER_ADDRESS)
        with m.Elif(check.error != 0):
            m.d.sync += failure.eq(check.error)
        return failure

    def _load(self, m, check, bank, fetching):
        """Beats of the parameter memory: descriptors and parameters."""
        m.submodules.loader = loader = ParameterLoader(self._design)
        arriving = Signal(self._design.parameter_banks.latency)
        m.d.sync += arriving.eq(Cat(fetching, arriving))
        m.d.comb += [
            self.load.data.eq(self.memory.data),
            self.memory.enable.eq(fetching | loader.read),
            check.valid.eq(arriving[-1]),
            check.data.eq(self.load.data),
            loader.run.eq(check.load),
            loader.kind.eq(check.kind),
            loader.section.eq(check.section),
            loader.bank.eq(bank),
            loader.last_word.eq(check.last_word),
            check.loaded.eq(loader.loaded),
            self.load.valid.eq(self.targets.any()),
            self.load.second.eq(loader.second),
            self.load.word.eq(loader.word),
            self.load.beat.eq(loader.beat),
            self.load.bank.eq(loader.to_bank),
            self.targets.eq(loader.targets),
        ]

    def _configure(self, m, check, bank):
        """Hand the main step's configuration over."""
        flags, layer = check.flags, self.layer
        m.d.sync += [
            layer.eq(check.step),
            layer.conv.bank.eq(bank),
            layer.a.up.eq(flags.up_a),
            layer.b.up.eq(flags.up_b),
            *(
                layer[name].eq(flags[name])
                for name in ("from_front", "store_full", "store_pool", "to_head")
            ),
            bank.eq(~bank),
            self.running_step.eq(self.step),
        ]
