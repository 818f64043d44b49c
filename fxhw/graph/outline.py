"""A network that is all shape: what there is to plan before anything is trained."""

import numpy as np

from ..fixed import ActivationFormat, FixedFormat, WeightFormat
from .network import Network
from .ops import Conv, Head
from .unet import ConvShape, UNetTopology

__all__ = ["outline_network"]


def outline_network(
    topology: UNetTopology,
    size: tuple[int, int],
    wbits: int,
    abits: int,
    end_wbits: int = 8,
    image_bits: int = 8,
) -> Network:
    """A network of ``topology`` whose weights are all zero.

    Parameters
    ----------
    size : (height, width) of the image.
    wbits, abits : bits of weights and activations.
    end_wbits : weight bits of the first layer and of the head.
    image_bits : bits of the image.
    """
    ops = []
    for layer in topology.layers:
        if isinstance(layer, ConvShape):
            weight = WeightFormat(end_wbits if layer.input == "image" else wbits)
            codes = np.zeros((layer.out_channels, layer.in_channels, 3, 3), np.int8)
            if weight.binary:
                codes += 1
            zeros = np.zeros(layer.out_channels, np.int64)
            out = ActivationFormat(abits)
            # Results count as codes do, so no sum needs shifting.
            frac = zeros - image_bits if layer.input == "image" else zeros
            layer = Conv(
                layer.name, layer.input, layer.output, weight, codes, frac, zeros, out
            )
        ops.append(layer)
    weight = WeightFormat(end_wbits)
    codes = np.zeros(topology.channels[0], np.int8) + weight.binary
    ops.append(Head("head", topology.head_input, "logit", weight, codes, 0, 0))
    image = FixedFormat(image_bits, image_bits)
    calibration = np.zeros((0, 1, 1, topology.image_channels), np.uint8)
    return Network(image, topology.image_channels, tuple(ops), size, calibration, {})
