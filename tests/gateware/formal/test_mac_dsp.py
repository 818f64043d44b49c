# amaranth: UnusedElaboratable=no

"""Sums from multiplier blocks == products and sums as written, for all operands."""

from dataclasses import replace

import pytest
from amaranth.asserts import AnySeq
from amaranth.hdl import Assert, Elaboratable, Module, Mux, Signal, signed

from fxhw.gateware.mac_dsp import DspMacArray
from fxhw.gateware.multiplier import multiply

from ..test_mac_dsp import spec_of
from .prover import prove

pytestmark = pytest.mark.slow  # minutes on two cores; `make formal` runs it


class ArraySpec(Elaboratable):
    """The array's sums are those of ``spec.products``, ``latency`` cycles later."""

    def __init__(self, spec, plan=None):
        self.spec = spec
        self.dut = DspMacArray(spec)
        if plan is not None:
            self.dut._plan = plan

    def elaborate(self, platform):
        m = Module()
        spec, dut = self.spec, self.dut
        m.submodules.dut = dut
        window, weights = dut.window.as_value(), dut.weights
        for port in (window, weights):
            m.d.comb += port.eq(AnySeq(len(port)))
        age = Signal(range(dut.latency + 1))
        m.d.sync += age.eq(Mux(age == dut.latency, age, age + 1))
        lane_weights = len(weights) // spec.lanes_out
        for lane in range(spec.lanes_out):
            # The array takes weights with their sign bits flipped.
            flip = 0 if spec.weight.binary else 1 << (spec.weight.bits - 1)
            flips = sum(flip << start for start in range(0, lane_weights, spec.weight.bits))
            lane_bits = weights.word_select(lane, lane_weights) ^ flips
            for number in range(spec.sums):
                result = Signal(signed(spec.partial.width), name=f"naive_{lane}_{number}")
                m.d.comb += result.eq(sum(
                    multiply(
                        spec.weight,
                        spec.activation,
                        lane_bits.word_select(product.weight, spec.weight.bits),
                        window.word_select(product.code, spec.activation.width),
                    )
                    for product in spec.products
                    if product.sum == number
                ))
                for n in range(dut.latency):
                    later = Signal.like(result, name=f"naive_{lane}_{number}_{n}")
                    m.d.sync += later.eq(result)
                    result = later
                output = dut.sums[lane * spec.sums + number]
                m.d.comb += Assert((age != dut.latency) | (output == result))
        return m


@pytest.mark.formal
@pytest.mark.parametrize(
    "spec",
    [
        spec_of(2, 1, 1, 1, pixels=2),
        spec_of(1, 1, 1, 2, pixels=2),
        spec_of(2, 1, 1, 1, pixels=2, style="mixed", dsps=2),
        spec_of(2, 1, 1, 1, pixels=1),
    ],
    ids=["a row to a block", "binary weights", "some in blocks", "one pixel"],
)
def test_array_equals_naive_expression(spec):
    spec = replace(spec, target="generic")
    prove(ArraySpec(spec), spec.array_latency + 1, "bmc")


@pytest.mark.formal
def test_refutes_an_array_that_keeps_the_offset():
    spec = spec_of(2, 1, 1, 1, pixels=2, target="generic")
    plan = spec.packed_array
    assert plan.corrections
    few = tuple(replace(part, sums=(0,) + part.sums[1:]) for part in plan.corrections)
    wrong = replace(plan)
    wrong.__dict__["corrections"] = few
    with pytest.raises(AssertionError, match="Assert failed in top"):
        prove(ArraySpec(spec, wrong), spec.array_latency + 1, "bmc")
