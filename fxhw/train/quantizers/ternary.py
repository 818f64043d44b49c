"""``ternary``: weights -1, 0, +1 with a power-of-two step per channel (TernaryNet, Heinrich 2018).

A weight is 0 up to 0.7 times the mean magnitude of its filter.  The original scales by the mean
magnitude above that; here it is the power of two of least squared error, and
batch-norm does the rest.
"""

import math

import torch

from .weight import WeightQuantizer

__all__ = ["TernaryWeights"]

THRESHOLD = 0.7
"""Share of a filter's mean magnitude up to which a weight is 0."""


class TernaryWeights(WeightQuantizer):
    """Codes 0 up to the threshold, the sign above it."""

    learned = False

    def codes(self, w, frac):
        magnitude = w.abs()
        limit = THRESHOLD * magnitude.flatten(1).mean(dim=1)
        keep = magnitude > limit.view((-1,) + (1,) * (w.dim() - 1))
        return torch.where(keep, torch.sign(w), torch.zeros_like(w))

    def window(self):
        return -math.inf, math.inf
