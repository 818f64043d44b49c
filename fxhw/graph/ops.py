"""Operators of a quantized network.

Tensors are named; every operator reads named tensors and writes one.  Feature maps are
(height, width, channels) integer codes.
"""

from dataclasses import dataclass

import numpy as np

from ..fixed import Accumulator, FixedFormat, Requantize, WeightFormat

__all__ = ["Conv", "MaxPool", "Upsample", "Concat", "Head"]


@dataclass(frozen=True, eq=False)
class Conv:
    """3x3 convolution, zero border of one pixel, then clamp/shift requantization.

    Parameters
    ----------
    name : layer name.
    input, output : tensor names.
    weight : weight format.
    codes : int8 (out_channels, in_channels, 3, 3), weight codes.
    weight_frac : int64 (out_channels,), fraction bits of each output channel's weights.
    bias : int64 (out_channels,), in accumulator units, without the rounding half.
    out : activation format of the result.
    """

    name: str
    input: str
    output: str
    weight: WeightFormat
    codes: np.ndarray
    weight_frac: np.ndarray
    bias: np.ndarray
    out: FixedFormat

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
        """int64 (out_channels,): how far the accumulator's point lies right of the result's."""
        return in_format.frac + self.weight_frac - self.out.frac

    def accumulator(self, in_format: FixedFormat) -> Accumulator:
        """Range of the dot products for this layer's formats and fan-in."""
        return Accumulator(self.weight, in_format, self.fan_in)

    def requantize(self, in_format: FixedFormat) -> Requantize:
        """Requantizer wide enough for this layer's sums, biases and shifts."""
        acc = self.accumulator(in_format)
        width = max(acc.width, int(np.abs(self.bias).max(initial=0)).bit_length() + 2)
        width = max(width, int(self.shift(in_format).max(initial=0)) + 1)
        return Requantize(width, self.out)

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
    codes : int8 (in_channels,), weight codes.
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
