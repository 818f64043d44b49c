"""FeatureReader == concatenation of (upsampled) feature maps, and strays are seen."""

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import Out

from fxhw.gateware.feature_reader import FeatureReader

from .simulate import run_stream, simulate_stream

DEPTH = 200


class WithMemory(wiring.Component):
    """A reader on a memory whose words are their own addresses plus one."""

    def __init__(self):
        self.reader = FeatureReader(8, DEPTH)
        super().__init__({"o": Out(stream.Signature(8))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.reader = reader = self.reader
        m.submodules.memory = mem = memory.Memory(
            shape=8, depth=DEPTH, init=[n + 1 for n in range(DEPTH)]
        )
        port = mem.read_port()
        m.d.comb += [
            port.addr.eq(reader.memory.address),
            port.en.eq(reader.memory.enable),
            reader.memory.data.eq(port.data),
        ]
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


def test_one_source_a_word_every_cycle():
    a, words = source(0, 4, 5, groups=1, up=0)
    run = simulate_stream(
        WithMemory(), {}, {"o": 20}, setup=setup(4, 5, a, {"groups": 0}), pulse=["reader.start"]
    )
    assert run.outputs["o"] == words.reshape(-1).tolist()
    assert run.given["o"][-1] - run.given["o"][0] == 19


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
