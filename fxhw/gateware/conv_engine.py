"""Convolution engine: a raster of words in, a raster of requantized words out."""

from amaranth.hdl import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..plan.conv_spec import ConvSpec
from .accumulators import Accumulators
from .array_styles import make_array
from .column_pairs import ColumnPairs
from .line_buffer import LineBuffer
from .pair_accumulators import PairAccumulators
from .pixel_order import PixelOrder
from .requantizer import Requantizer
from .stream import StreamFifo
from .weight_store import LoadSignature, WeightStore
from .window import Window

__all__ = ["ConvConfig", "ConvEngine"]


_FETCH = 2
"""Cycles from a window's issue until it is at the array beside its weights."""


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

    An engine of two pixels takes column pairs for windows, and puts its results in order in place
    of the fifo; each of the two words a step gives has credits of its own.

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
        self._array = make_array(spec)
        self._requantizer = Requantizer(spec.requantize, spec.pixels * spec.lanes_out)
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
        return _FETCH + self._array.latency + 1 + self._requantizer.latency

    @property
    def fifo_depth(self) -> int:
        """Words the output fifo holds: enough that credits never limit a flowing engine."""
        depth = self.latency + 6
        if self._spec.pixels == 2:
            # A pixel waits there while the one before it leaves.
            depth += self._spec.max_groups_out
        return -(-depth // 16) * 16

    def elaborate(self, platform):
        m = Module()
        spec, config = self._spec, self.config
        pairs = spec.pixels == 2
        m.submodules.lines = lines = LineBuffer(spec.word_bits, spec.row_words)
        window = (ColumnPairs if pairs else Window)(spec.word_bits, spec.max_groups_in)
        m.submodules.window = window
        m.submodules.weights = weights = self._weights
        m.submodules.scales = scales = self._scales
        m.submodules.array = array = self._array
        accumulators = (PairAccumulators if pairs else Accumulators)(spec)
        m.submodules.accumulators = accumulators
        m.submodules.requantizer = requantizer = self._requantizer
        queue = (spec.out_bits, self.fifo_depth)
        fifo = PixelOrder(*queue, spec.max_groups_out) if pairs else StreamFifo(*queue)
        m.submodules.fifo = fifo

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
        tag = self._issue(m, window, weights, fifo)

        # A window waits for its weight word: a cycle in the memory, one on the way to the array.
        words = window.o.payload.words if pairs else window.o.payload
        m.d.comb += [
            array.window.eq(_delay(m, words.as_value(), _FETCH, "window", reset_less=True)),
            array.weights.eq(_delay(m, weights.word, _FETCH - 1, "weights", reset_less=True)),
        ]

        # What the sums belong to travels beside the array.
        there = Signal(2) if pairs else None
        belongs = [
            accumulators.valid, accumulators.first, accumulators.last, accumulators.group
        ]
        if pairs:
            belongs += [accumulators.left, there]
        m.d.comb += [
            Cat(belongs).eq(_delay(m, tag, _FETCH + array.latency, "tag")),
            accumulators.sums.eq(array.sums),
            scales.address.eq(accumulators.group),
            requantizer.i_valid.eq(accumulators.o_valid),
            requantizer.i_acc.eq(accumulators.o),
        ]
        self._connect_scales(m)
        if pairs:
            there = _delay(m, there, 1 + requantizer.latency, "there")
            m.d.comb += [
                fifo.start.eq(self.start),
                fifo.groups.eq(config.groups_out),
                fifo.width.eq(config.width),
                fifo.i_valid.eq(there & requantizer.o_valid.replicate(2)),
                fifo.i.eq(requantizer.o.as_value()),
            ]
        else:
            m.d.comb += [
                fifo.i.valid.eq(requantizer.o_valid),
                fifo.i.payload.eq(requantizer.o),
            ]
        return m

    def _issue(self, m, window, weights, fifo):
        """One weight word per cycle for the window at hand; returns what the cycle belongs to."""
        spec, config = self._spec, self.config
        group_in = Signal(range(spec.max_groups_in))
        group_out = Signal(range(spec.max_groups_out))
        word = Signal(range(spec.weight_words))
        last_in = Signal()
        last_out = Signal()
        result = self.fire & last_in
        tag = Cat(self.fire, group_in == 0, last_in, group_out)
        if spec.pixels == 2:
            marks = window.o.payload.marks
            queues = [
                (self._credits("odd_credits"), marks.before, fifo.taken[0]),
                (self._credits("even_credits"), marks.own, fifo.taken[1]),
            ]
            room = Cat((credits != 0) | ~there for credits, there, _ in queues).all()
            returns = [(credits, result & there, taken) for credits, there, taken in queues]
            tag = Cat(tag, marks.left, marks.before, marks.own)
        else:
            credits = self._credits("credits")
            room = credits != 0
            returns = [(credits, result, fifo.o.valid & fifo.o.ready)]
        m.d.comb += [
            last_in.eq(group_in == config.groups_in - 1),
            last_out.eq(group_out == config.groups_out - 1),
            self.fire.eq(window.o.valid & (~last_in | room)),
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
        for credits, used, returned in returns:
            m.d.sync += credits.eq(credits - used + returned)
        return tag

    def _credits(self, name):
        """Room left in a queue."""
        return Signal(range(self.fifo_depth + 1), name=name, init=self.fifo_depth)

    def _connect_scales(self, m):
        """Bias, shift and multiplier of each channel, the same for every pixel."""
        spec, requantizer = self._spec, self._requantizer
        record = [requantizer.i_bias]
        if spec.requantize.shift_width:
            record.append(requantizer.i_shift)
        if spec.mul_bits:
            record.append(requantizer.i_multiplier)
        record = [field.as_value() for field in record]
        for pixel in range(spec.pixels):
            sizes = [len(field) // spec.pixels for field in record]
            parts = [field[pixel * size :][:size] for field, size in zip(record, sizes)]
            m.d.comb += Cat(parts).eq(self._scales.word)


def _delay(m, value, cycles, name, *, reset_less=False):
    """``value`` some cycles later."""
    for stage in range(cycles):
        delayed = Signal(value.shape(), name=f"{name}_{stage}", reset_less=reset_less)
        m.d.sync += delayed.eq(value)
        value = delayed
    return value
