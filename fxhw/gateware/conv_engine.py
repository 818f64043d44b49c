"""Convolution engine: a raster of words in, a raster of requantized words out."""

from amaranth.hdl import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..plan.conv_spec import TAPS, ConvSpec
from .accumulators import Accumulators
from .line_buffer import LineBuffer
from .mac_array import MacArray
from .mac_lut import LutMacArray
from .requantizer import Requantizer
from .stream import StreamFifo
from .weight_store import LoadSignature, WeightStore
from .window import Window

__all__ = ["ConvConfig", "ConvEngine"]


class ConvConfig(data.Struct):
    """What a layer looks like to an engine; stable while it runs.

    ``groups_in`` and ``groups_out`` are words per pixel in and out, ``row_words`` is
    ``width * groups_in``, ``bank`` the weight store's bank.
    """

    width: 16
    height: 16
    groups_in: 16
    groups_out: 16
    row_words: 16
    bank: 1


class ConvEngine(wiring.Component):
    """3x3 convolution of a raster with requantization.

    ::

        i -> line buffer -> window -> issue -> MAC array -> accumulators -> requantizer -> fifo -> o
                                        |                        |
                                  weight words        bias, shift and multiplier words

    Issue holds a window for ``groups_out`` cycles, one weight word each; a pixel takes
    ``groups_in * groups_out`` cycles.  Behind issue nothing stalls: the last input group's cycle
    is issued only while the fifo has room for its result (credits), so back-pressure never
    crosses the array.

    *Latency*: a row, a pixel and :attr:`latency` cycles.  *Throughput*: a window per cycle.

    Parameters
    ----------
    spec : formats, lanes and maxima.
    bus_bits : bits of a parameter beat.
    banks : banks of the weight store.

    Members
    -------
    start : pulse that begins a layer; the engine must be idle.
    config : the layer; stable until its last word has left.
    load : parameters; the first section is weight words, the second requantization words.
    i : stream of words of ``lanes_in`` codes, raster order, input groups fastest.
    o : stream of words of ``lanes_out`` codes, raster order, output groups fastest.
    busy : windows are still to be issued.
    fire : a window is issued in this cycle.
    blocked : a window waits for room behind the array.
    """

    def __init__(self, spec: ConvSpec, bus_bits: int, banks: int = 1):
        self._spec = spec
        self._array = (LutMacArray if spec.style == "lut" else MacArray)(spec)
        self._requantizer = Requantizer(spec.requantize, spec.lanes_out)
        self._weights = WeightStore(spec.weight_bits, spec.weight_words, bus_bits, banks)
        self._scales = WeightStore(spec.requantize_bits, spec.max_groups_out, bus_bits, banks)
        super().__init__(
            {
                "start": In(1),
                "config": In(ConvConfig),
                "load": In(LoadSignature(bus_bits)),
                "i": In(stream.Signature(spec.word_bits)),
                "o": Out(stream.Signature(spec.out_bits)),
                "busy": Out(1),
                "fire": Out(1),
                "blocked": Out(1),
            }
        )

    @property
    def spec(self) -> ConvSpec:
        """Formats, lanes and maxima."""
        return self._spec

    @property
    def latency(self) -> int:
        """Cycles from a window's issue to its result's arrival in the fifo."""
        return 1 + self._array.latency + 1 + self._requantizer.latency

    @property
    def fifo_depth(self) -> int:
        """Words the output fifo holds: enough that credits never limit a flowing engine."""
        return -(-(self.latency + 6) // 16) * 16

    def elaborate(self, platform):
        m = Module()
        spec, config = self._spec, self.config
        m.submodules.lines = lines = LineBuffer(spec.word_bits, spec.row_words)
        m.submodules.window = window = Window(spec.word_bits, spec.max_groups_in)
        m.submodules.weights = weights = self._weights
        m.submodules.scales = scales = self._scales
        m.submodules.array = array = self._array
        m.submodules.accumulators = accumulators = Accumulators(spec)
        m.submodules.requantizer = requantizer = self._requantizer
        m.submodules.fifo = fifo = StreamFifo(spec.out_bits, self.fifo_depth)

        wiring.connect(m, wiring.flipped(self.i), lines.i)
        wiring.connect(m, lines.o, window.i)
        wiring.connect(m, fifo.o, wiring.flipped(self.o))
        for store, second in ((weights, 0), (scales, 1)):
            wiring.connect(m, wiring.flipped(self.load), store.load)
            m.d.comb += [
                store.enable.eq(self.load.second == second),
                store.bank.eq(config.bank),
            ]
        m.d.comb += [
            lines.start.eq(self.start),
            lines.row_words.eq(config.row_words),
            lines.height.eq(config.height),
            window.start.eq(self.start),
            window.groups.eq(config.groups_in),
            window.width.eq(config.width),
            window.height.eq(config.height),
            self.busy.eq(window.busy),
        ]

        # Issue: one weight word per cycle for the window at hand.
        group_in = Signal(range(spec.max_groups_in))
        group_out = Signal(range(spec.max_groups_out))
        word = Signal(range(spec.weight_words))
        credits = Signal(range(self.fifo_depth + 1), init=self.fifo_depth)
        last_in = Signal()
        last_out = Signal()
        m.d.comb += [
            last_in.eq(group_in == config.groups_in - 1),
            last_out.eq(group_out == config.groups_out - 1),
            self.fire.eq(window.o.valid & (~last_in | (credits != 0))),
            self.blocked.eq(window.o.valid & ~self.fire),
            window.o.ready.eq(self.fire & last_out),
            weights.address.eq(word),
        ]
        with m.If(self.fire):
            m.d.sync += [word.eq(word + 1), group_out.eq(group_out + 1)]
            with m.If(last_out):
                m.d.sync += [group_out.eq(0), group_in.eq(group_in + 1)]
                with m.If(last_in):
                    m.d.sync += [group_in.eq(0), word.eq(0)]
        m.d.sync += credits.eq(
            credits - (self.fire & last_in) + (fifo.o.valid & fifo.o.ready)
        )

        # The window waits a cycle for its weight word.
        held = Signal(data.ArrayLayout(spec.word_bits, TAPS), reset_less=True)
        m.d.sync += held.eq(window.o.payload)
        m.d.comb += [array.window.eq(held), array.weights.eq(weights.word)]

        record = [requantizer.i_bias, requantizer.i_shift]
        if spec.mul_bits:
            record.append(requantizer.i_multiplier)

        # What the sums belong to travels beside the array.
        tag = Cat(self.fire, group_in == 0, last_in, group_out)
        for stage in range(1 + array.latency):
            delayed = Signal(tag.shape(), name=f"tag_{stage}")
            m.d.sync += delayed.eq(tag)
            tag = delayed
        m.d.comb += [
            Cat(
                accumulators.valid, accumulators.first, accumulators.last, accumulators.group
            ).eq(tag),
            accumulators.sums.eq(array.sums),
            scales.address.eq(accumulators.group),
            requantizer.i_valid.eq(accumulators.o_valid),
            requantizer.i_acc.eq(accumulators.o),
            Cat(field.as_value() for field in record).eq(scales.word),
            fifo.i.valid.eq(requantizer.o_valid),
            fifo.i.payload.eq(requantizer.o),
        ]
        return m
