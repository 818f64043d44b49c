"""Accumulators == sums over input groups, per output group, at the ends of the range."""

from dataclasses import replace

import numpy as np
import pytest
from amaranth.sim import Simulator

from fxhw.fixed import ActivationFormat, WeightFormat
from fxhw.gateware.accumulators import Accumulators
from fxhw.plan import ConvSpec

from .test_mac_array import spec_of


def run_accumulators(spec: ConvSpec, sums):
    """Totals of (pixels, groups in, groups out, lanes) partial sums, one per cycle."""
    dut = Accumulators(spec)
    pixels, groups_in, groups_out, _ = sums.shape
    totals = []

    async def bench(ctx):
        for _ in range(pixels):
            for group_in in range(groups_in):
                for group_out in range(groups_out):
                    ctx.set(dut.valid, 1)
                    ctx.set(dut.first, group_in == 0)
                    ctx.set(dut.last, group_in == groups_in - 1)
                    ctx.set(dut.group, group_out)
                    ctx.set(dut.sums, sums[_, group_in, group_out].tolist())
                    await collect(ctx)
        ctx.set(dut.valid, 0)
        await collect(ctx)

    async def collect(ctx):
        await ctx.tick()
        if ctx.get(dut.o_valid):
            totals.append([ctx.get(dut.o[lane]) for lane in range(spec.lanes_out)])

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return totals


@pytest.mark.parametrize(("groups_in", "groups_out"), [(1, 1), (1, 3), (4, 1), (4, 3)])
def test_totals(groups_in, groups_out):
    spec = spec_of(WeightFormat(4), ActivationFormat(6))
    spec = replace(spec, max_groups_in=groups_in, max_groups_out=groups_out)
    rng = np.random.default_rng(1)
    low, high = spec.partial.min, spec.partial.max
    sums = rng.integers(low, high + 1, (4, groups_in, groups_out, 2))
    sums[0], sums[1] = low, high
    assert run_accumulators(spec, sums) == sums.sum(axis=1).reshape(-1, 2).tolist()
