"""Lap counter: counts to a limit again and again, and knows the last count beforehand."""

from amaranth.hdl import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["LapCounter"]


class LapCounter(wiring.Component):
    """Counts 0 .. ``count - 1`` again and again; tells from a register that a count is the last.

    The comparison is made while the counter stands two counts before, so that neither it nor a
    subtraction lies on the way to what the last count decides.

    Parameters
    ----------
    max_count : largest ``count``.

    Members
    -------
    count : counts of a lap, 1 or more; stable from ``start`` on.
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
        following = Signal.like(self.value, init=1, reset_less=True)
        ahead = Signal(range(self._max_count + 2), init=2, reset_less=True)
        last = Signal(reset_less=True)
        m.d.comb += [self.value.eq(value), self.last.eq(last)]
        begins = self.start | (self.step & last)
        with m.If(begins):
            m.d.sync += [value.eq(0), following.eq(1), ahead.eq(2)]
        with m.Elif(self.step):
            # `following` is one less, so its lowest bit is the next one of `ahead`.  An inverter's
            # place would be in the reset, behind all that leads to it.
            m.d.sync += [
                value.eq(following),
                following.eq(ahead),
                ahead.eq(Cat(following[0], ahead[1:] + ahead[0])),
            ]
        ends = Signal()
        m.d.comb += [
            ends.eq(Mux(self.start | last, self.count == 1, ahead == self.count)),
            self.last_next.eq(Mux(self.start | self.step, ends, last)),
        ]
        with m.If(self.start | self.step):
            m.d.sync += last.eq(ends)
        return m
