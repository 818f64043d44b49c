# amaranth: UnusedElaboratable=no

"""The prover refutes what is wrong: a proof is worth as much as what it can catch."""

import pytest
from amaranth.hdl import Assert, Assume, Const, Cover, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fxhw.gateware.stream import StreamBuffer

from .prover import _leaves, prove, prove_stream_contract, prove_stream_function

pytestmark = pytest.mark.formal


class Counter(wiring.Component):
    """Counts to 5, then from 0 again; the assertion is given."""

    enable: In(1)

    def __init__(self, check):
        self.check = check
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        count = Signal(3)
        m.d.sync += count.eq(Mux(count == 5, 0, count + 1))
        m.d.comb += self.check(count)
        return m


class TestProve:
    def test_bounded_check_sees_only_its_depth(self):
        prove(Counter(lambda count: Assert(count < 5)), 5)
        with pytest.raises(AssertionError, match="Assert failed in top"):
            prove(Counter(lambda count: Assert(count < 5)), 6)

    def test_counterexample_is_shown(self):
        with pytest.raises(AssertionError, match=r"count +0 +1 +2 +3$"):
            prove(Counter(lambda count: Assert(count < 3)), 8)

    def test_induction_needs_an_invariant(self):
        prove(Counter(lambda count: Assert(count < 6)), 1, "induction")
        with pytest.raises(AssertionError, match="induction step of depth 1 refuted"):
            prove(Counter(lambda count: Assert(count != 7)), 1, "induction")

    def test_cover(self):
        prove(Counter(lambda count: Cover(count == 4)), 5, "cover")
        with pytest.raises(AssertionError, match="Unreached cover statement"):
            prove(Counter(lambda count: Cover(count == 4)), 4, "cover")

    def test_contradictory_assumptions(self):
        with pytest.raises(RuntimeError, match="no answer from the solver"):
            prove(Counter(lambda count: [Assume(count == 3), Assert(0)]), 4)


class Broken(wiring.Component):
    """StreamBuffer with a fault."""

    i: In(stream.Signature(2))
    o: Out(stream.Signature(2))
    wait: In(1)

    def __init__(self, fault):
        self.fault = fault
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        m.submodules.inner = inner = StreamBuffer(2)
        wiring.connect(m, wiring.flipped(self.i), inner.i)
        wiring.connect(m, inner.o, wiring.flipped(self.o))
        odd = Signal()
        m.d.sync += odd.eq(~odd)
        match self.fault:
            case "withdraws":
                m.d.comb += self.o.valid.eq(inner.o.valid & ~self.wait)
            case "changes":
                m.d.comb += self.o.payload.eq(inner.o.payload ^ self.wait)
            case "waits for ready":
                m.d.comb += self.o.valid.eq(inner.o.valid & self.o.ready)
            case "hangs":
                m.d.comb += [inner.i.valid.eq(0), self.i.ready.eq(0)]
            case "drops":
                m.d.comb += inner.i.valid.eq(self.i.valid & odd)
            case "repeats":
                m.d.comb += inner.o.ready.eq(self.o.ready & odd)
            case "swaps bits":
                m.d.comb += inner.i.payload.eq(self.i.payload[::-1])
        return m


class TestStreamProofs:
    def test_a_sound_component(self):
        prove_stream_contract(Broken(None), progress=2)
        prove_stream_function(Broken(None), 3, lambda words: words, depth=6)

    @pytest.mark.parametrize(
        ("fault", "text"),
        [
            ("withdraws", "Assert failed"),
            ("changes", "Assert failed"),
            ("waits for ready", "Assert failed|Unreached cover"),
            ("hangs", "Assert failed"),
        ],
    )
    def test_contract_catches_a_stream_that(self, fault, text):
        with pytest.raises(AssertionError, match=text):
            prove_stream_contract(Broken(fault), progress=2)

    def test_cover_catches_a_stream_that_waits_for_ready(self):
        """Such a stream with a sink that never withdraws ready passes the first property."""

        def ready_holds(m, dut):
            ready = Signal()
            m.d.sync += ready.eq(dut.o.ready)
            m.d.comb += Assume(~ready | dut.o.ready)

        with pytest.raises(AssertionError, match="cover of depth 20 refuted"):
            prove_stream_contract(Broken("waits for ready"), assumptions=ready_holds)

    @pytest.mark.parametrize("fault", ["drops", "repeats", "swaps bits", "hangs"])
    def test_function_catches_a_stream_that(self, fault):
        with pytest.raises(AssertionError, match="bmc of depth 8 refuted"):
            prove_stream_function(Broken(fault), 3, lambda words: words, depth=8)

    def test_function_catches_words_too_many_or_too_few(self):
        with pytest.raises(AssertionError):
            prove_stream_function(StreamBuffer(2), 3, lambda words: words[:2], depth=8)
        with pytest.raises(AssertionError):
            prove_stream_function(
                StreamBuffer(2), 3, lambda words: [*words, Const(0, 2)], depth=8, progress=2
            )

    def test_config_names_are_checked(self):
        with pytest.raises(ValueError, match=r"^config names must be among \['wait'\], not "):
            prove_stream_contract(Broken(None), {"wiat": 1})

    def test_config_values(self):
        prove_stream_contract(Broken("withdraws"), {"wait": 0})
        prove_stream_contract(Broken("withdraws"), {"wait": range(2)})
        with pytest.raises(AssertionError, match="cover of depth 20 refuted"):
            prove_stream_contract(Broken("withdraws"), {"wait": range(1, 2)})


def test_leaves_have_the_flow_of_the_component():
    inner = wiring.Signature({"a": Out(1), "b": In(1), "s": Out(stream.Signature(1))})

    class Nested(wiring.Component):
        x: In(inner)
        y: Out(inner).array(2)

    dut = Nested()
    assert {path: flow for path, flow, _ in _leaves(dut.signature.members, dut)} == {
        "x.a": In, "x.b": Out, "x.s": In,
        "y.0.a": Out, "y.0.b": In, "y.0.s": Out,
        "y.1.a": Out, "y.1.b": In, "y.1.s": Out,
    }
