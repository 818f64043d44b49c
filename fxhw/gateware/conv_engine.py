"""Convolution engine: a raster of words in, a raster of requantized words out."""

from amaranth.hdl import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..plan.conv_spec import ConvSpec
from ..plan.cycles import engine_latency, fetch_latency, queue_words
from .accumulators import Accumulators
from .array_styles import make_array
from .column_pairs import ColumnPairs
from .delay import delay
from .issue import Issue
from .line_buffer import LineBuffer
from .pair_accumulators import PairAccumulators
from .pixel_order import PixelOrder
from .requantizer import Requantizer
from .staggered_array import StaggeredArray
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
                                        |                        |              |
                                  weight words                 bias     shift and multiplier

    Issue holds a window for ``groups_out`` cycles, one weight word each; a pixel takes
    ``groups_in * groups_out`` cycles.  Behind issue nothing stalls: windows are issued only while
    the fifo has room for results (credits), so back-pressure never crosses the array.  The line
    buffer does likewise, so ``i.ready`` follows from registers alone.

    An engine of two pixels takes column pairs for windows, and puts its results in order in place
    of the fifo; each of the two words a step gives has credits of its own.

    *Latency*: a row, a pixel, 5 and :attr:`latency` cycles.  *Throughput*: a window per cycle.

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
        self._array = StaggeredArray(spec) if spec.stagger else make_array(spec)
        self._requantizer = Requantizer(
            spec.requantize, spec.pixels * spec.lanes_out, spec.biased
        )
        stores = {"bus_bits": bus_bits, "banks": banks, "target": spec.target}
        section = spec.weight_bits // spec.lanes_out * spec.lanes_together
        self._weights = WeightStore(
            spec.weight_bits, spec.weight_words, section_bits=section, **stores
        )
        self._scales = WeightStore(spec.requantize_bits, spec.max_groups_out, **stores)
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
        return engine_latency(self._spec)

    @property
    def fifo_depth(self) -> int:
        """Words the output fifo holds."""
        return queue_words(self._spec)

    def elaborate(self, platform):
        m = Module()
        pairs = self._spec.pixels == 2
        window = self._connect_window(m, pairs)
        m.submodules.weights = weights = self._weights
        m.submodules.scales = scales = self._scales
        # It settles before the layer starts, and goes to memories all over the die.
        bank = Signal()
        m.d.sync += bank.eq(self.config.bank)
        for store, second in ((weights, 0), (scales, 1)):
            wiring.connect(m, wiring.flipped(self.load), store.load)
            m.d.comb += [
                store.enable.eq(self.load.second == second),
                store.bank.eq(bank),
            ]
        fifo = self._connect_fifo(m, pairs)
        issue, marks = self._connect_issue(m, window, fifo, pairs)
        self._connect_array(m, window, issue, marks, fifo, pairs)
        return m

    def _connect_window(self, m, pairs):
        """From the stream of words to windows."""
        spec, config = self._spec, self.config
        m.submodules.lines = lines = LineBuffer(spec.word_bits, spec.row_words, spec.target)
        window = (ColumnPairs if pairs else Window)(spec.word_bits, spec.max_groups_in)
        m.submodules.window = window
        wiring.connect(m, wiring.flipped(self.i), lines.i)
        columns = lines.o.payload
        m.d.comb += [
            lines.start.eq(self.start),
            lines.row_words.eq(config.row_words),
            lines.height.eq(config.height),
            window.i.valid.eq(lines.o.valid),
            window.i.payload.eq(columns.words if pairs else columns),
            lines.o.ready.eq(window.i.ready),
            window.start.eq(self.start),
            window.groups.eq(config.groups_in),
            self.busy.eq(window.busy),
        ]
        if pairs:
            m.d.comb += [window.width.eq(config.width), window.height.eq(config.height)]
        return window

    def _connect_fifo(self, m, pairs):
        """The queue at the end."""
        queue = (self._spec.out_bits, self.fifo_depth)
        if pairs:
            fifo = PixelOrder(*queue, self._spec.max_groups_out)
        else:
            fifo = StreamFifo(*queue, always_ready=True)
        m.submodules.fifo = fifo
        wiring.connect(m, fifo.o, wiring.flipped(self.o))
        if pairs:
            m.d.comb += [
                fifo.start.eq(self.start),
                fifo.groups.eq(self.config.groups_out),
                fifo.width.eq(self.config.width),
            ]
        return fifo

    def _connect_issue(self, m, window, fifo, pairs):
        """Windows meet weight words; returns also what is known of a pair."""
        m.submodules.issue = issue = Issue(self._spec, self.fifo_depth)
        marks = window.o.payload.marks if pairs else None
        m.d.comb += [
            issue.start.eq(self.start),
            issue.groups_in.eq(self.config.groups_in),
            issue.groups_out.eq(self.config.groups_out),
            issue.valid.eq(window.o.valid),
            issue.there.eq(Cat(marks.before, marks.own) if pairs else 1),
            issue.taken.eq(fifo.taken if pairs else fifo.o.valid & fifo.o.ready),
            window.o.ready.eq(issue.done),
            self.fire.eq(issue.fire),
            self.blocked.eq(window.o.valid & ~issue.fire),
            self._weights.address.eq(issue.word),
        ]
        return issue, marks

    def _connect_array(self, m, window, issue, marks, fifo, pairs):
        """From windows and weights to results; what they belong to travels beside them."""
        spec, scales, requantizer = self._spec, self._scales, self._requantizer
        m.submodules.array = array = self._array
        if pairs:
            accumulators = PairAccumulators(spec)
        else:
            accumulators = Accumulators(spec, spec.biased)
        m.submodules.accumulators = accumulators
        m.submodules.requantizer = requantizer

        # A window waits for its weight word.
        fetch = fetch_latency(spec)
        words = window.o.payload.words if pairs else window.o.payload
        m.d.comb += [
            array.window.eq(delay(m, words.as_value(), fetch, "window", reset_less=True)),
            array.weights.eq(
                delay(m, self._weights.word, fetch - 2, "weights", reset_less=True)
            ),
        ]

        # Bias and shift take a cycle in the memory and one in the register, too.
        tag = Cat(issue.fire, issue.first, issue.last)
        group = delay(m, issue.group, fetch + array.latency - 2, "early_group")
        m.d.comb += scales.address.eq(group)
        belongs = [accumulators.valid, accumulators.first, accumulators.last]
        there = Signal(2)
        if pairs:
            tag = Cat(tag, marks.left, marks.before, marks.own)
            belongs += [accumulators.left, there]
        m.d.comb += [
            Cat(belongs).eq(delay(m, tag, fetch + array.latency, "tag")),
            accumulators.next_group.eq(delay(m, group, 1, "group")),
            accumulators.sums.eq(array.sums),
            requantizer.i_valid.eq(accumulators.o_valid),
            requantizer.i_acc.eq(accumulators.o),
        ]
        self._connect_scales(m, accumulators)
        if pairs:
            there = delay(m, there, 1 + requantizer.latency, "there")
            m.d.comb += [
                fifo.i_valid.eq(there & requantizer.o_valid.replicate(2)),
                fifo.i.eq(requantizer.o.as_value()),
            ]
        else:
            m.d.comb += [
                fifo.i.valid.eq(requantizer.o_valid),
                fifo.i.payload.eq(requantizer.o),
            ]

    def _connect_scales(self, m, accumulators):
        """Bias, shift and multiplier of each channel, the same for every pixel.

        They are at the accumulators beside the sums and a cycle later at the requantizer.
        """
        spec, scales, requantizer = self._spec, self._scales, self._requantizer
        record = [accumulators.bias if spec.biased else requantizer.i_bias]
        if spec.requantize.shift_width:
            record.append(requantizer.i_shift)
        if spec.mul_bits:
            record.append(requantizer.i_multiplier)
        word = scales.word
        for number, field in enumerate(record):
            field = field.as_value()
            size = len(field) // spec.pixels
            late = number > 0 or not spec.biased
            part = delay(m, word[:size], late, f"scale_{number}", reset_less=True)
            m.d.comb += field.eq(part.replicate(spec.pixels))
            word = word[size:]
