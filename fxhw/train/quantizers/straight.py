"""Roundings with straight-through gradients, and exact powers of two.

The forward result is ``code * 2**-frac`` with the very code that export writes and the golden
model computes.  The backward pass takes the rounding for the identity where the code is not
clamped, and gives the binary point the gradient of the step it stands for (learned step size,
Esser et al. 2020, with the step held to a power of two).  Scaling by powers of two is exact, and
so is a convolution of such values as long as its sums fit the mantissa: always in float64, in
float32 while the accumulator stays below 2**24.
"""

import math

import torch

__all__ = [
    "bias_code",
    "power_of_two",
    "quantize_bias",
    "round_half_even",
    "round_half_up",
    "straight_through",
]


def power_of_two(exponent, like: torch.Tensor) -> torch.Tensor:
    """``2**exponent`` in the type of ``like``, exactly; ``torch.exp2`` promises no exactness.

    ``exponent`` is an integer or an integer tensor, within the type's normal range.
    """
    exponent = torch.as_tensor(exponent, dtype=torch.int64, device=like.device)
    # An IEEE double with mantissa zero is a power of two; its exponent field is biased by 1023.
    return ((exponent + 1023) << 52).view(torch.float64).to(like.dtype)


def round_half_up(x: torch.Tensor) -> torch.Tensor:
    """Nearest integer, halves upward: what clamp/shift does with its rounding bias.

    ``abs(x)`` stays below 2**22 in float32, as codes do.
    """
    # Halves are counted, since x + 0.5 would be rounded itself.
    return (x * 2).floor_().add_(1).mul_(0.5).floor_()


def round_half_even(x: torch.Tensor) -> torch.Tensor:
    """Nearest integer, halves to the even one."""
    return torch.round(x)


class _Straight(torch.autograd.Function):
    """``codes * 2**-frac`` with the gradient of ``x`` inside ``low`` .. ``high`` (in codes).

    ``exponent`` is the real number that ``frac`` was rounded from; it broadcasts against ``x``.
    """

    @staticmethod
    def forward(ctx, x, exponent, frac, codes, low, high):
        ctx.save_for_backward(x, exponent, frac, codes)
        ctx.range = low, high
        return codes * power_of_two(-frac, x)

    @staticmethod
    def backward(ctx, gradient):
        x, exponent, frac, codes = ctx.saved_tensors
        low, high = ctx.range
        scaled = x * power_of_two(frac, x)
        clamped = scaled.clamp(low, high)
        inside = (clamped == scaled).to(x.dtype)
        to_x = gradient * inside
        to_exponent = None
        if ctx.needs_input_grad[1]:
            # d(step * round(x / step)) / d(step) is round(v) - v inside the range, the code at
            # its ends; the step is 2**-exponent.
            error = torch.addcmul(codes, clamped, inside, value=-1)
            to_step = error.mul_(gradient).sum_to_size(exponent.shape)
            to_exponent = -math.log(2) * power_of_two(-frac, x) * to_step
        return to_x, to_exponent, None, None, None, None


def straight_through(x, exponent, frac, codes, low: float, high: float) -> torch.Tensor:
    """``codes * 2**-frac``, straight-through.

    Parameters
    ----------
    x : the values that ``codes`` were rounded from.
    exponent : real fraction bits, which get a gradient if they want one; broadcasts against ``x``.
    frac : int64, the fraction bits in use; the shape of ``exponent``.
    codes : integers, the shape and type of ``x``.
    low, high : range of ``x`` in codes in which it gets a gradient.
    """
    return _Straight.apply(x, exponent, frac, codes.detach(), low, high)


def bias_code(bias: torch.Tensor, frac, half) -> torch.Tensor:
    """Code of a bias in accumulator units of ``2**-frac``, not clamped: rounded down.

    Sums are whole numbers of these units, and what comes after rounds their sum with the bias
    down to a coarser one, so a fraction of the bias plays no part.  Where nothing coarser comes
    after, ``half`` is true, and the bias is rounded to the nearest.
    """
    return torch.floor(bias.detach() * power_of_two(frac, bias) + 0.5 * half)


def quantize_bias(bias: torch.Tensor, frac: torch.Tensor, half) -> torch.Tensor:
    """``bias`` as its code times ``2**-frac``; straight-through."""
    codes = bias_code(bias, frac, half)
    return _Straight.apply(bias, frac.to(bias.dtype), frac, codes, -math.inf, math.inf)
