# amaranth: UnusedElaboratable=no

"""Requantizer == naive expression, for all operands; naive == Requantize.compute, exhaustively."""

import numpy as np
import pytest
from amaranth.asserts import AnySeq
from amaranth.hdl import Assert, Assume, Elaboratable, Module, Mux, Shape, Signal, Value, signed
from amaranth.sim import Simulator

from fxhw.fixed import FixedFormat, Requantize, SignActivation, TernaryActivation
from fxhw.gateware.requantizer import Requantizer

from .prover import prove


def naive(spec, acc, bias, shift, multiplier=None):
    """The equation of :class:`Requantize`, as it is written there; a sign as it is stored."""
    total = (acc if multiplier is None else acc * multiplier) + bias
    if spec.out.codes == "sign":
        return total >= 0
    rounded = total >> shift
    low, high = spec.out.min, spec.out.max
    return Mux(rounded < low, low, Mux(rounded > high, high, rounded))


class RequantizerSpec(Elaboratable):
    """The pipeline's result is the naive expression of the operands, ``latency`` cycles later."""

    def __init__(self, dut, expression=naive):
        self.dut = dut
        self.expression = expression

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self.dut
        spec = dut.spec
        m.d.comb += dut.i_valid.eq(AnySeq(1))
        names = ["i_acc", "i_bias", "i_shift", "i_multiplier"]
        ports = {name: getattr(dut, name) for name in names if name in dut.signature.members}
        if spec.mul_bits:
            for lane in range(dut.lanes):
                m.d.comb += Assume(dut.i_multiplier[lane] >= 1)
        for port in ports.values():
            m.d.comb += Value.cast(port).eq(AnySeq(len(Value.cast(port))))

        stages = [dut.i_valid]
        for n in range(dut.latency):
            stages.append(Signal(name=f"valid_{n}"))
            m.d.sync += stages[n + 1].eq(stages[n])
        m.d.comb += Assert(dut.o_valid == stages[-1])

        for lane in range(dut.lanes):
            result = Signal(dut.o[lane].shape(), name=f"naive_{lane}")
            given = [name for name in names if name in dut.signature.members or name == "i_shift"]
            operands = [ports[name][lane] if name in ports else None for name in given]
            m.d.comb += result.eq(self.expression(spec, *operands))
            for n in range(dut.latency):
                later = Signal.like(result, name=f"naive_{lane}_{n}")
                m.d.sync += later.eq(result)
                result = later
            m.d.comb += Assert(~stages[-1] | (dut.o[lane] == result))
        return m


@pytest.mark.formal
@pytest.mark.parametrize(
    ("acc_width", "out", "lanes"),
    [
        (20, FixedFormat(6), 1),
        (20, FixedFormat(1), 1),
        (20, FixedFormat(8), 1),
        (20, FixedFormat(8, signed=True), 1),
        (33, FixedFormat(8), 1),
        (12, FixedFormat(2, signed=True), 1),
        (3, FixedFormat(8), 1),
        (1, FixedFormat(1), 1),
        (8, FixedFormat(4), 3),
        (20, TernaryActivation(), 1),
        (1, TernaryActivation(), 1),
        (20, SignActivation(), 2),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_pipeline_equals_naive_expression(acc_width, out, lanes):
    prove(RequantizerSpec(Requantizer(Requantize(acc_width, out), lanes)), 4, "induction")


@pytest.mark.formal
@pytest.mark.parametrize(
    ("acc_width", "out"),
    [
        (20, FixedFormat(6)),
        (20, FixedFormat(8, signed=True)),
        (3, FixedFormat(8)),
        (20, TernaryActivation()),
        (20, SignActivation()),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_biased_pipeline_equals_naive_expression(acc_width, out):
    def unbiased(spec, total, shift):
        return naive(spec, total, 0, shift)

    dut = Requantizer(Requantize(acc_width, out), 1, biased=True)
    prove(RequantizerSpec(dut, unbiased), 4, "induction")


@pytest.mark.formal
@pytest.mark.parametrize(
    ("acc_width", "out", "mul_bits", "lanes"),
    [
        (8, FixedFormat(4), 3, 1),
        (8, FixedFormat(4, signed=True), 3, 1),
        (3, FixedFormat(8), 4, 1),
        (1, FixedFormat(1), 1, 1),
        (5, FixedFormat(2), 2, 2),
        (8, TernaryActivation(), 3, 1),
        (8, SignActivation(), 3, 1),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_pipeline_with_multipliers_equals_naive_expression(acc_width, out, mul_bits, lanes):
    dut = Requantizer(Requantize(acc_width, out, mul_bits), lanes)
    prove(RequantizerSpec(dut), 5, "induction")


@pytest.mark.parametrize(
    "spec",
    [
        Requantize(5, FixedFormat(1)),
        Requantize(5, FixedFormat(3)),
        Requantize(5, FixedFormat(3, signed=True)),
        Requantize(3, FixedFormat(3), 2),
        Requantize(3, FixedFormat(3, signed=True), 2),
        Requantize(1, FixedFormat(1), 1),
        Requantize(5, TernaryActivation()),
        Requantize(3, TernaryActivation(), 2),
        Requantize(5, SignActivation()),
        Requantize(3, SignActivation(), 2),
    ],
    ids=str,
)
def test_naive_expression_equals_compute(spec):
    ranges = [
        np.arange(spec.acc.min, spec.acc.max + 1),
        np.arange(spec.bias.min, spec.bias.max + 1),
        np.arange(spec.max_shift + 1),
    ]
    signals = [
        Signal(signed(spec.acc.width)), Signal(signed(spec.bias.width)), Signal(spec.shift_width)
    ]  # fmt: skip
    if spec.mul_bits:
        ranges.append(np.arange(1, spec.max_multiplier + 1))
        signals.append(Signal(spec.mul_bits))
    codes = [a.reshape(-1) for a in np.meshgrid(*ranges)]
    y = Signal(Shape(spec.out.width, spec.out.twos_complement))
    m = Module()
    m.d.comb += y.eq(naive(spec, *signals))
    results = []

    async def bench(ctx):
        for operands in zip(*(a.tolist() for a in codes)):
            for signal, value in zip(signals, operands):
                ctx.set(signal, value)
            results.append(ctx.get(y))

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()
    patterns = np.array(results) & ((1 << spec.out.width) - 1)
    np.testing.assert_array_equal(spec.out.decode(patterns), spec.compute(*codes))


@pytest.mark.formal
def test_refutes_rounding_toward_zero():
    def toward_zero(spec, acc, bias, shift):
        total = acc + bias
        rounded = Mux(total < 0, -(-total >> shift), total >> shift)
        low, high = spec.out.min, spec.out.max
        return Mux(rounded < low, low, Mux(rounded > high, high, rounded))

    dut = Requantizer(Requantize(8, FixedFormat(4, signed=True)), 1)
    with pytest.raises(AssertionError, match="Assert failed in top"):
        prove(RequantizerSpec(dut, toward_zero), 4, "bmc")


@pytest.mark.formal
@pytest.mark.parametrize("out", [TernaryActivation(), SignActivation()], ids=lambda out: out.name)
def test_refutes_a_threshold_that_is_missed(out):
    def late(spec, acc, bias, shift):
        return naive(spec, acc, bias - 1, shift)

    dut = Requantizer(Requantize(6, out), 1)
    with pytest.raises(AssertionError, match="Assert failed in top"):
        prove(RequantizerSpec(dut, late), 4, "bmc")


@pytest.mark.formal
def test_refutes_a_clamp_that_wraps():
    dut = Requantizer(Requantize(8, FixedFormat(4)), 1)
    with pytest.raises(AssertionError, match="Assert failed in top"):
        prove(
            RequantizerSpec(dut, lambda spec, acc, bias, shift: (acc + bias) >> shift), 4, "bmc"
        )


@pytest.mark.formal
@pytest.mark.parametrize(
    "mutant",
    [
        lambda spec, acc, bias, shift, mul: naive(spec, acc, bias, shift),
        lambda spec, acc, bias, shift, mul: naive(spec, acc + bias, 0, shift, mul),
        lambda spec, acc, bias, shift, mul: naive(spec, acc, bias, shift, mul.as_signed()),
    ],
    ids=["no product", "bias multiplied too", "signed multiplier"],
)
def test_refutes_a_wrong_product(mutant):
    dut = Requantizer(Requantize(6, FixedFormat(4), 3), 1)
    with pytest.raises(AssertionError, match="Assert failed in top"):
        prove(RequantizerSpec(dut, mutant), 5, "bmc")


@pytest.mark.formal
def test_refutes_a_bias_that_does_not_wait_for_the_product():
    class Hasty(Requantizer):
        def _add(self, m, n, acc, bias, shift):
            product = Signal(signed(self.spec.product_width))
            total = Signal(signed(self.spec.sum_width))
            shifts = [shift, Signal.like(shift), Signal.like(shift)]
            m.d.sync += [
                product.eq(acc * self.i_multiplier[n]),
                total.eq(product + bias),
                shifts[1].eq(shifts[0]),
                shifts[2].eq(shifts[1]),
            ]
            return total, shifts[2]

    with pytest.raises(AssertionError, match="Assert failed in top"):
        prove(RequantizerSpec(Hasty(Requantize(6, FixedFormat(4), 3), 1)), 5, "bmc")
