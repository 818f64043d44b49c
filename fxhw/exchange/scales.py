"""Real scales as integer multipliers and shifts, by exact rational arithmetic."""

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ..fixed import FixedFormat

__all__ = ["MAX_SHIFT", "FixedScale", "fixed_scale", "sum_range"]

MAX_SHIFT = 48
"""Largest shift that a network may have."""

_BIAS_BITS = 48


@dataclass(frozen=True)
class FixedScale:
    """``y = (acc * multiplier + bias) >> shift``, close to ``round(acc * scale + offset)``.

    Parameters
    ----------
    multiplier, shift, bias : integers; the bias holds the rounding.
    scale_error : relative error of ``multiplier * 2**-shift``.
    step_error : most that it moves a result, in steps, for sums in reach.
    ties : whether a sum can lie exactly between two results.
    """

    multiplier: int
    shift: int
    bias: int
    scale_error: float
    step_error: float
    ties: bool


def fixed_scale(
    scale: float,
    offset: float,
    rounding: str,
    mul_bits: int,
    reach: tuple[float, float],
    noted: int = 0,
) -> FixedScale:
    """The multiplier and shift nearest to ``scale``, and the bias for ``offset`` and rounding.

    A scale that is a power of two up to 1 has multiplier 1.  Of equally near pairs, the one of
    the smallest shift is taken.  With a bias of too many bits the multiplier gets fewer.  What
    the scale is off by, the bias makes good in the middle of ``reach``.

    Parameters
    ----------
    scale : positive: steps of the result per step of the sum.
    offset : in steps of the result.
    rounding : ``FLOOR``, ``CEIL``, ``HALF_UP`` (toward plus infinity) or ``HALF_DOWN``.
    mul_bits : bits of the multiplier, 0 for none, where it is 1.
    reach : smallest and largest sum that matter.
    noted : the multiplier to take if ``scale`` is just that and a shift, 0 for none.
    """
    exact, offset = Fraction(scale), Fraction(offset)
    multiplier, shift = noted, _exponent(noted / exact)
    if shift is None:
        multiplier, shift = _search(exact, offset, mul_bits)
    error = Fraction(multiplier, 1 << shift) - exact
    middle = Fraction(sum(reach)) / 2
    units = (offset - error * middle) * (1 << shift)
    half = Fraction(1 << shift, 2)
    bias = {
        "FLOOR": lambda: math.floor(units),
        "CEIL": lambda: math.ceil(units) + (1 << shift) - 1,
        "HALF_UP": lambda: math.floor(units + half),
        "HALF_DOWN": lambda: math.ceil(units - half) + (1 << shift) - 1,
    }[rounding]()
    return FixedScale(
        multiplier,
        shift,
        bias,
        float(abs(error) / exact),
        float(abs(error) * (Fraction(reach[1]) - middle)),
        not error and rounding.startswith("HALF") and (units - half).denominator == 1,
    )


def sum_range(codes: np.ndarray, source: FixedFormat) -> tuple[np.ndarray, np.ndarray]:
    """Smallest and largest sum of every output channel, in any order and with any part left out."""
    flat = codes.reshape(len(codes), -1).astype(np.int64)
    ends = np.stack([flat * source.min, flat * source.max])
    low = np.minimum(ends.min(axis=0), 0).sum(axis=1)
    return low, np.maximum(ends.max(axis=0), 0).sum(axis=1)


def _search(scale: Fraction, offset: Fraction, mul_bits: int) -> tuple[int, int]:
    """The multiplier and shift nearest to ``scale``."""
    shift = _shift(float(scale), max(mul_bits, 1))
    while True:
        multiplier = max(1, _nearest(scale * (1 << shift)))
        if multiplier >= 1 << max(mul_bits, 1):
            shift -= 1
            if shift < 0:
                return max(1, (1 << mul_bits) - 1), 0
            continue
        while shift and multiplier % 2 == 0:
            multiplier, shift = multiplier // 2, shift - 1
        if shift == 0 or multiplier == 1 or abs(offset) * (1 << shift) < 1 << (_BIAS_BITS - 1):
            return multiplier, shift
        shift -= 1

def _exponent(ratio: Fraction) -> int | None:
    """k of a ``ratio`` of 2**k that may be a shift, None of any other."""
    k = ratio.numerator.bit_length() - 1
    return k if ratio > 0 and ratio == 1 << k and k <= MAX_SHIFT else None


def _shift(scale: float, mul_bits: int) -> int:
    """The largest shift at which ``scale`` may have a multiplier of ``mul_bits``."""
    mantissa, exponent = math.frexp(scale)  # scale = mantissa * 2**exponent, 1/2 <= mantissa < 1
    if mantissa == 0.5:
        mul_bits = 1
    return min(max(mul_bits - exponent, 0), MAX_SHIFT)


def _nearest(value: Fraction) -> int:
    return math.floor(value + Fraction(1, 2))
