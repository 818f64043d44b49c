"""The quantizer of the fixed-point U-Net paper (arXiv 1908.01073), equations (1) to (4).

For comparison only: its sign lies outside its bits, so a value takes a bit or two more than its
name says, and nothing here becomes hardware.
"""

from dataclasses import dataclass

import numpy as np

__all__ = ["PaperFormat"]


@dataclass(frozen=True)
class PaperFormat:
    """``Q(v) = sign(v) * (rc(floor(abs(v)), i) + rc(frac(abs(v)), f))``.

    ``rc(x, n)`` clamps to 0 .. 2**n - 1, then rounds half to even to multiples of 2**-n.  So a
    part of no bits is dropped: 1.03 gives 0 in Q0.4 and 0.9 gives 0 in Q4.0.  A fraction may
    round up to 1.

    Parameters
    ----------
    integer_bits, fraction_bits : i and f, 0 or more.

    Raises
    ------
    ValueError if either is negative.
    """

    integer_bits: int
    fraction_bits: int

    def __post_init__(self):
        if min(self.integer_bits, self.fraction_bits) < 0:
            raise ValueError(f"Paper format must have 0 or more bits in each part, not {self.name}")

    @property
    def name(self) -> str:
        """Name in the paper: ``Q0.4``."""
        return f"Q{self.integer_bits}.{self.fraction_bits}"

    @property
    def max(self) -> float:
        """Largest value; the smallest is its negative."""
        return (1 << self.integer_bits) - 1 + float(self.fraction_bits > 0)

    @property
    def levels(self) -> int:
        """Number of distinct values, those 2**-f apart from -max to max."""
        return 2 * int(self.max * (1 << self.fraction_bits)) + 1

    def compute(self, values) -> np.ndarray:
        """Quantized values (float64)."""
        values = np.asarray(values, np.float64)
        fraction, whole = np.modf(np.abs(values))
        magnitude = _round_clip(whole, self.integer_bits) + _round_clip(
            fraction, self.fraction_bits
        )
        return np.sign(values) * magnitude


def _round_clip(x: np.ndarray, bits: int) -> np.ndarray:
    """The paper's rc."""
    scale = float(1 << bits)
    return np.rint(np.clip(x, 0, scale - 1) * scale) / scale
