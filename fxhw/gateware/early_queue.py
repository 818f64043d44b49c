"""Early queue: a queue that tells a register ahead whether it has room."""

from amaranth.hdl import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .stream import StreamFifo

__all__ = ["EarlyQueue"]


class EarlyQueue(wiring.Component):
    """Queue behind stages that all move while there is room: no stage waits for the one behind it,
    and no ``ready`` passes through them.

    *Latency*: 2 cycles.  *Throughput*: a word per cycle.

    Parameters
    ----------
    shape : shape of a word.
    stages : registers between what obeys ``room`` and the queue.
    depth : words it holds; for full throughput 4 more than ``stages`` at least.

    Members
    -------
    room : a word may be sent; from a register.
    i : stream of words; whoever sends one obeys ``room``.
    o : stream of words.
    """

    def __init__(self, shape, *, stages: int = 0, depth: int = 8):
        self._late = stages + 2  # words that the level does not show when room is obeyed
        if depth < self._late:
            raise ValueError(
                f"Queue behind {stages} stages must hold at least {self._late} words, not {depth}"
            )
        self._queue = StreamFifo(shape, depth, always_ready=True)
        super().__init__(
            {
                "room": Out(1),
                "i": In(stream.Signature(shape, always_ready=True)),
                "o": Out(stream.Signature(shape)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.queue = queue = self._queue
        wiring.connect(m, wiring.flipped(self.i), queue.i)
        wiring.connect(m, queue.o, wiring.flipped(self.o))
        m.d.sync += self.room.eq(queue.level <= queue.depth - self._late)
        return m
