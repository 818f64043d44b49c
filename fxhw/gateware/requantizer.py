"""Clamp/shift requantization of accumulators, one result per lane and cycle."""

from amaranth.hdl import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from fxhw.fixed import Requantize

__all__ = ["Requantizer"]


class Requantizer(wiring.Component):
    """Pipeline for :meth:`fxhw.fixed.Requantize.compute`, on ``lanes`` accumulators at a time.

    ``o = clamp((i_acc + i_bias) >> i_shift, out.min, out.max)`` per lane, three register stages::

        i_acc ──┐
                + ──▶ total ──▶ >> ──▶ low bits, overflow, sign ──▶ clamp ──▶ o
        i_bias ─┘                │
        i_shift ──▶ shift ───────┘

    The shifter works on magnitudes (ones' complement), coarse steps first, and fills with zeros:
    each step keeps only the bits that a later one can still bring into the result, and the bits it
    leaves behind are the overflow.  An unsigned result needs no complement, since it is 0 whenever
    the sum is negative.  Shifts above ``spec.max_shift`` act like ``spec.max_shift``.

    Latency: :attr:`LATENCY` cycles.  Throughput: 1 word per cycle, no back-pressure.

    Parameters
    ----------
    spec : :class:`~fxhw.fixed.Requantize`
    lanes : accumulators per word, at least 1.

    Members
    -------
    i_valid : :py:`In(1)`
    i_acc : :py:`In(ArrayLayout(signed(spec.acc.width), lanes))`
    i_bias : :py:`In(ArrayLayout(signed(spec.bias.width), lanes))`
    i_shift : :py:`In(ArrayLayout(unsigned(spec.shift_width), lanes))`
    o_valid : :py:`Out(1)`
    o : :py:`Out(ArrayLayout(Shape(spec.out.width, spec.out.signed), lanes))`
    """

    LATENCY = 3

    def __init__(self, spec, lanes):
        if not isinstance(spec, Requantize):
            raise TypeError(f"Requantizer spec must be a Requantize, not {spec!r}")
        if not isinstance(lanes, int) or lanes < 1:
            raise ValueError(f"Requantizer lanes must be a positive integer, not {lanes!r}")
        self._spec = spec
        self._lanes = lanes

        super().__init__({
            "i_valid": In(1),
            "i_acc": In(data.ArrayLayout(signed(spec.acc.width), lanes)),
            "i_bias": In(data.ArrayLayout(signed(spec.bias.width), lanes)),
            "i_shift": In(data.ArrayLayout(unsigned(spec.shift_width), lanes)),
            "o_valid": Out(1),
            "o": Out(data.ArrayLayout(Shape(spec.out.width, spec.out.signed), lanes)),
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
        return self.LATENCY

    def elaborate(self, platform):
        m = Module()

        total_valid, shifted_valid = Signal(), Signal()
        m.d.sync += [
            total_valid.eq(self.i_valid),
            shifted_valid.eq(total_valid),
            self.o_valid.eq(shifted_valid),
        ]
        for n in range(self._lanes):
            m.d.sync += self.o[n].eq(
                self._lane(m, n, self.i_acc[n], self.i_bias[n], self.i_shift[n])
            )

        return m

    def _lane(self, m, n, i_acc, i_bias, i_shift):
        """Registers of lane ``n`` up to the last one, whose next value is returned."""
        is_signed = self._spec.out.signed
        low_width = self._spec.out.width - is_signed

        total = Signal(signed(self._spec.sum_width), name=f"total_{n}", reset_less=True)
        shift = Signal(self._spec.shift_width, name=f"shift_{n}", reset_less=True)
        m.d.sync += [total.eq(i_acc + i_bias), shift.eq(i_shift)]

        negative = total[-1]
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
        if is_signed:
            return Cat(clamped ^ below.replicate(low_width), below)
        return clamped & ~below.replicate(low_width)
