"""Lap counter: counts to a limit again and again, and knows the last count beforehand."""

from amaranth.hdl import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["LapCounter"]


class LapCounter(wiring.Component):
    """Counts 0 .. ``count - 1`` again and again; tells from a register that a count is the last.

    Beside the counter runs another one, of what is left of the lap.  One register tells that a
    count is the last, another that the next one is, both of them set a count before, so that no
    comparison lies on the way to what the last count decides.

    Parameters
    ----------
    max_count : largest ``count``.

    Members
    -------
    count : counts of a lap, 1 or more; stable from the cycle before ``start`` on.
    start : pulse that begins a lap.
    step : go to the next count.
    value : the count.
    last, last_next : it is ``count - 1``; and whether it will be in the next cycle.
    """

    def __init__(self, max_count: int):
        self._max_count = max_count
        super().__init__(
            {
                "count": In(range(max_count + 1)),
                "start": In(1),
                "step": In(1),
                "value": Out(range(max_count)),
                "last": Out(1),
                "last_next": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        if self._max_count == 1:
            m.d.comb += [self.last.eq(1), self.last_next.eq(1)]
            return m
        # None of them needs a reset: every lap begins with all of them set.
        value = Signal.like(self.value, reset_less=True)
        left = Signal.like(self.count, reset_less=True)  # this count included
        last, last_but_one = Signal(reset_less=True), Signal(reset_less=True)
        single, double = Signal(reset_less=True), Signal(reset_less=True)
        wraps = self.start | last
        moves = self.start | self.step
        ends = Signal()
        m.d.comb += [
            self.value.eq(value),
            self.last.eq(last),
            ends.eq(Mux(wraps, single, last_but_one)),
            self.last_next.eq(Mux(moves, ends, last)),
        ]
        m.d.sync += [single.eq(self.count == 1), double.eq(self.count == 2)]
        with m.If(moves):
            m.d.sync += [
                value.eq(Mux(wraps, 0, value + 1)),
                left.eq(Mux(wraps, self.count, left - 1)),
                last.eq(ends),
                last_but_one.eq(Mux(wraps, double, left == 3)),
            ]
        return m
