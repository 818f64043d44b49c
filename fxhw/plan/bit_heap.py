"""Sums of many one-bit terms: which carry chains add which bits, in which order.

A heap is a set of bits, each with a column (its weight is ``2**column``).  An adder takes two
terms of every column it covers and, for a carry in, a third one of its lowest column; it leaves
one bit per column and a carry out.  Each of its columns thus takes one bit off the heap, and its
two ends are its only overhead: where adders lie end to end on one chain of carry cells, one cell
between them gives out the carry of the one and takes in that of the next.

Terms are functions of few inputs, so a product of two bits is formed in the very cell that adds
it.  Terms that count negative are added among themselves first; the sums come out inverted, which
costs nothing further up, and a constant, ``-x == ~x + 1 - 2**n``, makes up for it.

Plain Python: the latency of a heap is known before there is any gateware.
"""

from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod

from .neighbours import gather_terms, place_bits

__all__ = [
    "Adder",
    "HeapPlan",
    "Level",
    "Term",
    "build_levels",
    "combine",
    "first_bit",
    "heap_cost",
    "majorities",
    "plan_heap",
]


@dataclass(frozen=True)
class Term:
    """A bit as a function of others.

    Parameters
    ----------
    table : truth table; its bit ``n`` is the value where ``inputs[k]`` is bit ``k`` of ``n``.
    inputs : bits by number; none makes the term a constant.
    """

    table: int
    inputs: tuple[int, ...]

    def __invert__(self) -> "Term":
        return replace(self, table=self.table ^ ((1 << (1 << len(self.inputs))) - 1))

    def compute(self, values) -> int:
        """The term's value; ``values[bit]`` are those of its inputs."""
        return self.table >> sum(values[bit] << k for k, bit in enumerate(self.inputs)) & 1


def combine(function, *terms: Term) -> Term:
    """``function`` of the values of ``terms``, as a term of their inputs."""
    inputs = tuple(dict.fromkeys(bit for term in terms for bit in term.inputs))
    table = 0
    for pattern in range(1 << len(inputs)):
        values = {bit: pattern >> n & 1 for n, bit in enumerate(inputs)}
        table |= int(function(*(term.compute(values) for term in terms))) << pattern
    return Term(table, inputs)


ONE = Term(1, ())

@dataclass(frozen=True)
class Adder:
    """A row of carry cells.

    Cells of some families add three terms: next to the carry, a cell then gives a second one, the
    majority of its terms, to the cell above.

    Parameters
    ----------
    column : column of its lowest bit.
    terms : of every column from there, none to three terms; the lowest may have a fourth, in the
        place of the second carry.
    carry : term that comes in as a carry, or None.
    sums : the result's bits by number: one per column, one more if the carry is kept, and one
        more, of the same column, if there is a second carry.
    """

    column: int
    terms: tuple[tuple[Term, ...], ...]
    carry: Term | None
    sums: tuple[int, ...]

    @property
    def carry_out(self) -> bool:
        """Whether the carry is part of the result."""
        return len(self.sums) > len(self.terms)

    @property
    def ends(self) -> int:
        """Carries that leave at the top."""
        return 1 + majorities(self.terms)[-1]

    def compute(self, values) -> list[int]:
        """Values of :attr:`sums`."""
        total = self.carry.compute(values) if self.carry else 0
        for column, terms in enumerate(self.terms):
            total += sum(term.compute(values) for term in terms) << column
        size = len(self.terms)
        sums = [total >> k & 1 for k in range(size)]
        if self.carry_out:
            second = 0
            if self.ends == 2:
                second = sum(term.compute(values) for term in self.terms[-1][:3]) >> 1
            sums += [(total >> size) - second, second][: self.ends]
        return sums


def majorities(rows) -> list[bool]:
    """Of an adder's ``rows`` of terms, whether each one hands on a second carry."""
    result = []
    for row in rows:
        result.append(len(row) > 2 or len(row) == 2 and result[-1:] == [True])
    return result


@dataclass(frozen=True)
class Level:
    """Adders that work side by side.

    Parameters
    ----------
    functions : bit by number -> the term it is, where a term is needed by itself.
    adders : the adders.
    live : bits that later levels need.
    registered : whether those pass a register behind this level.
    """

    functions: tuple[tuple[int, Term], ...]
    adders: tuple[Adder, ...]
    live: tuple[int, ...]
    registered: bool


@dataclass(frozen=True)
class HeapPlan:
    """A sum's adders.

    Parameters
    ----------
    inputs : bits given; their numbers come first.
    levels : the levels, each fed by those before.
    total : terms of the sum's bits, of bits that the last level leaves.
    shared : plan of a sum of the first of these bits, made once for several plans, or None.  Its
        bits are numbered behind the inputs and arrive when its registers are passed.
    excess : what the sum has too much: (factor, bits given), the factor counting where all of
        the bits are 1.
    """

    inputs: int
    levels: tuple[Level, ...]
    total: tuple[Term, ...]
    shared: "HeapPlan | None" = None
    excess: tuple[tuple[int, tuple[int, ...]], ...] = ()

    @property
    def latency(self) -> int:
        """Register stages."""
        return sum(level.registered for level in self.levels)

    @cached_property
    def cells(self) -> int:
        """Carry cells of one bit each, and functions: about the look-up tables it takes."""
        return sum(
            len(level.functions) + sum(len(adder.sums) for adder in level.adders)
            for level in self.levels
        )

    @cached_property
    def registers(self) -> int:
        """Flip-flops."""
        return sum(len(level.live) for level in self.levels if level.registered)

    def compute(self, inputs) -> int:
        """The sum, modulo ``2**len(total)``, level by level as the hardware does it."""
        values = dict(enumerate(inputs))
        late = dict(enumerate(self._shared_bits(inputs), self.inputs))
        stage = 0
        for level in self.levels:
            if self.shared and stage == self.shared.latency:
                values.update(late)
            stage += level.registered
            values.update((bit, term.compute(values)) for bit, term in level.functions)
            for adder in level.adders:
                values.update(zip(adder.sums, adder.compute(values)))
            values = {bit: values[bit] for bit in level.live}
        return sum(term.compute(values) << k for k, term in enumerate(self.total))

    def with_excess(self, excess) -> "HeapPlan":
        """The same adders, for a sum that has ``excess`` too much."""
        return replace(self, excess=tuple(excess))

    def compute_excess(self, inputs):
        """What the sum has too much; ``inputs`` are numbers, or arrays of one shape."""
        return sum(factor * prod(inputs[bit] for bit in bits) for factor, bits in self.excess)

    def _shared_bits(self, inputs) -> list[int]:
        if self.shared is None:
            return []
        value = self.shared.compute(inputs[: self.shared.inputs])
        return [value >> k & 1 for k in range(len(self.shared.total))]


def plan_heap(
    inputs: int,
    terms,
    constant: int,
    width: int,
    before: tuple[Adder, ...] = (),
    shared: HeapPlan | None = None,
    joining=(),
) -> HeapPlan:
    """The adders that sum ``terms``; of several ways tried, the one that takes fewest cells.

    Parameters
    ----------
    inputs : how many bits are given; terms refer to them as 0 .. ``inputs - 1``.
    terms : (term, column, sign), sign being +1 or -1.
    constant : number added to them.
    width : bits of the sum, which is taken modulo ``2**width``.
    before : adders of given bits whose sums are among the terms, numbered from :func:`first_bit`.
    shared : plan of a sum of the first of the given bits that is made elsewhere, or None.
    joining : (plain term, column) of that sum's bits, which are numbered behind the inputs.
    """
    plans = [
        _Planner(inputs, width, shortest, bridge, before, shared).plan(terms, constant, joining)
        for shortest in range(1, 7)
        for bridge in (False, True)
    ]
    return min(plans, key=heap_cost)


def heap_cost(plan: HeapPlan, sums: int = 1) -> float:
    """What a plan is chosen by: cells, levels, and flip-flops beyond those beside the cells.

    What is shared is made once for all ``sums``.
    """
    shared = plan.shared.cells / sums if plan.shared else 0
    return plan.cells + shared + 4 * len(plan.levels) + max(0, plan.registers - plan.cells) / 2


def first_bit(inputs: int, shared: HeapPlan | None) -> int:
    """Number of the first bit that a plan of its own makes."""
    return inputs + (len(shared.total) if shared else 0)


def build_levels(steps, total, arrival=0, late=range(0)) -> tuple[Level, ...]:
    """Levels of (functions, adders), with the bits that are live behind each and the registers.

    A register stands behind every level but the last but one: that one and the last are one or
    two chains each.  Bits that are ``late`` come before level number ``arrival``, which has a
    register behind each level before it.
    """
    needed = {bit for term in total for bit in term.inputs}
    levels = []
    for index, (functions, adders) in reversed(list(enumerate(steps))):
        registered = index != len(steps) - 2 or index < arrival
        if index < arrival:
            needed -= set(late)
        levels.append(Level(tuple(functions), tuple(adders), tuple(sorted(needed)), registered))
        needed -= {bit for adder in adders for bit in adder.sums}
        for adder in adders:
            used = [term for row in adder.terms for term in row]
            for term in used + ([adder.carry] if adder.carry else []):
                needed |= set(term.inputs)
        made = {bit for bit, _ in functions}
        needed = (needed - made) | {bit for _, term in functions for bit in term.inputs}
    return tuple(reversed(levels))


class _Planner:
    """Builds one plan.

    Parameters
    ----------
    shortest : adders of fewer columns wait for the next level, where they may get longer.
    bridge : whether adders pass over a column with one bit to reach the next with two.
    """

    def __init__(self, inputs, width, shortest, bridge, before, shared):
        self.inputs = inputs
        self.width = width
        self.shortest = shortest
        self.bridge = bridge
        self.before = before
        self.shared = shared
        self.bits = first_bit(inputs, shared) + sum(len(adder.sums) for adder in before)
        self.heap = defaultdict(list)
        self.adders = []
        self.functions = []
        self.places = {}

    def plan(self, terms, constant, joining):
        steps = [([], self.before)] if self.before else []
        self.places = place_bits([*(term for term, _, _ in terms), *(term for term, _ in joining)])
        constant = self._first_level(terms, constant)
        steps.append((self.functions, self.adders))
        for column in range(self.width - 1):
            if constant >> column & 1:
                self.heap[column].append(ONE)
        arrival = self.shared.latency if self.shared else 0
        while joining or max(map(len, self.heap.values()), default=0) > 1:
            if len(steps) >= arrival:
                for term, column in joining:
                    self.heap[column].append(term)
                joining = ()
            self.adders = []
            (not joining and self._final_level()) or self._level()
            self.adders = gather_terms(self.adders, self.places)
            steps.append(([], self.adders))
        total = [(self.heap[c] or [Term(0, ())])[0] for c in range(self.width)]
        if constant >> (self.width - 1):
            # Nothing is carried out of the highest column: a one there inverts the bit.
            total[-1] = ~total[-1]
        late = range(self.inputs, first_bit(self.inputs, self.shared))
        levels = build_levels(steps, total, arrival, late)
        return HeapPlan(self.inputs, levels, tuple(total), self.shared)

    def _first_level(self, terms, constant):
        """Terms of one sign among themselves; returns the constant that is still to be added."""
        # A term that is one bit is inverted for nothing and goes where most others are.
        terms = [term for term in terms if term[1] < self.width]
        most = max((+1, -1), key=lambda sign: sum(s == sign for _, _, s in terms))
        signs = {+1: defaultdict(list), -1: defaultdict(list)}
        for term, column, sign in terms:
            if len(term.inputs) > 3:
                term = self._function(term)
            if len(term.inputs) == 1 and sign != most:
                term, sign, constant = ~term, most, constant + (sign << column)
            signs[sign][column].append(term)
        adders = []
        for sign, heap in signs.items():
            self.adders = []
            left = self._add(heap, 1)
            adders += gather_terms(self.adders, self.places)
            for column, rest in left.items():
                for term in rest:
                    if sign < 0:
                        term, constant = ~term, constant - (1 << column)
                    if not self._can_wait(term, column):
                        term = self._function(term)
                    self.heap[column].append(term)
        self.adders = sorted(adders, key=lambda adder: self.places[adder.sums[0]])
        return constant % (1 << self.width)

    def _can_wait(self, term, column):
        """Whether ``term`` fits a cell beside whatever else is in ``column``."""
        if len(term.inputs) < 2:
            return True
        # Of two products that are 1 where all inputs are 0, none fits; see :meth:`_pair`.
        others = [other for other in self.heap[column] if len(other.inputs) > 1]
        return len(term.inputs) == 2 and not (term.table & 1 and any(t.table & 1 for t in others))

    def _pair(self, terms):
        """Takes two of ``terms``, or the only one, that fit one cell.

        A cell adds two terms of two inputs, unless both are 1 where all inputs are 0, or one of
        three and one of one; of two of three inputs, one has to be a function of its own.
        """
        wide = next((term for term in terms if len(term.inputs) > 2), None)
        if wide is None:
            pair = terms[:2]
            del terms[:2]
            return tuple(pair)
        terms.remove(wide)
        if not terms:
            return (wide,)
        other = min(terms, key=lambda term: len(term.inputs))
        terms.remove(other)
        return (self._function(other) if len(other.inputs) > 1 else other, wide)

    def _carry(self, terms):
        """Takes one of ``terms`` as a carry in, if there is one that fits a cell's two inputs."""
        narrow = [term for term in terms if len(term.inputs) < 3]
        if 2 * len(narrow) <= len(terms):
            return None
        terms.remove(narrow[-1])
        return narrow[-1]

    def _function(self, term):
        bit = self._bit()
        self.functions.append((bit, term))
        self.places[bit] = sum(self.places[i] for i in term.inputs) / len(term.inputs)
        return Term(2, (bit,))

    def _bit(self):
        self.bits += 1
        return self.bits - 1

    def _level(self):
        shortest = self.shortest
        while True:
            # Products first: their operands need not wait any longer.
            heap = self._add(
                {c: sorted(terms, key=lambda t: -len(t.inputs)) for c, terms in self.heap.items()},
                shortest,
            )
            if self.adders or not shortest:
                self.heap = heap
                return
            shortest -= 1

    def _final_level(self):
        """The last adder, if no more than two bits are left in any column."""
        low = min(c for c, terms in self.heap.items() if len(terms) > 1)
        most = max((len(terms) for c, terms in self.heap.items() if c != low), default=0)
        if most > 2 or len(self.heap[low]) > 3:
            return False
        high = max(c for c, terms in self.heap.items() if terms)
        self._adder(self.heap, self.heap, low, high)
        return True

    def _add(self, heap, shortest):
        """Adders over as much of ``heap`` as they are good for; returns the heap they leave."""
        left, start = defaultdict(list), 0
        while True:
            low = next((c for c in range(start, self.width) if len(heap.get(c, ())) > 1), None)
            if low is None:
                break
            high = self._highest(heap, low)
            taken = sum(min(len(heap[c]), 2) for c in range(low, high + 1))
            gain = taken + (len(heap[low]) > 2) - (high - low + 1) - (high < self.width - 1)
            if gain > 0 and high - low + 1 >= shortest:
                self._adder(heap, left, low, high)
            else:
                start = low + 1
        for column, terms in heap.items():
            left[column] += terms
        return left

    def _highest(self, heap, low):
        high = low
        while high + 1 < self.width:
            here, above = (len(heap.get(high + k, ())) for k in (1, 2))
            if here < 2 and not (self.bridge and here and above > 1):
                break
            high += 1
        return high

    def _adder(self, heap, left, low, high):
        """An adder over columns ``low`` to ``high``; takes terms off ``heap``, adds to ``left``."""
        rows = []
        for column in range(low, high + 1):
            rows.append(self._pair(heap[column]) or (Term(0, ()),))
        carry = self._carry(heap[low])
        sums = [self._bit() for _ in range(low, min(high + 2, self.width))]
        self.adders.append(Adder(low, tuple(rows), carry, tuple(sums)))
        for column, bit in enumerate(sums, low):
            left[column].append(Term(2, (bit,)))
