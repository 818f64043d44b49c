"""Sums in carry cells that take a product only beside plain bits.

A cell of Xilinx, with a LUT6 of two outputs, adds three terms, one of which may be a product of
two bits; one of Gowin adds a bit and a product; one of iCE40 two bits.  So products wait, level
by level, until there are plain bits to add them to.  The first plain bits are functions: digits
(:mod:`.digits`), and products that would find no place.
"""

from collections import defaultdict
from itertools import count

from .bit_heap import ONE, Adder, HeapPlan, Term, build_levels, majorities
from .carry_cells import CarryCells, share_tables

__all__ = ["plan_waiting_heap"]


def plan_waiting_heap(
    inputs: int,
    terms,
    constant: int,
    width: int,
    cells: CarryCells,
    shared: HeapPlan | None = None,
    columns: tuple[int, ...] = (),
    counted=(),
    times: int = 0,
) -> HeapPlan:
    """The adders that sum ``terms`` in ``cells``; of several ways tried, the one of least cells.

    Parameters
    ----------
    inputs, terms, constant, width : as of :func:`.bit_heap.plan_heap`.
    cells : what a cell can add.
    shared : plan of a sum of the first of the given bits that is made elsewhere, or None.
    columns : where that sum is added.
    counted : more terms, whose sum is made apart and added ``times`` times.
    times : 0, or 1 less a power of two.
    """
    plans = [
        _Planner(inputs, width, cells, rounds, shortest, shared, columns).plan(
            terms, constant, counted, times
        )
        for rounds in cells.rounds
        for shortest in (1, 3)
    ]
    return min(plans, key=cells.cost)


class _Planner:
    """Builds one plan; see :func:`plan_waiting_heap` and :class:`_Heap`."""

    def __init__(self, inputs, width, cells, rounds, shortest, shared, columns):
        self.inputs = inputs
        self.shared = shared
        self.late = range(inputs, inputs + (len(shared.total) if shared else 0))
        late = enumerate(self.late)
        self.joining = [(Term(2, (bit,)), low + k, +1) for k, bit in late for low in columns]
        bits = count(self.late.stop)
        self.heap = _Heap(width, cells, rounds, shortest, bits)
        self.counted = _Heap(0, cells, rounds, shortest, bits)

    def plan(self, terms, constant, counted, times):
        heap, joining = self.heap, self.joining
        # What is kept is not negative, and its sum no more than that of its columns.
        self.counted.width = sum(1 << column for _, column, _ in counted).bit_length()
        constant += heap.keep(terms) + times * self.counted.keep(counted)
        if not times:
            heap.keep_constant(constant)
        arrival = self.shared.latency if self.shared else 0
        steps = []
        while heap.height > 1 or times or joining:
            if len(steps) == arrival:
                heap.keep(joining)
                joining = []
            if times and self.counted.height < 2:
                heap.keep_constant(constant + heap.keep(self.counted.multiples(times)))
                times = 0
            made = heap.reduce(), self.counted.reduce() if times else ([], [])
            steps.append(tuple(sum(parts, []) for parts in zip(*made)))
        steps += [(heap.functions, [])] if heap.functions else []
        total = heap.total()
        levels = build_levels(steps, total, arrival, self.late)
        return HeapPlan(self.inputs, levels, total, self.shared)


class _Heap:
    """Terms by column: plain bits, and those that a cell forms itself as it adds them.

    Parameters
    ----------
    width : columns.
    cells : what a cell can add.
    rounds : levels in which a column's plain bits may each take up a product; with none,
        products are functions.
    shortest : adders of fewer columns wait for the next level, where they may get longer.
    """

    def __init__(self, width, cells, rounds, shortest, bits):
        self.width = width
        self.cells = cells
        self.rounds = rounds
        self.shortest = shortest
        self.bits = bits
        self.room = 0
        self.inverted = False
        self.plain = defaultdict(list)
        self.wide = defaultdict(list)
        self.functions = []
        self.adders = []

    @property
    def height(self):
        """Terms in the fullest column."""
        return max(map(self._height, range(self.width)), default=0)

    def _height(self, column):
        return len(self.plain[column]) + len(self.wide[column])

    def only(self, column):
        """The term left in ``column``."""
        return (self.plain[column] + self.wide[column] + [Term(0, ())])[0]

    def multiples(self, times):
        """The terms of ``times`` what the heap has come to, ``times`` being 1 less a power of 2."""
        power = (1 - times).bit_length() - 1
        terms = []
        for column in range(self.width):
            if self._height(column):
                terms += [(self.only(column), column + k, s) for k, s in ((0, +1), (power, -1))]
        return terms

    def keep(self, terms):
        """Take (term, column, sign); returns the constant that is to be added for them."""
        constant = 0
        for term, column, sign in terms:
            if column >= self.width:
                continue
            if sign < 0:
                # -x == ~x - 1
                term, constant = ~term, constant - (1 << column)
            if len(term.inputs) > 1 and not (self.rounds and self.cells.forms(term)):
                term = self._function(term)
            self._put([term], column)
        return constant

    def keep_constant(self, constant):
        """Take the bits of a number."""
        for column in range(self.width - 1):
            if constant >> column & 1:
                self.plain[column].append(ONE)
        # Nothing is carried out of the highest column: a one there inverts the bit.
        self.inverted = bool(constant >> (self.width - 1) & 1)

    def total(self):
        """The terms left in all columns."""
        terms = [self.only(column) for column in range(self.width)]
        if self.inverted:
            terms[-1] = ~terms[-1]
        return tuple(terms)

    def _put(self, terms, column):
        for term in terms:
            (self.wide if len(term.inputs) > 1 else self.plain)[column].append(term)

    def _function(self, term):
        bit = next(self.bits)
        self.functions.append((bit, term))
        return Term(2, (bit,))

    def reduce(self):
        """One level: (functions, adders) over as many terms as find a place."""
        if self.height > 1:
            if not (self._add_all() or self._add_across()):
                self._add_most()
            for adder in self.adders:
                for index, bit in enumerate(adder.sums):
                    column = adder.column + min(index, len(adder.terms))
                    self.plain[column].append(Term(2, (bit,)))
        made = self.functions, self.adders
        self.functions, self.adders = [], []
        return made

    def _add_all(self):
        """The last adder, if what is left in every column fits one cell."""
        low = min(column for column in range(self.width) if self._height(column) > 1)
        rows = []
        for column in range(low, self.width):
            row = self.wide[column] + self.plain[column]
            if not self._fits(row[: len(row) if column > low else self.cells.operands]):
                return False
            rows.append(row)
        most = self.cells.operands
        if len(rows[0]) > 2 * most - 1 or any(len(t.inputs) > 1 for t in rows[0][most:]):
            return False
        carry = rows[0].pop() if len(rows[0]) > most else None
        for column in range(low, self.width):
            self.plain[column], self.wide[column] = [], []
        self._adder(low, rows, carry)
        return True

    def _add_across(self):
        """An adder over all columns, if that leaves no more than the last one can add."""
        most = self.cells.operands
        if self.height > 2 * most - 1:
            return False
        low = min(column for column in range(self.width) if self._height(column) > 1)
        rows = []
        for column in range(low, self.width):
            plain, wide = self.plain[column], self.wide[column]
            row = [wide.pop(0)] if wide and most < self.cells.inputs else []
            row += [plain.pop(0) for _ in range(min(most - len(row), len(plain)))]
            if wide and len(row) == 1 and self.cells.inputs > 3:
                row.append(wide.pop(0))
            rows.append(row)
        while not rows[-1]:
            rows.pop()
        self._adder(low, rows, self._extend(rows[0], low))
        return True

    def _fits(self, row):
        inputs = sum(max(1, len(term.inputs)) for term in row)
        return len(row) <= self.cells.operands and inputs <= self.cells.inputs

    def _adder(self, low, rows, carry):
        kept = 1 + majorities(rows)[-1] if low + len(rows) < self.width else 0
        sums = tuple(next(self.bits) for _ in range(len(rows) + kept))
        self.adders.append(Adder(low, tuple(map(tuple, rows)), carry, sums))

    def _add_most(self):
        """Adders over all columns that have terms to fill their cells."""
        made = []
        for shortest in range(self.shortest, 0, -1):
            rows = self._take_rows()
            while (low := next((c for c in range(self.width) if rows[c]), None)) is not None:
                high = low
                while rows.get(high + 1):
                    high += 1
                taken = [rows[column].pop() for column in range(low, high + 1)]
                if high - low + 1 >= shortest:
                    made.append((low, taken))
                else:
                    for column, row in enumerate(taken, low):
                        self._put(row, column)
            if made:
                break
        for low, rows in made:
            self._adder(low, rows, self._extend(rows[0], low))

    def _extend(self, row, column):
        """Give a chain's lowest ``row`` what else it takes; returns the carry in, or None."""
        plain = self.plain[column]
        # An inverted bit would need an inverter there.
        spare = [term for term in plain if term.table != 1 or not term.inputs]
        taken = spare[: 2 if self.cells.operands == 3 and len(row) > 1 else 1]
        for term in taken:
            plain.remove(term)
        if len(taken) == 2:
            row += [Term(0, ())] * (3 - len(row)) + [taken.pop()]
        return taken[0] if taken else None

    def _take_rows(self):
        """Takes terms off the heap that fill cells: column -> rows."""
        rows, below = {}, 0
        tables = share_tables(self.functions, self.cells.shared_inputs)
        self.room = sum(
            len(table) == 1 and len(table[0][1].inputs) + 2 <= self.cells.shared_inputs
            for table in tables
        )
        take = self._triples if self.cells.operands == 3 else self._pairs
        for column in range(self.width):
            rows[column] = take(self.plain[column], self.wide[column], below)
            below = len(rows[column])
        return rows

    def _triples(self, plain, wide, below):
        """Rows of two plain bits and a product, or of three bits, or of two products."""
        rows = []
        # Every plain bit takes up one product in the end; of the others, some find room in
        # look-up tables that are half empty, and two make one bit.
        while len(wide) > max(1, len(plain)) and self.room:
            plain.append(self._function(wide.pop()))
            self.room -= 1
        while len(wide) > max(1, len(plain) + len(rows)):
            rows.append([wide.pop(0), wide.pop(0)])
        most = min(len(plain) // 2, (len(plain) + len(wide)) // 3)
        for _ in range(self._needed(most, 3, len(plain) + len(wide), below - len(rows))):
            rows.append([(wide or plain).pop(0), plain.pop(0), plain.pop(0)])
        return rows

    def _pairs(self, plain, wide, below):
        """Rows of a plain bit and a product, or of two bits."""
        while len(wide) > self.rounds * len(plain) and len(wide) + len(plain) > 1:
            plain.append(self._function(wide.pop()))
        most = min(len(plain), (len(plain) + len(wide)) // 2)
        needed = self._needed(most, 2, len(plain) + len(wide), below)
        return [[(wide or plain).pop(0), plain.pop(0)] for _ in range(needed)]

    @staticmethod
    def _needed(most, size, terms, below):
        """Rows of ``size`` it takes, where chains that start take ``size - 1`` terms more."""
        while most:
            fewer = most - 1
            left = terms - size * fewer - (size - 1) * max(0, fewer - below)
            if left >= size:
                break
            most = fewer
        return most
