"""How wide a dot product can get: the accumulator derived from formats and fan-in."""

from dataclasses import dataclass

from .formats import FixedFormat
from .weights import WeightFormat

__all__ = ["Accumulator"]


@dataclass(frozen=True)
class Accumulator:
    """Exact range of ``sum(w[i] * x[i] for i in range(fan_in))``.

    Parameters
    ----------
    weight : format of ``w``.
    activation : format of ``x``; its ``frac`` plays no part.
    fan_in : number of products, at least 1.
    """

    weight: WeightFormat
    activation: FixedFormat
    fan_in: int

    def __post_init__(self):
        if self.fan_in < 1:
            raise ValueError(f"Accumulator fan-in must be at least 1, not {self.fan_in}")

    @property
    def min(self) -> int:
        """Smallest sum."""
        return self.fan_in * min(
            w * x
            for w in (self.weight.min, self.weight.max)
            for x in (self.activation.min, self.activation.max)
        )

    @property
    def max(self) -> int:
        """Largest sum."""
        return self.fan_in * max(
            w * x
            for w in (self.weight.min, self.weight.max)
            for x in (self.activation.min, self.activation.max)
        )

    @property
    def width(self) -> int:
        """Bits of the two's complement register that cannot overflow."""
        return max((~self.min).bit_length(), self.max.bit_length()) + 1

    @property
    def format(self) -> FixedFormat:
        """The register's format."""
        return FixedFormat(self.width, 0, signed=True)
