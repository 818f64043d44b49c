"""``paper``: equations (1) to (4) of arXiv 1908.01073 to the letter, for comparison.

Q(v) = sign(v) (rc(floor|v|, i) + rc(frac|v|, f)), where rc(x, n) clamps to 0 .. 2**n - 1 and
rounds to a multiple of 2**-n.  The sign lies outside the i + f bits, nothing scales the values,
a weight of 1.03 with i = 0 becomes 0.03, and the straight-through estimator is the identity.
Batch-norm stays a layer of real numbers at inference, so nothing of it becomes hardware here.
"""

import torch

from .straight import round_half_even

__all__ = ["paper_quantize"]


def paper_quantize(x: torch.Tensor, integer_bits: int, fraction_bits: int) -> torch.Tensor:
    """Q(x), straight-through; equals :meth:`fxhw.fixed.PaperFormat.compute`."""
    magnitude = x.detach().abs()
    whole = torch.floor(magnitude)
    scale = 2.0**fraction_bits
    fraction = round_half_even((magnitude - whole).clamp(max=scale - 1) * scale) / scale
    value = torch.sign(x.detach()) * (whole.clamp(max=2.0**integer_bits - 1) + fraction)
    return x + (value - x).detach()
