"""Sequencer: fetches descriptors, checks them, loads their parameters and runs them."""

from contextlib import contextmanager

from amaranth.hdl import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..plan.design import Design
from ..plan.program import DESCRIPTOR_WORDS, Kind
from ..plan.registers import ErrorCode, errors_of
from .descriptor import LayerConfig
from .descriptor_check import DescriptorCheck
from .parameter_port import ParameterPort

__all__ = ["Sequencer"]


def most_steps(design: Design) -> int:
    """Most steps of a program: no more than fit the parameter memory."""
    if design.external:
        return (1 << 16) - 1
    return design.parameter_beats // (32 * DESCRIPTOR_WORDS // design.bus_bits) + 1


class Sequencer(wiring.Component):
    """Runs a program, loading each step's parameters while the step before it computes.

    ::

        Idle (-> Open) -> Prepare -> Wait -> Launch -> Prepare ... -> Finish -> Idle
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
    opened : the memory is ready for the run begun; on chip, it always is.
    faults : error codes' bits raised by the datapath, bit n for code n.
    parameters : what holds program and parameters.
    front, front_start : the first convolution's configuration, and the pulse that starts it.
    front_running : its last word is still to come; only where it may be started again.
    layer, layer_start : the main step's configuration, and the pulse that starts it, a cycle
        later at the earliest, as for ``front``.
    layer_running : the main datapath runs a step; true already with ``layer_start``.
    busy : a run is under way.
    preparing : the sequencer is busy with a step that is not running yet.
    done : pulse: the run ended well.
    error : pulse: the run ended with ``error_code`` at step ``error_step``: the one in
        preparation, or for ``faults`` the one running.
    clear : pulse that clears the datapath.
    running_step : index of the descriptor that runs; 0 before the first.
    """

    def __init__(self, design: Design):
        self._design = design
        self._errors = errors_of(design.external)
        super().__init__(
            {
                "start": In(1),
                "abort": In(1),
                "opened": In(1, init=1),
                "program": In(32),
                "faults": In(1 + max(self._errors)),
                "parameters": Out(ParameterPort(design)),
                "front": Out(LayerConfig),
                "front_start": Out(1),
                "front_running": In(1),
                "layer": Out(LayerConfig),
                "layer_start": Out(1),
                "layer_running": In(1),
                "busy": Out(1),
                "preparing": Out(1),
                "done": Out(1),
                "error": Out(1),
                "error_code": Out(range(1 + max(self._errors))),
                "error_step": Out(16),
                "clear": Out(1),
                "running_step": Out(16),
            }
        )

    def elaborate(self, platform):
        m = Module()
        design = self._design
        m.submodules.check = check = DescriptorCheck(design)
        place = Signal(2)
        step = Signal(range(most_steps(design) + 1))
        bank = Signal()
        launching = Signal()
        failure = self._collect_failures(m, check, step)

        def leave(done=0, error=0, clear=0):
            m.d.comb += [self.done.eq(done), self.error.eq(error), self.clear.eq(clear)]
            m.d.sync += [self.busy.eq(0), self.preparing.eq(0)]
            m.next = "Idle"

        def prepare():
            m.d.sync += [self.preparing.eq(1), self.parameters.fetch.eq(1)]
            m.next = "Prepare"

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
            self.error_code.eq(failure),
            check.place.eq(place),
            check.stop.eq(~self.preparing),
        ]
        m.d.sync += [self.front_start.eq(0), self.layer_start.eq(0), self.parameters.fetch.eq(0)]
        # Seen a cycle late, so a step counts as running from its launch on.
        running = Signal()
        front, conv = Signal(), Signal()
        again = (place == 3) if design.external else 0
        # Known from a register, as hundreds wait for it; a step is prepared for longer than that.
        waits = Signal()
        m.d.sync += [
            running.eq(self.layer_running | launching),
            # A further strip's first convolution waits for the one before to be done.
            waits.eq((conv & running) | (front & again & (running | self.front_running))),
            front.eq(check.kind == Kind.FRONT),
            conv.eq(check.kind == Kind.CONV),
        ]
        self._connect_parameters(m, check, bank)
        # More than a hundred registers wait for these.
        settles = Signal()
        front_settles = Signal()
        m.d.sync += [settles.eq(0), front_settles.eq(0)]
        with m.If(front_settles):
            m.d.sync += [
                self.front.eq(check.step),
                self.front.trim_left.eq(check.flags.trim_left),
                self.front.trim_right.eq(check.flags.trim_right),
            ]
        with m.If(settles):
            self._configure(m, check, bank)
        with m.FSM():
            with m.State("Idle"):
                m.d.comb += self.parameters.rewind.eq(1)
                m.d.sync += [step.eq(0), place.eq(0), bank.eq(0), failure.eq(0)]
                with m.If(self.start):
                    m.d.comb += self.clear.eq(1)
                    m.d.sync += [self.busy.eq(1), self.running_step.eq(0)]
                    if design.external:
                        m.next = "Open"
                    else:
                        prepare()
            if design.external:
                with state("Open"):
                    with m.If(self.opened):
                        prepare()
            with state("Prepare"):
                # Parameters go into the bank that the running step does not use.
                with m.If(check.done):
                    m.d.sync += self.preparing.eq(0)
                    m.next = "Wait"
            with state("Wait"):
                m.d.sync += [settles.eq(conv & ~waits), front_settles.eq(front & ~waits)]
                with m.If(~waits):
                    m.next = "Settle"
            with state("Settle"):
                m.next = "Launch"
            with state("Launch"):
                m.d.comb += launching.eq(conv)
                with m.If(conv):
                    m.d.sync += self.running_step.eq(step)
                m.d.sync += [
                    self.front_start.eq(front),
                    self.layer_start.eq(conv),
                    step.eq(step + 1),
                    place.eq(Mux(front & again, 2, place + (place != 3))),
                ]
                with m.If(check.flags.last):
                    m.next = "Finish"
                with m.Else():
                    prepare()
            with state("Finish"):
                with m.If(~running):
                    leave(done=1)
        return m

    def _collect_failures(self, m, check, step):
        """An error code since the run began, 0 if there is none, and its step; a cycle late."""
        failure = Signal.like(self.error_code)
        fault = Signal.like(failure)
        for code in reversed(self._errors):
            with m.If(self.faults.bit_select(code.value, 1)):
                m.d.comb += fault.eq(code)
        stray = ErrorCode.RANGE_LIMIT if self._design.external else ErrorCode.PARAMETER_ADDRESS
        with m.If(failure == 0):
            m.d.sync += self.error_step.eq(Mux(fault != 0, self.running_step, step))
        with m.If(fault != 0):
            m.d.sync += failure.eq(fault)
        with m.Elif(self.parameters.stray):
            m.d.sync += failure.eq(stray)
        with m.Elif(check.error != 0):
            m.d.sync += failure.eq(check.error)
        return failure

    def _connect_parameters(self, m, check, bank):
        """Descriptors and parameters."""
        port = self.parameters
        m.d.comb += [
            port.program.eq(self.program),
            port.active.eq(self.preparing),
            port.load.eq(check.load),
            port.kind.eq(check.kind),
            port.section.eq(check.section),
            port.bank.eq(bank),
            port.last_word.eq(check.last_word),
            port.address.eq(check.load_address),
            check.valid.eq(port.valid),
            check.data.eq(port.data),
            check.loaded.eq(port.loaded),
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
                for name in (
                    "from_front", "store_full", "store_pool", "to_head", "trim_left", "trim_right",
                    "odd",
                )
            ),
            bank.eq(~bank),
        ]
