"""Fake quantizers: real-valued tensors whose forward values are codes of the number contract.

The forward result is ``code * 2**-frac`` with the very code that export writes and the golden
model computes; the backward pass takes the rounding for the identity (straight-through) and lets
no gradient through where the code is clamped.  Scaling by powers of two is exact, and so is a
convolution of such values as long as its sums fit the mantissa: always in float64, in float32
while the accumulator stays below 2**24.
"""

import math

import torch

from ..fixed import FixedFormat, WeightFormat

__all__ = ["activation_code", "bias_code", "power_of_two", "quantize", "weight_code"]

_BINARY_WINDOW = 3.0
"""A binary weight keeps its gradient up to this many steps from zero."""


class _Straight(torch.autograd.Function):
    """The value of ``exact`` with the gradient of ``x`` clamped to ``low`` .. ``high``."""

    @staticmethod
    def forward(ctx, x, exact, low, high):
        ctx.save_for_backward((x >= low) & (x <= high))
        return exact

    @staticmethod
    def backward(ctx, gradient):
        (inside,) = ctx.saved_tensors
        return gradient * inside, None, None, None


def power_of_two(exponent, like: torch.Tensor) -> torch.Tensor:
    """``2**exponent`` in the type of ``like``, exactly; ``torch.exp2`` promises no exactness.

    ``exponent`` is an integer or an integer tensor, within the type's normal range.
    """
    exponent = torch.as_tensor(exponent, dtype=torch.int64, device=like.device)
    # An IEEE double with mantissa zero is a power of two; its exponent field is biased by 1023.
    return ((exponent + 1023) << 52).view(torch.float64).to(like.dtype)


def activation_code(x: torch.Tensor, frac, fmt: FixedFormat) -> torch.Tensor:
    """Code of ``x`` after ReLU: rounded half up and clamped, as clamp/shift with its rounding bias.

    ``frac`` is an integer or an integer tensor; ``fmt`` gives the code range alone.
    """
    return torch.floor(x * power_of_two(frac, x) + 0.5).clamp(fmt.min, fmt.max)


def weight_code(w: torch.Tensor, frac, fmt: WeightFormat) -> torch.Tensor:
    """Code of weights: rounded half to even and clamped; binary weights take their sign."""
    if fmt.binary:
        return torch.where(w < 0, -1.0, 1.0).to(w.dtype)
    return torch.round(w * power_of_two(frac, w)).clamp(fmt.min, fmt.max)


def bias_code(b: torch.Tensor, frac) -> torch.Tensor:
    """Code of a bias in accumulator units: rounded half to even, not clamped."""
    return torch.round(b * power_of_two(frac, b))


def quantize(x: torch.Tensor, frac, fmt: FixedFormat | WeightFormat | None) -> torch.Tensor:
    """``x`` as ``code * 2**-frac``, straight-through in the backward pass.

    Parameters
    ----------
    x : values.
    frac : fraction bits, an integer or an integer tensor that broadcasts against ``x``.
    fmt : code range: of an activation, of weights, or None for a bias.
    """
    step = power_of_two(-torch.as_tensor(frac), x)
    if fmt is None:
        return _Straight.apply(x, bias_code(x, frac) * step, -math.inf, math.inf)
    if isinstance(fmt, FixedFormat):
        code, low, high = activation_code(x, frac, fmt), fmt.min, fmt.max
    else:
        code, low, high = weight_code(x, frac, fmt), fmt.min, fmt.max
        if fmt.binary:
            low, high = -_BINARY_WINDOW, _BINARY_WINDOW
    return _Straight.apply(x, code * step, low * step, high * step)
