"""PartialSums == a list, whatever group follows, and however long nothing is written."""

import random

import pytest
from amaranth.sim import Simulator

from fxhw.gateware.partial_sums import PartialSums

from .mutants import mutant


def run(block, groups, ahead=True, seed=0, count=400):
    """Words as they come, and as they ought to; None where nothing was written before."""
    rng = random.Random(seed)
    dut, model, group = block(8, groups, ahead), [None] * groups, 0
    came, expected = [], []

    async def bench(ctx):
        nonlocal group
        for _ in range(count):
            following = rng.choice([group, rng.randrange(groups), (group + 1) % groups])
            total = rng.getrandbits(8)
            written = rng.random() < 0.6
            ctx.set(dut.next_group, following)
            ctx.set(dut.total, total)
            ctx.set(dut.write_enable, written)
            came.append(ctx.get(dut.word))
            expected.append(model[group])
            if written:
                model[group] = total
            group = following
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return [word for word, known in zip(came, expected) if known is not None], [
        known for known in expected if known is not None
    ]


@pytest.mark.parametrize("groups", [1, 2, 3, 16])
@pytest.mark.parametrize("ahead", [False, True])
def test_equals_a_list(groups, ahead):
    came, expected = run(PartialSums, groups, ahead)
    assert came == expected
    assert len(came) > 100


@pytest.mark.parametrize(
    ("old", "new"),
    [("Mux(again, self.total, recall.data)", "recall.data"), ("self.write_enable & (", "(")],
)
def test_a_broken_one_is_seen(old, new):
    came, expected = run(mutant(PartialSums, old, new), 3)
    assert came != expected
