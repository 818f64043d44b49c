"""CycleCounters count every cycle once, are cleared at once, and can be read while they count."""

import random

import pytest
from amaranth.sim import Simulator

from fxhw.gateware.cycle_counters import CycleCounters

SLOTS = 8


@pytest.mark.parametrize("pattern", ["one", "all", "random"])
def test_counts(pattern):
    """Every settled value is what the counter was a cycle before, in two runs."""
    dut = CycleCounters(SLOTS, bits=12)
    rng = random.Random(1)
    checked = set()

    async def bench(ctx):
        await ctx.tick().repeat(SLOTS + 1)
        for _ in range(2):
            ctx.set(dut.clear, 1)
            await ctx.tick()
            ctx.set(dut.clear, 0)
            counts, waited = [0] * SLOTS, [0] * SLOTS
            for cycle in range(900):
                bits = {
                    "one": 1 << 3,
                    "all": (1 << SLOTS) - 1,
                    "random": rng.getrandbits(SLOTS),
                }[pattern]
                ctx.set(dut.count, bits)
                slot, before = ctx.get(dut.slot), list(counts)
                await ctx.tick()
                counts = [count + (bits >> n & 1) for n, count in enumerate(counts)]
                waited = [n + 1 for n in waited]
                if ctx.get(dut.settled) and cycle >= SLOTS:
                    assert ctx.get(dut.value) == before[slot], (cycle, slot)
                    waited[slot] = 0
                    checked.add((slot, before[slot]))
                assert max(waited) <= 3 * SLOTS, "a counter can be read within two rounds"

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert max(value for _, value in checked) > 800 // (1 + (pattern == "random"))
