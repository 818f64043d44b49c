"""Parameters of one convolution engine and every width that follows from them."""

from dataclasses import dataclass

import numpy as np

from ..fixed import Accumulator, FixedFormat, Requantize, WeightFormat
from .bit_heap import HeapPlan
from .products import plan_dot_product

__all__ = ["STYLES", "TAPS", "TREE_FAN_IN", "ConvSpec"]

STYLES = {"generic": ("generic",), "lut": ("generic", "ecp5")}
"""Styles of the MAC array, and the families whose cells each can use."""

TREE_FAN_IN = 4
"""Terms summed between two registers of the generic MAC array's adder trees."""

TAPS = 9
"""Taps of a 3x3 window, in the order ``3 * ky + kx``."""


@dataclass(frozen=True)
class ConvSpec:
    """A 3x3 convolution engine: ``TAPS * lanes_in * lanes_out`` multipliers.

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

    @property
    def dot_product(self) -> HeapPlan:
        """The adders of one output lane, in the ``lut`` style."""
        return plan_dot_product(self.weight, self.activation, TAPS * self.lanes_in)

    @property
    def array_latency(self) -> int:
        """Register stages of the MAC array."""
        if self.style == "lut":
            return self.dot_product.latency
        # The products, then the levels of the tree.
        terms, levels = TAPS * self.lanes_in, 0
        while terms > 1:
            terms, levels = -(-terms // TREE_FAN_IN), levels + 1
        return 1 + levels

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
        return TAPS * self.lanes_in * self.lanes_out

    def compute_array(self, window: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """What the MAC array makes of one window in one cycle.

        Parameters
        ----------
        window : (TAPS, lanes_in) activation codes.
        weights : (lanes_out, TAPS, lanes_in) weight codes.

        Returns
        -------
        int64 (lanes_out,).
        """
        return np.einsum("oti,ti->o", weights.astype(np.int64), window.astype(np.int64))
