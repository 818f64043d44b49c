"""``fixed``: n-bit two's complement weights with a learned power-of-two step per channel."""

from .straight import power_of_two, round_half_even
from .weight import WeightQuantizer

__all__ = ["FixedWeights"]


class FixedWeights(WeightQuantizer):
    """Codes -2**(n-1) .. 2**(n-1) - 1, rounded half to even and clamped."""

    def codes(self, w, frac):
        scaled = w * power_of_two(frac, w)
        return round_half_even(scaled).clamp(self.format.min, self.format.max)
