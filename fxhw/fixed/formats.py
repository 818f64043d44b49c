"""Fixed-point formats: what a code is worth and which codes exist."""

from dataclasses import dataclass

import numpy as np

__all__ = ["FixedFormat", "ActivationFormat", "WeightFormat"]


@dataclass(frozen=True)
class FixedFormat:
    """A tensor's format: ``value = code * 2**-frac``.

    ``frac`` may be negative or exceed ``width``: it only places the binary point.

    Parameters
    ----------
    width : bits stored per code, at least 1.
    frac : fraction bits.
    signed : two's complement if true, unsigned otherwise.

    Raises
    ------
    ValueError if ``width`` is not positive.
    """

    width: int
    frac: int = 0
    signed: bool = False

    def __post_init__(self):
        if self.width < 1:
            raise ValueError(f"Format width must be at least 1 bit, not {self.width}")

    @property
    def min(self) -> int:
        """Smallest code."""
        return -(1 << (self.width - 1)) if self.signed else 0

    @property
    def max(self) -> int:
        """Largest code."""
        return (1 << (self.width - self.signed)) - 1

    @property
    def step(self) -> float:
        """Value of one code step."""
        return 2.0**-self.frac

    @property
    def name(self) -> str:
        """Canonical name, ``s8.4`` or ``u6.3``: signedness, width, fraction bits."""
        return f"{'s' if self.signed else 'u'}{self.width}.{self.frac}"

    def contains(self, codes) -> bool:
        """Whether every one of ``codes`` exists in this format."""
        codes = np.asarray(codes)
        return codes.size == 0 or (int(codes.min()) >= self.min and int(codes.max()) <= self.max)


def ActivationFormat(bits: int, frac: int = 0) -> FixedFormat:
    """Format of an activation after ReLU: ``bits`` unsigned, codes 0 .. 2**bits - 1."""
    return FixedFormat(bits, frac, signed=False)


@dataclass(frozen=True)
class WeightFormat:
    """The codes of a convolution's weights; the binary point is per output channel, kept apart.

    ``bits`` >= 2 is two's complement, -2**(bits-1) .. 2**(bits-1) - 1.  One bit is binary:
    the codes are -1 and +1, stored as 0 and 1.
    """

    bits: int

    def __post_init__(self):
        if not 1 <= self.bits <= 8:
            raise ValueError(f"Weight width must be 1 to 8 bits, not {self.bits}")

    @property
    def binary(self) -> bool:
        """Whether the codes are -1 and +1."""
        return self.bits == 1

    @property
    def min(self) -> int:
        """Smallest code."""
        return -1 if self.binary else -(1 << (self.bits - 1))

    @property
    def max(self) -> int:
        """Largest code."""
        return 1 if self.binary else (1 << (self.bits - 1)) - 1

    @property
    def name(self) -> str:
        """Canonical name: ``binary`` or ``s<bits>``."""
        return "binary" if self.binary else f"s{self.bits}"

    def contains(self, codes) -> bool:
        """Whether every one of ``codes`` exists in this format."""
        codes = np.asarray(codes)
        if self.binary:
            return bool(np.all(np.abs(codes) == 1))
        return codes.size == 0 or (int(codes.min()) >= self.min and int(codes.max()) <= self.max)

    def encode(self, codes) -> np.ndarray:
        """Stored bit patterns (0 .. 2**bits - 1, uint8) of ``codes``."""
        codes = np.asarray(codes, dtype=np.int64)
        if self.binary:
            return ((codes + 1) >> 1).astype(np.uint8)
        return (codes & ((1 << self.bits) - 1)).astype(np.uint8)

    def decode(self, patterns) -> np.ndarray:
        """Codes (int8) of stored bit patterns, the inverse of :meth:`encode`."""
        patterns = np.asarray(patterns, dtype=np.int64)
        if self.binary:
            return (2 * patterns - 1).astype(np.int8)
        sign = 1 << (self.bits - 1)
        return ((patterns ^ sign) - sign).astype(np.int8)
