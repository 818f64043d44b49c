"""Batch-norm folding: the same function with a weight and a bias per convolution."""

import torch

from .unet import FloatUNet

__all__ = ["fold", "fold_batchnorm"]


def fold_batchnorm(conv, norm) -> tuple[torch.Tensor, torch.Tensor]:
    """Weight and bias of ``norm(conv(x))`` as one convolution; ``norm`` in its evaluation mode."""
    scale = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
    weight = conv.weight.double() * scale.view(-1, 1, 1, 1)
    bias = norm.bias.double() - norm.running_mean.double() * scale
    return weight.detach().float(), bias.detach().float()


def fold(network: FloatUNet) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """(weight, bias) of every convolution and of ``head``, by layer name."""
    parameters = {
        name: fold_batchnorm(block[0], block[1]) for name, block in network.blocks.items()
    }
    head = network.head
    return parameters | {"head": (head.weight.detach(), head.bias.detach())}
