"""Words of one number of lanes turned into words of another, pixel by pixel."""

from math import gcd

from amaranth.hdl import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Repacker"]


class Repacker(wiring.Component):
    """Gearbox from ``in_lanes`` to ``out_lanes`` codes per word, restarted at every pixel.

    Each pixel arrives as ``in_words`` words and leaves as ``out_words`` words holding the same
    codes in the same order.  Output codes past the input are 0; input codes past the output are
    dropped.  ``in_words`` and ``out_words`` may change only while no part of a pixel is inside.

    With ``in_lanes == out_lanes`` input and output are simply connected, and ``in_words`` must
    equal ``out_words``.

    Latency: an output word is offered 1 cycle after the input word that completes it (0 with
    equal lanes).

    Throughput: a pixel of ``n`` codes, ``in_words = ceil(n / in_lanes)`` and ``out_words =
    ceil(n / out_lanes)``, takes ``max(in_words, out_words)`` cycles when neither stream pauses.
    The one exception is ``in_lanes < out_lanes`` with a last input word that straddles two output
    words: then ``in_words + 1``, as ``i.ready`` is low for one cycle after that input word, while
    the first of the two is taken.  Pixels with whole words to pad or to drop may take longer;
    :meth:`interval` is exact for all.

    Lanes move in units of their greatest common divisor: ``a`` per input word, ``b`` per output
    word.  The buffer holds ``a + b - 1`` units, so that a word always fits in when there is none
    to give out.  A word going in clears what lies above it, which makes the tail; output words that
    lie wholly past the input are made by ``padding``, while the buffer fills for the next pixel.

    Parameters
    ----------
    code_bits : bits of a code, at least 1.
    in_lanes, out_lanes : codes per word, at least 1.
    max_words : largest ``in_words`` and ``out_words``.

    Members
    -------
    i : :py:`In(stream.Signature(ArrayLayout(code_bits, in_lanes)))`
    o : :py:`Out(stream.Signature(ArrayLayout(code_bits, out_lanes)))`
    in_words, out_words : :py:`In(range(max_words + 1))`
        Words per pixel, at least 1.
    """

    def __init__(self, code_bits, in_lanes, out_lanes, *, max_words=1024):
        for name, value in (
            ("code width", code_bits),
            ("input lanes", in_lanes),
            ("output lanes", out_lanes),
            ("words", max_words),
        ):
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"Repacker {name} must be a positive integer, not {value!r}")
        self._code_bits = code_bits
        self._in_lanes = in_lanes
        self._out_lanes = out_lanes
        self._max_words = max_words

        super().__init__({
            "i": In(stream.Signature(data.ArrayLayout(unsigned(code_bits), in_lanes))),
            "o": Out(stream.Signature(data.ArrayLayout(unsigned(code_bits), out_lanes))),
            "in_words": In(range(max_words + 1)),
            "out_words": In(range(max_words + 1)),
        })

    @property
    def code_bits(self):
        """Bits of a code."""
        return self._code_bits

    @property
    def in_lanes(self):
        """Codes per input word."""
        return self._in_lanes

    @property
    def out_lanes(self):
        """Codes per output word."""
        return self._out_lanes

    @property
    def max_words(self):
        """Largest number of words per pixel, in or out."""
        return self._max_words

    @staticmethod
    def interval(in_lanes, out_lanes, in_words, out_words):
        """Exact cycles per pixel when neither stream pauses, for words per pixel of any number."""
        codes = in_words * in_lanes
        useful = min(in_words, -(-out_words * out_lanes // in_lanes))  # the rest is dropped
        if in_lanes >= out_lanes:
            # An output word every cycle, until the last useful input word lets the rest in.
            return max((useful - 1) * in_lanes // out_lanes + 1 + in_words - useful, out_words)
        # An input word every cycle, except while more padding goes out than the buffer fills in.
        straddles = 0 < codes % out_lanes < in_lanes and codes < out_words * out_lanes
        padding = max(0, out_words - -(-codes // out_lanes))
        filling = min(-(-out_lanes // in_lanes), in_words)
        return in_words + straddles + max(0, padding - filling + 1)

    def elaborate(self, platform):
        m = Module()

        if self._in_lanes == self._out_lanes:
            wiring.connect(m, wiring.flipped(self.i), wiring.flipped(self.o))
            return m

        lanes = gcd(self._in_lanes, self._out_lanes)
        unit = lanes * self._code_bits
        a, b = self._in_lanes // lanes, self._out_lanes // lanes

        units = Signal((a + b - 1) * unit)
        level = Signal(range(a + b))  # units waiting in `units`
        closed = Signal()  # they are the last ones of their pixel
        padding = Signal()  # the pixel at the output has no more units
        enough = Signal()  # the pixel at the input has filled its output words
        in_index = Signal.like(self.in_words)
        out_index = Signal.like(self.out_words)

        # Output.
        give, last_out, shifts, empties = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            self.o.valid.eq(padding | closed | (level >= b)),
            self.o.payload.eq(Mux(padding, 0, units[: b * unit])),
            give.eq(self.o.valid & self.o.ready),
            last_out.eq(out_index + 1 == self.out_words),
            shifts.eq(give & ~padding),
            empties.eq(shifts & closed & (last_out | (level <= b))),
        ]
        with m.If(give):
            m.d.sync += out_index.eq(Mux(last_out, 0, out_index + 1))
            m.d.sync += padding.eq(~last_out & (padding | empties))

        # Input.
        position = Signal(range(a + b))  # of the next input word
        take, last_in, useful, fills = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            position.eq(Mux(empties, 0, Mux(shifts, level - b, level))),
            self.i.ready.eq(enough | ((empties | ~closed) & (position < b))),
            take.eq(self.i.valid & self.i.ready),
            useful.eq(take & ~enough),
            last_in.eq(in_index + 1 == self.in_words),
            fills.eq(_times(in_index + 1, a) >= _times(self.out_words, b)),
        ]
        with m.If(take):
            m.d.sync += in_index.eq(Mux(last_in, 0, in_index + 1))
            m.d.sync += enough.eq(~last_in & (enough | fills))

        # Buffer: each unit has its own enable, and the select that arrives last comes last.
        at = Signal(b)  # where a word goes in, one-hot
        m.d.comb += at.eq(Mux(useful, 1 << position, 0))
        payload = Value.cast(self.i.payload)
        for j in range(a + b - 1):
            written = [n for n in range(b) if n <= j < n + a]
            cleared = [n for n in range(b) if n + a <= j]
            source = units[(j + b) * unit :][:unit] if j + b < a + b - 1 else C(0, unit)
            chosen = Mux(Cat(at[n] for n in (*written, *cleared)).any(), 0, source)
            for n in written:
                chosen |= payload[(j - n) * unit :][:unit] & at[n].replicate(unit)
            with m.If(shifts | Cat(at[n] for n in (*written, *cleared)).any()):
                m.d.sync += units[j * unit :][:unit].eq(chosen)

        m.d.sync += level.eq(Mux(useful, position + a, position))
        with m.If(useful | empties):
            m.d.sync += closed.eq(useful & (last_in | fills))

        return m


def _times(value, factor):
    """``value * factor`` by shifts and sums, for synthesizers that would spend a multiplier."""
    return sum(value << n for n in range(factor.bit_length()) if factor >> n & 1)
