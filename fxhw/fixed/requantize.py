"""Clamp/shift requantization: the one definition of rounding in the project."""

from dataclasses import dataclass

import numpy as np

from .formats import FixedFormat

__all__ = ["Requantize"]


@dataclass(frozen=True)
class Requantize:
    """``y = clamp((acc + bias) >> shift, out.min, out.max)``, per output channel.

    The shift is arithmetic, so it rounds toward minus infinity; round-half-up is a bias that
    already holds ``2**(shift - 1)`` (:meth:`rounding_bias`).  ReLU is an unsigned ``out``.

    Parameters
    ----------
    acc_width : bits of the two's complement accumulator.
    out : format of the result; its ``frac`` plays no part.
    """

    acc_width: int
    out: FixedFormat

    @property
    def acc(self) -> FixedFormat:
        """Format of ``acc``."""
        return FixedFormat(self.acc_width, 0, signed=True)

    @property
    def bias(self) -> FixedFormat:
        """Format of ``bias``: one bit more than the accumulator, so that it can outweigh it."""
        return FixedFormat(self.acc_width + 1, 0, signed=True)

    @property
    def sum_width(self) -> int:
        """Bits of ``acc + bias``."""
        return self.acc_width + 2

    @property
    def max_shift(self) -> int:
        """Largest shift: it leaves nothing of the sum but its sign."""
        return self.sum_width

    @property
    def shift_width(self) -> int:
        """Bits that hold any shift in 0 .. :attr:`max_shift`."""
        return self.max_shift.bit_length()

    @staticmethod
    def rounding_bias(shift):
        """What to add to a bias so that the shift rounds half up: ``2**(shift-1)``, or 0."""
        shift = np.asarray(shift, dtype=np.int64)
        return np.where(shift > 0, np.int64(1) << np.maximum(shift - 1, 0), 0)

    def compute(self, acc, bias, shift) -> np.ndarray:
        """Exact result (int64) for integer arrays that broadcast together.

        Raises
        ------
        ValueError if an operand lies outside its format.
        """
        acc, bias, shift = (np.asarray(a, dtype=np.int64) for a in (acc, bias, shift))
        for name, codes, low, high in (
            ("accumulator", acc, self.acc.min, self.acc.max),
            ("bias", bias, self.bias.min, self.bias.max),
            ("shift", shift, 0, self.max_shift),
        ):
            if codes.size and (codes.min() < low or codes.max() > high):
                raise ValueError(
                    f"Requantize {name} must lie in {low} .. {high}, "
                    f"not {codes.min()} .. {codes.max()}"
                )
        return np.clip((acc + bias) >> shift, self.out.min, self.out.max)

    def fit(self, bias: int, shift: int, acc_min: int, acc_max: int) -> tuple[int, int] | None:
        """A (bias, shift) within the formats that gives the same results, or None.

        ``acc_min`` .. ``acc_max`` is the range the accumulator really takes.  A pair that lies
        outside the formats can be replaced when the result is a constant, 0 or ``out.max``.
        """
        def result(acc, bias, shift):
            return max(self.out.min, min(self.out.max, (acc + bias) >> shift))

        constant = result(acc_min, bias, shift)
        candidates = [(bias, shift)]
        if constant == result(acc_max, bias, shift):
            candidates += [(0, self.max_shift), (self.bias.max, 0)]
        for new_bias, new_shift in candidates:
            if self.bias.contains(new_bias) and 0 <= new_shift <= self.max_shift:
                ends = [result(acc, new_bias, new_shift) for acc in (acc_min, acc_max)]
                if (new_bias, new_shift) == (bias, shift) or ends == [constant, constant]:
                    return new_bias, new_shift
        return None
