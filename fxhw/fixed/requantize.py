"""Clamp/shift requantization: the one definition of rounding in the project."""

from dataclasses import dataclass

import numpy as np

from .formats import FixedFormat

__all__ = ["MAX_MUL_BITS", "Requantize"]

MAX_MUL_BITS = 16
"""Widest multiplier."""

_SUM_BITS = 63
"""Widest sum: 64-bit integers compute it."""


@dataclass(frozen=True)
class Requantize:
    """``y = clamp((acc * multiplier + bias) >> shift, out.min, out.max)``, per output channel.

    The shift is arithmetic, so it rounds toward minus infinity; round-half-up is a bias that
    already holds ``2**(shift - 1)`` (:meth:`rounding_bias`).  ReLU is an unsigned ``out``.  Of a
    ``sign`` output y is +1 where the sum is at least 0, else -1, and the shift is 0.

    Parameters
    ----------
    acc_width : bits of the two's complement accumulator.
    out : format of the result; its ``frac`` plays no part.
    mul_bits : bits of the unsigned multiplier, at most 16; 0 if there is none.

    Raises
    ------
    ValueError if ``mul_bits`` is out of range or the sum takes more than 63 bits.
    """

    acc_width: int
    out: FixedFormat
    mul_bits: int = 0

    def __post_init__(self):
        if not 0 <= self.mul_bits <= MAX_MUL_BITS:
            raise ValueError(
                f"Requantize multiplier width must be 0 to {MAX_MUL_BITS} bits, not {self.mul_bits}"
            )
        if self.sum_width > _SUM_BITS:
            raise ValueError(
                f"Requantize sum must take at most {_SUM_BITS} bits, not {self.sum_width}: that of "
                f"a {self.acc_width}-bit accumulator with a multiplier of {self.mul_bits} bits"
            )

    @property
    def acc(self) -> FixedFormat:
        """Format of ``acc``."""
        return FixedFormat(self.acc_width, 0, signed=True)

    @property
    def max_multiplier(self) -> int:
        """Largest multiplier; the smallest is 1, which is also what no multiplier stands for."""
        return max(1, (1 << self.mul_bits) - 1)

    @property
    def product_width(self) -> int:
        """Bits of ``acc * multiplier``."""
        return (-self.acc.min * self.max_multiplier - 1).bit_length() + 1

    @property
    def bias(self) -> FixedFormat:
        """Format of ``bias``: one bit more than the product, so that it can outweigh it."""
        return FixedFormat(self.product_width + 1, 0, signed=True)

    @property
    def sum_width(self) -> int:
        """Bits of ``acc * multiplier + bias``."""
        return self.product_width + 2

    @property
    def max_shift(self) -> int:
        """Largest shift: it leaves nothing of the sum but its sign; 0 for a ``sign`` output."""
        return 0 if self.out.codes == "sign" else self.sum_width

    @property
    def shift_width(self) -> int:
        """Bits that hold any shift in 0 .. :attr:`max_shift`."""
        return self.max_shift.bit_length()

    @staticmethod
    def rounding_bias(shift):
        """What to add to a bias so that the shift rounds half up: ``2**(shift-1)``, or 0."""
        shift = np.asarray(shift, dtype=np.int64)
        return np.where(shift > 0, np.int64(1) << np.maximum(shift - 1, 0), 0)

    def compute(self, acc, bias, shift, multiplier=None) -> np.ndarray:
        """Exact result (int64) for integer arrays that broadcast together.

        ``multiplier`` is None where ``mul_bits`` is 0, and only there.

        Raises
        ------
        ValueError if an operand lies outside its format.
        """
        if (multiplier is None) != (self.mul_bits == 0):
            given = "none" if multiplier is None else "one"
            raise ValueError(
                f"Requantize multiplier must fit {self.mul_bits} bits, but {given} is given"
            )
        factor = 1 if multiplier is None else multiplier
        acc, bias, shift, factor = (np.asarray(a, np.int64) for a in (acc, bias, shift, factor))
        for name, codes, low, high in (
            ("accumulator", acc, self.acc.min, self.acc.max),
            ("bias", bias, self.bias.min, self.bias.max),
            ("shift", shift, 0, self.max_shift),
            ("multiplier", factor, 1, self.max_multiplier),
        ):
            if codes.size and (codes.min() < low or codes.max() > high):
                raise ValueError(
                    f"Requantize {name} must lie in {low} .. {high}, "
                    f"not {codes.min()} .. {codes.max()}"
                )
        total = (acc if multiplier is None else acc * factor) + bias
        if self.out.codes == "sign":
            return np.where(total >= 0, 1, -1)
        return np.clip(total >> shift, self.out.min, self.out.max)

    def fit(
        self, bias: int, shift: int, acc_min: int, acc_max: int, multiplier: int = 1
    ) -> tuple[int, int] | None:
        """A (bias, shift) within the formats that gives the same results, or None.

        ``acc_min`` .. ``acc_max`` is the range the accumulator really takes.  A pair that lies
        outside the formats can be replaced when the result is a constant: -1, 0 or at an end of
        the range of ``out``.
        """
        def result(acc, bias, shift):
            total = acc * multiplier + bias
            if self.out.codes == "sign":
                return 1 if total >= 0 else -1
            return max(self.out.min, min(self.out.max, total >> shift))

        constant = result(acc_min, bias, shift)
        candidates = [(bias, shift)]
        if constant == result(acc_max, bias, shift):
            ends = self.bias.max, self.bias.min
            candidates += [(0, self.max_shift), *((end, 0) for end in ends)]
            candidates += [(end, self.max_shift) for end in ends]
        for new_bias, new_shift in candidates:
            if self.bias.contains(new_bias) and 0 <= new_shift <= self.max_shift:
                results = {result(acc, new_bias, new_shift) for acc in (acc_min, acc_max)}
                if (new_bias, new_shift) == (bias, shift) or results == {constant}:
                    return new_bias, new_shift
        return None
