"""Weight formats: which codes a convolution's weights may take, and how real weights get them."""

from dataclasses import dataclass

import numpy as np

__all__ = ["WeightFormat", "power_exponent"]

_BITS = {"fixed": (1, 16), "ternary": (2, 2), "power": (3, 7)}
"""Fewest and most stored bits of each kind."""


@dataclass(frozen=True)
class WeightFormat:
    """The codes of a convolution's weights; the binary point is per output channel, kept apart.

    Parameters
    ----------
    bits : stored bits per weight: 1 to 16 if fixed, 2 if ternary, 3 to 7 if powers of two.
    kind : ``fixed``, two's complement, -2**(bits-1) .. 2**(bits-1) - 1, but of one bit binary:
        -1 and +1, stored as 0 and 1; ``ternary``, -1, 0 and +1 in two's complement; ``power``,
        0 and +-2**k for k in 0 .. 2**(bits-2) - 1, stored as a sign bit above 0 or k + 1.

    Raises
    ------
    ValueError if there is no such kind or it does not come in ``bits``.
    """

    bits: int
    kind: str = "fixed"

    def __post_init__(self):
        if self.kind not in tuple(_BITS):
            raise ValueError(f"Weight kind must be fixed, ternary or power, not {self.kind!r}")
        low, high = _BITS[self.kind]
        if not low <= self.bits <= high:
            which = "Weight" if self.kind == "fixed" else f"{self.kind.capitalize()} weight"
            wanted = f"{low} to {high}" if low < high else f"{low}"
            raise ValueError(f"{which} width must be {wanted} bits, not {self.bits}")

    @property
    def binary(self) -> bool:
        """Whether the codes are -1 and +1."""
        return self.kind == "fixed" and self.bits == 1

    @property
    def top_exponent(self) -> int:
        """Exponent of the largest code, of powers of two."""
        return (1 << (self.bits - 2)) - 1

    @property
    def min(self) -> int:
        """Smallest code."""
        if self.kind == "fixed" and not self.binary:
            return -(1 << (self.bits - 1))
        return -self.max

    @property
    def max(self) -> int:
        """Largest code."""
        if self.kind == "power":
            return 1 << self.top_exponent
        return (1 << (self.bits - 1)) - 1 if self.kind == "fixed" and not self.binary else 1

    @property
    def dtype(self) -> np.dtype:
        """Smallest integer type that holds every code."""
        return np.min_scalar_type(min(self.min, -self.max - 1))

    @property
    def name(self) -> str:
        """Canonical name: ``binary``, ``s<bits>``, ``ternary`` or ``pow<bits>``."""
        if self.kind == "fixed":
            return "binary" if self.binary else f"s{self.bits}"
        return "ternary" if self.kind == "ternary" else f"pow{self.bits}"

    def contains(self, codes) -> bool:
        """Whether every one of ``codes`` exists in this format."""
        codes = np.asarray(codes)
        if codes.size == 0:
            return True
        if int(codes.min()) < self.min or int(codes.max()) > self.max:
            return False
        if self.kind == "power":
            magnitude = np.abs(codes.astype(np.int64))
            return not np.any(magnitude & (magnitude - 1))
        return not self.binary or bool(np.all(codes))

    def encode(self, codes) -> np.ndarray:
        """Stored bit patterns (0 .. 2**bits - 1, uint8 or uint16) of ``codes``."""
        codes = np.asarray(codes, dtype=np.int64)
        if self.binary:
            patterns = (codes + 1) >> 1
        elif self.kind == "power":
            # The exponent field of frexp of 2**k is k + 1, and of 0 is 0.
            patterns = np.frexp(np.abs(codes).astype(np.float64))[1].astype(np.int64)
            patterns |= (codes < 0).astype(np.int64) << (self.bits - 1)
        else:
            patterns = codes & ((1 << self.bits) - 1)
        return patterns.astype(np.min_scalar_type((1 << self.bits) - 1))

    def decode(self, patterns) -> np.ndarray:
        """Codes (:attr:`dtype`) of stored bit patterns, the inverse of :meth:`encode`.

        Raises
        ------
        ValueError if a pattern stands for no code.
        """
        patterns = np.asarray(patterns, dtype=np.int64)
        sign = 1 << (self.bits - 1)
        if self.binary:
            codes = 2 * patterns - 1
        elif self.kind == "power":
            field = patterns & (sign - 1)
            codes = np.where(field > 0, np.int64(1) << np.maximum(field - 1, 0), 0)
            codes = np.where(patterns & sign, -codes, codes)
        else:
            codes = (patterns ^ sign) - sign
        if not self.contains(codes):
            raise ValueError(f"Weight patterns must stand for codes of {self.name}, not {codes}")
        return codes.astype(self.dtype)

    def nearest(self, values, frac, threshold=None) -> np.ndarray:
        """Codes (:attr:`dtype`) of real weights: the reference of every trainer.

        Fixed and ternary weights round half to even and are clamped, binary ones are -1 where
        below zero; of powers of two the nearest is taken, the larger of two as near.

        Parameters
        ----------
        values : real weights, the output channels first.
        frac : fraction bits, one integer or one per output channel.
        threshold : of ternary weights, one value or one per output channel: weights of larger
            magnitude become their sign and all others 0.

        Raises
        ------
        ValueError if a threshold is given for other than ternary weights.
        """
        values = np.asarray(values, np.float64)
        if threshold is not None:
            if self.kind != "ternary":
                raise ValueError(f"Weight threshold must be None for {self.name} weights")
            above = np.abs(values) > _per_channel(threshold, values)
            return np.where(above, np.sign(values), 0).astype(self.dtype)
        if self.binary:
            return np.where(values < 0, -1, 1).astype(self.dtype)
        scaled = np.ldexp(values, _per_channel(frac, values))
        scaled = np.clip(scaled, self.min, self.max)
        if self.kind != "power":
            return np.rint(scaled).astype(self.dtype)
        exponent = np.clip(_exponent(np.abs(scaled)), 0, self.top_exponent)
        magnitude = np.where(np.abs(scaled) < 0.5, 0, np.int64(1) << exponent)
        return np.where(scaled < 0, -magnitude, magnitude).astype(self.dtype)

    def power_frac(self, values) -> np.ndarray:
        """int64 (out_channels,): the frac at which INQ's 2**n1 has the largest code.

        ``values`` are all real weights, the output channels first.
        """
        return self.top_exponent - power_exponent(values)


def power_exponent(values) -> np.ndarray:
    """int64 (out_channels,): INQ's n1 = floor(log2(4/3 max abs w)), exactly; 0 if all are 0.

    ``values`` are real weights, the output channels first.
    """
    values = np.abs(np.asarray(values, np.float64))
    largest = values.reshape(len(values), -1).max(axis=1, initial=0)
    return np.where(largest > 0, _exponent(largest), 0)


def _exponent(magnitude: np.ndarray) -> np.ndarray:
    """The k (int64) with 0.75 * 2**k <= ``magnitude`` < 1.5 * 2**k, of positive magnitudes."""
    mantissa, exponent = np.frexp(magnitude)
    return exponent.astype(np.int64) - (mantissa < 0.75)


def _per_channel(numbers, values: np.ndarray) -> np.ndarray:
    """``numbers``, one or one per output channel, in a shape that broadcasts over ``values``."""
    numbers = np.asarray(numbers)
    return numbers.reshape(numbers.shape + (1,) * (values.ndim - numbers.ndim))
