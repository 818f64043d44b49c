"""Accumulators == sums over input groups, per output group, at the ends of the range."""

from dataclasses import replace

import numpy as np
import pytest
from amaranth.sim import Simulator

from fxhw.fixed import ActivationFormat, WeightFormat
from fxhw.gateware.accumulators import Accumulators
from fxhw.plan import ConvSpec
from fxhw.plan.conv_spec import STYLES

from .test_mac_array import spec_of


def run_accumulators(spec: ConvSpec, sums, bias=None):
    """Totals of (pixels, groups in, groups out, lanes) partial sums, one per cycle.

    Biases are (groups out, lanes).
    """
    dut = Accumulators(spec, bias is not None)
    pixels, groups_in, groups_out, _ = sums.shape
    totals = []

    async def bench(ctx):
        for _ in range(pixels):
            for group_in in range(groups_in):
                for group_out in range(groups_out):
                    ctx.set(dut.valid, 1)
                    ctx.set(dut.first, group_in == 0)
                    ctx.set(dut.last, group_in == groups_in - 1)
                    ctx.set(dut.next_group, (group_out + 1) % groups_out)
                    if bias is not None:
                        ctx.set(dut.bias, bias[group_out].tolist())
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


@pytest.mark.parametrize(("groups_in", "groups_out"), [(1, 1), (1, 3), (4, 1), (4, 3), (2, 17)])
@pytest.mark.parametrize("target", STYLES["lut"])
@pytest.mark.parametrize("biased", [False, True])
def test_totals(groups_in, groups_out, target, biased):
    spec = spec_of(WeightFormat(4), ActivationFormat(6))
    spec = replace(spec, max_groups_in=groups_in, max_groups_out=groups_out, target=target)
    rng = np.random.default_rng(1)
    low, high = spec.partial.min, spec.partial.max
    sums = rng.integers(low, high + 1, (4, groups_in, groups_out, 2))
    sums[0], sums[1] = low, high
    expected, bias = sums.sum(axis=1), None
    if biased:
        ends = spec.requantize.bias
        bias = rng.integers(ends.min, ends.max + 1, (groups_out, 2))
        bias[0] = ends.min, ends.max
        expected = expected + bias
    assert run_accumulators(spec, sums, bias) == expected.reshape(-1, 2).tolist()
