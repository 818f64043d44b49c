"""Several products in one hardware multiplier, exactly.

Activations are laid side by side in one operand and weights in the other, at shifts so wide apart
that the product holds each of their products, or sum of products, in a field of its own::

    (x0 + x1 << s) * (w0 + w1 << s)  =  x0*w0  |  x0*w1 + x1*w0  |  x1*w1

Weights enter with their sign bit flipped, which makes them unsigned numbers: ``w = scale * code -
offset``.  So no field borrows from the next, operands are put together without any logic, and what
is too much, ``offset`` times the sum of the activations, is the same for all output channels.

Where shifts are multiples of one, this is a product of polynomials and the fields are a
convolution: see HiKonv, arXiv 2112.13972.
"""

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import product

from ..fixed import FixedFormat, WeightFormat

__all__ = [
    "MULTIPLIERS",
    "Field",
    "Multiplier",
    "Packing",
    "pack_outer",
    "pack_row",
    "packable",
    "products_bound",
]


@dataclass(frozen=True)
class Multiplier:
    """A family's multiplier block.

    Parameters
    ----------
    name : the cell.
    a_bits, b_bits : widest unsigned operands; where the block is signed only, one less than its
        ports.
    """

    name: str
    a_bits: int
    b_bits: int

    def holds(self, one: int, other: int) -> bool:
        """Whether unsigned operands of ``one`` and ``other`` bits fit, either way round."""
        least, most = sorted((one, other))
        return least <= min(self.a_bits, self.b_bits) and most <= max(self.a_bits, self.b_bits)


MULTIPLIERS = {
    "generic": Multiplier("18x18", 17, 17),
    "ecp5": Multiplier("MULT18X18D", 18, 18),
    "xc7": Multiplier("DSP48E1", 24, 17),
    "xcup": Multiplier("DSP48E2", 26, 17),
    "gowin": Multiplier("MULT18X18", 18, 18),
}
"""The multiplier block of each family; ``generic`` fits every 18x18 signed one."""


@dataclass(frozen=True)
class Field:
    """A part of the product.

    Parameters
    ----------
    shift, width : its lowest bit and its bits.
    pairs : (activation, weight) by position, whose products it is the sum of.
    """

    shift: int
    width: int
    pairs: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Packing:
    """Where activations and weights lie in the operands of one multiplier.

    Parameters
    ----------
    weight, activation : formats; see :func:`packable`.
    activations, weights : shift of each, lowest first.

    Raises
    ------
    ValueError if fields overlap.
    """

    weight: WeightFormat
    activation: FixedFormat
    activations: tuple[int, ...]
    weights: tuple[int, ...]

    def __post_init__(self):
        for low, high in zip(self.fields, self.fields[1:]):
            if low.shift + low.width > high.shift:
                raise ValueError(
                    f"Fields of a packing must not overlap, but the one at bit {low.shift} is "
                    f"{low.width} bits wide and the next starts at bit {high.shift}"
                )

    @property
    def scale_shift(self) -> int:
        """``log2(scale)``: 1 of binary weights, -1 and +1, and else 0."""
        return int(self.weight.binary)

    @property
    def offset(self) -> int:
        """What is to be subtracted for every activation multiplied."""
        return 1 if self.weight.binary else 1 << (self.weight.bits - 1)

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """The parts of the product, lowest first."""
        found = defaultdict(list)
        for (i, x), (j, w) in product(enumerate(self.activations), enumerate(self.weights)):
            found[x + w].append((i, j))
        most = self.activation.max * ((1 << self.weight.bits) - 1)
        return tuple(
            Field(shift, (len(pairs) * most).bit_length(), tuple(pairs))
            for shift, pairs in sorted(found.items())
        )

    @property
    def products(self) -> int:
        """Products in one multiplication."""
        return len(self.activations) * len(self.weights)

    @property
    def activation_bits(self) -> int:
        """Bits of the operand of activations."""
        return max(self.activations) + self.activation.width

    @property
    def weight_bits(self) -> int:
        """Bits of the operand of weights."""
        return max(self.weights) + self.weight.bits

    def fits(self, multiplier: Multiplier) -> bool:
        """Whether both operands fit a block."""
        return multiplier.holds(self.activation_bits, self.weight_bits)

    def compute(self, activations, weights) -> list[int]:
        """The value of every field, ``sum(w * x)``, as the hardware gets it.

        Parameters
        ----------
        activations, weights : codes, as many as the packing has.
        """
        flip = 0 if self.weight.binary else self.offset
        codes = [int(self.weight.encode(w)) ^ flip for w in weights]
        one = sum(int(x) << shift for x, shift in zip(activations, self.activations))
        other = sum(code << shift for code, shift in zip(codes, self.weights))
        total = one * other
        values = []
        for field in self.fields:
            part = total >> field.shift & ((1 << field.width) - 1)
            excess = self.offset * sum(int(activations[i]) for i, _ in field.pairs)
            values.append((part << self.scale_shift) - excess)
        return values


def packable(weight: WeightFormat, activation: FixedFormat) -> bool:
    """Whether products of these formats can share a multiplier.

    Weights need a constant offset to unsigned numbers, and activations have to be unsigned.
    """
    linear = activation.codes not in ("ternary", "sign")
    return weight.kind != "power" and linear and not activation.signed


@lru_cache(maxsize=256)
def pack_row(
    weight: WeightFormat,
    activation: FixedFormat,
    multiplier: Multiplier,
    activations: int,
    weights: int,
) -> Packing | None:
    """Operands as polynomials of one spacing: ``activations + weights - 1`` fields, which are a
    convolution.  None if it does not fit ``multiplier``."""
    most = activation.max * ((1 << weight.bits) - 1) * min(activations, weights)
    spacing = most.bit_length()
    packing = Packing(
        weight,
        activation,
        tuple(k * spacing for k in range(activations)),
        tuple(k * spacing for k in range(weights)),
    )
    return packing if packing.fits(multiplier) else None


@lru_cache(maxsize=256)
def pack_outer(
    weight: WeightFormat,
    activation: FixedFormat,
    multiplier: Multiplier,
    activations: int,
    weights: int,
) -> Packing | None:
    """Every activation times every weight, each product in a field of its own.

    None if it does not fit ``multiplier``.
    """
    spacing = (activation.max * ((1 << weight.bits) - 1)).bit_length()
    for inner, outer, swap in ((activations, weights, False), (weights, activations, True)):
        near = tuple(k * spacing for k in range(inner))
        far = tuple(k * inner * spacing for k in range(outer))
        shifts = (far, near) if swap else (near, far)
        packing = Packing(weight, activation, *shifts)
        if packing.fits(multiplier):
            return packing
    return None


def products_bound(
    weight: WeightFormat, activation: FixedFormat, multiplier: Multiplier
) -> int:
    """Most products that any packing has in one multiplier.

    Two activations a shift ``d`` apart meet every weight in fields ``d`` apart, so that ``d`` is
    at least the width of a product; and two weights likewise.  So an operand of ``n`` bits holds
    at most ``1 + (n - code bits) // product bits`` codes.
    """
    width = (activation.max * ((1 << weight.bits) - 1)).bit_length()

    def codes(bits, code):
        return 1 + (bits - code) // width if bits >= code else 0

    a, b = multiplier.a_bits, multiplier.b_bits
    return max(
        codes(one, activation.width) * codes(other, weight.bits) for one, other in ((a, b), (b, a))
    )
