"""Parameters of one convolution engine and every width that follows from them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..fixed import Accumulator, FixedFormat, Requantize, WeightFormat
from .bit_heap import HeapPlan
from .packed_array import PackedArray, Product, plan_packed_array
from .packing import MULTIPLIERS
from .products import plan_dot_product

__all__ = ["BLOCK_STYLES", "STYLES", "TAPS", "TREE_FAN_IN", "ConvSpec", "choose_style"]

STYLES = {
    "generic": ("generic",),
    "lut": ("generic", "ecp5", "xc7", "xcup", "gowin", "ice40"),
    "dsp": tuple(MULTIPLIERS),
    "mixed": tuple(MULTIPLIERS),
}
"""Styles of the MAC array, and the families whose cells or multiplier blocks each can use."""

BLOCK_STYLES = ("dsp", "mixed")
"""Styles that put several products in a multiplier block; only these make two pixels."""

TREE_FAN_IN = 4
"""Terms summed between two registers of the generic MAC array's adder trees."""

_TOGETHER = 2
"""Output channels that take a window in the same cycle, where a large array is staggered."""

TAPS = 9
"""Taps of a 3x3 window, in the order ``3 * ky + kx``."""


@dataclass(frozen=True)
class ConvSpec:
    """A 3x3 convolution engine: ``TAPS * lanes_in * lanes_out * pixels`` multipliers.

    An engine of two pixels takes two columns of three rows at a time, so that multiplier blocks
    can do two pixels' products at once.  They touch four pixels of the output, the one before
    them, the two, and the one behind; the first two are then complete.

    Parameters
    ----------
    weight : weight format.
    activation : format of the input codes.
    out : format of the result codes.
    lanes_in : input channels taken per cycle (P_i).
    lanes_out : output channels made per cycle (P_o).
    max_groups_in : most input groups (of ``lanes_in`` channels) per pixel.
    max_groups_out : most output groups (of ``lanes_out`` channels) per step.
    row_words : most words (pixels x input groups) in a row.
    weight_words : most weight words (input groups x output groups) in a step.
    mul_bits : bits of the multipliers, 0 if there are none.
    style, target : how the MAC array is made, and of which family's cells; see :data:`STYLES`.
    pixels : pixels of a row per step, 1 or 2.
    dsps : most multiplier blocks of the ``mixed`` style.
    may_exceed : whether the array's sums may have something too much that depends on the weights
        alone, :meth:`excess`, for which biases make up.
    planned_lanes : output channels that the ``lut`` style's adders are planned for, where these
        are some lanes of a larger array; 0 for ``lanes_out``.
    """

    weight: WeightFormat
    activation: FixedFormat
    out: FixedFormat
    lanes_in: int
    lanes_out: int
    max_groups_in: int
    max_groups_out: int
    row_words: int
    weight_words: int
    mul_bits: int = 0
    style: str = "generic"
    target: str = "generic"
    pixels: int = 1
    dsps: int = 0
    may_exceed: bool = False
    planned_lanes: int = 0

    @property
    def columns(self) -> int:
        """Columns of a window: with their border, or two of which each is taken once."""
        return 3 if self.pixels == 1 else 2

    @property
    def window_words(self) -> int:
        """Words of a window, ``columns * row + column``."""
        return 3 * self.columns

    @property
    def sums(self) -> int:
        """Sums of a window for each output channel: of pixels that it touches."""
        return 1 if self.pixels == 1 else 4

    @cached_property
    def products(self) -> tuple[Product, ...]:
        """The multiplications of one output channel in a cycle.

        Codes are numbered ``lanes_in * word + lane`` of the window's words, weights
        ``lanes_in * tap + lane``.
        """
        if self.pixels == 1:
            return tuple(Product(n, n, 0) for n in range(TAPS * self.lanes_in))
        return tuple(product for row in self._product_rows for product in row)

    @cached_property
    def _product_rows(self) -> tuple[tuple[Product, ...], ...]:
        """Of two pixels: both codes of a row and channel by its taps, the right one first."""
        if self.pixels == 1:
            return ()
        return tuple(
            tuple(
                Product(
                    (self.columns * ky + x) * self.lanes_in + lane,
                    (3 * ky + kx) * self.lanes_in + lane,
                    x - kx + 2,
                )
                for kx in (2, 1, 0)
                for x in range(2)
            )
            for ky in range(3)
            for lane in range(self.lanes_in)
        )

    @cached_property
    def packed_array(self) -> PackedArray:
        """Multiplier blocks and heaps, in the ``dsp`` and ``mixed`` styles."""
        return plan_packed_array(
            self.weight,
            self.activation,
            self.target,
            self.products,
            self._product_rows,
            self.lanes_out,
            self.partial.width,
            self.dsps if self.style == "mixed" else None,
        )

    @property
    def dot_product(self) -> HeapPlan:
        """The adders of one output lane, in the ``lut`` style."""
        groups = self.max_groups_in if self.may_exceed else 0
        return plan_dot_product(
            self.weight,
            self.activation,
            TAPS * self.lanes_in,
            self.target,
            groups,
            self.planned_lanes or self.lanes_out,
        )

    @property
    def array_latency(self) -> int:
        """Register stages of the MAC array."""
        if self.style == "lut":
            return self.dot_product.latency
        if self.style in BLOCK_STYLES:
            return self.packed_array.latency
        # The products, then the levels of the tree.
        terms, levels = TAPS * self.lanes_in, 0
        while terms > 1:
            terms, levels = -(-terms // TREE_FAN_IN), levels + 1
        return 1 + levels

    @property
    def lanes_together(self) -> int:
        """Output channels that take a window in the same cycle; the next ones do a cycle later.

        A large array covers a good part of the die.  So the window goes from lanes to lanes
        rather than from one place to all of them; lanes that share adders stay together.
        """
        if self.style != "lut" or self.pixels > 1 or self.lanes_in < 4 or self.dot_product.shared:
            return self.lanes_out
        return min(self.lanes_out, _TOGETHER)

    @property
    def stagger(self) -> int:
        """Cycles that the last lanes are behind the first."""
        return -(-self.lanes_out // self.lanes_together) - 1

    @property
    def reads_ahead(self) -> bool:
        """Whether accumulators read what was summed before a cycle ahead, for a LUT and a flip-flop
        a bit: on families whose small memories are slow beside the adder."""
        return self.target == "ecp5"

    @property
    def biased(self) -> bool:
        """Whether the accumulators start from the bias, so that the requantizer adds none."""
        return self.pixels == 1 and not self.mul_bits

    @property
    def accumulator(self) -> Accumulator:
        """Range of the sums at the largest fan-in."""
        return Accumulator(self.weight, self.activation, TAPS * self.lanes_in * self.max_groups_in)

    @property
    def partial(self) -> Accumulator:
        """Range of one cycle's sums: the taps and lanes of one window."""
        return Accumulator(self.weight, self.activation, TAPS * self.lanes_in)

    @property
    def requantize(self) -> Requantize:
        """The requantizer behind the accumulators."""
        return Requantize(self.accumulator.width, self.out, self.mul_bits)

    @property
    def word_bits(self) -> int:
        """Bits of one input word: ``lanes_in`` codes."""
        return self.lanes_in * self.activation.width

    @property
    def out_bits(self) -> int:
        """Bits of one output word: ``lanes_out`` codes."""
        return self.lanes_out * self.out.width

    @property
    def weight_bits(self) -> int:
        """Bits of one weight word: all weights of one cycle."""
        return TAPS * self.lanes_in * self.lanes_out * self.weight.bits

    @property
    def requantize_bits(self) -> int:
        """Bits of one requantization word: bias, shift and multiplier of ``lanes_out`` channels."""
        plan = self.requantize
        return self.lanes_out * (plan.bias.width + plan.shift_width + plan.mul_bits)

    @property
    def macs_per_cycle(self) -> int:
        """Multiply-accumulates the array can do in a cycle."""
        return TAPS * self.lanes_in * self.lanes_out * self.pixels

    def encode_weights(self, codes: np.ndarray) -> np.ndarray:
        """Bit patterns of weight codes as the array takes them.

        Multiplier blocks take weights plus an offset, which is the sign bit flipped.
        """
        patterns = self.weight.encode(codes)
        if self.style in BLOCK_STYLES and not self.weight.binary:
            patterns = patterns ^ patterns.dtype.type(1 << (self.weight.bits - 1))
        return patterns

    def excess(self, weights: np.ndarray) -> np.ndarray:
        """What the array's sums have too much in a cycle, by the weights alone.

        Parameters
        ----------
        weights : (lanes_out, TAPS, lanes_in) weight codes.

        Returns
        -------
        int64 (lanes_out,).
        """
        result = np.zeros(self.lanes_out, np.int64)
        if self.style == "lut" and self.dot_product.excess:
            patterns = self.weight.encode(weights).reshape(self.lanes_out, -1).astype(np.int64)
            codes = np.zeros(TAPS * self.lanes_in * self.activation.width, np.int64)
            bits = patterns[:, :, None] >> np.arange(self.weight.bits) & 1
            inputs = [*codes, *bits.reshape(self.lanes_out, -1).T]
            result += self.dot_product.compute_excess(inputs)
        return result

    def compute_array(self, window: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """What the MAC array makes of one window in one cycle.

        Parameters
        ----------
        window : (window_words, lanes_in) activation codes.
        weights : (lanes_out, TAPS, lanes_in) weight codes.

        Returns
        -------
        int64 (lanes_out,), or of two pixels (lanes_out, sums).
        """
        if self.pixels == 2:
            codes, weights = window.reshape(-1), weights.reshape(self.lanes_out, -1)
            result = np.zeros((self.lanes_out, self.sums), np.int64)
            for product in self.products:
                one = weights[:, product.weight].astype(np.int64)
                result[:, product.sum] += one * int(codes[product.code])
            return result
        sums = np.einsum("oti,ti->o", weights.astype(np.int64), window.astype(np.int64))
        return sums + self.excess(weights)


def choose_style(target: str) -> str:
    """The style that takes least on a family: ``lut`` where it has cells of its own for it."""
    return "lut" if target != "generic" and target in STYLES["lut"] else "generic"
