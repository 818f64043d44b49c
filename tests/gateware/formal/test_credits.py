# amaranth: UnusedElaboratable=no

"""Credits: the queue never overflows, is used to the last word but two, and room comes back."""

import pytest
from amaranth.asserts import AnySeq
from amaranth.hdl import Assert, Assume, Cover, Elaboratable, Module, Signal

from fxhw.gateware import credits
from fxhw.gateware.credits import Credits

from .prover import prove

pytestmark = pytest.mark.formal


class Sender(Elaboratable):
    """Sends whenever it likes and may; words leave whenever they like."""

    def __init__(self, depth):
        self.depth = depth
        self.credits = Credits(depth)

    def elaborate(self, platform):
        m = Module()
        m.submodules.credits = dut = self.credits
        held, still, before = Signal(8), Signal(4), Signal()
        m.d.comb += [dut.sent.eq(AnySeq(1)), dut.returned.eq(AnySeq(1))]
        m.d.comb += [
            Assume(dut.room | ~dut.sent),
            Assume((held != 0) | ~dut.returned),
            Assert(held <= self.depth),
            Assert((held > self.depth - 3) | (still < 3) | dut.room),
            Cover((held == self.depth) & ~dut.room),
        ]
        m.d.sync += [
            held.eq(held + dut.sent - dut.returned),
            still.eq(still + (still != 15)),
            before.eq(dut.room_next),
        ]
        with m.If(dut.sent | dut.returned):
            m.d.sync += still.eq(0)
        started = Signal()
        m.d.sync += started.eq(1)
        m.d.comb += Assert(~started | (before == dut.room))
        return m


@pytest.mark.parametrize("depth", [3, 4, 7])
def test_never_more_than_there_is_room_for(depth):
    prove(Sender(depth), 16, "bmc")
    prove(Sender(depth), 16, "cover")


def test_refutes_a_shorter_lag(monkeypatch):
    monkeypatch.setattr(credits, "_LAG", 2)
    with pytest.raises(AssertionError, match="bmc of depth"):
        prove(Sender(4), 12)


def test_too_small_a_queue():
    with pytest.raises(ValueError, match=r"^Queue on credit must hold at least 3 words, not 2$"):
        Credits(2)
