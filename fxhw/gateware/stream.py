"""Generic stream stages: registers, a fork and a queue.

A stream moves one payload in every cycle in which ``valid`` and ``ready`` are both high.  A source
that has raised ``valid`` holds it, and the payload, until then; it never waits for ``ready``.
"""

from amaranth.hdl import *
from amaranth.lib import fifo, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["SkidBuffer", "StreamBuffer", "StreamFork", "StreamFifo"]


class StreamBuffer(wiring.Component):
    """Register between two streams; cuts every path but ``o.ready`` to ``i.ready``.

    Latency: 1 cycle.  Throughput: 1 word per cycle.

    Parameters
    ----------
    shape : shape of the payload.

    Members
    -------
    i : :py:`In(stream.Signature(shape))`
    o : :py:`Out(stream.Signature(shape))`
    """

    def __init__(self, shape):
        super().__init__({
            "i": In(stream.Signature(shape)),
            "o": Out(stream.Signature(shape)),
        })

    def elaborate(self, platform):
        m = Module()

        with m.If(~self.o.valid | self.o.ready):
            m.d.comb += self.i.ready.eq(1)
            m.d.sync += self.o.valid.eq(self.i.valid)
            with m.If(self.i.valid):  # an idle input costs no toggling
                m.d.sync += self.o.payload.eq(self.i.payload)

        return m


class SkidBuffer(wiring.Component):
    """Register between two streams, with a second one behind it; cuts every path.

    Latency: 1 cycle.  Throughput: 1 word per cycle.

    Parameters
    ----------
    shape : shape of the payload.

    Members
    -------
    i : :py:`In(stream.Signature(shape))`
    o : :py:`Out(stream.Signature(shape))`
    """

    def __init__(self, shape):
        super().__init__({
            "i": In(stream.Signature(shape)),
            "o": Out(stream.Signature(shape)),
        })

    def elaborate(self, platform):
        m = Module()

        room = Signal(init=1)  # nothing has been held back
        held = Signal.like(self.i.payload, reset_less=True)
        moves = ~self.o.valid | self.o.ready

        m.d.comb += self.i.ready.eq(room)
        m.d.sync += room.eq(moves | (room & ~self.i.valid))
        with m.If(room):
            m.d.sync += held.eq(self.i.payload)
        with m.If(moves):
            m.d.sync += self.o.valid.eq(self.i.valid | ~room)
            m.d.sync += self.o.payload.eq(Mux(room, self.i.payload, held))

        return m


class StreamFork(wiring.Component):
    """Copies every word of one stream to each enabled one of ``count`` streams.

    Eager: a branch takes its copy as soon as it is ready and never waits for another branch, so
    no ``valid`` depends on any ``ready``.  The input word is accepted in the cycle in which its
    last copy is taken.  With no branch enabled words are accepted and dropped.

    ``enable`` may change only while no word is waiting at the input.

    Latency: 0 cycles (combinational).  Throughput: 1 word per cycle.

    Parameters
    ----------
    shape : shape of the payload.
    count : number of branches, at least 1.

    Members
    -------
    i : :py:`In(stream.Signature(shape))`
    o : :py:`Out(stream.Signature(shape)).array(count)`
    enable : :py:`In(count)`
        Bit ``n`` enables branch ``n``.
    """

    def __init__(self, shape, count):
        if not isinstance(count, int) or count < 1:
            raise ValueError(f"Fork count must be a positive integer, not {count!r}")
        self._count = count

        super().__init__({
            "i": In(stream.Signature(shape)),
            "o": Out(stream.Signature(shape)).array(count),
            "enable": In(count),
        })

    @property
    def count(self):
        """Number of branches."""
        return self._count

    def elaborate(self, platform):
        m = Module()

        done = Signal(self._count)  # branches that already hold a copy of the waiting word
        taken = Signal(self._count)

        for n, branch in enumerate(self.o):
            m.d.comb += [
                branch.payload.eq(self.i.payload),
                branch.valid.eq(self.i.valid & self.enable[n] & ~done[n]),
                taken[n].eq(done[n] | ~self.enable[n] | branch.ready),
            ]

        m.d.comb += self.i.ready.eq(taken.all())
        with m.If(self.i.valid):
            m.d.sync += done.eq(Mux(self.i.ready, 0, taken & self.enable))

        return m


class StreamFifo(wiring.Component):
    """First in, first out queue in block RAM.

    Latency: 2 cycles from an empty queue's input to its output (1 with ``depth`` 1).
    Throughput: 1 word per cycle from ``depth`` 3 on, 1 word in 2 cycles below.

    Parameters
    ----------
    shape : shape of the payload.
    depth : words the queue holds, at least 1.

    Members
    -------
    i : :py:`In(stream.Signature(shape))`
    o : :py:`Out(stream.Signature(shape))`
    level : :py:`Out(range(depth + 1))`
        Words held, the one offered at ``o`` included.
    """

    def __init__(self, shape, depth):
        if not isinstance(depth, int) or depth < 1:
            raise ValueError(f"FIFO depth must be a positive integer, not {depth!r}")
        self._depth = depth

        super().__init__({
            "i": In(stream.Signature(shape)),
            "o": Out(stream.Signature(shape)),
            "level": Out(range(depth + 1)),
        })

    @property
    def depth(self):
        """Words the queue holds."""
        return self._depth

    def elaborate(self, platform):
        m = Module()

        i_bits, o_bits = Value.cast(self.i.payload), Value.cast(self.o.payload)
        m.submodules.queue = queue = fifo.SyncFIFOBuffered(width=len(i_bits), depth=self._depth)
        m.d.comb += [
            queue.w_data.eq(i_bits),
            queue.w_en.eq(self.i.valid),
            self.i.ready.eq(queue.w_rdy),
            o_bits.eq(queue.r_data),
            self.o.valid.eq(queue.r_rdy),
            queue.r_en.eq(self.o.ready),
            self.level.eq(queue.level),
        ]

        return m
