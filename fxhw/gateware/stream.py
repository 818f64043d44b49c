"""Generic stream stages: a register, a fork and a queue.

A stream moves one payload in every cycle in which ``valid`` and ``ready`` are both high.  A source
that has raised ``valid`` holds it, and the payload, until then; it never waits for ``ready``.
"""

from amaranth.hdl import *
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from .copies import assert_opposite
from .memory_marks import NEVER

__all__ = ["StreamBuffer", "StreamFork", "StreamFifo"]


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


class StreamFork(wiring.Component):
    """Copies every word of one stream to each enabled one of ``count`` streams.

    Eager: a branch takes its copy as soon as it is ready and never waits for another branch, so
    no ``valid`` depends on any ``ready``.  The next word follows in the cycle after the last copy
    is taken.  With no branch enabled words are accepted and dropped.

    ``valid`` and ``ready`` come from registers: a word that arrives while the one before it waits
    goes into a second register.  ``enable`` may change only while no word is inside or offered.

    Latency: 1 cycle.  Throughput: 1 word per cycle.

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

        incoming = Value.cast(self.i.payload)
        word = Signal(len(incoming), reset_less=True)
        second = Signal(len(incoming), reset_less=True)
        room = Signal(init=1)  # whether the second register is free
        waiting = Signal(self._count)  # branches that have yet to take the word
        taken = Signal(self._count, init=-1)  # a copy, for the word's many registers
        assert_opposite(m, platform, taken, waiting)
        moves, opens = Signal(), Signal()

        for n, branch in enumerate(self.o):
            m.d.comb += [
                Value.cast(branch.payload).eq(word),
                branch.valid.eq(waiting[n]),
            ]
        m.d.comb += [
            self.i.ready.eq(room),
            moves.eq(Cat(~waiting[n] | branch.ready for n, branch in enumerate(self.o)).all()),
            opens.eq(Cat(taken[n] | branch.ready for n, branch in enumerate(self.o)).all()),
        ]
        m.d.sync += room.eq(moves | (room & ~self.i.valid))
        with m.If(room):
            m.d.sync += second.eq(incoming)
        with m.If(opens):
            m.d.sync += word.eq(Mux(room, incoming, second))
        follows = Signal(self._count)
        with m.If(moves):
            m.d.comb += follows.eq(Mux(self.i.valid | ~room, self.enable, 0))
        with m.Else():
            m.d.comb += follows.eq(Cat(waiting[n] & ~o.ready for n, o in enumerate(self.o)))
        m.d.sync += [waiting.eq(follows), taken.eq(~follows)]

        return m


class StreamFifo(wiring.Component):
    """First in, first out queue: a memory, and a register that offers the oldest word.

    Whether there is a next word is known from a register, so that little stands behind
    ``o.ready``.

    Latency: 2 cycles from an empty queue's input to its output (1 with ``depth`` 1).
    Throughput: 1 word per cycle from ``depth`` 3 on, less below.

    Parameters
    ----------
    shape : shape of the payload.
    depth : words the queue holds, at least 1.
    always_ready : whether the writer keeps account of the room by itself, so that ``i.ready`` is 1.

    Members
    -------
    i : :py:`In(stream.Signature(shape, always_ready=always_ready))`
    o : :py:`Out(stream.Signature(shape))`
    level : :py:`Out(range(depth + 1))`
        Words held, the one offered at ``o`` included.
    """

    def __init__(self, shape, depth, *, always_ready=False):
        if not isinstance(depth, int) or depth < 1:
            raise ValueError(f"FIFO depth must be a positive integer, not {depth!r}")
        self._depth = depth
        self._always_ready = always_ready

        super().__init__({
            "i": In(stream.Signature(shape, always_ready=always_ready)),
            "o": Out(stream.Signature(shape)),
            "level": Out(range(depth + 1)),
        })

    @property
    def depth(self):
        """Words the queue holds."""
        return self._depth

    def elaborate(self, platform):
        m = Module()

        taken, given = Signal(), Signal()
        if not self._always_ready:
            m.d.comb += self.i.ready.eq(self.level != self._depth)
        m.d.comb += [
            taken.eq(self.i.valid & self.i.ready),
            given.eq(self.o.valid & self.o.ready),
        ]
        if self._depth == 1:
            m.d.comb += self.level.eq(self.o.valid)
            with m.If(taken):
                m.d.sync += self.o.payload.eq(self.i.payload)
            m.d.sync += self.o.valid.eq(taken | (self.o.valid & ~self.o.ready))
        else:
            with m.If(taken != given):
                m.d.sync += self.level.eq(self.level + Mux(given, -1, 1))
            self._queue(m, platform, taken)

        return m

    def _queue(self, m, platform, taken):
        """A ring of words; the register at its end is the memory's own."""
        i_bits, o_bits = Value.cast(self.i.payload), Value.cast(self.o.payload)
        # A word is read when there is one, and written where there is none.
        m.submodules.ring = ring = memory.Memory(
            shape=len(i_bits), depth=self._depth, init=[], attrs=NEVER
        )
        write, read = ring.write_port(), ring.read_port()
        following = Signal(range(self._depth), init=1 % self._depth)  # behind the one to be read
        waiting = Signal()  # whether the ring holds a word
        free = Signal(init=1)  # a copy, for the word's many registers
        assert_opposite(m, platform, free, self.o.valid)
        moves = Signal()
        m.d.comb += [
            moves.eq(~self.o.valid | self.o.ready),
            write.en.eq(taken),
            write.data.eq(i_bits),
            read.en.eq(free | self.o.ready),
            o_bits.eq(read.data),
        ]

        def after(pointer):
            if 1 << len(pointer) == self._depth:
                return pointer + 1
            return Mux(pointer == self._depth - 1, 0, pointer + 1)

        with m.If(taken):
            m.d.sync += write.addr.eq(after(write.addr))
        with m.If(moves):
            m.d.sync += [self.o.valid.eq(waiting), free.eq(~waiting)]
        with m.If(moves & waiting):
            m.d.sync += [read.addr.eq(following), following.eq(after(following))]
        m.d.sync += waiting.eq(taken | (waiting & (~moves | (following != write.addr))))
