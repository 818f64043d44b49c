"""PairAccumulators == sums over input groups and over the pairs that touch a pixel."""

import numpy as np
import pytest
from amaranth.sim import Simulator

from fxhw.gateware.pair_accumulators import PairAccumulators

from .test_mac_dsp import spec_of


def run_pairs(spec, sums):
    """Totals of (rows, pairs, groups in, groups out, lanes, 4) sums, one (lanes, 4) per cycle."""
    dut = PairAccumulators(spec)
    totals = []

    async def bench(ctx):
        for _, pair, group_in, group_out in np.ndindex(*sums.shape[:4]):
            ctx.set(dut.valid, 1)
            ctx.set(dut.first, group_in == 0)
            ctx.set(dut.last, group_in == sums.shape[2] - 1)
            ctx.set(dut.left, pair == 0)
            ctx.set(dut.next_group, (group_out + 1) % sums.shape[3])
            ctx.set(dut.sums, sums[_, pair, group_in, group_out].reshape(-1).tolist())
            await ctx.tick()
            if ctx.get(dut.o_valid):
                totals.append([ctx.get(dut.o[n]) for n in range(2 * spec.lanes_out)])

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return np.array(totals).reshape(*sums.shape[:2], sums.shape[3], 2, spec.lanes_out)


@pytest.mark.parametrize(("groups_in", "groups_out"), [(1, 1), (1, 3), (3, 2)])
@pytest.mark.parametrize("pairs", [1, 2, 4])
def test_totals(groups_in, groups_out, pairs):
    spec = spec_of(4, 6, pixels=2, max_groups_in=groups_in, max_groups_out=groups_out)
    rng = np.random.default_rng(1)
    low, high = spec.partial.min, spec.partial.max
    rows = 3
    sums = rng.integers(low // 9, high // 9, (rows, pairs, groups_in, groups_out, 2, 4))
    totals = run_pairs(spec, sums)
    whole = sums.sum(axis=2)
    # Pixels -1 .. 2 * pairs of every row, as every pair touches them.
    pixels = np.zeros((rows, 2 * pairs + 2, groups_out, 2), np.int64)
    for pair in range(pairs):
        for n in range(4):
            pixels[:, 2 * pair + n] += whole[:, pair, ..., n]
    for y, pair in np.ndindex(rows, pairs):
        before, own = totals[y, pair, :, 0], totals[y, pair, :, 1]
        assert np.array_equal(own, pixels[y, 2 * pair + 1])
        if pair:
            assert np.array_equal(before, pixels[y, 2 * pair])
        elif y:
            # The last pixel of the row before, untouched by this row's first pair.
            assert np.array_equal(before, pixels[y - 1, 2 * pairs])
