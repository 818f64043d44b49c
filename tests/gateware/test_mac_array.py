"""MacArray == ConvSpec.compute_array, at every width, the extremes included."""

import numpy as np
import pytest
from amaranth.sim import Simulator

from fxhw.fixed import ActivationFormat, WeightFormat, codes_to_int
from fxhw.gateware.mac_array import MacArray
from fxhw.plan import ConvSpec
from fxhw.plan.conv_spec import TAPS


def spec_of(wbits, abits, lanes_in=2, lanes_out=2):
    return ConvSpec(
        weight=WeightFormat(wbits),
        activation=ActivationFormat(abits),
        out=ActivationFormat(abits),
        lanes_in=lanes_in,
        lanes_out=lanes_out,
        max_groups_in=1,
        max_groups_out=1,
        row_words=4,
        weight_words=1,
    )


def run_array(spec, windows, weights):
    """Sums of every cycle; one operand pair enters per cycle."""
    dut = MacArray(spec)
    sums = []

    async def bench(ctx):
        for cycle in range(len(windows) + dut.latency):
            if cycle < len(windows):
                words = [codes_to_int(word, spec.activation.width) for word in windows[cycle]]
                patterns = spec.weight.encode(weights[cycle]).reshape(-1)
                ctx.set(dut.window, words)
                ctx.set(dut.weights, codes_to_int(patterns, spec.weight.bits))
            if cycle >= dut.latency:
                sums.append([ctx.get(dut.sums[lane]) for lane in range(spec.lanes_out)])
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return sums


@pytest.mark.parametrize(
    ("wbits", "abits"), [(1, 1), (1, 8), (2, 4), (3, 5), (4, 6), (8, 1), (8, 8)]
)
def test_sums(wbits, abits):
    rng = np.random.default_rng(wbits * 9 + abits)
    spec = spec_of(wbits, abits)
    count = 12
    windows = rng.integers(0, 1 << abits, (count, TAPS, spec.lanes_in))
    weights = rng.integers(spec.weight.min, spec.weight.max + 1, (count, 2, TAPS, spec.lanes_in))
    windows[0], weights[0] = spec.activation.max, spec.weight.min
    windows[1], weights[1] = spec.activation.max, spec.weight.max
    if spec.weight.binary:
        weights[weights == 0] = 1
    expected = [spec.compute_array(x, w).tolist() for x, w in zip(windows, weights)]
    assert run_array(spec, windows, weights) == expected


@pytest.mark.parametrize(("lanes_in", "lanes_out"), [(1, 1), (1, 3), (5, 1)])
def test_lanes(lanes_in, lanes_out):
    rng = np.random.default_rng(0)
    spec = spec_of(4, 6, lanes_in, lanes_out)
    windows = rng.integers(0, 64, (5, TAPS, lanes_in))
    weights = rng.integers(-8, 8, (5, lanes_out, TAPS, lanes_in))
    expected = [spec.compute_array(x, w).tolist() for x, w in zip(windows, weights)]
    assert run_array(spec, windows, weights) == expected
