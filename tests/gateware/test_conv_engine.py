"""ConvEngine == golden convolution and requantization, over shapes and flow control."""

from dataclasses import replace

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fxhw.gateware.conv_engine import ConvEngine
from fxhw.golden import conv3x3
from fxhw.graph import Conv
from fxhw.plan import ConvSpec
from fxhw.plan.conv_spec import STYLES
from fxhw.plan.parameters import conv_beats

from ..networks import activation_format, random_codes, weight_format
from ..plan.test_bit_heap import codes_of
from .rasters import pack_raster
from .simulate import simulate_stream

BUS = 32


class Loaded(wiring.Component):
    """An engine that starts once its parameters have been loaded through ``load``."""

    def __init__(self, spec):
        self.engine = ConvEngine(spec, BUS)
        super().__init__(
            {
                "i": In(stream.Signature(spec.word_bits)),
                "o": Out(stream.Signature(spec.out_bits)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.engine = self.engine
        wiring.connect(m, wiring.flipped(self.i), self.engine.i)
        wiring.connect(m, self.engine.o, wiring.flipped(self.o))
        return m


def case(
    groups_in, groups_out, lanes_in, lanes_out, shape, wbits=4, abits=6, seed=0, mul_bits=0,
    weights="fixed", activations="unsigned",
):
    """(spec, conv, input codes) of a random layer whose channels do not fill the last groups."""
    rng = np.random.default_rng(seed)
    height, width = shape
    cin = groups_in * lanes_in - (groups_in * lanes_in > 1)
    cout = groups_out * lanes_out - (groups_out * lanes_out > 1)
    spec = ConvSpec(
        weight=weight_format(weights, wbits),
        activation=activation_format(activations, abits),
        out=activation_format(activations, abits),
        lanes_in=lanes_in,
        lanes_out=lanes_out,
        max_groups_in=groups_in,
        max_groups_out=groups_out,
        row_words=width * groups_in,
        weight_words=groups_in * groups_out,
        mul_bits=mul_bits,
    )
    codes = random_codes(rng, spec.weight, (cout, cin, 3, 3))
    conv = Conv(
        "layer",
        "in",
        "out",
        spec.weight,
        codes,
        rng.integers(0, 6, cout),
        rng.integers(-60, 60, cout),
        spec.out,
    )
    if mul_bits:
        multiplier = rng.integers(1, 1 << mul_bits, cout)
        multiplier[0] = (1 << mul_bits) - 1
        frac = conv.weight_frac + np.round(np.log2(multiplier)).astype(np.int64)
        bias = conv.bias * multiplier
        conv = replace(conv, weight_frac=frac, bias=bias, multiplier=multiplier)
    return spec, conv, rng.choice(codes_of(spec.activation), (height, width, cin))


def lively(spec, conv, x):
    """``conv`` with biases and shifts that bring about half of the results above zero."""
    acc = conv3x3(x, conv.codes, conv.accumulator(spec.activation))
    factor = np.ones(conv.out_channels, int) if conv.multiplier is None else conv.multiplier
    spread = np.maximum(acc.std(axis=(0, 1)), 1) * factor
    return replace(
        conv,
        bias=-np.round(acc.mean(axis=(0, 1)) * factor).astype(np.int64),
        weight_frac=np.round(np.log2(spread / spec.out.width)).astype(np.int64).clip(0),
    )


def run_engine(spec, conv, x, **flow):
    height, width, cin = x.shape
    groups_in, groups_out = -(-cin // spec.lanes_in), -(-conv.out_channels // spec.lanes_out)
    dut = Loaded(spec)
    beats = conv_beats(spec, BUS, conv, [(cin, spec.activation)], 0, conv.out_channels)
    sections = (
        (0, groups_in * groups_out, -(-spec.weight_bits // BUS)),
        (1, groups_out, -(-spec.requantize_bits // BUS)),
    )
    fired = []

    async def load(ctx):
        load, index = dut.engine.load, 0
        for second, words, per_word in sections:
            for word in range(words):
                for beat in range(per_word):
                    ctx.set(load.valid, 1)
                    ctx.set(load.second, second)
                    ctx.set(load.word, word)
                    ctx.set(load.beat, beat)
                    ctx.set(load.data, beats[index])
                    index += 1
                    await ctx.tick()
        ctx.set(load.valid, 0)
        assert index == len(beats)
        ctx.set(dut.engine.start, 1)
        await ctx.tick()
        ctx.set(dut.engine.start, 0)

    async def count(ctx):
        cycle = 0
        async for _, _, fire in ctx.tick().sample(dut.engine.fire):
            if fire:
                fired.append(cycle)
            cycle += 1

    config = {
        "width": width,
        "height": height,
        "groups_in": groups_in,
        "groups_out": groups_out,
        "row_words": width * groups_in,
    }
    run = simulate_stream(
        dut,
        pack_raster(spec.activation.encode(x), spec.lanes_in, spec.activation.width),
        height * width * groups_out,
        setup={f"engine.config.{name}": value for name, value in config.items()},
        background=[load, count],
        **flow,
    )
    return run.outputs["o"], fired, dut.engine


def golden(spec, conv, x):
    acc = conv3x3(x, conv.codes, conv.accumulator(spec.activation))
    multiplier = conv.multiplier
    if multiplier is None and spec.mul_bits:
        multiplier = 1
    y = spec.requantize.compute(
        acc, conv.rounded_bias(spec.activation), conv.shift(spec.activation), multiplier
    )
    return pack_raster(spec.out.encode(y), spec.lanes_out, spec.out.width)


@pytest.mark.parametrize(
    ("groups_in", "groups_out", "lanes_in", "lanes_out", "shape"),
    [
        (1, 1, 1, 1, (4, 5)),
        (1, 1, 2, 2, (1, 1)),
        (1, 3, 2, 2, (3, 4)),
        (3, 1, 1, 3, (4, 3)),
        (2, 2, 3, 2, (5, 1)),
    ],
)
@pytest.mark.parametrize(("idle", "stall"), [(0, 0), (0.5, 0.7)])
def test_layer(groups_in, groups_out, lanes_in, lanes_out, shape, idle, stall):
    spec, conv, x = case(groups_in, groups_out, lanes_in, lanes_out, shape)
    words, *_ = run_engine(spec, conv, x, idle=idle, stall=stall, seed=3)
    assert words == golden(spec, conv, x)


@pytest.mark.parametrize(("wbits", "abits"), [(1, 1), (1, 8), (8, 1), (8, 8), (2, 3)])
def test_widths(wbits, abits):
    spec, conv, x = case(2, 1, 2, 2, (3, 3), wbits, abits)
    words, *_ = run_engine(spec, conv, x, idle=0.2, stall=0.2, seed=4)
    assert words == golden(spec, conv, x)


@pytest.mark.parametrize(
    ("weights", "wbits", "activations", "abits"),
    [
        ("fixed", 1, "sign", 1),
        ("fixed", 4, "sign", 1),
        ("fixed", 4, "signed", 5),
        ("fixed", 1, "ternary", 2),
        ("ternary", 2, "ternary", 2),
        ("power", 5, "unsigned", 4),
        ("power", 3, "sign", 1),
    ],
)
@pytest.mark.parametrize(("groups_in", "lanes_in", "mul_bits"), [(2, 2, 0), (1, 3, 0), (2, 3, 4)])
@pytest.mark.parametrize("style", ["generic", "lut"])
def test_kinds(weights, wbits, activations, abits, groups_in, lanes_in, mul_bits, style):
    """With an input lane and an output lane that have no channel."""
    kinds = {"weights": weights, "activations": activations, "mul_bits": mul_bits}
    spec, conv, x = case(groups_in, 2, lanes_in, 2, (3, 4), wbits, abits, seed=wbits, **kinds)
    spec, conv = replace(spec, style=style), lively(spec, conv, x)
    words, *_ = run_engine(spec, conv, x, idle=0.2, stall=0.2, seed=4)
    assert words == golden(spec, conv, x)
    assert len(set(words)) > 2


@pytest.mark.parametrize("mul_bits", [2, 5, 16])
@pytest.mark.parametrize(("idle", "stall"), [(0, 0), (0.5, 0.7)])
def test_multipliers(mul_bits, idle, stall):
    spec, conv, x = case(2, 2, 3, 2, (3, 4), mul_bits=mul_bits, seed=mul_bits)
    words, *_ = run_engine(spec, conv, x, idle=idle, stall=stall, seed=5)
    assert words == golden(spec, conv, x)


def test_a_layer_without_multipliers_on_an_engine_with():
    spec, conv, x = case(1, 2, 2, 3, (3, 4))
    spec = replace(spec, mul_bits=7)
    words, *_ = run_engine(spec, conv, x, idle=0.2, stall=0.2, seed=6)
    assert words == golden(spec, conv, x)


@pytest.mark.parametrize("mul_bits", [0, 4])
def test_a_window_every_cycle(mul_bits):
    spec, conv, x = case(1, 1, 2, 2, (6, 8), mul_bits=mul_bits)
    assert spec.weight_words == 1
    words, fired, _ = run_engine(spec, conv, x)
    assert words == golden(spec, conv, x)
    assert len(fired) == 48
    assert fired[-1] - fired[0] == 47, "no bubble from the first window to the last"


def test_a_shallower_queue_would_not_do(monkeypatch):
    spec, conv, x = case(1, 1, 2, 2, (6, 8))
    for slack, bubbles in ((5, 0), (4, 9)):
        depth = property(lambda engine, slack=slack: engine.latency + slack)
        monkeypatch.setattr(ConvEngine, "fifo_depth", depth)
        words, fired, _ = run_engine(spec, conv, x)
        assert words == golden(spec, conv, x)
        assert fired[-1] - fired[0] == 47 + bubbles


@pytest.mark.parametrize(
    "style",
    [*({"style": "lut", "target": target} for target in STYLES["lut"]),
     {"style": "dsp"}, {"style": "mixed", "dsps": 9}],
    ids=lambda style: " ".join(map(str, style.values())),
)  # fmt: skip
def test_an_array_of_another_style(style):
    spec, conv, x = case(2, 2, 2, 2, (3, 4))
    spec = replace(spec, **style)
    words, fired, engine = run_engine(spec, conv, x)
    assert words == golden(spec, conv, x)
    assert fired[-1] - fired[0] == len(fired) - 1, "the credits cover the array's latency"


TWO_PIXELS = {"style": "dsp", "pixels": 2}


@pytest.mark.parametrize(
    ("groups_in", "groups_out", "lanes_in", "lanes_out", "shape"),
    [
        (1, 1, 1, 1, (4, 5)),
        (1, 1, 2, 2, (1, 1)),
        (1, 3, 2, 2, (3, 4)),
        (3, 1, 1, 3, (4, 3)),
        (2, 2, 1, 2, (5, 1)),
        (2, 2, 2, 1, (2, 6)),
        (1, 2, 1, 1, (1, 2)),
    ],
)
@pytest.mark.parametrize(("idle", "stall"), [(0, 0), (0.5, 0.7)])
def test_two_pixels(groups_in, groups_out, lanes_in, lanes_out, shape, idle, stall):
    spec, conv, x = case(groups_in, groups_out, lanes_in, lanes_out, shape)
    spec = replace(spec, **TWO_PIXELS)
    words, *_ = run_engine(spec, conv, x, idle=idle, stall=stall, seed=3)
    assert words == golden(spec, conv, x)


@pytest.mark.parametrize(("wbits", "abits", "mul_bits"), [(1, 1, 0), (2, 3, 4), (8, 8, 0)])
def test_two_pixels_of_other_widths(wbits, abits, mul_bits):
    spec, conv, x = case(2, 1, 1, 2, (3, 3), wbits, abits, mul_bits=mul_bits)
    spec = replace(spec, **TWO_PIXELS)
    words, *_ = run_engine(spec, conv, x, idle=0.2, stall=0.2, seed=4)
    assert words == golden(spec, conv, x)


def test_two_pixels_in_half_the_cycles():
    spec, conv, x = case(2, 3, 2, 2, (4, 8))
    words, fired, _ = run_engine(replace(spec, **TWO_PIXELS), conv, x)
    assert words == golden(spec, conv, x)
    # A row's last pixel is complete with the next pair; the last row's with one that follows.
    assert len(fired) == (4 * 8 // 2 + 1) * 2 * 3
    assert fired[-1] - fired[0] == len(fired) - 1, "no bubble from the first pair to the last"
