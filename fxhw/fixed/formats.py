"""Fixed-point formats: what a code is worth and which codes exist."""

from dataclasses import dataclass

import numpy as np

__all__ = [
    "ActivationFormat",
    "FixedFormat",
    "SignActivation",
    "SignedActivation",
    "TernaryActivation",
]


@dataclass(frozen=True)
class FixedFormat:
    """A tensor's format: ``value = code * 2**-frac``.

    ``frac`` may be negative or exceed ``width``: it only places the binary point.

    Parameters
    ----------
    width : bits stored per code, at least 1.
    frac : fraction bits.
    signed : whether codes below zero exist; linear ones are two's complement then.
    codes : ``linear``, every code of ``width`` bits; ``ternary``, -1, 0 and +1 in two bits of
        two's complement; ``sign``, -1 and +1 stored as 0 and 1, always with ``frac`` 0.

    Raises
    ------
    ValueError if ``width`` is not positive, or not the one that ``codes`` takes.
    """

    width: int
    frac: int = 0
    signed: bool = False
    codes: str = "linear"

    def __post_init__(self):
        if self.width < 1:
            raise ValueError(f"Format width must be at least 1 bit, not {self.width}")
        if self.codes not in ("linear", "ternary", "sign"):
            raise ValueError(f"Format codes must be linear, ternary or sign, not {self.codes!r}")
        if self.codes == "ternary" and (self.width, self.signed) != (2, True):
            raise ValueError(f"Ternary format must be signed, of 2 bits, not {self.width}")
        if self.codes == "sign" and (self.width, self.signed, self.frac) != (1, True, 0):
            raise ValueError(
                f"Sign format must be signed, of 1 bit and no fraction bits, not {self.width} "
                f"and {self.frac}"
            )

    @property
    def min(self) -> int:
        """Smallest code."""
        if self.codes != "linear":
            return -1
        return -(1 << (self.width - 1)) if self.signed else 0

    @property
    def max(self) -> int:
        """Largest code."""
        return 1 if self.codes != "linear" else (1 << (self.width - self.signed)) - 1

    @property
    def padding(self) -> int:
        """Code that the border of a convolution takes: 0, or -1 where there is no 0."""
        return -1 if self.codes == "sign" else 0

    @property
    def twos_complement(self) -> bool:
        """Whether stored patterns are two's complement; those of signs and unsigned codes are not.

        Patterns that are not have the order of their codes.
        """
        return self.signed and self.codes != "sign"

    @property
    def step(self) -> float:
        """Value of one code step."""
        return 2.0**-self.frac

    @property
    def kind(self) -> str:
        """``unsigned``, ``signed``, ``ternary`` or ``sign``."""
        if self.codes != "linear":
            return self.codes
        return "signed" if self.signed else "unsigned"

    @property
    def name(self) -> str:
        """Canonical name: ``u6.3``, ``s8.4`` (width, fraction bits), ``t.0`` or ``sign``."""
        if self.codes == "sign":
            return "sign"
        width = "" if self.codes == "ternary" else self.width
        return f"{self.kind[0]}{width}.{self.frac}"

    def contains(self, codes) -> bool:
        """Whether every one of ``codes`` exists in this format."""
        codes = np.asarray(codes)
        if self.codes == "sign":
            return bool(np.all(np.abs(codes) == 1))
        return codes.size == 0 or (int(codes.min()) >= self.min and int(codes.max()) <= self.max)

    def encode(self, codes) -> np.ndarray:
        """Stored bit patterns (int64, 0 .. 2**width - 1) of ``codes``."""
        codes = np.asarray(codes, np.int64)
        return (codes + 1) >> 1 if self.codes == "sign" else codes & ((1 << self.width) - 1)

    def decode(self, patterns) -> np.ndarray:
        """Codes (int64) of stored bit patterns, the inverse of :meth:`encode`."""
        patterns = np.asarray(patterns, np.int64)
        if self.codes == "sign":
            return 2 * patterns - 1
        sign = (1 << (self.width - 1)) if self.signed else 0
        return (patterns ^ sign) - sign

    def nearest(self, values) -> np.ndarray:
        """Codes (int64) of real ``values``: rounded half up and clamped, as requantization does.

        In the sign format, +1 where a value is at least 0, else -1.
        """
        values = np.asarray(values, np.float64)
        if self.codes == "sign":
            return np.where(values >= 0, 1, -1)
        # Clamped first: what follows is exact then, which floor(x + 1/2) is not just below 1/2.
        scaled = np.clip(np.ldexp(values, self.frac), self.min, self.max)
        whole = np.floor(scaled)
        return (whole + (scaled - whole >= 0.5)).astype(np.int64)


def ActivationFormat(bits: int, frac: int = 0) -> FixedFormat:
    """Format of an activation after ReLU: ``bits`` unsigned, codes 0 .. 2**bits - 1."""
    return FixedFormat(bits, frac, signed=False)


def SignedActivation(bits: int, frac: int = 0) -> FixedFormat:
    """Format of an activation after a hard tanh: ``bits`` of two's complement."""
    return FixedFormat(bits, frac, signed=True)


def TernaryActivation(frac: int = 0) -> FixedFormat:
    """Format of an activation after two comparators: codes -1, 0 and +1."""
    return FixedFormat(2, frac, signed=True, codes="ternary")


def SignActivation() -> FixedFormat:
    """Format of an activation that keeps its sign alone: codes -1 and +1."""
    return FixedFormat(1, 0, signed=True, codes="sign")
