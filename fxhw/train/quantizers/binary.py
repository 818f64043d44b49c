"""``binary``: weights -1 and +1 with a power-of-two step per channel (BNN, Hubara 2016).

The original's latent weights are clipped to -1 .. 1 in every step; here, where a channel's step is
its own, to a few steps.
"""

import torch

from .straight import power_of_two
from .weight import WeightQuantizer

__all__ = ["BinaryWeights"]

_WINDOW = 3.0
"""Latent weights stay within this many steps, so that they can still change their sign."""


class BinaryWeights(WeightQuantizer):
    """Codes -1 where a weight is negative, else +1."""

    learned = False

    def codes(self, w, frac):
        return torch.where(w < 0, -1.0, 1.0).to(w.dtype)

    def window(self):
        return -_WINDOW, _WINDOW

    @torch.no_grad()
    def restrict(self, w, low):
        limit = _WINDOW * power_of_two(-self.frac(low), w).view((-1,) + (1,) * (w.dim() - 1))
        w.copy_(torch.minimum(torch.maximum(w, -limit), limit))
