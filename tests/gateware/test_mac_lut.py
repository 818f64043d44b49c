"""LutMacArray == ConvSpec.compute_array, of every kind of operand, in every family's cells."""

from itertools import product

import numpy as np
import pytest
from amaranth.hdl import Cat, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from fxhw.fixed import (
    ActivationFormat,
    SignActivation,
    SignedActivation,
    TernaryActivation,
    WeightFormat,
)
from fxhw.gateware.mac_lut import LutMacArray
from fxhw.gateware.primitives import FAMILIES
from fxhw.gateware.primitives.ecp5 import CarryChain, add_slot, carry_slot
from fxhw.gateware.primitives.gowin import ADD, ADDSUB, MULT, add_cell, carry_cell
from fxhw.plan import ConvSpec
from fxhw.plan.bit_heap import Adder, Term
from fxhw.plan.carry_cells import CELLS
from fxhw.plan.conv_spec import STYLES

from .run_array import check_sums

AND, NAND, XOR, TERNARY = 0b1000, 0b0111, 0b0110, 0b00101000


def spec_of(weight, activation, lanes_in=2, lanes_out=2, target="ecp5", may_exceed=False):
    return ConvSpec(
        weight=weight,
        activation=activation,
        out=ActivationFormat(4),
        lanes_in=lanes_in,
        lanes_out=lanes_out,
        max_groups_in=1,
        max_groups_out=1,
        row_words=4,
        weight_words=1,
        style="lut",
        target=target,
        may_exceed=may_exceed,
    )


def check_array(spec, **options):
    check_sums(LutMacArray(spec), spec, **options)


@pytest.mark.parametrize("target", STYLES["lut"])
@pytest.mark.parametrize(
    ("weight", "activation"),
    [
        (WeightFormat(1), ActivationFormat(1)),
        (WeightFormat(1), ActivationFormat(6)),
        (WeightFormat(1), SignActivation()),
        (WeightFormat(2), ActivationFormat(4)),
        (WeightFormat(3), SignedActivation(5)),
        (WeightFormat(4), ActivationFormat(6)),
        (WeightFormat(4), SignActivation()),
        (WeightFormat(8), ActivationFormat(8)),
        (WeightFormat(2, "ternary"), ActivationFormat(6)),
        (WeightFormat(2, "ternary"), TernaryActivation()),
        (WeightFormat(4, "power"), ActivationFormat(3)),
        (WeightFormat(5, "power"), SignedActivation(4)),
        (WeightFormat(7, "power"), SignActivation()),
    ],
    ids=lambda value: value.name,
)
def test_sums(weight, activation, target):
    check_array(spec_of(weight, activation, target=target))


@pytest.mark.parametrize("target", ["generic", "ecp5", "xcup"])
@pytest.mark.parametrize(
    ("weight", "activation"),
    [
        (WeightFormat(1), ActivationFormat(2)),
        (WeightFormat(2, "ternary"), ActivationFormat(4)),
        (WeightFormat(4), ActivationFormat(6)),
        (WeightFormat(8), ActivationFormat(8)),
    ],
    ids=lambda value: value.name,
)
def test_sums_with_an_excess(weight, activation, target):
    check_array(spec_of(weight, activation, 1, 2, target, may_exceed=True))


def test_products_in_pairs():
    spec = spec_of(WeightFormat(8), ActivationFormat(8), 1, 6, may_exceed=True)
    assert spec.dot_product.shared is not None
    check_array(spec, count=6)


def test_a_forgotten_excess_is_found():
    spec = spec_of(WeightFormat(1), ActivationFormat(4), 1, 1, may_exceed=True)
    check_array(spec)
    object.__setattr__(spec, "excess", lambda weights: 0)
    with pytest.raises(AssertionError):
        check_array(spec)


@pytest.mark.parametrize("target", STYLES["lut"])
@pytest.mark.parametrize(("lanes_in", "lanes_out"), [(1, 1), (1, 3), (5, 1), (8, 1)])
def test_lanes(lanes_in, lanes_out, target):
    check_array(spec_of(WeightFormat(4), ActivationFormat(6), lanes_in, lanes_out, target))


def cell(init, levels, carry):
    """Sum and carry of half a CCU2C, from its data sheet."""
    a, b, c, d = levels
    lut4 = init >> (a | b << 1 | c << 2 | d << 3) & 1
    lut2 = init >> (a | b << 1) & 1
    return lut4 ^ carry, carry if lut4 else lut2


@pytest.mark.parametrize(
    "tables",
    [(AND, AND), (NAND, AND), (XOR, XOR), (AND, 2), (AND, 1), (NAND, 2), (TERNARY, 2), (2, 2),
     (1, 1), (2, 1), (TERNARY,), (AND,), (2,)],
)  # fmt: skip
def test_a_slot_adds_its_terms(tables):
    terms, start = [], 0
    for table in tables:
        count = {TERNARY: 3, 2: 1, 1: 1}.get(table, 2)
        terms.append(Term(table, tuple(range(start, start + count))))
        start += count
    slot = add_slot(tuple(terms))
    for *bits, carry in product((0, 1), repeat=start + 1):
        levels = [1 if pin is True else bits[pin] for pin in slot.pins]
        total = sum(term.compute(bits) for term in terms) + carry
        assert cell(slot.init, levels, carry) == (total & 1, total >> 1)


def test_terms_that_fit_no_slot_are_refused():
    with pytest.raises(ValueError, match="must fit its second table"):
        add_slot((Term(NAND, (0, 1)), Term(NAND, (2, 3))))
    with pytest.raises(ValueError, match="must have up to two inputs"):
        carry_slot(Term(TERNARY, (0, 1, 2)))


@pytest.mark.parametrize("table", [AND, NAND, XOR])
def test_a_slot_between_adders_stops_one_carry_and_makes_another(table):
    slot = carry_slot(Term(table, (0, 1)))
    for a, b, carry in product((0, 1), repeat=3):
        levels = [1 if pin is True else (a, b)[pin] for pin in slot.pins]
        assert cell(slot.init, levels, carry) == (carry, table >> (a | b << 1) & 1)


def test_a_chain_computes_its_cells():
    rng = np.random.default_rng(5)
    inits = tuple(rng.integers(0, 1 << 16, 6).tolist())
    chain = CarryChain(inits)

    async def bench(ctx):
        for _ in range(200):
            ports = rng.integers(0, 64, 4).tolist()
            for port, word in zip((chain.a, chain.b, chain.c, chain.d), ports):
                ctx.set(port, word)
            carry, expected = 0, 0
            for k, init in enumerate(inits):
                s, carry = cell(init, [word >> k & 1 for word in ports], carry)
                expected |= s << k
            assert ctx.get(chain.s) == expected

    simulator = Simulator(chain)
    simulator.add_testbench(bench)
    simulator.run()


class Adders(wiring.Component):
    """Adders and functions of a family, side by side."""

    def __init__(self, family, inputs, adders, functions=()):
        self._family = family
        self._adders = adders
        self._functions = functions
        self.results = [bit for adder in adders for bit in adder.sums]
        self.results += [bit for bit, _ in functions]
        super().__init__({"i": In(inputs), "o": Out(len(self.results))})

    def elaborate(self, platform):
        m = Module()
        family, values = FAMILIES[self._family], dict(enumerate(self.i))
        made = family.add(m, self._adders, values, "adders")
        if self._functions:
            made |= family.look_up(m, self._functions, values, "functions")
        m.d.comb += self.o.eq(Cat(made[bit] for bit in self.results))
        return m


def check_adders(family, inputs, adders, functions=()):
    """Compare all results with the adders' own, for all inputs."""
    dut = Adders(family, inputs, adders, functions)

    async def bench(ctx):
        for word in range(1 << inputs):
            values = {bit: word >> bit & 1 for bit in range(inputs)}
            ctx.set(dut.i, word)
            expected = [bit for adder in adders for bit in adder.compute(values)]
            expected += [term.compute(values) for _, term in functions]
            assert [ctx.get(dut.o) >> k & 1 for k in range(len(dut.o))] == expected

    simulator = Simulator(dut)
    simulator.add_testbench(bench)
    simulator.run()


def bits(*numbers):
    return [Term(2, (number,)) for number in numbers]


@pytest.mark.parametrize("family", FAMILIES)
def test_adders_of_two_terms(family):
    x, y, z, carry = bits(0, 1, 2, 3)
    other = Term(AND if family != "ice40" else 2, (4, 5) if family != "ice40" else (4,))
    adders = (
        Adder(0, ((x, y), (z, other)), carry, (20, 21, 22)),
        Adder(0, ((other, x), (y,), (y, z)), None, (23, 24, 25)),
        Adder(0, ((~x, z), (carry,), (Term(1, ()), y)), other, (26, 27, 28, 29)),
    )
    check_adders(family, 6, adders)


@pytest.mark.parametrize("family", [name for name, cells in CELLS.items() if cells.operands == 3])
@pytest.mark.parametrize("table", [AND, NAND, XOR])
def test_adders_of_three_terms(family, table):
    a, b, c, d, e, f = bits(*range(6))
    product, other = Term(table, (6, 7)), Term(AND, (8, 9))
    nothing = Term(0, ())
    adders = (
        Adder(0, ((a, b, product, c), (d, e, ~f)), ~d, (20, 21, 22, 23)),
        Adder(0, ((a, b, product), (c, other), (d,)), None, (24, 25, 26, 27)),
        Adder(0, ((product, other, nothing, a),), b, (28, 29, 30)),
        Adder(0, ((a, b), (c, d, other), (), (e,)), f, (31, 32, 33, 34)),
    )
    check_adders(family, 10, adders, ((40, product), (41, other), (42, Term(0x6996, (0, 2, 4, 6)))))


def alu(mode, i0, i1, i3, carry):
    """Sum and carry of a Gowin ALU, from its data sheet."""
    operand = {ADD: i1, ADDSUB: 1 - (i1 ^ i3), MULT: i3}[mode]
    total = (i0 & i1 if mode == MULT else i0) + operand + carry
    return total & 1, total >> 1


@pytest.mark.parametrize("tables", [(2, 2), (2,), (AND, 2), (2, AND), (0b1001, 2), (AND,), (1, 2)])
def test_an_alu_adds_its_terms(tables):
    terms = [Term(table, (2 * n, 2 * n + 1)[: 1 + (table > 3)]) for n, table in enumerate(tables)]
    cell = add_cell(tuple(terms))
    for *values, carry in product((0, 1), repeat=5):
        pins = [pin.compute(values) for pin in cell.pins]
        total = sum(term.compute(values) for term in terms) + carry
        assert alu(cell.mode, *pins, carry) == (total & 1, total >> 1)


def test_an_alu_between_adders_stops_one_carry_and_makes_another():
    cell = carry_cell(Term(2, (0,)))
    for bit, carry in product((0, 1), repeat=2):
        assert alu(cell.mode, *(pin.compute([bit]) for pin in cell.pins), carry) == (carry, bit)
