"""Choice of the binary points: least squared error, per tensor and per output channel.

The two tensors of a concatenation share one format, and a convolution's result never has more
fraction bits than its accumulator (the shift stays at least 0).
"""

import torch

from ..fixed import FixedFormat, WeightFormat
from ..graph import Concat, UNetTopology
from ..graph.unet import ConvShape
from .quantizers import activation_code, power_of_two, weight_code
from .unet import IMAGE, QuantUNet

__all__ = ["best_activation_frac", "best_weight_frac", "calibrate", "format_groups"]

_MAX_SHIFT = 24
"""Bounds the weights' binary point; a channel with smaller weights is as good as zero."""

_ACTIVATION_FRACS = range(-8, 17)

_SAMPLES = 1 << 16
"""Values of a tensor that its binary point is chosen on."""


def best_activation_frac(values: torch.Tensor, fmt: FixedFormat) -> int:
    """Fraction bits of least squared error for ``relu(values)``; the fewest of equals."""
    positive = values.double().clamp(min=0)
    errors = [
        float(
            (activation_code(positive, frac, fmt) / power_of_two(frac, positive) - positive)
            .square()
            .sum()
        )
        for frac in _ACTIVATION_FRACS
    ]
    return _ACTIVATION_FRACS[errors.index(min(errors))]


def best_weight_frac(weight: torch.Tensor, fmt: WeightFormat, low: int, high: int) -> torch.Tensor:
    """int64 (out,): fraction bits of least squared error per output channel, in low .. high."""
    w = weight.detach().double().flatten(1)
    candidates = range(low, high + 1)
    errors = torch.stack(
        [
            (weight_code(w, frac, fmt) / power_of_two(frac, w) - w).square().sum(dim=1)
            for frac in candidates
        ]
    )
    return errors.argmin(dim=0) + low


def format_groups(topology: UNetTopology) -> list[list[str]]:
    """Convolutions whose results share one format, in order of the first of each group."""
    source = {"image": "image"}
    group = {}
    for layer in topology.layers:
        if isinstance(layer, ConvShape):
            source[layer.output] = layer.name
            group[layer.name] = [layer.name]
        elif isinstance(layer, Concat):
            up, skip = (source[name] for name in layer.inputs)
            group[skip] = group[up] = [skip, up]
        else:
            source[layer.output] = source[layer.input]
    groups = []
    for members in group.values():
        if members not in groups:
            groups.append(members)
    return groups


@torch.no_grad()
def calibrate(network: QuantUNet, images: torch.Tensor) -> None:
    """Choose every format of ``network`` from its weights and what it computes for ``images``."""
    seen = _observe(network, images)
    topology = network.topology
    fracs = {"image": IMAGE.frac}
    for group in format_groups(topology):
        fmt = network.blocks[group[0]].out_format
        frac = best_activation_frac(torch.cat([seen[name] for name in group]), fmt)
        fracs |= dict.fromkeys(group, frac)
    for layer in topology.layers:
        if isinstance(layer, ConvShape):
            block = network.blocks[layer.name]
            in_frac, out_frac = fracs[layer.input], fracs[layer.name]
            low = out_frac - in_frac
            weight_frac = best_weight_frac(
                block.weight, block.weight_format, low, low + _MAX_SHIFT
            )
            block.set_formats(in_frac, out_frac, weight_frac)
            fracs[layer.output] = out_frac
        else:
            name = layer.inputs[0] if isinstance(layer, Concat) else layer.input
            fracs[layer.output] = fracs[name]
    head = network.head
    in_frac = fracs[topology.head_input]
    head.set_formats(
        in_frac, int(best_weight_frac(head.weight, head.weight_format, -8, _MAX_SHIFT)[0])
    )


def _observe(network: QuantUNet, images: torch.Tensor) -> dict[str, torch.Tensor]:
    """Values before requantization of every convolution, by layer name, thinned out."""
    seen, hooks = {}, []

    def watch(name):
        def hook(block, inputs):
            values = block.accumulate(inputs[0]).flatten()
            seen[name] = values[:: max(1, len(values) // _SAMPLES)]

        return hook

    for name, block in network.blocks.items():
        hooks.append(block.register_forward_pre_hook(watch(name)))
    try:
        network(images)
    finally:
        for hook in hooks:
            hook.remove()
    return seen


