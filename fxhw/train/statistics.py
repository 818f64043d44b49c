"""Batch-norm's statistics over many batches, in place of a running average over the last few.

The average that training leaves is of some ten batches.  Where the foreground is small, two such
averages of the same weights differ by a point of dice and more; over many batches they do not
(Wu and Johnson 2021, "Rethinking Batch in BatchNorm", section 3).
"""

from collections.abc import Iterable

import torch
from torch import nn

__all__ = ["has_statistics", "settle_statistics"]


def has_statistics(network: nn.Module) -> bool:
    """Whether there is a batch-norm in ``network``."""
    return any(isinstance(module, nn.BatchNorm2d) for module in network.modules())


@torch.no_grad()
def settle_statistics(network: nn.Module, batches: Iterable[torch.Tensor]) -> None:
    """Give every batch-norm of ``network`` the mean of its statistics over ``batches``.

    Weights stay as they are.

    Parameters
    ----------
    batches : network inputs (n, channels, height, width).
    """
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    training = network.training
    network.train()
    network.training = False  # the network itself drops channels where it trains, its parts do not
    for count, batch in enumerate(batches, start=1):
        for norm in norms:
            norm.momentum = 1 / count  # of a mean of all batches so far
        network(batch)
    for norm, momentum in zip(norms, momenta):
        norm.momentum = momentum
    network.train(training)
