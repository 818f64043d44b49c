# amaranth: UnusedElaboratable=no

"""Sums in carry cells == products and sums as written, for all operands; and the netlist too."""

from dataclasses import replace

import pytest
from amaranth.asserts import AnySeq
from amaranth.back import rtlil
from amaranth.hdl import Assert, Assume, C, Cat, Elaboratable, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fxhw.emit import emit_verilog
from fxhw.emit.yosys import run_yosys
from fxhw.errors import FxhwError
from fxhw.fixed import ActivationFormat, SignActivation, SignedActivation, WeightFormat
from fxhw.gateware.mac_lut import HeapSum, LutMacArray
from fxhw.plan.conv_spec import STYLES
from fxhw.plan.excess import find_room
from fxhw.plan.paired_products import plan_pairs
from fxhw.plan.products import plan_dot_product

from ..test_mac_lut import spec_of
from .prover import prove

pytestmark = pytest.mark.slow  # minutes on two cores; `make formal` runs it

TERNARY = WeightFormat(2, "ternary")


def naive(weight, activation, w, x):
    """One product, as an expression of the stored bits."""
    sign = activation.codes == "sign"
    code = Mux(x, 1, -1) if sign else x.as_signed() if activation.signed else x
    if weight.kind == "power":
        shifted = [Mux(w[:-1] == k + 1, code << k, 0) for k in range(weight.top_exponent + 1)]
        return Mux(w[-1], -sum(shifted), sum(shifted))
    return Mux(w, code, -code) if weight.binary else w.as_signed() * code


def exists(weight, w):
    """Whether the stored bits ``w`` are a weight's."""
    if weight.kind == "power":
        return (w[:-1] <= weight.top_exponent + 1) & (w != 1 << (weight.bits - 1))
    return w != 2 if weight.kind == "ternary" else C(1, 1)


def naive_sum(weight, activation, bits, count):
    """The dot product of the operands that ``bits`` are, as an expression."""
    x = bits[: count * activation.width]
    w = bits[count * activation.width :]
    return sum(
        naive(
            weight,
            activation,
            w.word_select(index, weight.bits),
            x.word_select(index, activation.width),
        )
        for index in range(count)
    )


class SumSpec(Elaboratable):
    """A planned sum is the naive one, ``latency`` cycles later."""

    def __init__(self, weight, activation, count, family, change=lambda plan: plan):
        self.formats = weight, activation, count
        self.plan = change(plan_dot_product(weight, activation, count, family))
        self.family = family

    def elaborate(self, platform):
        m = Module()
        weight, activation, count = self.formats
        m.submodules.dut = dut = HeapSum(self.plan, self.family)
        m.d.comb += dut.i.eq(AnySeq(len(dut.i)))
        if self.plan.shared is not None:
            m.submodules.shared = shared = HeapSum(self.plan.shared, self.family)
            m.d.comb += [shared.i.eq(dut.i[: len(shared.i)]), dut.shared.eq(shared.o)]
        weights = dut.i[count * activation.width :]
        for index in range(count):
            m.d.comb += Assume(exists(weight, weights.word_select(index, weight.bits)))
        result = Signal(len(dut.o))
        excess = sum(
            Mux(Cat(dut.i[bit] for bit in bits).all(), factor, 0)
            for factor, bits in self.plan.excess
        )
        m.d.comb += result.eq(naive_sum(weight, activation, dut.i, count) + excess)
        valid = Signal()
        stages = [(result, 1)]
        for n in range(self.plan.latency):
            later, valid = Signal.like(result, name=f"naive_{n}"), Signal(name=f"valid_{n}")
            m.d.sync += [later.eq(stages[-1][0]), valid.eq(stages[-1][1])]
            stages.append((later, valid))
        m.d.comb += Assert(~valid | (dut.o == stages[-1][0]))
        return m


@pytest.mark.formal
@pytest.mark.parametrize("family", STYLES["lut"])
@pytest.mark.parametrize(
    ("weight", "activation", "count"),
    [
        pytest.param(WeightFormat(4), ActivationFormat(6), 2, marks=pytest.mark.slow),
        (WeightFormat(4), ActivationFormat(6), 1),
        (WeightFormat(2), ActivationFormat(4), 3),
        (WeightFormat(3), SignedActivation(3), 2),
        (TERNARY, ActivationFormat(6), 2),
        (WeightFormat(1), ActivationFormat(4), 3),
        (WeightFormat(1), SignActivation(), 9),
        (WeightFormat(3), SignActivation(), 4),
        (WeightFormat(3, "power"), ActivationFormat(3), 2),
        (WeightFormat(5, "power"), SignedActivation(2), 1),
        (WeightFormat(5, "power"), ActivationFormat(4), 1),
        (WeightFormat(4, "power"), SignActivation(), 2),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_sum_equals_naive_expression(weight, activation, count, family):
    spec = SumSpec(weight, activation, count, family)
    prove(spec, spec.plan.latency + 1, "bmc")


@pytest.mark.formal
@pytest.mark.parametrize("family", ["generic", "ecp5"])
@pytest.mark.parametrize(("wbits", "abits", "count"), [(2, 2, 2), (2, 1, 3)])
def test_sum_of_pairs_equals_naive_expression(wbits, abits, count, family):
    weight, activation = WeightFormat(wbits), ActivationFormat(abits)
    room = find_room(weight, activation, 8 * count, 1)
    spec = SumSpec(
        weight, activation, count, family, lambda _: plan_pairs(weight, activation, count, room)
    )
    prove(spec, spec.plan.latency + 1, "bmc")


@pytest.mark.formal
@pytest.mark.parametrize(
    ("weight", "activation", "count", "family"),
    [
        (WeightFormat(1), ActivationFormat(3), 3, "ecp5"),
        (TERNARY, ActivationFormat(3), 2, "ecp5"),
        (WeightFormat(4), ActivationFormat(2), 2, "xcup"),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_sum_with_an_excess_equals_naive_expression(weight, activation, count, family):
    spec = SumSpec(
        weight, activation, count, family,
        lambda _: plan_dot_product(weight, activation, count, family, 4),
    )  # fmt: skip
    assert len(spec.plan.excess) > 1
    prove(spec, spec.plan.latency + 1, "bmc")


@pytest.mark.formal
def test_refutes_a_forgotten_excess():
    weight, activation = WeightFormat(1), ActivationFormat(2)
    plan = plan_dot_product(weight, activation, 2, "ecp5", 4)
    spec = SumSpec(
        weight, activation, 2, "ecp5", lambda _: plan.with_excess(plan.excess[1:])
    )
    with pytest.raises(AssertionError, match="Assert failed in top"):
        prove(spec, spec.plan.latency + 1, "bmc")


class ArraySpec(Elaboratable):
    """The array's sums are the naive ones, ``latency`` cycles later."""

    def __init__(self, spec):
        self.spec = spec

    def elaborate(self, platform):
        m = Module()
        spec = self.spec
        m.submodules.dut = dut = LutMacArray(spec)
        window = dut.window.as_value()
        for port in (window, dut.weights):
            m.d.comb += port.eq(AnySeq(len(port)))
        count = 9 * spec.lanes_in
        size = count * spec.weight.bits
        age = Signal(range(dut.latency + 1))
        m.d.sync += age.eq(Mux(age == dut.latency, age, age + 1))
        for lane in range(spec.lanes_out):
            bits = Cat(window, dut.weights.word_select(lane, size))
            result = Signal(signed(spec.partial.width), name=f"naive_{lane}")
            m.d.comb += result.eq(naive_sum(spec.weight, spec.activation, bits, count))
            for n in range(dut.latency):
                later = Signal.like(result, name=f"naive_{lane}_{n}")
                m.d.sync += later.eq(result)
                result = later
            m.d.comb += Assert((age != dut.latency) | (dut.sums[lane] == result))
        return m


@pytest.mark.formal
@pytest.mark.parametrize("activation", [SignActivation(), ActivationFormat(1)])
def test_binary_array_equals_naive_expression(activation):
    spec = spec_of(WeightFormat(1), activation, 1, 2)
    prove(ArraySpec(spec), spec.array_latency + 1, "bmc")


def _changed_adder(plan, change):
    """``plan`` with the first adder of its first level changed."""
    first, *others = plan.levels
    adders = (change(first.adders[0]), *first.adders[1:])
    return replace(plan, levels=(replace(first, adders=adders), *others))


@pytest.mark.formal
@pytest.mark.parametrize(
    "mutant",
    [
        lambda plan: _changed_adder(plan, lambda adder: replace(adder, carry=None)),
        lambda plan: _changed_adder(
            plan,
            lambda adder: replace(
                adder, terms=((~adder.terms[0][0], *adder.terms[0][1:]), *adder.terms[1:])
            ),
        ),
        lambda plan: replace(plan, total=(*plan.total[:-1], ~plan.total[-1])),
    ],
    ids=["no carry in", "a product inverted", "the sign inverted"],
)
def test_refutes_a_wrong_sum(mutant):
    spec = SumSpec(WeightFormat(2), ActivationFormat(3), 3, "generic", mutant)
    with pytest.raises(AssertionError, match="Assert failed in top"):
        prove(spec, spec.plan.latency + 1, "bmc")


class NaiveSum(wiring.Component):
    """The naive sum with the ports and the latency of a planned one."""

    def __init__(self, weight, activation, count):
        self.formats = weight, activation, count
        self.plan = plan_dot_product(weight, activation, count)
        super().__init__({"i": In(self.plan.inputs), "o": Out(len(self.plan.total))})

    def elaborate(self, platform):
        m = Module()
        weight, activation, count = self.formats
        value = naive_sum(weight, activation, Value.cast(self.i), count)
        for n in range(self.plan.latency):
            later = Signal(len(self.o), name=f"naive_{n}")
            m.d.sync += later.eq(value)
            value = later
        m.d.comb += self.o.eq(value)
        return m


_SYNTHESIZE = """\
read_verilog sum.v
synth_ecp5 -nodsp -top sum
{change}
select -assert-any t:CCU2C
write_verilog -noattr netlist.v
"""

_EQUIVALENT = """\
read_verilog netlist.v
read_verilog -overwrite +/ecp5/cells_sim.v
hierarchy -top sum
proc
flatten
opt_clean
select -assert-none t:*CCU2C t:*LUT4 t:*TRELLIS_FF
design -stash netlist
read_rtlil naive.il
hierarchy -top naive
proc
flatten
design -stash naive
design -copy-from netlist -as netlist sum
design -copy-from naive -as naive naive
async2sync
miter -equiv -flatten netlist naive miter
hierarchy -top miter
opt_clean
sat -verify -prove trigger 0 -prove-skip {latency} -seq {steps} -set-def-inputs \
 -set in_rst 0 miter
"""


def check_netlist(weight, activation, count, folder, change=""):
    """Prove the ECP5 netlist, in Yosys's own models of the cells, equal to the naive sum."""
    gold = NaiveSum(weight, activation, count)
    emitted = emit_verilog(HeapSum(gold.plan, "ecp5"), "sum")
    (folder / "sum.v").write_text(emitted.verilog)
    (folder / "naive.il").write_text(rtlil.convert(gold, name="naive", emit_src=False))
    run_yosys(_SYNTHESIZE.format(change=change), folder)
    latency = gold.plan.latency
    run_yosys(_EQUIVALENT.format(latency=latency, steps=latency + 1), folder)


@pytest.mark.formal
@pytest.mark.parametrize(
    ("weight", "activation", "count"),
    [
        (WeightFormat(4), ActivationFormat(6), 1),
        (WeightFormat(2), ActivationFormat(3), 3),
        (WeightFormat(1), SignActivation(), 9),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_netlist_equals_naive_expression(weight, activation, count, tmp_path):
    check_netlist(weight, activation, count, tmp_path)


@pytest.mark.formal
def test_refutes_a_netlist_whose_cells_drop_a_carry(tmp_path):
    change = 'setparam -set INJECT1_0 "YES" t:CCU2C'
    with pytest.raises(FxhwError, match="proof did fail"):
        check_netlist(WeightFormat(2), ActivationFormat(3), 3, tmp_path, change)
