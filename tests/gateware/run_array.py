"""Operands for MAC arrays of any style, and the sums that come of them."""

from itertools import product

import numpy as np
from amaranth.sim import Simulator

from fxhw.fixed import codes_to_int
from fxhw.plan.conv_spec import TAPS

from ..plan.test_bit_heap import codes_of

__all__ = ["check_sums", "expected_sums", "random_operands", "run_array"]


def random_operands(spec, count=12, seed=0):
    """(windows, weights), the extremes in every combination first."""
    rng = np.random.default_rng(seed)
    ws, xs = codes_of(spec.weight), codes_of(spec.activation)
    weights = rng.choice(ws, (count, spec.lanes_out, TAPS, spec.lanes_in))
    windows = rng.choice(xs, (count, spec.window_words, spec.lanes_in))
    for cycle, (w, x) in enumerate(product((ws[0], ws[-1]), (xs[0], xs[-1]))):
        weights[cycle], windows[cycle] = w, x
    return windows, weights


def expected_sums(spec, windows, weights):
    """What the array makes of them, a list per pair."""
    return [spec.compute_array(x, w).reshape(-1).tolist() for x, w in zip(windows, weights)]


def run_array(dut, spec, windows, weights, late=0):
    """Sums of every pair of operands, one pair per cycle.

    The weights of every next ``spec.lanes_together`` lanes come ``late`` cycles later.
    """
    count, sums = len(windows), []

    async def bench(ctx):
        for cycle in range(count + dut.latency):
            codes = spec.activation.encode(windows[min(cycle, count - 1)])
            ctx.set(dut.window, [codes_to_int(word, spec.activation.width) for word in codes])
            lanes = range(spec.lanes_out)
            pairs = [cycle - late * (lane // spec.lanes_together) for lane in lanes]
            own = [weights[min(max(pair, 0), count - 1)][lane] for lane, pair in zip(lanes, pairs)]
            patterns = spec.encode_weights(np.array(own)).reshape(-1)
            ctx.set(dut.weights, codes_to_int(patterns, spec.weight.bits))
            if cycle >= dut.latency:
                sums.append([ctx.get(dut.sums[n]) for n in range(spec.lanes_out * spec.sums)])
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return sums


def check_sums(dut, spec, **options):
    """Compare all sums of such operands."""
    windows, weights = random_operands(spec, **options)
    assert run_array(dut, spec, windows, weights) == expected_sums(spec, windows, weights)
