"""multiply == weight * activation, of every pattern of every kind of both."""

import numpy as np
import pytest
from amaranth.hdl import Module, Signal, Value, signed
from amaranth.sim import Simulator

from fxhw.fixed import (
    Accumulator,
    ActivationFormat,
    SignActivation,
    SignedActivation,
    TernaryActivation,
    WeightFormat,
)
from fxhw.gateware.multiplier import agree, multiply

WEIGHTS = [
    *(WeightFormat(bits) for bits in (1, 2, 4)),
    WeightFormat(2, "ternary"),
    *(WeightFormat(bits, "power") for bits in (3, 4, 5)),
]
ACTIVATIONS = [
    ActivationFormat(1),
    ActivationFormat(3),
    SignedActivation(1),
    SignedActivation(3),
    TernaryActivation(),
    SignActivation(),
]


def patterns_of(form):
    """(codes, patterns) of every code of a format."""
    codes = np.arange(form.min, form.max + 1)
    codes = codes[[bool(form.contains(np.array([code]))) for code in codes]]
    return codes.tolist(), form.encode(codes).tolist()


def evaluate(value, signals, rows):
    """Value of an expression for each row of values of ``signals``."""
    m, y = Module(), Signal(Value.cast(value).shape())
    m.d.comb += y.eq(value)
    results = []

    async def bench(ctx):
        for row in rows:
            for signal, pattern in zip(signals, row):
                ctx.set(signal, pattern)
            results.append(ctx.get(y))

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()
    return results


@pytest.mark.parametrize("weight", WEIGHTS, ids=lambda form: form.name)
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda form: form.name)
def test_all_products(weight, activation):
    w, x = Signal(weight.bits), Signal(activation.width)
    (ws, wp), (xs, xp) = patterns_of(weight), patterns_of(activation)
    results = evaluate(
        multiply(weight, activation, w, x), (w, x), [(p, q) for p in wp for q in xp]
    )
    assert results == [a * b for a in ws for b in xs]


@pytest.mark.parametrize("activation", [TernaryActivation(), SignActivation()])
@pytest.mark.parametrize("weight", [WeightFormat(1), WeightFormat(2, "ternary")])
def test_products_of_units_take_two_bits(weight, activation):
    product = multiply(weight, activation, Signal(weight.bits), Signal(activation.width))
    assert Value.cast(product).shape() == signed(2)


def test_the_widest_powers():
    weight, activation = WeightFormat(7, "power"), ActivationFormat(8)
    w, x = Signal(7), Signal(8)
    codes = np.array([-(1 << 31), -1, 0, 1, 1 << 16, 1 << 31])
    rows = [(p, q) for p in weight.encode(codes).tolist() for q in (0, 1, 254, 255)]
    results = evaluate(multiply(weight, activation, w, x), (w, x), rows)
    assert results == [a * b for a in codes.tolist() for b in (0, 1, 254, 255)]
    assert min(results) == Accumulator(weight, activation, 1).min


def test_agree():
    w, x = Signal(), Signal()
    assert evaluate(agree(w, x), (w, x), [(0, 0), (0, 1), (1, 0), (1, 1)]) == [1, 0, 0, 1]
