"""LapCounter == counting modulo, from every start, at any pace."""

import random

import pytest
from amaranth.hdl import ClockDomain, Module
from amaranth.sim import Simulator

from fxhw.gateware.lap_counter import LapCounter


@pytest.mark.parametrize(
    ("max_count", "count"), [(most, n) for most in (1, 2, 3, 8, 9) for n in range(1, most + 1)]
)
def test_counts(max_count, count):
    dut = LapCounter(max_count)
    rng = random.Random(count)

    async def bench(ctx):
        ctx.set(dut.count, 1 + rng.randrange(max_count))
        await ctx.tick()
        for steps in (0, 1, count, 3 * count + 1):  # whatever the last one left behind
            ctx.set(dut.count, count)
            await ctx.tick()
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            expected = 0
            while steps:
                step = rng.randrange(2)
                ctx.set(dut.step, step)
                assert ctx.get(dut.value) == expected % count
                assert ctx.get(dut.last) == (expected % count == count - 1)
                steps, expected = steps - step, expected + step
                assert ctx.get(dut.last_next) == (expected % count == count - 1)
                await ctx.tick()
            ctx.set(dut.step, 0)

    top = Module()
    top.domains.sync = ClockDomain()  # a counter to 1 has no register of its own
    top.submodules.dut = dut
    simulator = Simulator(top)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
