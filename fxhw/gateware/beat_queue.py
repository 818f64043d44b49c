"""Beat queue: a queue in block RAM whose output comes straight from the memory."""

from amaranth.hdl import *
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from .memory_marks import NEVER

__all__ = ["BeatQueue"]


class BeatQueue(wiring.Component):
    """First in, first out queue of ``depth`` words and one more at its output.

    Words wait in the memory's own output register until they are taken, so nothing lies between
    the memory and the next register, and no word is read in the cycle in which it is written.

    *Latency*: 2 cycles.  *Throughput*: a word per cycle.

    Parameters
    ----------
    shape : shape of a word.
    depth : words of the memory, a power of two.
    always_ready : the source counts words and never sends one for which there is no room, so that
        nothing here has to compare.

    Members
    -------
    i, o : streams of words.
    empty : nothing is in the queue, nor was in the cycle before.
    """

    def __init__(self, shape, depth: int, *, always_ready: bool = False):
        if not isinstance(depth, int) or depth < 2 or depth & (depth - 1):
            raise ValueError(
                f"A beat queue's depth must be a power of two from 2 on, not {depth!r}"
            )
        self._shape = shape
        self._depth = depth
        self._always_ready = always_ready
        super().__init__(
            {
                "i": In(stream.Signature(shape, always_ready=always_ready)),
                "o": Out(stream.Signature(shape)),
                "empty": Out(1, init=1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.words = words = memory.Memory(
            shape=Shape.cast(self._shape), depth=self._depth, init=[], attrs=NEVER
        )
        write, read = words.write_port(), words.read_port()

        # One bit more than an address: equal pointers are an empty memory, not a full one.
        written, taken = Signal(range(2 * self._depth)), Signal(range(2 * self._depth))
        following, beyond = Signal.like(taken, init=1), Signal.like(taken, init=2)
        # Words in the memory: one, and two or more.  What reads one decides late, so little stands
        # behind it.
        waiting, several = Signal(), Signal()
        m.d.comb += [
            write.addr.eq(written[:-1]),
            write.data.eq(self.i.payload),
            write.en.eq(self.i.valid & self.i.ready),
            read.addr.eq(taken[:-1]),
            read.en.eq(waiting & (~self.o.valid | self.o.ready)),
            Value.cast(self.o.payload).eq(read.data),
        ]
        m.d.sync += self.empty.eq(~(waiting | write.en | self.o.valid))
        if not self._always_ready:
            # Registered, and so right even if one more word came in this cycle.
            room = Signal(init=1)
            m.d.sync += room.eq((written - taken)[: len(written)] < self._depth - 1)
            m.d.comb += self.i.ready.eq(room)
        with m.If(write.en):
            m.d.sync += written.eq(written + 1)
        with m.If(read.en):
            m.d.sync += [
                taken.eq(following),
                following.eq(beyond),
                beyond.eq(beyond + 1),
            ]
        m.d.sync += waiting.eq(write.en | Mux(read.en, several, waiting))
        m.d.sync += several.eq(
            Mux(
                read.en,
                several & ((beyond != written) | write.en),
                several | (write.en & waiting),
            )
        )
        with m.If(~self.o.valid | self.o.ready):
            m.d.sync += self.o.valid.eq(read.en)
        return m
