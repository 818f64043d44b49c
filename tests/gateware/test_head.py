"""Head == dot product, bias and threshold; logits whole, bytes in order, TLAST on the last."""

import numpy as np
import pytest

from fxhw.fixed import WeightFormat
from fxhw.gateware.head import Head
from fxhw.graph import Head as HeadOp
from fxhw.plan.parameters import head_beats

from .designs import small_design
from .rasters import pack_raster
from .simulate import run_stream


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
        pack_raster(codes, design.pout, design.abits),
        height * width * (design.logit_bytes if logits else 1),
        setup={"groups": groups, "width": width, "height": height, "logits": int(logits)},
        background=[load],
        **flow,
    )
    assert [word["last"] for word in words] == [0] * (len(words) - 1) + [1]
    return bytes(word["data"] for word in words)


def case(bits, channels, extreme, seed=0):
    rng = np.random.default_rng(seed)
    weight = WeightFormat(bits)
    weights = rng.integers(weight.min, weight.max + 1, channels)
    weights[weights == 0] = 1
    if extreme:
        weights[:] = weight.min
    codes = rng.integers(0, 64, (3, 4, channels))
    codes[0] = 63
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
    got = run_head(design, op, codes, logits, idle=idle, stall=stall)
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
