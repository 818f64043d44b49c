"""Accumulators: output-stationary partial sums of one pixel."""

from amaranth.hdl import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..plan.bit_heap import Adder, Term
from ..plan.conv_spec import ConvSpec
from .partial_sums import PartialSums
from .primitives import FAMILIES

__all__ = ["Accumulators"]

_BIT, _CHOICE = 0b10, 0b10111000
"""Truth tables: a bit; the first input if the second is set, or else the third."""


class Accumulators(wiring.Component):
    """``lanes_out`` accumulators for each output group of a pixel.

    Sums come group by group, once per input group; ``first`` marks a pixel's first input group,
    ``last`` its last, after which the totals leave.  The register width is derived from the
    largest fan-in and cannot overflow.

    The first sum is added to the bias, if there is one, or to 0; the carry cell of a bit, where the
    family's can, itself chooses between that and what was summed before.

    *Latency*: 1 cycle.  *Throughput*: a sum of every lane per cycle, no stall.

    Parameters
    ----------
    spec : formats and lanes.
    biased : whether totals hold the bias; they are then as wide as the requantizer's sums.

    Members
    -------
    valid, first, last, sums : one cycle's partial sums and what they belong to.
    next_group : the group that those of the next cycle belong to, in every cycle.
    bias : of the channels of the sums' group, only if ``biased``.
    o_valid, o : totals of ``lanes_out`` channels.
    """

    def __init__(self, spec: ConvSpec, biased: bool = False):
        self._spec = spec
        self._biased = biased
        self._width = spec.requantize.sum_width if biased else spec.accumulator.width
        bias = data.ArrayLayout(signed(spec.requantize.bias.width), spec.lanes_out)
        super().__init__(
            {
                "valid": In(1),
                "first": In(1),
                "last": In(1),
                "next_group": In(range(spec.max_groups_out)),
                "sums": In(data.ArrayLayout(signed(spec.partial.width), spec.lanes_out)),
                **({"bias": In(bias)} if biased else {}),
                "o_valid": Out(1),
                "o": Out(data.ArrayLayout(signed(self._width), spec.lanes_out)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        spec = self._spec
        totals = data.ArrayLayout(signed(self._width), spec.lanes_out)
        before = Signal(totals)
        total = Signal(totals)
        if spec.max_groups_in > 1:
            m.submodules.partials = partials = PartialSums(
                len(total.as_value()), spec.max_groups_out, spec.reads_ahead
            )
            m.d.comb += [
                partials.next_group.eq(self.next_group),
                partials.write_enable.eq(self.valid),
                partials.total.eq(total),
                before.eq(partials.word),
            ]
        for lane in range(spec.lanes_out):
            bias = self.bias[lane] if self._biased else None
            m.d.comb += total[lane].eq(self._add(m, lane, self.sums[lane], before[lane], bias))
        kept = Signal(totals, reset_less=True)
        m.d.sync += [self.o_valid.eq(self.valid & self.last), kept.eq(total)]
        m.d.comb += self.o.eq(kept)
        return m

    def _add(self, m, lane, part, before, bias):
        """``part`` plus what it is added to, in a row of carry cells."""
        bits = {"part": part, "bias": C(0, 1) if bias is None else bias, "before": before}
        numbers, values = {}, {}
        for name, value in bits.items():
            numbers[name] = [len(values) + min(k, len(value) - 1) for k in range(self._width)]
            values |= dict(enumerate(value.as_unsigned(), len(values)))
        first = len(values)
        values[first] = self.first
        rows = []
        for bit, start, other in zip(*numbers.values()):
            if self._spec.max_groups_in == 1:
                # Every sum is the first one.
                other = Term(_BIT, (start,)) if self._biased else Term(0, ())
            else:
                # Of unknown contents to begin with, the memory is the last input.
                other = Term(_CHOICE, (start, first, other))
            rows.append((Term(_BIT, (bit,)), other))
        sums = tuple(range(first + 1, first + 1 + self._width))
        adder = Adder(0, tuple(rows), None, sums)
        family = FAMILIES[self._spec.target]
        made = family.add(m, (adder,), values, f"lane_{lane}")
        return Cat(made[bit] for bit in sums).as_signed()
