"""Operators of a quantized network.

Tensors are named; every operator reads named tensors and writes one.  Feature maps are
(height, width, channels) integer codes.
"""

from dataclasses import dataclass, replace

import numpy as np

from ..fixed import Accumulator, FixedFormat, Requantize, WeightFormat

__all__ = ["Conv", "MaxPool", "Upsample", "Concat", "Head"]


@dataclass(frozen=True, eq=False)
class Conv:
    """3x3 convolution, a border of one pixel, then clamp/shift requantization.

    The border has the padding code of the input's format: 0, or -1 of a ``sign`` input.

    Parameters
    ----------
    name : layer name.
    input, output : tensor names.
    weight : weight format.
    codes : integers (out_channels, in_channels, 3, 3), weight codes.
    weight_frac : int64 (out_channels,), fraction bits of each output channel's weights; with a
        multiplier, of its product with the weights.
    bias : int64 (out_channels,), in units of the accumulator, multiplied if there is a
        multiplier, without the rounding half.
    out : activation format of the result.
    multiplier : int64 (out_channels,), 1 .. 65535, or None.  One unit of the multiplied
        accumulator is worth ``2**-(in frac + weight_frac)``, so a scale ``m * 2**-s`` from
        accumulator to result codes is multiplier m and ``weight_frac = s + out frac - in frac``.
    """

    name: str
    input: str
    output: str
    weight: WeightFormat
    codes: np.ndarray
    weight_frac: np.ndarray
    bias: np.ndarray
    out: FixedFormat
    multiplier: np.ndarray | None = None

    @property
    def out_channels(self) -> int:
        return self.codes.shape[0]

    @property
    def in_channels(self) -> int:
        return self.codes.shape[1]

    @property
    def fan_in(self) -> int:
        """Products per output value."""
        return self.codes[0].size

    def shift(self, in_format: FixedFormat) -> np.ndarray:
        """int64 (out_channels,): how far the accumulator's point lies right of the result's.

        0 where the result keeps the sign alone.
        """
        if self.out.codes == "sign":
            return np.zeros_like(self.weight_frac)
        return in_format.frac + self.weight_frac - self.out.frac

    def accumulator(self, in_format: FixedFormat) -> Accumulator:
        """Range of the dot products for this layer's formats and fan-in."""
        return Accumulator(self.weight, in_format, self.fan_in)

    @property
    def mul_bits(self) -> int:
        """Bits of the largest multiplier, 0 without."""
        return 0 if self.multiplier is None else int(self.multiplier.max()).bit_length()

    def requantize(self, in_format: FixedFormat) -> Requantize:
        """Requantizer wide enough for this layer's sums, biases and shifts."""
        plan = Requantize(self.accumulator(in_format).width, self.out, self.mul_bits)
        product = int(np.abs(self.bias).max(initial=0)).bit_length() + 2
        product = max(product, int(self.shift(in_format).max(initial=0)) + 1)
        missing = max(0, product - plan.product_width)
        return replace(plan, acc_width=plan.acc_width + missing)

    def rounded_bias(self, in_format: FixedFormat) -> np.ndarray:
        """int64 (out_channels,): the bias with the rounding half added."""
        return self.bias + Requantize.rounding_bias(self.shift(in_format))


@dataclass(frozen=True)
class MaxPool:
    """2x2 maximum, stride 2; an odd last row or column pools what there is (ceil mode)."""

    name: str
    input: str
    output: str


@dataclass(frozen=True)
class Upsample:
    """Nearest-neighbour upsampling by two, cropped to the size of tensor ``like``."""

    name: str
    input: str
    output: str
    like: str


@dataclass(frozen=True)
class Concat:
    """Channels of ``inputs``, two tensors of one format and size, one after the other."""

    name: str
    inputs: tuple[str, str]
    output: str


@dataclass(frozen=True, eq=False)
class Head:
    """1x1 convolution to one logit, kept whole; the mask is ``logit >= 0``.

    Parameters
    ----------
    name : layer name.
    input, output : tensor names; the output holds logits.
    weight : weight format.
    codes : integers (in_channels,), weight codes.
    weight_frac : fraction bits of the weights.
    bias : in accumulator units.
    """

    name: str
    input: str
    output: str
    weight: WeightFormat
    codes: np.ndarray
    weight_frac: int
    bias: int

    @property
    def in_channels(self) -> int:
        return self.codes.shape[0]

    def accumulator(self, in_format: FixedFormat) -> Accumulator:
        """Range of the dot products, before the bias."""
        return Accumulator(self.weight, in_format, self.in_channels)
