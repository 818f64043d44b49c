"""Feature reader: streams a layer's input out of the feature memory."""

from amaranth.hdl import *
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from .memory_port import ReadPort

__all__ = ["FeatureReader", "SourceConfig"]

_AHEAD = 8
"""Cycles around the reader beside the memory's: asked for, counted, queued, given, counted."""


class SourceConfig(data.Struct):
    """A feature map to read: its first word, words per row and per pixel, and whether each pixel
    and row is read twice (nearest upsampling by two).

    Rows lie one behind the other, so the reader makes no use of ``row_stride``."""

    base: 32
    row_stride: 32
    groups: 16
    up: 1


class _Next(data.Struct):
    """A word to ask for, and where the word after it lies.

    ``valid`` unless there is no word yet.  The next address is ``base`` of ``source`` where
    ``from_base``, else the one remembered in ``recall`` where ``from_memory``, else the one right
    behind.  That one is to be remembered in ``place`` where ``remember``.
    """

    valid: 1
    from_base: 1
    from_memory: 1
    source: 1
    recall: 2
    remember: 1
    place: 2


class FeatureReader(wiring.Component):
    """Addresses of up to two source feature maps in the order a convolution takes them.

    For each pixel of the raster, the words of source A, then those of source B: concatenation
    costs nothing.  An upsampled source is read at half the coordinates: neither does upsampling.

    ::

        position -> next -> address -> memory -> queue -> o

    The rows of a map lie one behind the other, so the next address is the one right behind,
    unless the source changes, or a pixel or a row is read again.  Then it is one remembered: where
    the source's next pixel starts, or its row.  The memory is never held up: a word is asked for
    only while there is room for it in the queue.

    *Latency*: 4 cycles and the memory's.  *Throughput*: a word per cycle.

    Parameters
    ----------
    word_bits : bits of a word.
    depth : words of the memory.
    max_width, max_height, max_groups : largest raster, and most words per pixel of a source.
    memory_latency : cycles the memory takes; a slower one only costs throughput.

    Members
    -------
    start : pulse that begins a layer; the reader must be idle.
    a, b : the sources; ``b.groups`` is 0 if there is one.
    width, height : the raster, at the layer's resolution.
    memory : the memory's read side.
    overrun : a word outside the memory was asked for; the stream goes on with what it finds.
    o : stream of words.
    """

    def __init__(
        self,
        word_bits: int,
        depth: int,
        *,
        max_width: int,
        max_height: int,
        max_groups: int,
        memory_latency: int,
    ):
        self._depth = depth
        self._max_groups = max_groups
        self._queue = 1 << (memory_latency + _AHEAD).bit_length()
        super().__init__(
            {
                "start": In(1),
                "a": In(SourceConfig),
                "b": In(SourceConfig),
                "width": In(range(max_width + 1)),
                "height": In(range(max_height + 1)),
                "memory": Out(ReadPort(depth, word_bits)),
                "overrun": Out(1),
                "o": Out(stream.Signature(word_bits)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        following = Signal(_Next)
        self._ask(m, following)
        # Words asked for that have not left the queue.
        held = Signal(range(self._queue))
        room = Signal()
        left = Signal()
        step = self._count(m, room, following)
        m.d.sync += [
            left.eq(self._give(m)),
            held.eq(held + step - left),
            # One more may be asked for before this is seen.
            room.eq(held < self._queue - 4),
        ]
        return m

    def _count(self, m, room, following):
        """Position in the raster and what it says of the next address; returns its step."""
        two = Signal()
        m.d.sync += two.eq(self.b.groups != 0)
        active, step = Signal(), Signal()
        second = Signal()
        group = Signal(range(self._max_groups + 1), init=1, reset_less=True)
        x = Signal.like(self.width, init=1, reset_less=True)
        y = Signal.like(self.height, init=1, reset_less=True)
        seen = Signal(2)  # sources of which a row's start is remembered
        last_group, last_x, last_y, pixel_ends = Signal(), Signal(), Signal(), Signal()
        other, again, recalls, row_start = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            step.eq(active & room),
            last_group.eq(group == Mux(second, self.b.groups, self.a.groups)[: len(group)]),
            last_x.eq(x == self.width),
            last_y.eq(y == self.height),
            pixel_ends.eq(last_group & (second | ~two)),
            # The part's pixel, or row, is read again.
            again.eq(Mux(second, self.b.up, self.a.up) & Mux(last_x, y[0], x[0])),
            other.eq(two & ~second),
            recalls.eq(last_group & (two | again)),
            # The next part is a row's first pixel, or that one read again.
            row_start.eq(
                Mux(
                    other,
                    (x == 1) | (self.b.up & (x == 2)),
                    last_x | (self.a.up & (x == 1)),
                )
            ),
        ]
        m.d.sync += [
            following.valid.eq(step),
            following.from_base.eq(step & recalls & row_start & ~seen.bit_select(other, 1)),
            following.from_memory.eq(recalls),
            following.source.eq(other),
            following.recall.eq(Cat(other, row_start)),
            following.remember.eq(step & last_group & ~again),
            following.place.eq(Cat(second, last_x)),
        ]
        with m.If(step):
            m.d.sync += group.eq(group + 1)
            with m.If(last_group):
                m.d.sync += [group.eq(1), second.eq(other)]
                with m.If(last_x & ~again):
                    m.d.sync += seen.bit_select(second, 1).eq(1)
            with m.If(pixel_ends):
                m.d.sync += x.eq(x + 1)
                with m.If(last_x):
                    m.d.sync += [x.eq(1), y.eq(y + 1)]
                    with m.If(last_y):
                        m.d.sync += active.eq(0)
        with m.If(self.start):
            m.d.sync += [
                active.eq(1),
                x.eq(1),
                y.eq(1),
                group.eq(1),
                second.eq(0),
                seen.eq(0),
                following.from_base.eq(1),
                following.source.eq(0),
            ]
        return step

    def _ask(self, m, following):
        """The address, and the memory's request."""
        address = Signal.like(self.memory.address, reset_less=True)
        m.submodules.starts = starts = memory.Memory(shape=address.shape(), depth=4, init=[])
        recall, remember = starts.read_port(domain="comb"), starts.write_port()
        behind = Signal.like(address)
        m.d.comb += [
            behind.eq(address + 1),
            recall.addr.eq(following.recall),
            remember.addr.eq(following.place),
            remember.en.eq(following.remember),
            remember.data.eq(behind),
            self.memory.address.eq(address),
            self.memory.enable.eq(following.valid),
        ]
        m.d.sync += self.overrun.eq(following.valid & (address >= self._depth))
        base = Mux(following.source, self.b.base, self.a.base)
        with m.If(following.valid | following.from_base):
            m.d.sync += address.eq(
                Mux(following.from_base, base, Mux(following.from_memory, recall.data, behind))
            )

    def _give(self, m):
        """Queue of the memory's words; returns whether one leaves it."""
        m.submodules.queue = queue = memory.Memory(
            shape=self.o.payload.shape(), depth=self._queue, init=[]
        )
        read, write = queue.read_port(domain="comb"), queue.write_port()
        leaves = Signal()
        m.d.comb += [
            leaves.eq((read.addr != write.addr) & (~self.o.valid | self.o.ready)),
            write.en.eq(self.memory.valid),
            write.data.eq(self.memory.data),
        ]
        first, end = Signal.like(read.addr), Signal.like(write.addr)
        m.d.comb += [read.addr.eq(first), write.addr.eq(end)]
        m.d.sync += end.eq(end + self.memory.valid)
        with m.If(~self.o.valid | self.o.ready):
            m.d.sync += self.o.valid.eq(leaves)
        with m.If(leaves):
            m.d.sync += [first.eq(first + 1), self.o.payload.eq(read.data)]
        return leaves
