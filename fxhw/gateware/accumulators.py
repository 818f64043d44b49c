"""Accumulators: output-stationary partial sums of one pixel."""

from amaranth.hdl import *
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from ..plan.conv_spec import ConvSpec

__all__ = ["Accumulators"]


class Accumulators(wiring.Component):
    """``lanes_out`` accumulators for each output group of a pixel.

    Sums come group by group, once per input group; ``first`` marks a pixel's first input group,
    ``last`` its last, after which the totals leave.  The register width is derived from the
    largest fan-in and cannot overflow.

    *Latency*: 1 cycle.  *Throughput*: a sum of every lane per cycle, no stall.

    Parameters
    ----------
    spec : formats and lanes.

    Members
    -------
    valid, first, last, group, sums : one cycle's partial sums and what they belong to.
    o_valid, o : totals of ``lanes_out`` channels.
    """

    def __init__(self, spec: ConvSpec):
        self._spec = spec
        super().__init__(
            {
                "valid": In(1),
                "first": In(1),
                "last": In(1),
                "group": In(range(spec.max_groups_out)),
                "sums": In(data.ArrayLayout(signed(spec.partial.width), spec.lanes_out)),
                "o_valid": Out(1),
                "o": Out(data.ArrayLayout(signed(spec.accumulator.width), spec.lanes_out)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        spec = self._spec
        totals = data.ArrayLayout(signed(spec.accumulator.width), spec.lanes_out)
        m.submodules.partials = partials = memory.Memory(
            shape=totals, depth=spec.max_groups_out, init=[]
        )
        recall = partials.read_port(domain="comb")
        store = partials.write_port()
        m.d.comb += [
            recall.addr.eq(self.group),
            store.addr.eq(self.group),
            store.en.eq(self.valid),
        ]
        for lane in range(spec.lanes_out):
            carried = Mux(self.first, 0, recall.data[lane])
            m.d.comb += store.data[lane].eq(carried + self.sums[lane])
        m.d.sync += [
            self.o_valid.eq(self.valid & self.last),
            self.o.eq(store.data),
        ]
        return m
