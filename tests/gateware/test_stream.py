# amaranth: UnusedElaboratable=no

import random

import pytest
from amaranth.hdl import Module, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from fxhw.gateware.stream import StreamBuffer, StreamFifo, StreamFork

from .simulate import run_stream, simulate_stream

FLOWS = [(0.0, 0.0), (0.6, 0.0), (0.0, 0.6), (0.5, 0.5)]


def words(count, bits=8, seed=7):
    rng = random.Random(seed)
    return [rng.randrange(1 << bits) for _ in range(count)]


class TestStreamBuffer:
    @pytest.mark.parametrize(("idle", "stall"), FLOWS)
    def test_words_come_out_in_order(self, idle, stall):
        sent = words(100)
        assert run_stream(StreamBuffer(8), sent, 100, idle=idle, stall=stall, seed=1) == sent

    def test_structured_payload(self):
        shape = data.StructLayout({"last": 1, "codes": data.ArrayLayout(signed(4), 2)})
        sent = [{"last": n % 2, "codes": [-n, n]} for n in range(5)]
        assert run_stream(StreamBuffer(shape), sent, 5, stall=0.4) == sent

    def test_one_word_per_cycle_one_cycle_later(self):
        run = simulate_stream(StreamBuffer(8), words(20), 20)
        assert run.taken["i"] == list(range(20))
        assert run.given["o"] == list(range(1, 21))


class TestStreamFork:
    @pytest.mark.parametrize("enable", range(8))
    def test_every_enabled_branch_gets_every_word(self, enable):
        sent = words(60)
        counts = {f"o.{n}": 60 * (enable >> n & 1) for n in range(3)}
        outputs = run_stream(
            StreamFork(8, 3), sent, counts,
            idle=0.2, stall={"o.0": 0.7, "o.1": 0.3}, seed=enable, setup={"enable": enable},
        )
        assert outputs == {name: sent if count else [] for name, count in counts.items()}

    def test_a_stalled_branch_does_not_hold_the_others_back(self):
        run = simulate_stream(
            StreamFork(8, 2), words(9), {"o.0": 9, "o.1": 9},
            stall={"o.1": 0.8}, seed=3, setup={"enable": 3},
        )
        assert all(fast <= slow for fast, slow in zip(run.given["o.0"], run.given["o.1"]))
        assert run.given["o.0"][1:] == [slow + 1 for slow in run.given["o.1"][:-1]]

    def test_one_word_per_cycle(self):
        run = simulate_stream(
            StreamFork(8, 2), words(9), {"o.0": 9, "o.1": 9}, setup={"enable": 3}
        )
        assert run.taken["i"] == list(range(9))
        assert run.given == {"o.0": list(range(1, 10)), "o.1": list(range(1, 10))}

    def test_ready_follows_from_what_was_taken(self):
        """A second word is accepted whatever the branches do, a third one is not."""
        dut = StreamFork(8, 1)
        with pytest.raises(TimeoutError, match="i accepted 2 of 3"):
            run_stream(dut, words(3), {"o.0": 3}, stall=1, setup={"enable": 1}, timeout=20)

    @pytest.mark.parametrize("count", [0, -1, 1.5, "2"])
    def test_count_wrong(self, count):
        with pytest.raises(ValueError, match=r"^Fork count must be a positive integer, not "):
            StreamFork(8, count)


class TestStreamFifo:
    @pytest.mark.parametrize("depth", [1, 2, 3, 16])
    @pytest.mark.parametrize(("idle", "stall"), FLOWS)
    def test_words_come_out_in_order(self, depth, idle, stall):
        sent = words(100)
        assert run_stream(StreamFifo(8, depth), sent, 100, idle=idle, stall=stall, seed=1) == sent

    @pytest.mark.parametrize("depth", [1, 2, 3, 16])
    def test_holds_depth_words(self, depth):
        dut = StreamFifo(8, depth)
        levels = []

        async def watch(ctx):
            async for _, _, level in ctx.tick().sample(dut.level):
                levels.append(level)

        sent = words(40)
        assert run_stream(dut, sent, 40, stall=0.9, seed=2, background=[watch]) == sent
        assert max(levels) == depth
        assert levels[-1] == 0

    @pytest.mark.parametrize(
        ("depth", "given"),
        [(1, lambda n: 1 + 2 * n), (2, lambda n: 2 + n + n // 2), (3, lambda n: 2 + n)],
    )
    def test_latency_and_throughput(self, depth, given):
        run = simulate_stream(StreamFifo(8, depth), words(20), 20)
        assert run.given["o"] == [given(n) for n in range(20)]

    def test_signed_payload(self):
        assert run_stream(StreamFifo(signed(4), 2), [-8, -1, 7], 3) == [-8, -1, 7]

    @pytest.mark.parametrize("depth", [0, -1, 2.0])
    def test_depth_wrong(self, depth):
        with pytest.raises(ValueError, match=r"^FIFO depth must be a positive integer, not "):
            StreamFifo(8, depth)


class TestSimulate:
    """The helper itself must fail on what it is there to catch."""

    class Broken(wiring.Component):
        """Passes words and withdraws, changes, drops or repeats some of them."""

        def __init__(self, fault):
            self.fault = fault
            super().__init__({"i": In(stream.Signature(8)), "o": Out(stream.Signature(8))})

        def elaborate(self, platform):
            m = Module()
            m.submodules.inner = inner = StreamBuffer(8)
            odd = Signal()
            m.d.sync += odd.eq(~odd)
            wiring.connect(m, wiring.flipped(self.i), inner.i)
            wiring.connect(m, inner.o, wiring.flipped(self.o))
            match self.fault:
                case "withdraws":
                    m.d.comb += self.o.valid.eq(inner.o.valid & odd)
                case "changes":
                    m.d.comb += self.o.payload.eq(inner.o.payload + odd)
                case "drops":
                    m.d.comb += inner.i.valid.eq(self.i.valid & odd)
                case "repeats":
                    m.d.comb += inner.o.ready.eq(self.o.ready & odd)
            return m

    @pytest.mark.parametrize(
        ("fault", "error", "message"),
        [
            ("withdraws", AssertionError, "withdrew a word"),
            ("changes", AssertionError, "changed a waiting word"),
            ("drops", TimeoutError, "o produced 10 of 20"),
            ("repeats", AssertionError, "words or more, not 20"),
        ],
    )
    def test_catches_a_component_that(self, fault, error, message):
        with pytest.raises(error, match=message):
            run_stream(self.Broken(fault), range(20), 20, stall=0.5 * (fault != "drops"))
