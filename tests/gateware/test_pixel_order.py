"""PixelOrder == the raster, whatever the flow, with the room that its credits count."""

import numpy as np
import pytest
from amaranth.sim import Simulator

from fxhw.gateware.pixel_order import PixelOrder


def run_order(height, width, groups, depth, stall, seed):
    """(words in raster order, words that come out)."""
    rng = np.random.default_rng(seed)
    words = rng.integers(0, 256, (height, width, groups)).tolist()
    # Steps of the pairs of all rows, and one more if a last pixel is still to come.
    steps = [(y, x) for y in range(height) for x in range(0, width, 2)]
    if width % 2 == 0:
        steps.append((height, 0))
    beats = []
    for y, x in steps:
        last = (y, x - 1) if x else (y - 1, width - 1)
        before = words[last[0]][last[1]] if x or (width % 2 == 0 and y) else None
        own = words[y][x] if y < height else None
        beats += [tuple(w and w[g] for w in (before, own)) for g in range(groups)]
    dut, out, room = PixelOrder(8, depth, groups), [], [depth, depth]

    async def bench(ctx):
        ctx.set(dut.groups, groups)
        ctx.set(dut.width, width)
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        idle = 0
        while idle < 50:
            idle += 1
            ctx.set(dut.i_valid, 0)
            if beats and all(w is None or free for w, free in zip(beats[0], room)):
                beat = beats.pop(0)
                ctx.set(dut.i_valid, sum((w is not None) << n for n, w in enumerate(beat)))
                ctx.set(dut.i, [w or 0 for w in beat])
                for n, w in enumerate(beat):
                    room[n] -= w is not None
            ctx.set(dut.o.ready, rng.random() >= stall)
            *_, valid, ready, word, taken = await ctx.tick().sample(
                dut.o.valid, dut.o.ready, dut.o.payload, dut.taken
            )
            for n in range(2):
                room[n] += taken >> n & 1
            if valid and ready:
                out.append(word)
                idle = 0

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert room == [depth, depth]
    return [word for row in words for pixel in row for word in pixel], out


@pytest.mark.parametrize(("width", "groups"), [(1, 1), (2, 1), (3, 2), (4, 3)])
@pytest.mark.parametrize("stall", [0, 0.6])
def test_raster(width, groups, stall):
    expected, out = run_order(3, width, groups, groups + 2, stall, seed=width)
    assert out == expected


def test_a_pixel_of_room_is_enough_and_no_less():
    expected, out = run_order(2, 4, 3, 3, 0.5, seed=9)
    assert out == expected
    with pytest.raises(AssertionError):
        run_order(2, 4, 3, 2, 0, seed=9)
