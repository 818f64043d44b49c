"""Credits: whether a queue behind a pipeline has room for what enters the pipeline."""

from amaranth.hdl import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Credits"]

_LAG = 3
"""Words that may be sent before the account shows the first of them, itself included."""


class Credits(wiring.Component):
    """Account of a queue's room, words on their way to it included.

    All of it is registered: ``room`` follows what it depends on three cycles later.  It is false
    while the queue may lack room for as many words more, and may be obeyed without a thought.

    Parameters
    ----------
    depth : words the queue holds, at least 3.

    Members
    -------
    sent : a word is sent on its way.
    returned : a word leaves the queue.
    room, room_next : a word may be sent; and whether it may be in the next cycle.
    """

    def __init__(self, depth: int):
        if depth < _LAG:
            raise ValueError(f"Queue on credit must hold at least {_LAG} words, not {depth}")
        self._depth = depth
        super().__init__(
            {"sent": In(1), "returned": In(1), "room": Out(1, init=1), "room_next": Out(1)}
        )

    def elaborate(self, platform):
        m = Module()
        left = Signal(range(self._depth + 1), init=self._depth)
        sent, returned = Signal(), Signal()
        m.d.sync += [
            sent.eq(self.sent),
            returned.eq(self.returned),
            self.room.eq(self.room_next),
        ]
        m.d.comb += self.room_next.eq(left >= _LAG)
        with m.If(sent != returned):
            m.d.sync += left.eq(left + Mux(sent, -1, 1))
        return m
