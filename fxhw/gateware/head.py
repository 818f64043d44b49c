"""Head: the wide 1x1 convolution to one logit, and its threshold."""

from amaranth.hdl import *
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from ..plan.design import Design
from .multiplier import multiply
from .planned_sum import PlannedSum
from .stream import StreamFork
from .weight_store import LoadSignature

__all__ = ["Head", "MaskBeat"]


class MaskBeat(data.Struct):
    """A byte of the output stream and whether it is the image's last."""

    data: 8
    last: 1


class Head(wiring.Component):
    """``logit = bias + sum(weight * code)`` over a pixel's channels; ``mask = logit >= 0``.

    Words of ``pout`` codes arrive as the last convolution makes them.  The mask leaves as a byte
    per pixel, 255 or 0; on request the logit leaves instead, sign-extended to
    ``design.logit_bytes`` bytes, the lowest first.

    *Latency*: 4 cycles and ``design.head_latency``.  *Throughput*: a word per cycle (a pixel per
    ``design.logit_bytes`` cycles where logits are asked for).

    Parameters
    ----------
    design : widths and lanes.

    Members
    -------
    start : pulse that begins an image; the head must be idle.
    groups, width, height : words per pixel and the raster; stable until done.
    logits : whether logits leave instead of the mask; stable until done.
    load : parameters: weight words, then the bias.
    busy : mask bytes are still to come.
    i : stream of words.
    o : stream of mask bytes.
    """

    def __init__(self, design: Design):
        self._design = design
        super().__init__(
            {
                "start": In(1),
                "groups": In(range(design.head_groups + 1)),
                "width": In(range(design.max_width + 1)),
                "height": In(range(design.max_height + 1)),
                "logits": In(1),
                "load": In(LoadSignature(design.bus_bits)),
                "busy": Out(1),
                "i": In(stream.Signature(design.pout * design.abits)),
                "o": Out(stream.Signature(MaskBeat)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        design = self._design
        weights = self._weights(m)
        bias = self._bias(m)

        # First stage: word beside its weights.  Then their dot product, the logit, and its bytes.
        # The pipeline moves on; a second copy, the other way round, opens its many registers.
        advance, opens = Signal(), Signal()
        group = Signal(range(design.head_groups))
        last = Signal()
        m.d.comb += [
            self.i.ready.eq(self.busy & advance),
            last.eq(group + 1 == self.groups),
            weights.addr.eq(group),
        ]
        step = self.i.valid & self.i.ready
        with m.If(step):
            m.d.sync += group.eq(Mux(last, 0, group + 1))

        codes = Signal(design.pout * design.abits)
        row = Signal(design.head_word_bits)
        stages = 1 + design.head_latency
        valid, final = Signal(stages), Signal(stages)
        dot = self._dot_product(m, opens, codes, row)
        logit = Signal(signed(design.logit.width))
        ready, unready = Signal(), Signal(init=1)
        summed = Signal.like(logit)
        m.d.comb += summed.eq(self._carried(m, opens & valid[-1], final[-1], bias, summed) + dot)
        with m.If(opens):
            m.d.sync += [
                valid.eq(Cat(step, valid)),
                final.eq(Cat(last, final)),
                codes.eq(self.i.payload),
                row.eq(weights.data),
                ready.eq(valid[-1] & final[-1]),
                unready.eq(~(valid[-1] & final[-1])),
                logit.eq(summed),
            ]
        # What takes the mask lies at the pins; the pipeline waits for a register beside it instead.
        m.submodules.mask_stage = stage = StreamFork(MaskBeat, 1)
        wiring.connect(m, stage.o[0], wiring.flipped(self.o))
        m.d.comb += stage.enable.eq(1)
        last_byte = self._send(m, ready, logit, stage.i)
        m.d.comb += [
            advance.eq(~ready | last_byte),
            opens.eq(unready | last_byte),
        ]
        return m

    def _carried(self, m, step, final, bias, summed):
        """What a word's sum is added to: the bias, and the words of its pixel before."""
        if self._design.head_groups == 1:
            return bias
        total = Signal.like(summed)
        with m.If(self.start | step):
            m.d.sync += total.eq(Mux(self.start | final, bias, summed))
        return total

    def _dot_product(self, m, advance, codes, row):
        """The sum of a word's products, in the style of the arrays."""
        design = self._design
        dot = Signal(signed(design.head_accumulator.width))
        plan = design.head_dot_product
        if plan is not None:
            m.submodules.dot_product = heap = PlannedSum(plan, design.front.target)
            m.d.comb += [heap.enable.eq(advance), heap.i.eq(Cat(codes, row)), dot.eq(heap.o)]
            return dot
        products = []
        for lane in range(design.pout):
            code = codes.word_select(lane, design.abits)
            weight = row.word_select(lane, design.last_wbits)
            products.append(multiply(design.head_weight, design.activation, weight, code))
        with m.If(advance):
            m.d.sync += dot.eq(sum(products))
        return dot

    def _weights(self, m):
        """Weight memory, loaded beat by beat; returns its read port."""
        design = self._design
        m.submodules.weights = weights = memory.Memory(
            shape=design.head_word_bits, depth=design.head_groups, init=[]
        )
        beats = -(-design.head_word_bits // design.bus_bits)
        write = weights.write_port()
        # The beats before the last one wait until the word is whole.
        lower = Signal(max(0, beats - 1) * design.bus_bits)
        number = self.load.beat[: (beats - 1).bit_length()]
        with m.If(self.load.valid & ~self.load.second):
            for beat in range(beats - 1):
                with m.If(number == beat):
                    m.d.sync += lower.word_select(beat, design.bus_bits).eq(self.load.data)
        m.d.comb += [
            write.addr.eq(self.load.word),
            write.data.eq(Cat(lower, self.load.data)),
            write.en.eq(self.load.valid & ~self.load.second & (number == beats - 1)),
        ]
        return weights.read_port(domain="comb")

    def _bias(self, m):
        """The bias register, loaded beat by beat."""
        design = self._design
        bias = Signal(signed(design.head_bias.width))
        beats = -(-len(bias) // design.bus_bits)
        number = self.load.beat[: (beats - 1).bit_length()]
        for beat in range(beats):
            low = beat * design.bus_bits
            with m.If(self.load.valid & self.load.second & (number == beat)):
                m.d.sync += bias[low : low + design.bus_bits].eq(self.load.data)
        return bias

    def _send(self, m, ready, logit, o):
        """Mask or logit bytes of the pixel whose logit is there, and the end of the image; returns
        whether its last byte is sent, if it is there."""
        design = self._design
        x = Signal.like(self.width, init=1, reset_less=True)
        y = Signal.like(self.height, init=1, reset_less=True)
        byte = Signal(range(design.logit_bytes))
        last_byte = Signal()  # of its pixel
        last_x, last_pixel = Signal(), Signal()
        following = Mux(last_byte, 0, byte + 1)
        moves, takes = Signal(), Signal()
        wide = Signal(signed(8 * design.logit_bytes))
        m.d.comb += [
            wide.eq(logit),
            last_x.eq(x == self.width),
            last_pixel.eq(last_x & (y == self.height)),
            moves.eq(~o.valid | o.ready),
            takes.eq(ready & moves),
        ]
        with m.If(moves):
            m.d.sync += o.valid.eq(ready)
        with m.If(takes):
            m.d.sync += [
                byte.eq(following),
                last_byte.eq(~self.logits | (following == design.logit_bytes - 1)),
                o.payload.data.eq(
                    Mux(
                        self.logits,
                        wide.as_unsigned().word_select(byte, 8),
                        (logit >= 0).replicate(8),
                    )
                ),
                o.payload.last.eq(last_byte & last_pixel),
            ]
            with m.If(last_byte):
                m.d.sync += x.eq(x + 1)
                with m.If(last_x):
                    m.d.sync += [x.eq(1), y.eq(y + 1)]
        with m.If(self.o.valid & self.o.ready & self.o.payload.last):
            m.d.sync += self.busy.eq(0)
        with m.If(self.start):
            m.d.sync += [
                self.busy.eq(1), x.eq(1), y.eq(1), byte.eq(0),
                last_byte.eq(~self.logits | (design.logit_bytes == 1)),
            ]
        return moves & last_byte
