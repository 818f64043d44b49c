"""Adders as ``+``, for any synthesizer."""

from amaranth.hdl import *

from ...plan.bit_heap import Adder, Term

__all__ = ["add", "look_up", "term_value"]


def add(m: Module, adders: tuple[Adder, ...], values: dict, name: str) -> dict:
    """See :mod:`fxhw.gateware.primitives`."""
    sums = {}
    for number, adder in enumerate(adders):
        rows = [[], []]
        for terms in adder.terms:
            for row, term in zip(rows, (*terms, Term(0, ()))):
                row.append(term_value(term, values))
        if adder.carry is not None:
            # A column below, whose carry is the carry in, keeps this one adder of two operands.
            carry = term_value(adder.carry, values)
            rows = [[C(1, 1), *rows[0]], [carry, *rows[1]]]
        total = Signal(len(adder.sums) + (adder.carry is not None), name=f"{name}_{number}")
        m.d.comb += total.eq(Cat(rows[0]) + Cat(rows[1]))
        sums.update(zip(adder.sums, total[adder.carry is not None :]))
    return sums


def look_up(m: Module, functions: tuple[tuple[int, Term], ...], values: dict, name: str) -> dict:
    """See :mod:`fxhw.gateware.primitives`."""
    made = Signal(len(functions), name=name)
    m.d.comb += made.eq(Cat(term_value(term, values) for _, term in functions))
    return {bit: value for (bit, _), value in zip(functions, made)}


def term_value(term: Term, values: dict) -> Value:
    """``term`` as an expression: a sum of products."""
    inputs = [values[bit] for bit in term.inputs]
    if len(inputs) == 0:
        return C(term.table, 1)
    if len(inputs) == 1:
        return {0: C(0, 1), 1: ~inputs[0], 2: inputs[0], 3: C(1, 1)}[term.table]
    if len(inputs) == 2 and term.table in _OPERATORS:
        return _OPERATORS[term.table](*inputs)
    *rest, top = term.inputs
    half = 1 << len(rest)
    low = term_value(Term(term.table & ((1 << half) - 1), tuple(rest)), values)
    high = term_value(Term(term.table >> half, tuple(rest)), values)
    return Mux(values[top], high, low)


_OPERATORS = {
    0b1000: lambda a, b: a & b,
    0b0111: lambda a, b: ~(a & b),
    0b0110: lambda a, b: a ^ b,
    0b1001: lambda a, b: ~(a ^ b),
    0b0010: lambda a, b: a & ~b,
}
