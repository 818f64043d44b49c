"""The training loss: cross-entropy plus one minus the mean soft dice of both classes."""

import torch
import torch.nn.functional as F

__all__ = ["segmentation_loss"]


def segmentation_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Loss of logits (n, 1, h, w) against bool labels (n, h, w), a scalar in 0 ...

    The dice of the background weighs as much as that of the foreground, so that the rarer class,
    be it either, is learned too.
    """
    target = labels[:, None].to(logits.dtype)
    probability = torch.sigmoid(logits)
    dice = (_soft_dice(probability, target) + _soft_dice(1 - probability, 1 - target)) / 2
    return F.binary_cross_entropy_with_logits(logits, target) + 1 - dice


def _soft_dice(probability, target, smooth: float = 1.0):
    both = (probability * target).sum()
    return (2 * both + smooth) / (probability.sum() + target.sum() + smooth)
