"""Clamp/shift requantization of accumulators, one result per lane and cycle."""

from amaranth.hdl import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..fixed import Requantize
from ..plan.cycles import requantizer_latency

__all__ = ["Requantizer"]


class Requantizer(wiring.Component):
    """Pipeline for :meth:`fxhw.fixed.Requantize.compute`, on ``lanes`` accumulators at a time.

    ``o = clamp((i_acc * i_multiplier + i_bias) >> i_shift, out.min, out.max)`` per lane.  Without
    multipliers (``spec.mul_bits`` is 0) there are three register stages::

        i_acc ──┐
                + ──▶ total ──▶ >> ──▶ low bits, overflow, sign ──▶ clamp ──▶ o
        i_bias ─┘                │
        i_shift ──▶ shift ───────┘

    With multipliers there is one more in front, which holds the product, the bias and the shift.

    The shifter works on magnitudes (ones' complement), coarse steps first, and fills with zeros:
    each step keeps only the bits that a later one can still bring into the result, and the bits it
    leaves behind are the overflow.  An unsigned result needs no complement, since it is 0 whenever
    the sum is negative.  Shifts above ``spec.max_shift`` act like ``spec.max_shift``.

    A ternary result is two comparisons, with 0 and ``2**i_shift``: what the shifter keeps is one
    bit.  A sign is one comparison, and needs no shifter.

    Latency: :attr:`latency` cycles, 3 or with multipliers 4.  Throughput: 1 word per cycle, no
    back-pressure.

    Parameters
    ----------
    spec : :class:`~fxhw.fixed.Requantize`
    lanes : accumulators per word, at least 1.

    Members
    -------
    i_valid : :py:`In(1)`
    i_acc : :py:`In(ArrayLayout(signed(spec.acc.width), lanes))`
    i_bias : :py:`In(ArrayLayout(signed(spec.bias.width), lanes))`
    i_shift : :py:`In(ArrayLayout(unsigned(spec.shift_width), lanes))`, but of a sign
    i_multiplier : :py:`In(ArrayLayout(unsigned(spec.mul_bits), lanes))`, only if there is one
    o_valid : :py:`Out(1)`
    o : :py:`Out(ArrayLayout(Shape(spec.out.width, spec.out.signed), lanes))`
        A sign is stored, as 0 for -1, and so is unsigned here.
    """

    def __init__(self, spec, lanes):
        if not isinstance(spec, Requantize):
            raise TypeError(f"Requantizer spec must be a Requantize, not {spec!r}")
        if not isinstance(lanes, int) or lanes < 1:
            raise ValueError(f"Requantizer lanes must be a positive integer, not {lanes!r}")
        self._spec = spec
        self._lanes = lanes

        self._is_sign = spec.out.codes == "sign"

        shift = data.ArrayLayout(unsigned(spec.shift_width), lanes)
        multiplier = data.ArrayLayout(unsigned(spec.mul_bits), lanes)
        out = Shape(spec.out.width, spec.out.twos_complement)
        super().__init__({
            "i_valid": In(1),
            "i_acc": In(data.ArrayLayout(signed(spec.acc.width), lanes)),
            "i_bias": In(data.ArrayLayout(signed(spec.bias.width), lanes)),
            **({} if self._is_sign else {"i_shift": In(shift)}),
            **({"i_multiplier": In(multiplier)} if spec.mul_bits else {}),
            "o_valid": Out(1),
            "o": Out(data.ArrayLayout(out, lanes)),
        })

    @property
    def spec(self):
        """The equation."""
        return self._spec

    @property
    def lanes(self):
        """Accumulators per word."""
        return self._lanes

    @property
    def latency(self):
        """Cycles from ``i_valid`` to ``o_valid``."""
        return requantizer_latency(self._spec.mul_bits)

    def elaborate(self, platform):
        m = Module()

        operands_valid = self.i_valid
        if self._spec.mul_bits:
            operands_valid = Signal(name="product_valid")
            m.d.sync += operands_valid.eq(self.i_valid)
        total_valid, shifted_valid = Signal(), Signal()
        m.d.sync += [
            total_valid.eq(operands_valid),
            shifted_valid.eq(total_valid),
            self.o_valid.eq(shifted_valid),
        ]
        for n in range(self._lanes):
            operands = self.i_acc[n], self.i_bias[n], None if self._is_sign else self.i_shift[n]
            if self._spec.mul_bits:
                operands = self._multiply(m, n, *operands, self.i_multiplier[n])
            m.d.sync += self.o[n].eq(self._lane(m, n, *operands))

        return m

    def _multiply(self, m, n, i_acc, i_bias, i_shift, i_multiplier):
        """Registers of lane ``n``: the multiplied accumulator, with its bias and shift."""
        spec = self._spec
        product = Signal(signed(spec.product_width), name=f"product_{n}", reset_less=True)
        bias = Signal(signed(spec.bias.width), name=f"bias_{n}", reset_less=True)
        m.d.sync += [product.eq(i_acc * i_multiplier), bias.eq(i_bias)]
        if self._is_sign:
            return product, bias, None
        shift = Signal(spec.shift_width, name=f"early_shift_{n}", reset_less=True)
        m.d.sync += shift.eq(i_shift)
        return product, bias, shift

    def _lane(self, m, n, i_acc, i_bias, i_shift):
        """Registers of lane ``n`` up to the last one, whose next value is returned."""
        is_ternary = self._spec.out.codes == "ternary"
        is_signed = self._spec.out.signed and not is_ternary
        low_width = 1 if is_ternary else self._spec.out.width - is_signed

        total = Signal(signed(self._spec.sum_width), name=f"total_{n}", reset_less=True)
        m.d.sync += total.eq(i_acc + i_bias)
        negative = total[-1]
        if self._is_sign:
            below = Signal(name=f"negative_{n}", reset_less=True)
            m.d.sync += below.eq(negative)
            return ~below

        shift = Signal(self._spec.shift_width, name=f"shift_{n}", reset_less=True)
        m.d.sync += shift.eq(i_shift)
        bits = total[:-1] ^ (negative.replicate(len(total) - 1) if is_signed else 0)
        lost = []
        for step in reversed(range(len(shift))):
            # One signal per step: expressions nested in expressions would double at each.
            whole = Signal(len(bits), name=f"whole_{n}_{step}")
            m.d.comb += whole.eq(bits)
            distance = 1 << step
            kept = low_width + distance - 1  # later steps move a bit by distance - 1 at most
            lost.append(~shift[step] & whole[kept:].any())
            bits = Mux(shift[step], whole[distance:], whole)[:kept]

        low = Signal(low_width, name=f"low_{n}", reset_less=True)
        overflow = Signal(name=f"overflow_{n}", reset_less=True)
        below = Signal(name=f"negative_{n}", reset_less=True)
        m.d.sync += [low.eq(bits), overflow.eq(Cat(lost).any()), below.eq(negative)]

        clamped = low | overflow.replicate(low_width)
        if is_ternary:
            return Cat(clamped | below, below)
        if is_signed:
            return Cat(clamped ^ below.replicate(low_width), below)
        return clamped & ~below.replicate(low_width)
