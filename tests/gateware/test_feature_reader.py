"""FeatureReader == concatenation of (upsampled) feature maps, and strays are seen."""

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import Out
from amaranth.sim import Simulator

from fxhw.gateware.banked_memory import BankedMemory
from fxhw.gateware.feature_reader import FeatureReader
from fxhw.plan.memory_banks import Bank, MemoryBanks

from .simulate import member, run_stream, simulate_stream

DEPTH = 200

BANKS = {
    "one bank": (Bank(0, DEPTH, 256),),
    "banks": (Bank(0, 128, 128), Bank(128, 64, 64), Bank(192, 8, 8)),
}


class WithMemory(wiring.Component):
    """A reader on a memory whose words are their own addresses plus one."""

    def __init__(self, banks="banks"):
        self.plan = MemoryBanks(DEPTH, 8, BANKS[banks], None)
        self.reader = FeatureReader(
            8, DEPTH, max_width=6, max_height=6, max_groups=5, memory_latency=self.plan.latency
        )
        super().__init__({"o": Out(stream.Signature(8))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.reader = reader = self.reader
        m.submodules.memory = words = BankedMemory(
            self.plan, "words", tuple(n + 1 for n in range(DEPTH))
        )
        wiring.connect(m, reader.memory, words.read)
        wiring.connect(m, reader.o, wiring.flipped(self.o))
        return m


def source(base, height, width, groups, up):
    """(configuration, words as the layer sees them) of a map of the layer's size."""
    rows, columns = (-(-height // 2), -(-width // 2)) if up else (height, width)
    words = base + 1 + np.arange(rows * columns * groups).reshape(rows, columns, groups)
    if up:
        words = words.repeat(2, axis=0).repeat(2, axis=1)[:height, :width]
    return {"base": base, "row_stride": columns * groups, "groups": groups, "up": up}, words


def setup(height, width, a, b):
    config = {"reader.width": width, "reader.height": height}
    for name, fields in (("a", a), ("b", b)):
        config |= {f"reader.{name}.{field}": value for field, value in fields.items()}
    return config


@pytest.mark.parametrize("size", [(1, 1), (4, 6), (5, 3), (3, 4)])
@pytest.mark.parametrize("up", [(0, 0), (1, 0), (0, 1), (1, 1)])
@pytest.mark.parametrize("stall", [0, 0.5])
def test_two_sources(size, up, stall):
    a, a_words = source(3, *size, groups=2, up=up[0])
    b, b_words = source(90, *size, groups=1, up=up[1])
    expected = np.concatenate([a_words, b_words], axis=2).reshape(-1).tolist()
    words = run_stream(
        WithMemory(),
        {},
        {"o": len(expected)},
        stall=stall,
        setup=setup(*size, a, b),
        pulse=["reader.start"],
    )["o"]
    assert words == expected


@pytest.mark.parametrize("size", [(1, 1), (2, 1), (1, 2), (4, 6), (5, 3)])
@pytest.mark.parametrize(("groups", "up"), [(1, 0), (1, 1), (3, 0), (3, 1)])
@pytest.mark.parametrize("stall", [0, 0.5])
def test_one_source(size, groups, up, stall):
    a, words = source(7, *size, groups=groups, up=up)
    expected = words.reshape(-1).tolist()
    got = run_stream(
        WithMemory(),
        {},
        {"o": len(expected)},
        stall=stall,
        setup=setup(*size, a, {"groups": 0, "up": 1}),
        pulse=["reader.start"],
    )["o"]
    assert got == expected


@pytest.mark.parametrize("banks", BANKS)
@pytest.mark.parametrize("sources", [1, 2])
def test_a_word_every_cycle(banks, sources):
    """After its latency, even with two sources of a word per pixel each, one upsampled."""
    dut = WithMemory(banks)
    a, words = source(0, 4, 6, groups=1, up=0)
    b, more = source(90, 4, 6, groups=1, up=1) if sources == 2 else ({"groups": 0}, words[..., :0])
    expected = np.concatenate([words, more], axis=2).reshape(-1).tolist()
    run = simulate_stream(
        dut, {}, {"o": len(expected)}, setup=setup(4, 6, a, b), pulse=["reader.start"]
    )
    assert run.outputs["o"] == expected
    assert run.given["o"][-1] - run.given["o"][0] == len(expected) - 1
    assert run.given["o"][0] + 1 == 4 + dut.plan.latency  # the pulse came a cycle before


def test_layers_one_after_the_other():
    """What a layer leaves behind does no harm to the next, whichever comes first."""
    layers = [
        (size, groups, up)
        for size in [(3, 4), (4, 3)] for groups in [(2, 0), (1, 2)] for up in [(0, 1), (1, 0)]
    ]
    dut = WithMemory()
    got, expected = [], []

    async def bench(ctx):
        ctx.set(dut.o.ready, 1)
        for size, groups, up in layers:
            a, a_words = source(3, *size, groups[0], up[0])
            b, b_words = source(90, *size, groups[1], up[1])
            words = np.concatenate([a_words, b_words], axis=2).reshape(-1).tolist()
            expected.extend(words)
            for name, value in setup(*size, a, b).items():
                ctx.set(member(dut, name), value)
            ctx.set(dut.reader.start, 1)
            await ctx.tick()
            ctx.set(dut.reader.start, 0)
            for _ in words:
                (word,) = await ctx.tick().sample(dut.o.payload).until(dut.o.valid)
                got.append(word)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert got == expected


@pytest.mark.parametrize(("base", "strays"), [(DEPTH - 20, False), (DEPTH - 19, True)])
def test_overrun(base, strays):
    a, _ = source(base, 4, 5, groups=1, up=0)
    dut = WithMemory()
    seen = []

    async def watch(ctx):
        async for _, _, overrun in ctx.tick().sample(dut.reader.overrun):
            seen.append(overrun)

    run_stream(
        dut,
        {},
        {"o": 20},
        setup=setup(4, 5, a, {"groups": 0}),
        pulse=["reader.start"],
        background=[watch],
    )
    assert any(seen) == strays
