"""Sequencer: fetches descriptors, checks them, loads their parameters and runs them."""

from contextlib import contextmanager

from amaranth.hdl import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..plan.design import Design
from ..plan.program import DESCRIPTOR_WORDS, Kind
from ..plan.registers import ErrorCode
from .conv_engine import ConvConfig
from .descriptor import DESCRIPTOR, LayerConfig
from .descriptor_check import DescriptorCheck
from .memory_port import ReadPort
from .weight_store import LoadSignature

__all__ = ["Sequencer"]


class Sequencer(wiring.Component):
    """Runs a program, loading each step's parameters while the step before it computes.

    ::

        Idle -> Fetch -> Begin -> Check -> Load -> Wait -> Fetch ... -> Finish -> Idle
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
    load, target : a beat of parameters and the kind of step it belongs to.
    front, front_start : the first convolution's shape, and the pulse that starts it.
    head_groups : words per pixel of the head.
    layer, layer_start : the main step's configuration, and the pulse that starts it.
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
                "faults": In(len(ErrorCode)),
                "memory": Out(ReadPort(design.parameter_beats, design.bus_bits)),
                "load": Out(LoadSignature(design.bus_bits)),
                "target": Out(4),
                "front": Out(ConvConfig),
                "front_start": Out(1),
                "head_groups": Out(16),
                "layer": Out(LayerConfig),
                "layer_start": Out(1),
                "layer_running": In(1),
                "busy": Out(1),
                "preparing": Out(1),
                "done": Out(1),
                "error": Out(1),
                "error_code": Out(8),
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
        latency = design.parameter_banks.latency
        bits = Signal(32 * DESCRIPTOR_WORDS)
        descriptor = data.View(DESCRIPTOR, bits)
        address = Signal.like(self.memory.address)
        pc = Signal.like(address)
        beat = Signal(range(beats + latency))
        bank = Signal()
        fault = Signal(8)
        for code in reversed(ErrorCode):
            with m.If(self.faults.bit_select(code.value, 1)):
                m.d.comb += fault.eq(code)

        def fail(code):
            m.d.comb += [self.error.eq(1), self.error_code.eq(code), self.clear.eq(1)]
            m.next = "Idle"

        @contextmanager
        def state(name):
            """A state of a run: a fault or an abort ends it, whatever the state does."""
            with m.State(name):
                m.d.comb += self.busy.eq(1)
                yield
                with m.If(self.abort):
                    m.d.comb += [self.error.eq(0), self.done.eq(0), self.clear.eq(1)]
                    m.next = "Idle"
                with m.Elif(fault != 0):
                    m.d.comb += self.done.eq(0)
                    fail(fault)

        m.d.comb += [
            self.memory.address.eq(address),
            check.descriptor.eq(descriptor),
            check.index.eq(self.step),
            check.front.eq(self.front),
            check.head_groups.eq(self.head_groups),
        ]
        m.d.sync += [self.front_start.eq(0), self.layer_start.eq(0)]
        loading, loaded = Signal(), Signal()
        self._load(m, descriptor, bank, loading, loaded)
        with m.FSM():
            with m.State("Idle"):
                m.d.sync += [self.step.eq(0), beat.eq(0), bank.eq(0)]
                # A program that starts past the memory must not be cut to an address within it.
                first = Mux(self.program < design.parameter_beats, self.program, ~0)
                m.d.sync += [address.eq(first), pc.eq(first)]
                with m.If(self.start):
                    m.d.comb += self.clear.eq(1)
                    m.next = "Fetch"
            with state("Fetch"):
                # Beats follow their addresses; the descriptor is shifted in.
                m.d.comb += [self.preparing.eq(1), self.memory.enable.eq(beat < beats)]
                m.d.sync += [beat.eq(beat + 1), address.eq(address + self.memory.enable)]
                with m.If(beat >= latency):
                    m.d.sync += bits.eq(Cat(bits[design.bus_bits :], self.memory.data))
                with m.If(beat == beats + latency - 1):
                    m.next = "Begin"
                with m.Elif(self.memory.enable & (address >= design.parameter_beats)):
                    fail(ErrorCode.PARAMETER_ADDRESS)
            with state("Begin"):
                m.d.comb += [self.preparing.eq(1), check.start.eq(1)]
                m.next = "Check"
            with state("Check"):
                m.d.comb += self.preparing.eq(1)
                m.d.sync += [address.eq(descriptor.load_address), beat.eq(0)]
                with m.If(check.done):
                    m.next = "Load"
                    with m.If(check.error != 0):
                        fail(check.error)
            with state("Load"):
                # Into the bank that the running step does not use.
                m.d.comb += self.preparing.eq(1)
                with m.If(loaded):
                    m.next = "Wait"
                with m.Elif(address >= design.parameter_beats):
                    fail(ErrorCode.PARAMETER_ADDRESS)
                with m.Else():
                    m.d.comb += [self.memory.enable.eq(1), loading.eq(1)]
                    m.d.sync += address.eq(address + 1)
            with state("Wait"):
                with m.If((descriptor.kind != Kind.CONV) | ~self.layer_running):
                    self._launch(m, descriptor, check.row_words, bank)
                    m.d.sync += [
                        self.step.eq(self.step + 1),
                        address.eq(pc + beats),
                        pc.eq(pc + beats),
                    ]
                    m.next = "Fetch"
                    with m.If(descriptor.last):
                        m.next = "Finish"
            with state("Finish"):
                with m.If(~self.layer_running):
                    m.d.comb += self.done.eq(1)
                    m.next = "Idle"
        return m

    def _load(self, m, descriptor, bank, loading, loaded):
        """Count the words and beats of both sections; ``load`` follows the addresses by a cycle,
        and waits for the beats outside.

        ``loading`` says that a beat is read in this cycle, ``loaded`` that all have been.
        """
        design = self._design
        sizes = {
            Kind.FRONT: (design.front.weight_bits, design.front.requantize_bits),
            Kind.HEAD: (design.head_word_bits, design.head_bias.width),
            Kind.CONV: (design.main.weight_bits, design.main.requantize_bits),
        }
        last_beats = [Signal(16, name=f"last_beat_{section}") for section in range(2)]
        with m.Switch(descriptor.kind):
            for kind, widths in sizes.items():
                with m.Case(kind):
                    for last_beat, width in zip(last_beats, widths):
                        m.d.comb += last_beat.eq(-(-width // design.bus_bits) - 1)

        second = Signal()
        word, beat = Signal(16), Signal(16)
        words = Mux(second, descriptor.requantize_words, descriptor.weight_words)
        m.d.sync += [
            self.load.valid.eq(loading),
            self.load.second.eq(second),
            self.load.bank.eq(bank),
            self.load.word.eq(word),
            self.load.beat.eq(beat),
            self.target.eq(descriptor.kind),
        ]
        m.d.comb += self.load.data.eq(self.memory.data)
        with m.If(loading):
            m.d.sync += beat.eq(beat + 1)
            with m.If(beat == Mux(second, last_beats[1], last_beats[0])):
                m.d.sync += [beat.eq(0), word.eq(word + 1)]
                with m.If(word == words - 1):
                    m.d.sync += [word.eq(0), second.eq(1), loaded.eq(second)]
        with m.Else():
            m.d.sync += [second.eq(0), word.eq(0), beat.eq(0), loaded.eq(0)]

    def _launch(self, m, descriptor, row_words, bank):
        """Hand the step over: its configuration now, its start pulse with the next edge."""
        d, layer = descriptor, self.layer
        shape = {"width": d.width, "height": d.height, "groups_out": d.groups_out}
        with m.Switch(d.kind):
            with m.Case(Kind.FRONT):
                m.d.sync += [self.front[name].eq(value) for name, value in shape.items()]
                m.d.sync += [
                    self.front.groups_in.eq(d.groups_a),
                    self.front.row_words.eq(row_words),
                    self.front_start.eq(1),
                ]
            with m.Case(Kind.HEAD):
                m.d.sync += self.head_groups.eq(d.groups_a)
            with m.Default():
                m.d.sync += [layer.conv[name].eq(value) for name, value in shape.items()]
                m.d.sync += [
                    layer.conv.groups_in.eq(d.groups_a + d.groups_b),
                    layer.conv.row_words.eq(row_words),
                    layer.conv.bank.eq(bank),
                    bank.eq(~bank),
                    self.layer_start.eq(1),
                    self.running_step.eq(self.step),
                ]
                for which in "ab":
                    source = layer[which]
                    m.d.sync += [
                        source[name].eq(d[f"{name}_{which}"])
                        for name in ("base", "row_stride", "groups", "up")
                    ]
                m.d.sync += [
                    layer[name].eq(d[name])
                    for name in (
                        "from_front",
                        "store_full",
                        "store_pool",
                        "to_head",
                        "words_out",
                        "pixel_stride",
                        "full_base",
                        "pool_base",
                    )
                ]
