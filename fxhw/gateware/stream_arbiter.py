"""Stream arbiter: several streams take turns on one."""

from amaranth.hdl import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Sourced", "StreamArbiter", "check_weights"]


def check_weights(weights: tuple[int, ...]) -> None:
    """Make sure that ``weights`` are an arbiter's.

    Raises
    ------
    ValueError if not.
    """
    if not weights or any(not isinstance(w, int) or w < 1 for w in weights):
        raise ValueError(
            f"An arbiter's weights must be positive integers, one per stream, not {weights!r}"
        )


def Sourced(shape, count: int) -> data.StructLayout:
    """Payload of the arbiter's output: a word, and which stream it is of."""
    return data.StructLayout({"source": range(count), "word": shape})


class StreamArbiter(wiring.Component):
    """Round robin with weights: stream ``n`` may give ``weights[n]`` words in a row while others
    wait, then the next one that has a word is served.  No stream starves.

    The choice is made as late as possible, when the word before has left, so that all that wait
    take part in it; and it is registered before it is used, which keeps every path short.

    *Latency*: 2 cycles.  *Throughput*: a word in 3 cycles.

    Parameters
    ----------
    shape : shape of a word.
    weights : words in a row, 1 or more, of each stream.

    Members
    -------
    i : the streams.
    o : the stream of :func:`Sourced` words.
    """

    def __init__(self, shape, weights: tuple[int, ...]):
        check_weights(weights)
        self._weights = tuple(weights)
        super().__init__(
            {
                "i": In(stream.Signature(shape)).array(len(weights)),
                "o": Out(stream.Signature(Sourced(shape, len(weights)))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        count = len(self._weights)
        picked = Signal()
        turn = Signal(range(count))
        more = Signal(range(max(self._weights)))  # words stream `turn` may still give in a row

        give = Signal()
        m.d.comb += give.eq(picked & ~self.o.valid)
        with m.If(~self.o.valid):
            m.d.sync += [self.o.valid.eq(picked), self.o.payload.source.eq(turn)]
        with m.Elif(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(give):
            m.d.sync += picked.eq(0)
        with m.Switch(turn):
            for n in range(count):
                with m.Case(n):
                    m.d.comb += self.i[n].ready.eq(give)
                    with m.If(~self.o.valid):
                        m.d.sync += self.o.payload.word.eq(self.i[n].payload)
                    with m.If(~(picked | self.o.valid)):
                        self._pick(m, n, picked, turn, more)
        return m

    def _pick(self, m, owner, picked, turn, more):
        """Choose the stream to give the next word, ``owner`` being the last one that did."""
        count = len(self._weights)
        with m.If(self.i[owner].valid & (more != 0)):
            m.d.sync += [picked.eq(1), more.eq(more - 1)]
        for step in range(1, count + 1):
            n = (owner + step) % count
            with m.Elif(self.i[n].valid):
                m.d.sync += [picked.eq(1), turn.eq(n), more.eq(self._weights[n] - 1)]
