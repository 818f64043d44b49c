"""Accumulators of two pixels at a time, whose sums overlap those of the pixels beside them."""

from amaranth.hdl import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..plan.conv_spec import ConvSpec
from .partial_sums import PartialSums

__all__ = ["PairAccumulators"]


class PairAccumulators(wiring.Component):
    """``lanes_out`` accumulators of four pixels for each output group of a pair of columns.

    Sums come group by group, once per input group, of the pixel before the pair, of its two, and
    of the one behind.  With the pair's last input group the first two totals leave; the other two
    are what the next pair's first input group goes on from.

    *Latency*: 1 cycle.  *Throughput*: the sums of every lane per cycle, no stall.

    Parameters
    ----------
    spec : formats and lanes, of two pixels.

    Members
    -------
    valid, first, last, next_group, sums : as of :class:`.accumulators.Accumulators`; four sums
        per lane.
    left : the pair is a row's first: the first sum is of no pixel, and of the totals carried over
        only the first is, the last one of the row before.
    o_valid, o : totals of ``lanes_out`` channels of the pixel before the pair, then of its first.
    """

    def __init__(self, spec: ConvSpec):
        self._spec = spec
        super().__init__(
            {
                "valid": In(1),
                "first": In(1),
                "last": In(1),
                "left": In(1),
                "next_group": In(range(spec.max_groups_out)),
                "sums": In(data.ArrayLayout(signed(spec.partial.width), 4 * spec.lanes_out)),
                "o_valid": Out(1),
                "o": Out(data.ArrayLayout(signed(spec.accumulator.width), 2 * spec.lanes_out)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        spec = self._spec
        totals = data.ArrayLayout(signed(spec.accumulator.width), 4 * spec.lanes_out)
        m.submodules.partials = partials = PartialSums(
            totals.size, spec.max_groups_out, spec.reads_ahead
        )
        recalled, total = data.View(totals, partials.word), Signal(totals)
        m.d.comb += [
            partials.next_group.eq(self.next_group),
            partials.write_enable.eq(self.valid),
            partials.total.eq(total),
        ]
        for lane in range(spec.lanes_out):
            before, own, third, behind = (recalled[4 * lane + n] for n in range(4))
            carried = (
                Mux(self.first, third, before),
                Mux(self.first, Mux(self.left, 0, behind), own),
                Mux(self.first, 0, third),
                Mux(self.first, 0, behind),
            )
            for n, value in enumerate(carried):
                part = self.sums[4 * lane + n]
                if n == 0:
                    part = Mux(self.left, 0, part)
                m.d.comb += total[4 * lane + n].eq(value + part)
            for pixel in range(2):
                m.d.sync += self.o[pixel * spec.lanes_out + lane].eq(total[4 * lane + pixel])
        m.d.sync += self.o_valid.eq(self.valid & self.last)
        return m
