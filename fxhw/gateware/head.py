"""Head: the wide 1x1 convolution to one logit, and its threshold."""

from amaranth.hdl import *
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from ..plan.design import Design
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

    *Latency*: 3 cycles.  *Throughput*: a word per cycle (a pixel per ``design.logit_bytes`` cycles
    where logits are asked for).

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
                "groups": In(16),
                "width": In(16),
                "height": In(16),
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

        # Stage 1: word beside its weights.  Stage 2: their dot product.  Stage 3: the logit.
        advance = Signal()
        group = Signal(range(design.head_groups))
        last = Signal()
        m.d.comb += [
            self.i.ready.eq(self.busy & advance),
            last.eq(group == self.groups - 1),
            weights.addr.eq(group),
        ]
        step = self.i.valid & self.i.ready
        with m.If(step):
            m.d.sync += group.eq(Mux(last, 0, group + 1))

        codes = Signal(design.pout * design.abits)
        row = Signal(design.head_word_bits)
        valid, first, final = Signal(2), Signal(2), Signal(2)
        dot = Signal(signed(design.head_accumulator.width))
        total = Signal(signed(design.head_accumulator.width))
        logit = Signal(signed(design.logit.width))
        ready = Signal()
        products = []
        for lane in range(design.pout):
            code = codes.word_select(lane, design.abits)
            weight = row.word_select(lane, design.last_wbits)
            products.append(
                Mux(weight, code, -code)
                if design.head_weight.binary
                else code * weight.as_signed()
            )
        carried = Mux(first[1], 0, total)
        with m.If(advance):
            m.d.sync += [
                valid.eq(Cat(step, valid[0])),
                first.eq(Cat(group == 0, first[0])),
                final.eq(Cat(last, final[0])),
                codes.eq(self.i.payload),
                row.eq(weights.data),
                dot.eq(sum(products)),
                ready.eq(valid[1] & final[1]),
            ]
            with m.If(valid[1]):
                m.d.sync += [total.eq(carried + dot), logit.eq(carried + dot + bias)]
        self._send(m, advance, ready, logit)
        return m

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
        with m.If(self.load.valid & ~self.load.second):
            for beat in range(beats - 1):
                with m.If(self.load.beat == beat):
                    m.d.sync += lower.word_select(beat, design.bus_bits).eq(self.load.data)
        m.d.comb += [
            write.addr.eq(self.load.word),
            write.data.eq(Cat(lower, self.load.data)),
            write.en.eq(self.load.valid & ~self.load.second & (self.load.beat == beats - 1)),
        ]
        return weights.read_port(domain="comb")

    def _bias(self, m):
        """The bias register, loaded beat by beat."""
        design = self._design
        bias = Signal(signed(design.head_bias.width))
        for low in range(0, len(bias), design.bus_bits):
            with m.If(
                self.load.valid & self.load.second & (self.load.beat == low // design.bus_bits)
            ):
                m.d.sync += bias[low : low + design.bus_bits].eq(self.load.data)
        return bias

    def _send(self, m, advance, ready, logit):
        """Mask or logit bytes of the pixel in stage 3, and the end of the image."""
        design = self._design
        x, y = Signal.like(self.width), Signal.like(self.height)
        byte = Signal(range(design.logit_bytes))
        last_byte = Signal()
        last_pixel = Signal()
        wide = Signal(signed(8 * design.logit_bytes))
        taken = self.o.valid & self.o.ready
        m.d.comb += [
            wide.eq(logit),
            last_byte.eq(~self.logits | (byte == design.logit_bytes - 1)),
            last_pixel.eq((x == self.width - 1) & (y == self.height - 1)),
            self.o.valid.eq(ready),
            self.o.payload.data.eq(
                Mux(self.logits, wide.as_unsigned().word_select(byte, 8), (logit >= 0).replicate(8))
            ),
            self.o.payload.last.eq(last_byte & last_pixel),
            advance.eq(~ready | (self.o.ready & last_byte)),
        ]
        with m.If(taken):
            m.d.sync += byte.eq(Mux(last_byte, 0, byte + 1))
            with m.If(last_byte):
                m.d.sync += x.eq(x + 1)
                with m.If(x == self.width - 1):
                    m.d.sync += [x.eq(0), y.eq(y + 1)]
                with m.If(last_pixel):
                    m.d.sync += self.busy.eq(0)
        with m.If(self.start):
            m.d.sync += [self.busy.eq(1), x.eq(0), y.eq(0), byte.eq(0)]
