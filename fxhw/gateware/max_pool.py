"""2x2 max-pooling of a raster stream."""

from amaranth.hdl import *
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from .copies import assert_opposite
from .lap_counter import LapCounter
from .registered_memory import RegisteredMemory

__all__ = ["MaxPool"]


class MaxPool(wiring.Component):
    """2x2 maximum with stride 2, ceil mode: an odd last row or column pools what exists.

    A word holds ``lanes`` codes, unsigned or in two's complement.  Words arrive by row ``y``, then
    column ``x``, then group ``g``, the group fastest, and leave in the same order.  Word
    ``(y, x, g)`` belongs to window ``(y // 2, x // 2, g)``; there is one of
    ``ceil(height / 2) * ceil(width / 2) * groups``.

    ::

        word -+-> pair memory -> larger of two columns -+-> row memory -> larger of two rows
              +--------------------^                    +---------------------^

    An even column goes to the pair memory, an odd one meets it there; of the larger one, that of
    an even row goes to the row memory, that of an odd one meets it there.  Nothing flows back, so
    each arrow may be a register.

    ``width``, ``height`` and ``groups`` are held from the cycle before ``start`` to the last word,
    with ``ceil(width / 2) * groups <= max_row_words``.  ``start`` comes while no word is offered,
    and none has been in the cycle before.  A following map of the same size needs no ``start``.

    Latency: 6 cycles from a window's last word to its maximum.
    Throughput: 1 input word per cycle, without gaps.

    Parameters
    ----------
    code_bits : bits of a code, at least 1.
    lanes : codes per word, at least 1.
    max_row_words : depth of the row memory, at least 1.
    max_size : largest ``width`` and ``height``.
    max_groups : largest ``groups``; as many as ``max_row_words`` if not given.
    signed : whether codes are in two's complement.
    lut_ram : whether the row memory is to lie in look-up tables.
    target : family of its cells otherwise.

    Members
    -------
    i : :py:`In(stream.Signature(ArrayLayout(code_bits, lanes)))`
    o : :py:`Out(stream.Signature(ArrayLayout(code_bits, lanes)))`
    start : :py:`In(1)`
        The next word is the first of a map.
    width, height : :py:`In(range(max_size + 1))`
        Pixels of the unpooled map, at least 1.
    groups : :py:`In(range(max_groups + 1))`
        Words per pixel, at least 1.
    """

    def __init__(self, code_bits, lanes, max_row_words, *, max_size=4096, max_groups=None,
                 signed=False, lut_ram=False, target="generic"):
        max_groups = max_row_words if max_groups is None else max_groups
        for name, value in (
            ("code width", code_bits),
            ("lanes", lanes),
            ("row words", max_row_words),
            ("size", max_size),
            ("groups", max_groups),
        ):
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"Max-pool {name} must be a positive integer, not {value!r}")
        self._code_bits = code_bits
        self._lanes = lanes
        self._max_row_words = max_row_words
        self._max_size = max_size
        self._max_groups = max_groups
        self._signed = signed
        self._lut_ram = lut_ram
        self._target = target

        word = data.ArrayLayout(unsigned(code_bits), lanes)
        super().__init__({
            "i": In(stream.Signature(word)),
            "o": Out(stream.Signature(word)),
            "start": In(1),
            "width": In(range(max_size + 1)),
            "height": In(range(max_size + 1)),
            "groups": In(range(max_groups + 1)),
        })

    @property
    def code_bits(self):
        """Bits of a code."""
        return self._code_bits

    @property
    def lanes(self):
        """Codes per word."""
        return self._lanes

    @property
    def max_row_words(self):
        """Depth of the row memory."""
        return self._max_row_words

    @property
    def max_size(self):
        """Largest width and height."""
        return self._max_size

    @property
    def max_groups(self):
        """Largest number of groups."""
        return self._max_groups

    @property
    def signed(self):
        """Whether codes are in two's complement."""
        return self._signed

    def elaborate(self, platform):
        m = Module()

        # The pipeline moves on; a copy opens its many registers.
        advance, opens, free = Signal(), Signal(), Signal(init=1)
        assert_opposite(m, platform, free, self.o.valid)
        accept = self.i.valid & advance
        m.d.comb += [
            advance.eq(~self.o.valid | self.o.ready),
            opens.eq(free | self.o.ready),
            self.i.ready.eq(advance),
        ]
        group, ends_row, place = self._position(m, accept)
        word_shape = self.i.payload.shape()

        def delay(value, *, reset_less=True):
            delayed = Signal(value.shape(), reset_less=reset_less)
            with m.If(opens):
                m.d.sync += delayed.eq(value)
            return delayed

        # The word beside the one left of it; of both the larger code in each lane.
        m.submodules.pairs = pairs = memory.Memory(
            shape=word_shape, depth=1 << ceil_log2(self._max_groups), init=[]
        )
        left, store = pairs.read_port(domain="comb"), pairs.write_port()
        m.d.comb += [
            left.addr.eq(group),
            store.addr.eq(group),
            store.data.eq(self.i.payload),
            store.en.eq(accept),
        ]
        word, left = delay(self.i.payload), delay(left.data)
        valid, place = delay(accept & place.ends, reset_less=False), delay(place)
        pair = delay(self._larger(word, left, place.alone))
        address = self._address(m, advance & valid, delay(ends_row))
        valid, place, address = delay(valid, reset_less=False), delay(place), delay(address)

        # The pair beside the one above it, written in the row before.
        m.submodules.row = row = RegisteredMemory(
            self._max_row_words,
            self._lanes * self._code_bits,
            "words",
            self._target,
            lut_ram=self._lut_ram,
        )
        m.d.comb += [
            row.enable.eq(opens),
            row.address.eq(address),
            row.write_enable.eq(advance & valid & ~place.gives),
            row.write_address.eq(address),
            row.data.eq(pair),
        ]
        valid = valid & place.gives
        # In the memory, in the register behind it, and in one beside what compares: the memory may
        # lie far away.
        for _ in range(3):
            pair, place = delay(pair), delay(place)
            valid = delay(valid, reset_less=False)
        above = delay(data.View(word_shape, row.word))
        with m.If(opens):
            m.d.sync += [self.o.valid.eq(valid), free.eq(~valid)]
            with m.If(valid):
                m.d.sync += self.o.payload.eq(self._larger(pair, above, place.alone_row))

        return m

    def _larger(self, word, other, alone):
        """Larger code of each lane; ``word`` if it is ``alone``."""
        result = []
        for a, b in zip(word, other):
            exceeds = a.as_signed() > b.as_signed() if self._signed else a > b
            result.append(Mux(alone | exceeds, a, b))
        return data.View(word.shape(), Cat(result))

    def _position(self, m, accept):
        """Index of the offered word in the pair memory; whether it is its row's last one; where it
        lies in its window."""
        m.submodules.group = group = LapCounter(self._max_groups)
        m.submodules.x = x = LapCounter(self._max_size)
        m.submodules.y = y = LapCounter(self._max_size)
        place = Signal(data.StructLayout({"ends": 1, "alone": 1, "gives": 1, "alone_row": 1}))
        step = accept
        for counter, count in ((group, self.groups), (x, self.width), (y, self.height)):
            m.d.comb += [
                counter.start.eq(self.start),
                counter.count.eq(count),
                counter.step.eq(step),
            ]
            step = step & counter.last
        odd_x, odd_y = Signal(), Signal()
        m.d.comb += [
            odd_x.eq(x.value),
            odd_y.eq(y.value),
            place.ends.eq(x.last | odd_x),
            place.alone.eq(~odd_x),
            place.gives.eq(y.last | odd_y),
            place.alone_row.eq(~odd_y),
        ]
        return group.value, group.last & x.last, place

    def _address(self, m, step, last):
        """Index of a pair in its row: that of the pair in the first stage, counted by ``step``."""
        address = Signal(range(self._max_row_words), reset_less=True)
        with m.If(step):
            m.d.sync += address.eq(address + 1)
        with m.If(self.start | (step & last)):
            m.d.sync += address.eq(0)
        return address
