"""Training losses: cross-entropy plus one minus the soft dice."""

import torch
import torch.nn.functional as F

__all__ = ["LOSSES", "segmentation_loss"]

LOSSES = {"both": (1, 1), "foreground": (1, 0)}
"""Name -> weights of the dice of foreground and background.

``both`` learns the rarer class, be it either; ``foreground`` suits one of few pixels, where the
background's dice says nothing.
"""


def segmentation_loss(
    logits: torch.Tensor, labels: torch.Tensor, name: str = "both"
) -> torch.Tensor:
    """Loss of logits (n, 1, h, w) against labels (n, h, w), a scalar in 0 ...

    Labels are bool, or probabilities of the foreground.

    ``name`` is one of :data:`LOSSES`.  The dice is that of the whole batch.
    """
    target = labels[:, None].to(logits.dtype)
    probability = torch.sigmoid(logits)
    foreground, background = LOSSES[name]
    dice = foreground * _soft_dice(probability, target)
    if background:
        dice = dice + background * _soft_dice(1 - probability, 1 - target)
    entropy = F.binary_cross_entropy_with_logits(logits, target)
    return entropy + 1 - dice / (foreground + background)


def _soft_dice(probability, target, smooth: float = 1.0):
    both = (probability * target).sum()
    return (2 * both + smooth) / (probability.sum() + target.sum() + smooth)
