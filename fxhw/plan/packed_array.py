"""Which products of a MAC array share multiplier blocks, and the sums of all the rest.

An output channel's products are divided into units: those that one block takes, or, where a block
serves several channels, the same ones of each of them.  All channels have the same units in blocks,
as many as a budget allows, those that fill a block best first.  What is left is made of one-bit
products; fields and one-bit products of a sum are one heap (:mod:`.bit_heap`).

Weights in blocks are unsigned codes, too large by a constant offset (:mod:`.packing`).  What that
adds to a sum is the offset times the activations in it, the same for every output channel: it is
summed once and taken off at the end.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

from ..fixed import FixedFormat, WeightFormat
from .bit_heap import HeapPlan, Level, Term, first_bit, plan_heap
from .carry_cells import CELLS
from .packing import MULTIPLIERS, Multiplier, Packing, pack_outer, pack_row
from .products import product_terms
from .waiting_heap import plan_waiting_heap

__all__ = ["Block", "Correction", "PackedArray", "Product", "Unit", "plan_packed_array"]


@dataclass(frozen=True)
class Product:
    """One multiplication of an output channel: which code of the window, which of the channel's
    weights, and which of its sums it belongs to."""

    code: int
    weight: int
    sum: int


@dataclass(frozen=True)
class Block:
    """What one multiplier block multiplies.

    Parameters
    ----------
    packing : how its operands are put together.
    codes : the packing's activations, by number in the window.
    weights : (channel, number of the weight) of the packing's weights.
    sums : of every field, the (channel, sum) that it belongs to; None if to none.
    """

    packing: Packing
    codes: tuple[int, ...]
    weights: tuple[tuple[int, int], ...]
    sums: tuple[tuple[int, int] | None, ...]


@dataclass(frozen=True)
class Unit:
    """Products of each channel that go into blocks together.

    Parameters
    ----------
    products : of one channel.
    codes, weights : numbers of the activations and of a channel's weights, as the packing has
        them.
    packing : of a whole block.
    shared : channels that a block serves; the last block may have fewer.
    """

    products: tuple[Product, ...]
    codes: tuple[int, ...]
    weights: tuple[int, ...]
    packing: Packing
    shared: int = 1

    def blocks(self, channels: int) -> list[Block]:
        """The blocks for a number of channels."""
        known = {(p.code, p.weight): p.sum for p in self.products}
        made = []
        for start in range(0, channels, self.shared):
            served = range(start, min(start + self.shared, channels))
            placed = tuple((channel, weight) for channel in served for weight in self.weights)
            shifts = self.packing.weights[: len(placed)]
            packing = Packing(
                self.packing.weight, self.packing.activation, self.packing.activations, shifts
            )
            sums = []
            for field in packing.fields:
                meant = {
                    (placed[j][0], known.get((self.codes[i], placed[j][1]))) for i, j in field.pairs
                }
                (channel, number), *others = meant
                sums.append((channel, number) if not others and number is not None else None)
            made.append(Block(packing, self.codes, placed, tuple(sums)))
        return made


@dataclass(frozen=True)
class Correction:
    """Activations that are in the same sums with the same number of products in blocks.

    Parameters
    ----------
    codes : their numbers in the window.
    sums : of every sum, how often each of them is in it.
    heap : their sum.
    """

    codes: tuple[int, ...]
    sums: tuple[int, ...]
    heap: HeapPlan


@dataclass(frozen=True)
class PackedArray:
    """The multiplier blocks and heaps of an array.

    Parameters
    ----------
    weight, activation : formats.
    channels : output channels.
    sums : sums of each channel.
    width : bits of a sum.
    target : family whose cells add.
    units : products in blocks.
    rest : a channel's other products.
    """

    weight: WeightFormat
    activation: FixedFormat
    channels: int
    sums: int
    width: int
    target: str
    units: tuple[Unit, ...]
    rest: tuple[Product, ...]

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """All multiplier blocks."""
        return tuple(block for unit in self.units for block in unit.blocks(self.channels))

    @property
    def packed_products(self) -> int:
        """Useful products in blocks, of all channels."""
        return self.channels * sum(len(unit.products) for unit in self.units)

    @property
    def offset(self) -> int:
        """How much too large weights in blocks are."""
        return self.units[0].packing.offset

    def fields(self, channel: int, number: int) -> list[tuple[int, int]]:
        """(block, field) of every field of a channel's sum, in the order of the heap's inputs."""
        return [
            (index, field)
            for index, block in enumerate(self.blocks)
            for field, owner in enumerate(block.sums)
            if owner == (channel, number)
        ]

    def rest_of(self, number: int) -> list[Product]:
        """One-bit products of a sum, in the order of the heap's inputs."""
        return [product for product in self.rest if product.sum == number]

    @cached_property
    def heaps(self) -> tuple[HeapPlan, ...]:
        """The heap of every sum of a channel.

        Bits given are the fields', then the activations' of the one-bit products, then those of
        their weights, sign bits flipped.  Where a heap has a ``shared`` part, that is the register
        of its fields, which is in the blocks: one-bit products do not wait for them.
        """
        return tuple(self._heap(number) for number in range(self.sums))

    def _heap(self, number: int) -> HeapPlan:
        widths = []
        for index, field in self.fields(0, number):
            widths.append(self.blocks[index].packing.fields[field].width)
        scale = self.units[0].packing.scale_shift if self.units else 0
        return _plan_sum(
            self.weight, self.activation, tuple(widths), scale, len(self.rest_of(number)),
            self.width, self.target,
        )

    @cached_property
    def corrections(self) -> tuple[Correction, ...]:
        """Sums of activations that all channels share."""
        used = defaultdict(Counter)
        for unit in self.units:
            for product in unit.products:
                used[product.code][product.sum] += 1
        classes = defaultdict(list)
        for code, counts in sorted(used.items()):
            classes[tuple(counts[number] for number in range(self.sums))].append(code)
        bits = self.activation.width
        return tuple(
            Correction(tuple(codes), sums, _plan_total(len(codes), bits, self.target))
            for sums, codes in sorted(classes.items())
        )

    @property
    def heap_latency(self) -> int:
        """Cycles from operands to the heaps' sums."""
        return max(map(self.latency_of, range(self.sums)))

    def latency_of(self, number: int) -> int:
        """Cycles from operands to a sum."""
        return self.heaps[number].latency + self.waits(number)

    def waits(self, number: int) -> bool:
        """Whether a sum's one-bit products start when the blocks have multiplied."""
        return self.heaps[number].shared is None and bool(self.fields(0, number))

    @property
    def correction_latency(self) -> int:
        """Cycles from activations to what is to be taken off the sums; 0 if there is nothing."""
        if not self.corrections:
            return 0
        return max(correction.heap.latency for correction in self.corrections) + 1

    @property
    def latency(self) -> int:
        """Cycles from operands to sums."""
        last = 1 if self.corrections else 0
        return max(self.heap_latency, self.correction_latency) + last


@lru_cache(maxsize=64)
def _plan_sum(
    weight: WeightFormat,
    activation: FixedFormat,
    widths: tuple[int, ...],
    scale: int,
    rest: int,
    width: int,
    target: str,
) -> HeapPlan:
    terms, constant = [], 0
    start = sum(widths)
    columns = [scale + k for size in widths for k in range(size)]
    fields = [(bit, column) for bit, column in enumerate(columns) if column < width]
    xbits, wbits = activation.width, weight.bits
    w_start = start + rest * xbits
    for index in range(rest):
        x = range(start + index * xbits, start + (index + 1) * xbits)
        w = range(w_start + index * wbits, w_start + (index + 1) * wbits)
        more, offset = product_terms(weight, activation, w, x)
        sign = None if weight.binary else w[-1]
        terms += [(_flip_input(term, sign), column, count) for term, column, count in more]
        constant += offset
    inputs = w_start + rest * wbits
    if rest and fields and target not in CELLS:
        late = _register(start)
        first = first_bit(inputs, None)
        joining = [(Term(2, (first + bit,)), column) for bit, column in fields]
        return plan_heap(inputs, terms, constant, width, shared=late, joining=joining)
    terms = [(Term(2, (bit,)), column, +1) for bit, column in fields] + terms
    return _plan_heap(inputs, terms, constant, width, target)


def _register(bits: int) -> HeapPlan:
    """Bits that are there a cycle later."""
    total = tuple(Term(2, (bit,)) for bit in range(bits))
    return HeapPlan(bits, (Level((), (), tuple(range(bits)), True),), total)


def _flip_input(term: Term, bit: int | None) -> Term:
    """``term`` of the opposite of one of its inputs, if it is one."""
    if bit not in term.inputs:
        return term
    flip = 1 << term.inputs.index(bit)
    table = sum((term.table >> (n ^ flip) & 1) << n for n in range(1 << len(term.inputs)))
    return Term(table, term.inputs)


@lru_cache(maxsize=64)
def _plan_total(count: int, bits: int, target: str) -> HeapPlan:
    """The sum of ``count`` unsigned numbers."""
    terms = [(Term(2, (n * bits + k,)), k, +1) for n in range(count) for k in range(bits)]
    width = (count * ((1 << bits) - 1)).bit_length()
    return _plan_heap(count * bits, terms, 0, width, target)


def _plan_heap(inputs, terms, constant, width, target) -> HeapPlan:
    if target in CELLS:
        return plan_waiting_heap(inputs, terms, constant, width, CELLS[target])
    return plan_heap(inputs, terms, constant, width)


def plan_packed_array(
    weight: WeightFormat,
    activation: FixedFormat,
    target: str,
    products: tuple[Product, ...],
    rows: tuple[tuple[Product, ...], ...],
    channels: int,
    width: int,
    budget: int | None,
) -> PackedArray:
    """Divide an array's products between blocks and heaps.

    Parameters
    ----------
    target : family whose multiplier blocks and cells are used.
    products : of one channel.
    rows : the same products, if they are convolutions of two codes with rows of taps: of each,
        those of the first tap with both codes, then those of the next.  Empty if a step makes one
        pixel, which multiplies no code by two weights of a channel.
    channels : output channels per cycle.
    width : bits of a sum.
    budget : most blocks; None for no limit.
    """
    units = _Divider(weight, activation, MULTIPLIERS[target], channels).divide(products, rows)
    # Full blocks first; among equals in the order of the window.
    units.sort(key=lambda unit: -len(unit.products) * unit.shared)
    if budget is not None:
        taken, left = [], budget
        for unit in units:
            cost = -(-channels // unit.shared)
            if cost <= left:
                taken.append(unit)
                left -= cost
        units = taken
    packed = {product for unit in units for product in unit.products}
    rest = tuple(product for product in products if product not in packed)
    sums = 1 + max(product.sum for product in products)
    return PackedArray(
        weight, activation, channels, sums, width, target, tuple(units), rest
    )


@dataclass(frozen=True)
class _Divider:
    """Divides the products of a channel into units."""

    weight: WeightFormat
    activation: FixedFormat
    multiplier: Multiplier
    channels: int

    def divide(self, products, rows) -> list[Unit]:
        if not rows:
            return self._singles(products)
        units, pairs = [], []
        for row in rows:
            taps = len(row) // 2
            while taps > 1 and not self._row(2, taps):
                taps -= 1
            if taps > 1:
                units.append(self._unit(row[: 2 * taps], self._row(2, taps)))
                row = row[2 * taps :]
            pairs += [row[k : k + 2] for k in range(0, len(row), 2)]
        return units + self._pairs(pairs)

    def _pairs(self, pairs) -> list[Unit]:
        """Units of two codes by a weight; one block serves several channels if that fits."""
        packing, shared = self._outer(2)
        if 2 * shared > max(self._length, self._outer(1)[1]):
            return [self._unit(pair, packing, shared) for pair in pairs]
        return self._singles([product for pair in pairs for product in pair])

    def _singles(self, products) -> list[Unit]:
        """Units of products that share neither code nor weight, unless other channels do."""
        packing, shared = self._outer(1)
        if shared > self._length:
            return [self._unit((product,), packing, shared) for product in products]
        by_sum = defaultdict(list)
        for product in products:
            by_sum[product.sum].append(product)
        units = []
        for group in by_sum.values():
            for start in range(0, len(group), self._length):
                units.append(self._dot(group[start : start + self._length]))
        return units

    def _dot(self, products) -> Unit:
        """Products of one sum: the middle field of a row by a row, one of them reversed."""
        unit = self._unit(products, self._row(len(products), len(products)))
        return replace(unit, weights=unit.weights[::-1])

    @cached_property
    def _length(self) -> int:
        """Products of one sum that fit a block."""
        length = 1
        while self._row(length + 1, length + 1):
            length += 1
        return length

    def _row(self, codes, weights):
        return pack_row(self.weight, self.activation, self.multiplier, codes, weights)

    def _outer(self, codes):
        """Packing of ``codes`` activations by a weight of as many channels as fit; how many."""
        for shared in range(self.channels, 0, -1):
            packing = pack_outer(self.weight, self.activation, self.multiplier, codes, shared)
            if packing:
                return packing, shared
        return None, 0

    def _unit(self, products, packing, shared=1) -> Unit:
        codes = tuple(dict.fromkeys(product.code for product in products))
        weights = tuple(dict.fromkeys(product.weight for product in products))
        return Unit(tuple(products), codes, weights, packing, shared)
