"""StaggeredArray == ConvSpec.compute_array, with the weights of later lanes coming later."""

from dataclasses import replace

import numpy as np
import pytest
from amaranth.sim import Simulator

from fxhw.fixed import ActivationFormat, SignActivation, WeightFormat, codes_to_int
from fxhw.gateware.staggered_array import StaggeredArray
from fxhw.plan.conv_spec import TAPS
from fxhw.plan.cycles import engine_latency

from ..plan.test_bit_heap import codes_of
from .test_mac_lut import spec_of


def simulate(spec, windows, weights, late=1):
    """Sums of ``windows`` and ``weights``, one pair per cycle; ``late`` cycles between lanes."""
    dut, sums = StaggeredArray(spec), []
    count, step = len(windows), spec.lanes_together

    async def bench(ctx):
        for cycle in range(count + dut.latency):
            codes = spec.activation.encode(windows[min(cycle, count - 1)])
            ctx.set(dut.window, [codes_to_int(word, spec.activation.width) for word in codes])
            own = [
                weights[min(max(cycle - late * (lane // step), 0), count - 1)][lane]
                for lane in range(spec.lanes_out)
            ]
            patterns = spec.weight.encode(np.array(own)).reshape(-1)
            ctx.set(dut.weights, codes_to_int(patterns, spec.weight.bits))
            if cycle >= dut.latency:
                sums.append([ctx.get(dut.sums[lane]) for lane in range(spec.lanes_out)])
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return sums


def operands(spec, count, seed=0):
    rng = np.random.default_rng(seed)
    windows = rng.choice(codes_of(spec.activation), (count, TAPS, spec.lanes_in))
    shape = (count, spec.lanes_out, TAPS, spec.lanes_in)
    return windows, rng.choice(codes_of(spec.weight), shape)


@pytest.mark.parametrize("target", ["ecp5", "generic"])
@pytest.mark.parametrize(("lanes_out", "stagger"), [(3, 1), (4, 1), (5, 2)])
@pytest.mark.parametrize(
    "formats",
    [(WeightFormat(4), ActivationFormat(6)), (WeightFormat(1), SignActivation())],
    ids=["w4a6", "w1a1"],
)
def test_sums(formats, lanes_out, stagger, target):
    spec = spec_of(*formats, lanes_in=4, lanes_out=lanes_out, target=target)
    assert spec.stagger == stagger
    windows, weights = operands(spec, 8)
    expected = [spec.compute_array(x, w).tolist() for x, w in zip(windows, weights)]
    assert simulate(spec, windows, weights) == expected
    assert simulate(spec, windows, weights, late=0) != expected


def test_only_large_arrays_of_independent_lanes_are_staggered():
    spec = spec_of(WeightFormat(4), ActivationFormat(6), lanes_in=4, lanes_out=4)
    assert [spec.lanes_together, spec.stagger] == [2, 1]
    for change in ({"lanes_out": 2}, {"lanes_in": 2}, {"style": "generic", "target": "generic"}):
        assert replace(spec, **change).stagger == 0
    shares = replace(spec, target="xcup")
    assert shares.dot_product.shared
    assert shares.stagger == 0
    together = replace(spec, lanes_in=2)
    assert engine_latency(spec) - spec.array_latency == 1 + (
        engine_latency(together) - together.array_latency
    )
