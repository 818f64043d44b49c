"""Head == dot product, bias and threshold; logits whole, bytes in order, TLAST on the last."""

import numpy as np
import pytest

from fxhw.fixed import (
    ActivationFormat,
    SignActivation,
    SignedActivation,
    TernaryActivation,
    WeightFormat,
)
from fxhw.gateware.head import Head
from fxhw.graph import Head as HeadOp
from fxhw.plan.parameters import head_beats

from ..plan.test_bit_heap import codes_of
from .designs import small_design
from .rasters import pack_raster
from .simulate import run_stream

RELU = ActivationFormat(6)


def run_head(design, op, codes, logits, **flow):
    height, width, _ = codes.shape
    groups = -(-op.in_channels // design.pout)
    dut = Head(design)
    beats = head_beats(design, op)
    bus = design.bus_bits
    per_word = [-(-design.head_word_bits // bus), -(-design.head_bias.width // bus)]

    async def load(ctx):
        index = 0
        for second, words in ((0, groups), (1, 1)):
            for word in range(words):
                for beat in range(per_word[second]):
                    for name, value in (
                        ("valid", 1),
                        ("second", second),
                        ("word", word),
                        ("beat", beat),
                        ("data", beats[index]),
                    ):
                        ctx.set(getattr(dut.load, name), value)
                    index += 1
                    await ctx.tick()
        ctx.set(dut.load.valid, 0)
        assert index == len(beats)
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)

    words = run_stream(
        dut,
        pack_raster(design.activation.encode(codes), design.pout, design.abits),
        height * width * (design.logit_bytes if logits else 1),
        setup={"groups": groups, "width": width, "height": height, "logits": int(logits)},
        background=[load],
        **flow,
    )
    assert [word["last"] for word in words] == [0] * (len(words) - 1) + [1]
    return bytes(word["data"] for word in words)


def case(bits, channels, extreme, activation=RELU, seed=0):
    rng = np.random.default_rng(seed)
    weight = WeightFormat(bits)
    weights = rng.integers(weight.min, weight.max + 1, channels)
    weights[weights == 0] = 1
    if extreme:
        weights[:] = weight.min
    codes = rng.choice(codes_of(activation), (3, 4, channels))
    codes[0] = activation.max
    expected = codes @ weights
    op = HeadOp("head", "x", "y", weight, weights.astype(np.int8), 0, int(-np.median(expected)))
    return op, codes, expected + op.bias


@pytest.mark.parametrize(
    ("bits", "channels", "extreme"), [(8, 3, 0), (8, 7, 0), (1, 7, 0), (4, 2, 0), (8, 9, 1)]
)
@pytest.mark.parametrize(("idle", "stall"), [(0, 0), (0.4, 0.6)])
@pytest.mark.parametrize("logits", [False, True])
def test_head(bits, channels, extreme, idle, stall, logits):
    design = small_design(last_wbits=bits)
    op, codes, expected = case(bits, channels, extreme)
    check(design, op, codes, expected, logits, idle=idle, stall=stall)


@pytest.mark.parametrize("bits", [8, 1])
@pytest.mark.parametrize("channels", [1, 4, 6, 7])
@pytest.mark.parametrize(
    "activation",
    [SignedActivation(4), TernaryActivation(), SignActivation()],
    ids=lambda form: form.name,
)
@pytest.mark.parametrize("style", ["generic", "lut"])
def test_kinds(bits, channels, activation, style):
    """Lanes without a channel hold pattern 0, whatever code that is."""
    design = small_design(
        last_wbits=bits, abits=activation.width, activations=activation.kind, style=style
    )
    op, codes, expected = case(bits, channels, 0, activation)
    check(design, op, codes, expected, logits=True, idle=0.2, stall=0.2)


@pytest.mark.parametrize("target", ["generic", "ecp5", "xcup"])
@pytest.mark.parametrize(
    ("bits", "activation", "pout"),
    [(8, RELU, 3), (1, RELU, 5), (8, TernaryActivation(), 4), (1, SignActivation(), 4),
     (2, ActivationFormat(1), 1)],
    ids=str,
)
def test_planned_sums(bits, activation, pout, target):
    """The style of the arrays is the head's too; its pipeline is longer and can be held."""
    design = small_design(
        last_wbits=bits, abits=activation.width, activations=activation.kind, pout=pout,
        style="lut", target=target,
    )
    op, codes, expected = case(bits, 2 * pout + 1, 0, activation)
    check(design, op, codes, expected, logits=True, idle=0.3, stall=0.4)
    check(design, op, codes, expected, logits=False, idle=0, stall=0)


def check(design, op, codes, expected, logits, **flow):
    got = run_head(design, op, codes, logits, **flow)
    if logits:
        size = design.logit_bytes
        values = [
            int.from_bytes(got[n : n + size], "little", signed=True)
            for n in range(0, len(got), size)
        ]
        assert values == expected.reshape(-1).tolist()
    else:
        assert list(got) == np.where(expected >= 0, 255, 0).reshape(-1).tolist()


def test_a_weight_word_of_several_beats():
    design = small_design(pout=11, last_wbits=7)
    assert design.head_word_bits > 2 * design.bus_bits
    op, codes, expected = case(7, 20, False)
    got = run_head(design, op, codes, False)
    assert list(got) == np.where(expected >= 0, 255, 0).reshape(-1).tolist()
