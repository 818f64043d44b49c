"""From the trained torch network to the integer network that everything else runs."""

from collections.abc import Mapping

import numpy as np
import torch

from ..fixed import ActivationFormat
from ..graph import Conv, Head, Network
from ..graph.unet import ConvShape
from .quantizers import bias_code, weight_code
from .unet import IMAGE, QuantUNet

__all__ = ["export"]


@torch.no_grad()
def export(
    network: QuantUNet,
    size: tuple[int, int],
    calibration: np.ndarray | None = None,
    meta: Mapping | None = None,
) -> Network:
    """The integer network with the codes that ``network`` computes with.

    Parameters
    ----------
    network : a calibrated network.
    size : (height, width) the network is meant for.
    calibration : uint8 (n, height, width, channels) image codes kept with the network.
    meta : facts about the training, JSON types only.

    Raises
    ------
    FxhwError if a bias or a shift does not fit, naming the layer and channel.
    """
    ops = []
    for layer in network.topology.layers:
        if isinstance(layer, ConvShape):
            ops.append(_conv(layer, network.blocks[layer.name]))
        else:
            ops.append(layer)
    ops.append(_head(network.topology.head_input, network.head))
    channels = network.topology.image_channels
    if calibration is None:
        calibration = np.zeros((0, 1, 1, channels), np.uint8)
    return Network(IMAGE, channels, tuple(ops), size, calibration, dict(meta or {}))


def _conv(layer: ConvShape, block) -> Conv:
    weight = block.weight.double()
    codes = weight_code(weight, block.weight_frac.view(-1, 1, 1, 1), block.weight_format)
    bias = bias_code(block.bias.double(), block.weight_frac + block.in_frac)
    return Conv(
        layer.name,
        layer.input,
        layer.output,
        block.weight_format,
        codes.cpu().numpy().astype(np.int8),
        block.weight_frac.cpu().numpy().astype(np.int64),
        bias.cpu().numpy().astype(np.int64),
        ActivationFormat(block.out_format.width, int(block.out_frac)),
    )


def _head(source: str, head) -> Head:
    codes = weight_code(head.weight.double().flatten(), head.weight_frac, head.weight_format)
    bias = bias_code(head.bias.double(), head.weight_frac + head.in_frac)
    return Head(
        "head",
        source,
        "logits",
        head.weight_format,
        codes.cpu().numpy().astype(np.int8),
        int(head.weight_frac),
        int(bias),
    )
