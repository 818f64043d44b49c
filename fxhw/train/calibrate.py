"""First choice of the binary points: least squared error on what the network computes.

Weights have one per output channel, tensors one each; the two tensors of a concatenation share
theirs.  Training goes on from there.
"""

import torch

from .quantizers import ActivationQuantizer
from .unet import QuantUNet, UNet, format_groups

__all__ = ["calibrate", "calibrate_activations"]

_SAMPLES = 1 << 16
"""Values of a tensor that its binary point is chosen on."""


def calibrate(network: QuantUNet, images: torch.Tensor) -> None:
    """Choose every format of ``network`` from its weights and what it computes for ``images``.

    Then every bias is corrected, layer by layer, so that each channel keeps the mean it had with
    real numbers.
    """
    wanted = calibrate_activations(network, images)
    for block in network.blocks.values():
        block.start()
    network.head.start()
    _centre(network, wanted, images)


@torch.no_grad()
def calibrate_activations(network: UNet, images: torch.Tensor) -> dict[str, torch.Tensor]:
    """Choose the formats of the activations, and quantize them from now on.

    Returns the mean of every channel before its activation, by layer name.
    """
    seen, means = {}, {}

    def look(name, block, x):
        values = block.accumulate(x)
        means[name] = values.mean((0, 2, 3))
        values = values.flatten()
        seen[name] = values[:: max(1, len(values) // _SAMPLES)]

    _walk(network, images, look)
    for group in format_groups(network.topology):
        activation = network.blocks[group[0]].activation
        if isinstance(activation, ActivationQuantizer):
            activation.calibrate(torch.cat([seen[name] for name in group]))
    return means


@torch.no_grad()
def _centre(network: QuantUNet, wanted: dict[str, torch.Tensor], images: torch.Tensor) -> None:
    def correct(name, block, x):
        block.bias -= block.accumulate(x).mean((0, 2, 3)) - wanted[name]

    _walk(network, images, correct)


def _walk(network: UNet, images: torch.Tensor, visit) -> None:
    """Run ``network``; ``visit(name, block, input)`` comes before each convolution."""
    hooks = [
        block.register_forward_pre_hook(
            lambda block, inputs, name=name: visit(name, block, inputs[0])
        )
        for name, block in network.blocks.items()
    ]
    try:
        network.eval()(images)
    finally:
        for hook in hooks:
            hook.remove()
