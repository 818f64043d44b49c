"""Clamp/shift requantization of accumulators, one result per lane and cycle."""

from amaranth.hdl import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..fixed import Requantize
from ..plan.cycles import requantizer_latency

__all__ = ["Requantizer"]


_FINE = 2
"""Bits of the shift that the second half of the shifter takes."""


class Requantizer(wiring.Component):
    """Pipeline for :meth:`fxhw.fixed.Requantize.compute`, on ``lanes`` accumulators at a time.

    ``o = clamp((i_acc * i_multiplier + i_bias) >> i_shift, out.min, out.max)`` per lane.  Without
    multipliers (``spec.mul_bits`` is 0) there are three register stages::

        i_acc ──┐
                + ──▶ total ──▶ coarse >> ──▶ bits, overflow, sign ──▶ fine >>, clamp ──▶ o
        i_bias ─┘                  │                                       │
        i_shift ──▶ shift ─────────┴─────────────────▶ low bits ───────────┘

    With multipliers there is one more in front, which holds the product, the bias and the shift.
    Accumulators that hold the bias already are the total, so that the first stage is not there.

    The shifter works on magnitudes (ones' complement), coarse steps first, and fills with zeros:
    each step keeps only the bits that a later one can still bring into the result, and the bits it
    leaves behind are the overflow.  An unsigned result needs no complement, since it is 0 whenever
    the sum is negative: registers are cleared and set for that, which takes no logic.  Shifts above
    ``spec.max_shift`` act like ``spec.max_shift``.

    A ternary result is two comparisons, with 0 and ``2**i_shift``: what the shifter keeps is one
    bit.  A sign is one comparison, and needs no shifter.

    Latency: :attr:`latency` cycles, 3, with multipliers 4, biased 2.  Throughput: 1 word per cycle,
    no back-pressure.

    Parameters
    ----------
    spec : :class:`~fxhw.fixed.Requantize`
    lanes : accumulators per word, at least 1.
    biased : whether ``i_acc`` holds the bias; only without multipliers.

    Members
    -------
    i_valid : :py:`In(1)`
    i_acc : :py:`In(ArrayLayout(signed(spec.acc.width), lanes))`, if biased of ``spec.sum_width``
    i_bias : :py:`In(ArrayLayout(signed(spec.bias.width), lanes))`, unless biased
    i_shift : :py:`In(ArrayLayout(unsigned(spec.shift_width), lanes))`, but of a sign
    i_multiplier : :py:`In(ArrayLayout(unsigned(spec.mul_bits), lanes))`, only if there is one
    o_valid : :py:`Out(1)`
    o : :py:`Out(ArrayLayout(Shape(spec.out.width, spec.out.signed), lanes))`
        A sign is stored, as 0 for -1, and so is unsigned here.
    """

    def __init__(self, spec, lanes, biased=False):
        if not isinstance(spec, Requantize):
            raise TypeError(f"Requantizer spec must be a Requantize, not {spec!r}")
        if not isinstance(lanes, int) or lanes < 1:
            raise ValueError(f"Requantizer lanes must be a positive integer, not {lanes!r}")
        if biased and spec.mul_bits:
            raise ValueError(
                f"Requantizer must not be biased with a multiplier of {spec.mul_bits} bits, which "
                "comes before the bias"
            )
        self._spec = spec
        self._lanes = lanes
        self._biased = biased

        self._is_sign = spec.out.codes == "sign"
        self._is_ternary = spec.out.codes == "ternary"
        self._is_signed = spec.out.signed and not self._is_ternary and not self._is_sign

        acc_width = spec.sum_width if biased else spec.acc.width
        shift = data.ArrayLayout(unsigned(spec.shift_width), lanes)
        multiplier = data.ArrayLayout(unsigned(spec.mul_bits), lanes)
        bias = data.ArrayLayout(signed(spec.bias.width), lanes)
        out = Shape(spec.out.width, spec.out.twos_complement)
        super().__init__({
            "i_valid": In(1),
            "i_acc": In(data.ArrayLayout(signed(acc_width), lanes)),
            **({} if biased else {"i_bias": In(bias)}),
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
        return requantizer_latency(self._spec.mul_bits, self._biased)

    def elaborate(self, platform):
        m = Module()

        valid = self.i_valid
        for stage in range(self.latency - 1):
            later = Signal(name=f"valid_{stage}")
            m.d.sync += later.eq(valid)
            valid = later
        m.d.sync += self.o_valid.eq(valid)
        for n in range(self._lanes):
            total = self.i_acc[n]
            shift = C(0, 0) if self._is_sign else self.i_shift[n]
            if not self._biased:
                total, shift = self._add(m, n, total, self.i_bias[n], shift)
            m.d.comb += self.o[n].eq(self._clamp(m, n, *self._shift(m, n, total, shift)))

        return m

    def _add(self, m, n, acc, bias, shift):
        """Registers of lane ``n``: the sum to be shifted, and the shift."""
        spec = self._spec
        if spec.mul_bits:
            product = Signal(signed(spec.product_width), name=f"product_{n}", reset_less=True)
            m.d.sync += product.eq(acc * self.i_multiplier[n])
            acc = product
            bias, shift = (_register(m, value, f"early_{name}_{n}")
                           for name, value in (("bias", bias), ("shift", shift)))  # fmt: skip
        total = Signal(signed(spec.sum_width), name=f"total_{n}", reset_less=True)
        m.d.sync += total.eq(acc + bias)
        return total, _register(m, shift, f"shift_{n}")

    def _shift(self, m, n, total, shift):
        """Registers of lane ``n``: sign, overflow and bits after the coarse steps; the others."""
        low_width = 1 if self._is_ternary else self._spec.out.width - self._is_signed
        negative = total[-1]
        below = _register(m, negative, f"negative_{n}")
        if self._is_sign:
            return below, None, None, None
        bits = total[:-1]
        if self._is_signed:
            bits = bits ^ negative.replicate(len(bits))
        lost = C(0, 1)
        for step in reversed(range(_FINE, len(shift))):
            bits, beyond = _shift_step(m, bits, shift[step], 1 << step, low_width, f"{n}_{step}")
            lost = lost | beyond
        fine = shift[:_FINE]
        kept = Signal(len(bits), name=f"kept_{n}", reset_less=True)
        overflow = Signal(name=f"overflow_{n}", reset_less=True)
        m.d.sync += [kept.eq(bits), overflow.eq(lost)]
        if not self._spec.out.signed:
            with m.If(negative):
                m.d.sync += [kept.eq(0), overflow.eq(0)]
        return below, overflow, kept, _register(m, fine, f"fine_{n}")

    def _clamp(self, m, n, below, overflow, bits, shift):
        """The result of lane ``n``, from registers."""
        if self._is_sign:
            return ~_register(m, below, f"below_{n}")
        low_width = 1 if self._is_ternary else self._spec.out.width - self._is_signed
        for step in reversed(range(len(shift))):
            bits, beyond = _shift_step(
                m, bits, shift[step], 1 << step, low_width, f"fine_{n}_{step}"
            )
            overflow = overflow | beyond
        largest = (1 << low_width) - 1
        # Flip-flops can be set by a signal if that is what they start with.
        clamped = Signal(low_width, name=f"clamped_{n}", init=largest, reset_less=True)
        with m.If(overflow):
            m.d.sync += clamped.eq(largest)
        with m.Else():
            m.d.sync += clamped.eq(bits)
        if not self._spec.out.signed:
            return clamped
        below = _register(m, below, f"below_{n}")
        if self._is_ternary:
            return Cat(clamped | below, below)
        return Cat(clamped ^ below.replicate(low_width), below)


def _shift_step(m, bits, shifted, distance, low_width, name):
    """``bits``, moved down by ``distance`` if ``shifted``, and whether any is lost at the top.

    Later steps move a bit by ``distance - 1`` at most.
    """
    # A signal per step: expressions nested in expressions would double at each.
    whole = Signal(len(bits), name=f"whole_{name}")
    m.d.comb += whole.eq(bits)
    kept = low_width + distance - 1
    lost = ~shifted & whole[kept:].any()
    return Mux(shifted, whole[distance:], whole)[:kept], lost


def _register(m, value, name):
    """``value`` a cycle later."""
    later = Signal(value.shape(), name=name, reset_less=True)
    m.d.sync += later.eq(value)
    return later
