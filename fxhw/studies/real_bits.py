"""Stored bits of networks that keep real numbers: those in float and the paper's."""

from ..fixed import PaperFormat
from ..graph import Concat, MaxPool, UNetTopology, Upsample
from ..graph.liveness import peak_bits

__all__ = ["parameter_bits", "peak_activation_bits"]

_REAL = 32
_IMAGE = 8


def parameter_bits(topology: UNetTopology, paper: PaperFormat | None) -> dict[str, int]:
    """Bits of weights and biases, as :meth:`fxhw.graph.Network.stored_bits` gives them.

    Parameters
    ----------
    paper : format of the weights beyond the first level; None is a float network.  Float layers
        fold batch-norm into weights and biases; the paper's keep it, a scale and a shift per
        channel, and their weights take whatever bits number all levels of the format.
    """
    bits = {"weights": topology.channels[0] * _REAL, "biases": _REAL, "shifts": 0}  # the head
    for conv in topology.convs:
        weights = 9 * conv.in_channels * conv.out_channels
        if paper is None or _is_real(conv.name):
            bits["weights"] += weights * _REAL
            bits["biases"] += conv.out_channels * _REAL
        else:
            bits["weights"] += weights * (paper.levels - 1).bit_length()
            bits["biases"] += 2 * conv.out_channels * _REAL
    return bits


def peak_activation_bits(
    topology: UNetTopology, size: tuple[int, int], paper_abits: int | None
) -> int:
    """Most bits of feature maps alive at once, for an image of ``size``.

    Parameters
    ----------
    paper_abits : bits of the paper's ReLU beyond the first level; None is a float network.
    """
    shapes = {"image": (*size, topology.image_channels, _IMAGE)}
    for layer in topology.layers:
        if isinstance(layer, Concat):
            first, second = (shapes[name] for name in layer.inputs)
            shapes[layer.output] = (*first[:2], first[2] + second[2], 0)  # its inputs, no more
            continue
        height, width, channels, bits = shapes[layer.input]
        if isinstance(layer, MaxPool):
            height, width = -(-height // 2), -(-width // 2)
        elif isinstance(layer, Upsample):
            height, width = shapes[layer.like][:2]
        else:
            channels = layer.out_channels
            real = paper_abits is None or _is_real(layer.name)
            bits = _REAL if real else paper_abits
        shapes[layer.output] = (height, width, channels, bits)
    bits = {name: h * w * channels * each for name, (h, w, channels, each) in shapes.items()}
    return peak_bits(topology.layers, bits)


def _is_real(layer: str) -> bool:
    """Whether the paper's networks leave this convolution in real numbers."""
    return layer.startswith("enc0")
