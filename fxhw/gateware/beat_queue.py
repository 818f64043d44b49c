"""Beat queue: a queue in block RAM whose output comes straight from the memory's register."""

from amaranth.hdl import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .registered_memory import RegisteredMemory

__all__ = ["BEHIND", "BeatQueue"]

BEHIND = 2
"""Words that a queue holds beside those in its memory: in the memory's latch, in its register."""


class BeatQueue(wiring.Component):
    """First in, first out queue of ``depth`` words and :data:`BEHIND` more.

    A word passes the memory's latch and its output register, and waits there until it is taken, so
    that it comes fast even from block RAM; no word is read in the cycle in which it is written.

    *Latency*: 3 cycles.  *Throughput*: a word per cycle.

    Parameters
    ----------
    shape : shape of a word.
    depth : words of the memory, a power of two.
    always_ready : the source counts words and never sends one for which there is no room, so that
        nothing here has to compare.
    target : family of the memory's cells.

    Members
    -------
    i, o : streams of words.
    empty : nothing is in the queue, nor was in the cycle before.
    """

    def __init__(self, shape, depth: int, *, always_ready: bool = False, target: str = "generic"):
        if not isinstance(depth, int) or depth < 2 or depth & (depth - 1):
            raise ValueError(
                f"A beat queue's depth must be a power of two from 2 on, not {depth!r}"
            )
        self._depth = depth
        self._always_ready = always_ready
        width = Shape.cast(shape).width
        self._words = RegisteredMemory(depth, width, target=target, register_enable=True)
        super().__init__(
            {
                "i": In(stream.Signature(shape, always_ready=always_ready)),
                "o": Out(stream.Signature(shape)),
                "empty": Out(1, init=1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.words = words = self._words
        # One bit more than an address: equal pointers are an empty memory, not a full one.
        written, taken = Signal(range(2 * self._depth)), Signal(range(2 * self._depth))
        following, beyond = Signal.like(taken, init=1), Signal.like(taken, init=2)
        # Words in the memory: one, and two or more.  What reads one decides late, so little stands
        # behind it.
        waiting, several = Signal(), Signal()
        write, read, latched = Signal(), Signal(), Signal()
        m.d.comb += [
            write.eq(self.i.valid & self.i.ready),
            words.write_enable.eq(write),
            words.write_address.eq(written[:-1]),
            words.data.eq(self.i.payload),
            words.register_enable.eq(~self.o.valid | self.o.ready),
            words.enable.eq(~latched | words.register_enable),
            words.address.eq(taken[:-1]),
            read.eq(waiting & words.enable),
            Value.cast(self.o.payload).eq(words.word),
        ]
        m.d.sync += self.empty.eq(~(waiting | write | latched | self.o.valid))
        if not self._always_ready:
            # Registered, and so right even if one more word came in this cycle.
            room = Signal(init=1)
            m.d.sync += room.eq((written - taken)[: len(written)] < self._depth - 1)
            m.d.comb += self.i.ready.eq(room)
        with m.If(write):
            m.d.sync += written.eq(written + 1)
        with m.If(read):
            m.d.sync += [
                taken.eq(following),
                following.eq(beyond),
                beyond.eq(beyond + 1),
            ]
        m.d.sync += waiting.eq(write | Mux(read, several, waiting))
        m.d.sync += several.eq(
            Mux(
                read,
                several & ((beyond != written) | write),
                several | (write & waiting),
            )
        )
        with m.If(words.enable):
            m.d.sync += latched.eq(waiting)
        with m.If(words.register_enable):
            m.d.sync += self.o.valid.eq(latched)
        return m
