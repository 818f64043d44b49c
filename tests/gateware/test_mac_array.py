"""MacArray == ConvSpec.compute_array, of every kind and width, the extremes included."""

import numpy as np
import pytest
from amaranth.sim import Simulator

from fxhw.fixed import (
    ActivationFormat,
    SignActivation,
    SignedActivation,
    TernaryActivation,
    WeightFormat,
    codes_to_int,
)
from fxhw.gateware.mac_array import MacArray
from fxhw.plan import ConvSpec
from fxhw.plan.conv_spec import TAPS

from ..plan.test_bit_heap import codes_of


def spec_of(weight, activation, lanes_in=2, lanes_out=2):
    return ConvSpec(
        weight=weight,
        activation=activation,
        out=activation,
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
                codes = spec.activation.encode(windows[cycle])
                words = [codes_to_int(word, spec.activation.width) for word in codes]
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


def check_array(spec):
    """Random operands, and the extremes in every combination."""
    rng = np.random.default_rng(spec.weight.bits * 9 + spec.activation.width)
    ws, xs = codes_of(spec.weight), codes_of(spec.activation)
    count = 12
    windows = rng.choice(xs, (count, TAPS, spec.lanes_in))
    weights = rng.choice(ws, (count, spec.lanes_out, TAPS, spec.lanes_in))
    for cycle, (w, x) in enumerate((w, x) for w in (ws[0], ws[-1]) for x in (xs[0], xs[-1])):
        weights[cycle], windows[cycle] = w, x
    expected = [spec.compute_array(x, w).tolist() for x, w in zip(windows, weights)]
    assert run_array(spec, windows, weights) == expected


@pytest.mark.parametrize(
    ("wbits", "abits"), [(1, 1), (1, 8), (2, 4), (3, 5), (4, 6), (8, 1), (8, 8)]
)
def test_widths(wbits, abits):
    check_array(spec_of(WeightFormat(wbits), ActivationFormat(abits)))


@pytest.mark.parametrize(
    ("weight", "activation"),
    [
        (WeightFormat(1), SignActivation()),
        (WeightFormat(1), SignedActivation(4)),
        (WeightFormat(1), TernaryActivation()),
        (WeightFormat(4), SignActivation()),
        (WeightFormat(4), SignedActivation(5)),
        (WeightFormat(4), TernaryActivation()),
        (WeightFormat(2, "ternary"), ActivationFormat(6)),
        (WeightFormat(2, "ternary"), TernaryActivation()),
        (WeightFormat(2, "ternary"), SignActivation()),
        (WeightFormat(3, "power"), SignActivation()),
        (WeightFormat(5, "power"), ActivationFormat(6)),
        (WeightFormat(5, "power"), TernaryActivation()),
        (WeightFormat(7, "power"), SignedActivation(3)),
    ],
    ids=lambda value: value.name,
)
def test_kinds(weight, activation):
    check_array(spec_of(weight, activation))


@pytest.mark.parametrize(("lanes_in", "lanes_out"), [(1, 1), (1, 3), (5, 1)])
@pytest.mark.parametrize(
    ("weight", "activation"),
    [(WeightFormat(4), ActivationFormat(6)), (WeightFormat(1), SignActivation())],
    ids=lambda value: value.name,
)
def test_lanes(weight, activation, lanes_in, lanes_out):
    check_array(spec_of(weight, activation, lanes_in, lanes_out))
