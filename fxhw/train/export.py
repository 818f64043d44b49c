"""From the trained torch network to the integer network that everything else runs."""

from collections.abc import Mapping

import numpy as np
import torch

from ..graph import Conv, Head, Network
from ..graph.unet import ConvShape
from .quantizers.straight import bias_code
from .unet import IMAGE, QuantUNet

__all__ = ["export"]


@torch.no_grad()
def export(
    network: QuantUNet,
    size: tuple[int, int],
    calibration: np.ndarray | None = None,
    meta: Mapping | None = None,
    normalization: str = "none",
) -> Network:
    """The integer network with the codes that ``network`` computes with.

    Parameters
    ----------
    network : a calibrated network.
    size : (height, width) the network is meant for.
    calibration : uint8 (n, height, width, channels) image codes kept with the network.
    meta : facts about the training, JSON types only.
    normalization : of the images, as in :class:`~fxhw.graph.Network`.

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
    return Network(IMAGE, channels, tuple(ops), size, calibration, dict(meta or {}), normalization)


def _conv(layer: ConvShape, block) -> Conv:
    weight, frac = block.weight.double(), block.weight_frac
    codes = block.weights.codes(weight, frac.view(-1, 1, 1, 1))
    bias = bias_code(block.bias.double(), frac + block.in_frac, block.whole)
    fmt = block.weights.format
    return Conv(
        layer.name,
        layer.input,
        layer.output,
        fmt,
        codes.cpu().numpy().astype(fmt.dtype),
        frac.cpu().numpy().astype(np.int64),
        bias.cpu().numpy().astype(np.int64),
        block.activation.format,
    )


def _head(source: str, head) -> Head:
    weight, (frac,) = head.weight.double(), head.weight_frac
    codes = head.weights.codes(weight, frac).flatten()
    bias = bias_code(head.bias.double(), frac + head.in_frac, False)
    fmt = head.weights.format
    return Head(
        "head",
        source,
        "logits",
        fmt,
        codes.cpu().numpy().astype(fmt.dtype),
        int(frac),
        int(bias),
    )
