"""What a multiply-accumulate adds, as one-bit terms of its operands' bits."""

from dataclasses import replace
from functools import lru_cache

from ..fixed import Accumulator, FixedFormat, WeightFormat
from .bit_heap import HeapPlan, Level, Term, combine, heap_cost, plan_heap
from .carry_cells import CELLS
from .digits import plan_digits
from .excess import find_room, split_terms, sum_range
from .paired_products import plan_pairs
from .power_products import plan_power_product
from .waiting_heap import plan_waiting_heap

__all__ = ["plan_dot_product", "product_terms"]

_AND = 0b1000
_XOR = 0b0110
_BIT = 0b10
# Inputs: not zero, negative, activation bit.
_TERNARY = 0b00101000


def _weight_signs(bits: int, signed: bool) -> list[int]:
    return [-1 if signed and k == bits - 1 else 1 for k in range(bits)]


def product_terms(weight: WeightFormat, activation: FixedFormat, w, x):
    """Terms and constant that add up to one product, of weights other than powers of two.

    Parameters
    ----------
    w, x : numbers of the bits of the weight and of the activation, lowest first.

    Returns
    -------
    list of (term, column, sign), and an integer.

    Raises
    ------
    ValueError for powers of two, which :mod:`.power_products` has.
    """
    if weight.kind == "power":
        raise ValueError(f"Product of {weight.name} weights must be made of shifts")
    terms, constant = [], 0
    bits = len(x)
    if activation.codes != "linear" and weight.kind == "ternary":
        return _unit_product(_unit(w), _unit(x)), 0
    if activation.codes == "ternary" and weight.binary:
        return _unit_product(_unit(w), _unit(x)), 0
    if activation.codes == "sign":
        # -w, negated bit by bit, or w: -(w * x) = sum(w ^ x) + x, the weight's code in two's
        # complement; a binary one is 2 * w - 1.
        if weight.binary:
            # w * x = 1 - 2 * (w ^ x)
            return [(Term(_XOR, (w[0], x[0])), 1, -1)], 1
        for k, sign in enumerate(_weight_signs(len(w), True)):
            terms.append((Term(_XOR, (w[k], x[0])), k, -sign))
        return [*terms, (Term(_BIT, (x[0],)), 0, -1)], 0
    signs = _weight_signs(bits, activation.signed)
    if weight.binary:
        # -(w * x) = (x ^ w) + w in two's complement; without a sign, 2**bits * w too much.
        terms = [(Term(_XOR, (w[0], x[k])), k, -sign) for k, sign in enumerate(signs)]
        terms.append((Term(_BIT, (w[0],)), 0, -1))
        if not activation.signed:
            terms.append((Term(_BIT, (w[0],)), bits, +1))
    elif weight.kind == "ternary":
        terms = _ternary_product(w, x, signs)
        if not activation.signed:
            terms.append((Term(_BIT, (w[1],)), bits, -1))
    elif activation.codes == "ternary":
        terms = _ternary_product(x, w, _weight_signs(len(w), True))
    else:
        for i, outer in enumerate(_weight_signs(len(w), True)):
            for k, inner in enumerate(signs):
                terms.append((Term(_AND, (w[i], x[k])), i + k, outer * inner))
    return terms, constant


def _ternary_product(unit, number, signs):
    """Terms of -1, 0 or +1 times a number: (number ^ negative) & nonzero, + negative.

    Of a number without a sign bit, ``2**bits`` is too much where the unit is negative.
    """
    terms = [
        (Term(_TERNARY, (*unit, bit)), k, sign) for k, (bit, sign) in enumerate(zip(number, signs))
    ]
    return [*terms, (Term(_BIT, (unit[1],)), 0, +1)]


def _unit(bits) -> tuple[Term, Term]:
    """Of -1, 0 or +1 by its stored bits: whether it is not 0, and whether it is negative."""
    if len(bits) == 1:
        return Term(1, ()), ~Term(_BIT, tuple(bits))
    return Term(_BIT, (bits[0],)), Term(_BIT, (bits[1],))


def _unit_product(a, b):
    """Terms of the product of two units: 1 where it is not 0, less 2 where it is negative."""
    some = combine(lambda p, q: p & q, a[0], b[0])
    negative = combine(lambda p, q, r: p & (q ^ r), some, a[1], b[1])
    return [(some, 0, +1), (negative, 1, -1)]


@lru_cache(maxsize=32)
def plan_dot_product(
    weight: WeightFormat,
    activation: FixedFormat,
    count: int,
    target: str = "generic",
    groups: int = 0,
    sums: int = 8,
) -> HeapPlan:
    """The adders of ``count`` products, for the cells of a family.

    Bits given are those of the activations, one after the other, then those of the weights.

    Parameters
    ----------
    groups : how many sums accumulators add up, if sums may have an excess that depends on the
        weights (:mod:`.excess`); 0 if they have to be exact.
    sums : how many sums of the same activations are made at once.
    """
    if weight.kind == "power":
        return _plan_shifted(weight, activation, count, target)
    terms, constant = _all_terms(weight, activation, count)
    width = Accumulator(weight, activation, count).width
    room = find_room(weight, activation, count, groups) if groups else None
    inputs = count * (activation.width + weight.bits)
    plan = _plan_terms(weight, activation, count, inputs, terms, constant, width, target, room)
    if weight.kind != "fixed" or weight.binary or activation.signed:
        return plan
    if target in CELLS:
        return plan_digits(weight, activation, terms, width, CELLS[target], plan, room)
    pairs = plan_pairs(weight, activation, count, room) if room and count > 1 else None
    return min(filter(None, (plan, pairs)), key=lambda plan: heap_cost(plan, sums))


def _all_terms(weight, activation, count):
    """Terms and constant of all products."""
    xbits, wbits = activation.width, weight.bits
    terms, constant = [], 0
    for index in range(count):
        x = range(index * xbits, (index + 1) * xbits)
        start = count * xbits + index * wbits
        more, offset = product_terms(weight, activation, range(start, start + wbits), x)
        terms += more
        constant += offset
    return terms, constant


def _plan_terms(weight, activation, count, inputs, terms, constant, width, target, room):
    """The adders of ``terms``, or of those of them that no excess stands for."""
    plans = [_plan_heap(inputs, terms, constant, width, target)]
    if room:
        kept, excess = split_terms(terms, count * activation.width)
        low, high = sum_range(weight, activation, count, excess)
        # What the heap adds for negative terms, -x == ~x - 1.
        added = constant - sum(1 << column for _, column, sign in kept if sign < 0)
        more = room.constant_for(low, high, added)
        if more is not None:
            plan = _plan_heap(inputs, kept, constant + more, width, target)
            plans.append(plan.with_excess([*excess, (more, ())]))
    return min(plans, key=CELLS[target].cost if target in CELLS else heap_cost)


def _plan_heap(inputs, terms, constant, width, target) -> HeapPlan:
    if target in CELLS:
        return plan_waiting_heap(inputs, terms, constant, width, CELLS[target])
    return plan_heap(inputs, terms, constant, width)


def _plan_shifted(
    weight: WeightFormat, activation: FixedFormat, count: int, target: str
) -> HeapPlan:
    """The adders of ``count`` products with powers of two, behind the functions that shift."""
    product = plan_power_product(weight, activation)
    xbits, wbits = activation.width, weight.bits
    given = count * (xbits + wbits)
    terms, levels = [], [[] for _ in product.functions]
    for index in range(count):
        places = [
            *range(index * xbits, (index + 1) * xbits),
            *range(count * xbits + index * wbits, count * xbits + (index + 1) * wbits),
            *range(given + index * product.made, given + (index + 1) * product.made),
        ]

        def placed(term, places=places):
            return replace(term, inputs=tuple(places[bit] for bit in term.inputs))

        terms += [(placed(term), column, sign) for term, column, sign in product.terms]
        for level, functions in zip(levels, product.functions):
            level += [(places[bit], placed(term)) for bit, term in functions]
    width = Accumulator(weight, activation, count).width
    heap = _plan_heap(given + count * product.made, terms, 0, width, target)
    return replace(heap, inputs=given, levels=(*_function_levels(levels, terms), *heap.levels))


def _function_levels(levels, terms) -> list[Level]:
    """``levels`` of functions, whatever ``terms`` need of them and beside them kept for those."""
    needed = {bit for term, _, _ in terms for bit in term.inputs}
    result = []
    for functions in reversed(levels):
        # One register, behind the last: few look-up tables lie in a row.
        result.append(Level(tuple(functions), (), tuple(sorted(needed)), not result))
        needed -= {bit for bit, _ in functions}
        needed |= {bit for _, term in functions for bit in term.inputs}
    return result[::-1]
