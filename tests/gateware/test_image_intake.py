"""ImageIntake passes an image, notices a wrong length, and swallows what is left of it."""

import pytest
from amaranth.sim import Simulator

from fxhw.gateware.image_intake import ImageIntake

from .simulate import run_stream

SIZE = {"row": 6, "height": 2}


def beats(count, last=None):
    last = count - 1 if last is None else last
    return [{"data": n, "last": int(n == last)} for n in range(count)]


@pytest.mark.parametrize(("idle", "stall"), [(0, 0), (0.5, 0.5)])
def test_image(idle, stall):
    words = run_stream(
        ImageIntake(3), beats(12), 12, idle=idle, stall=stall, setup=SIZE, pulse=["start"]
    )
    assert words == [n % 8 for n in range(12)]


def intake_events(stream, *, drop=True, cancel_at=None, cycles=30):
    """Feed ``stream``; report the pulses and how many bytes were taken, dropping after a fault."""
    dut = ImageIntake(8)
    events = []
    taken = 0

    async def bench(ctx):
        nonlocal taken
        for name, value in SIZE.items():
            ctx.set(getattr(dut, name), value)
        ctx.set(dut.o.ready, 1)
        await ctx.tick()
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        for cycle in range(cycles):
            ctx.set(dut.i.valid, taken < len(stream))
            if taken < len(stream):
                ctx.set(dut.i.payload, stream[taken])
            ctx.set(dut.cancel, cycle == cancel_at)
            for name in ("short", "long"):
                if ctx.get(getattr(dut, name)):
                    events.append(name)
                    ctx.set(dut.drop, drop)
            taken += ctx.get(dut.i.valid) & ctx.get(dut.i.ready)
            await ctx.tick()
            ctx.set(dut.drop, 0)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return events, taken


def test_right_length():
    assert intake_events(beats(12) + beats(3)) == ([], 12)


def test_short_image_leaves_the_next_one_alone():
    assert intake_events(beats(7) + beats(12)) == (["short"], 7)


def test_long_image_is_swallowed_to_its_end():
    assert intake_events(beats(17) + beats(12)) == (["long"], 17)


def test_cancel_ends_the_swallowing():
    events, taken = intake_events(beats(40, last=39), cancel_at=20)
    assert events == ["long"]
    assert taken == 21
