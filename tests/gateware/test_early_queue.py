# amaranth: UnusedElaboratable=no

"""EarlyQueue: whoever obeys ``room`` loses no word, and passes one per cycle."""

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fxhw.gateware.early_queue import EarlyQueue

from .simulate import run_stream, simulate_stream


class Behind(wiring.Component):
    """``stages`` registers that move while there is room, and the queue, told of ``known``."""

    def __init__(self, stages, known=None):
        self._stages = stages
        self._queue = EarlyQueue(8, stages=stages if known is None else known)
        super().__init__({"i": In(stream.Signature(8)), "o": Out(stream.Signature(8))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.queue = queue = self._queue
        wiring.connect(m, queue.o, wiring.flipped(self.o))
        m.d.comb += self.i.ready.eq(queue.room)
        valid, word = self.i.valid & queue.room, self.i.payload
        for stage in range(self._stages):
            valid_then = Signal(name=f"valid_{stage}")
            word_then = Signal(8, name=f"word_{stage}")
            m.d.sync += [valid_then.eq(valid), word_then.eq(word)]
            valid, word = valid_then, word_then
        m.d.comb += [queue.i.valid.eq(valid), queue.i.payload.eq(word)]
        return m


WORDS = [7 * n % 251 for n in range(200)]


@pytest.mark.parametrize("stages", [0, 1, 2])
@pytest.mark.parametrize(("idle", "stall"), [(0.0, 0.0), (0.4, 0.0), (0.0, 0.9), (0.3, 0.5)])
def test_no_word_is_lost(stages, idle, stall):
    assert run_stream(Behind(stages), WORDS, 200, idle=idle, stall=stall, seed=2) == WORDS


@pytest.mark.parametrize("stages", [0, 1, 2])
def test_a_word_per_cycle(stages):
    run = simulate_stream(Behind(stages), WORDS, 200)
    assert run.given["o"][-1] - run.given["o"][0] == 199


def test_a_stage_it_does_not_know_of_is_seen():
    with pytest.raises((AssertionError, TimeoutError)):
        assert run_stream(Behind(3, 0), WORDS, 200, stall=0.9, seed=2) == WORDS


def test_too_short_a_queue_is_refused():
    with pytest.raises(ValueError, match="behind 1 stages must hold at least 3 words, not 2"):
        EarlyQueue(8, stages=1, depth=2)
