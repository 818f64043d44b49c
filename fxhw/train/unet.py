"""The U-Net in torch: with real numbers, with batch-norm live, and as it is exported.

All walk the same :class:`fxhw.graph.UNetTopology`, so their layers carry the names that the
exported network has.  Images are (n, channels, height, width), values ``code / 256``; results are
logits (n, 1, height, width), foreground where at least 0.
"""

import torch
import torch.nn.functional as F
from torch import nn

from ..fixed import FixedFormat
from ..graph import Concat, MaxPool, UNetTopology, Upsample
from ..graph.unet import ConvShape
from .quantizers import ActivationQuantizer, weight_quantizer
from .quantizers.straight import quantize_bias

__all__ = [
    "IMAGE",
    "LEAST_FRAC",
    "FloatUNet",
    "QuantConv",
    "QuantHead",
    "QuantUNet",
    "UNet",
    "bordered_conv",
    "format_groups",
    "image_tensor",
    "producers",
    "shared_activations",
]

IMAGE = FixedFormat(8, 8)
"""Format of the image: 8 bits, values in 0 .. 255/256."""

LEAST_FRAC = -8
"""Least fraction bits of weights that no shift binds."""


def image_tensor(images, device="cpu", dtype=torch.float32) -> torch.Tensor:
    """Network input of uint8 (n, height, width, channels) image codes."""
    codes = torch.tensor(images, device=device).permute(0, 3, 1, 2)
    values = codes.to(dtype) / (1 << IMAGE.frac)
    return values.contiguous(memory_format=torch.channels_last)


def format_groups(topology: UNetTopology) -> list[list[str]]:
    """Convolutions whose results share one format, in order of the first of each group."""
    source = {"image": "image"}
    group = {}
    for layer in topology.layers:
        if isinstance(layer, ConvShape):
            source[layer.output] = layer.name
            group[layer.name] = [layer.name]
        elif isinstance(layer, Concat):
            first, second = (source[name] for name in layer.inputs)
            joint = list(dict.fromkeys(group[second] + group[first]))
            group |= dict.fromkeys(joint, joint)
            source[layer.output] = second
        else:
            source[layer.output] = source[layer.input]
    groups = []
    for members in group.values():
        if members not in groups:
            groups.append(members)
    return groups


def producers(topology: UNetTopology) -> dict[str, str]:
    """Tensor -> a convolution whose format it has, or ``image``."""
    producer = {"image": "image"}
    for layer in topology.layers:
        if isinstance(layer, ConvShape):
            producer[layer.output] = layer.name
        else:
            name = layer.inputs[0] if isinstance(layer, Concat) else layer.input
            producer[layer.output] = producer[name]
    return producer


class UNet(nn.Module):
    """Runs ``topology`` with a block per convolution and a head; subclasses make those.

    Parameters
    ----------
    topology : what feeds what.
    dropout : share of channels that training drops after every convolution.
    """

    def __init__(self, topology: UNetTopology, dropout: float = 0.0):
        super().__init__()
        self.topology = topology
        self.dropout = dropout
        self.blocks = nn.ModuleDict()

    def forward(self, image):
        values = {"image": image}
        for layer in self.topology.layers:
            if isinstance(layer, MaxPool):
                result = F.max_pool2d(values[layer.input], 2, ceil_mode=True)
            elif isinstance(layer, Upsample):
                like = values[layer.like]
                result = F.interpolate(values[layer.input], scale_factor=2, mode="nearest")
                result = result[:, :, : like.shape[2], : like.shape[3]]
            elif isinstance(layer, Concat):
                result = torch.cat([values[name] for name in layer.inputs], dim=1)
            else:
                result = self.blocks[layer.name](values[layer.input])
                if self.dropout and self.training:
                    result = F.dropout2d(result, self.dropout)
            values[layer.output] = result
        return self.head(values[self.topology.head_input])


class FloatUNet(UNet):
    """Convolution, batch-norm, activation at every layer; a 1x1 convolution with bias at the end.

    Parameters
    ----------
    activation : kind of activation, which is taken with real numbers.
    """

    def __init__(self, topology: UNetTopology, activation: str = "relu", dropout: float = 0.0):
        super().__init__(topology, dropout)
        for conv in topology.convs:
            self.blocks[conv.name] = nn.Sequential(
                nn.Conv2d(conv.in_channels, conv.out_channels, 3, padding=1, bias=False),
                nn.BatchNorm2d(conv.out_channels),
                nn.ReLU() if activation == "relu" else nn.Tanh(),
            )
        self.head = nn.Conv2d(topology.channels[0], 1, 1)


class QuantConv(nn.Module):
    """3x3 convolution with folded batch-norm, then requantization to its activation's codes.

    Until its activation is calibrated it computes with real numbers.

    Parameters
    ----------
    weight, bias : float (out, in, 3, 3) and (out,), batch-norm folded in.
    weights : quantizer of the weights; None leaves weights and bias real.
    activation : quantizer of the result.
    source : quantizer that made the input; None if that is the image.
    """

    def __init__(self, weight, bias, weights, activation: ActivationQuantizer, source):
        super().__init__()
        self.weight = nn.Parameter(weight.detach().clone())
        self.bias = nn.Parameter(bias.detach().clone())
        self.weights, self.activation = weights, activation
        self._source = (source,)  # in a tuple, so that it is not registered here as well

    @property
    def in_frac(self) -> torch.Tensor:
        """Fraction bits of the input, int64 scalar."""
        (source,) = self._source
        return torch.tensor(IMAGE.frac) if source is None else source.frac

    @property
    def weight_low(self) -> torch.Tensor:
        """Least fraction bits of the weights: the shift is not negative, int64 scalar."""
        if self.activation.kind == "sign":
            return torch.tensor(LEAST_FRAC)
        return self.activation.frac - self.in_frac

    @property
    def weight_frac(self) -> torch.Tensor:
        """Fraction bits of the weights, int64 (out,)."""
        return self.weights.frac(self.weight_low)

    @property
    def whole(self) -> torch.Tensor:
        """Where a result's step is the accumulator's, so that no bit is shifted out, (out,)."""
        if self.activation.kind == "sign":
            return torch.zeros(len(self.bias), dtype=torch.bool)
        return self.weight_frac == self.weight_low

    def start(self) -> None:
        """Choose the binary points of the weights; the activations must have theirs."""
        if self.weights is not None:
            self.weights.start(self.weight, self.weight_low)

    def restrict(self) -> None:
        """Keep latent weights where training can still change their codes."""
        if self.weights is not None:
            self.weights.restrict(self.weight, self.weight_low)

    def accumulate(self, x):
        """Sum with bias before the requantization: what calibration looks at."""
        weight, bias = self.weight, self.bias
        if self.activation.ready and self.weights is not None:
            weight = self.weights(weight, self.weight_low)
            bias = quantize_bias(bias, self.weight_frac + self.in_frac, self.whole)
        return bordered_conv(x, weight, bias, self._source[0])

    def forward(self, x):
        return self.activation(self.accumulate(x))


class QuantHead(nn.Module):
    """1x1 convolution to one logit, kept whole.

    Parameters
    ----------
    weight, bias : float (1, in, 1, 1) and (1,).
    weights : quantizer of the weights; None leaves weights and bias real.
    source : quantizer that made the input.
    """

    def __init__(self, weight, bias, weights, source: ActivationQuantizer):
        super().__init__()
        self.weight = nn.Parameter(weight.detach().clone())
        self.bias = nn.Parameter(bias.detach().clone())
        self.weights = weights
        self._source = (source,)

    @property
    def in_frac(self) -> torch.Tensor:
        """Fraction bits of the input, int64 scalar."""
        return self._source[0].frac

    @property
    def weight_frac(self) -> torch.Tensor:
        """Fraction bits of the weights, int64 (1,)."""
        return self.weights.frac(torch.tensor(LEAST_FRAC))

    def start(self) -> None:
        """Choose the binary point of the weights."""
        if self.weights is not None:
            self.weights.start(self.weight, torch.tensor(LEAST_FRAC))

    def restrict(self) -> None:
        """Keep latent weights where training can still change their codes."""
        if self.weights is not None:
            self.weights.restrict(self.weight, torch.tensor(LEAST_FRAC))

    def forward(self, x):
        if self.weights is None or not self._source[0].ready:
            return F.conv2d(x, self.weight, self.bias)
        weight = self.weights(self.weight, torch.tensor(LEAST_FRAC))
        return F.conv2d(x, weight, quantize_bias(self.bias, self.weight_frac + self.in_frac, False))


class QuantUNet(UNet):
    """The network that is exported: a :class:`QuantConv` at every layer, a :class:`QuantHead`.

    In float64 the forward pass equals the golden model for every network; in float32 it does
    while no accumulator, with its bias, exceeds 2**24.

    Parameters
    ----------
    topology : its ``layers``, ``convs`` and ``head_input`` are walked.
    parameters : (weight, bias) of every convolution and of ``head``, by layer name.
    wbits, abits : bits of weights and activations.
    first_wbits, last_wbits : weight bits of the first convolution and of the head, or
        :data:`~fxhw.train.quantizers.FULL_PRECISION`.
    quantizer : name of the weights' quantizer between those two.
    activation : kind of activation.
    dropout : share of channels that training drops after every convolution.
    """

    def __init__(
        self, topology, parameters, wbits, abits, first_wbits=8, last_wbits=8,
        quantizer="fixed", activation="relu", dropout=0.0,
    ):
        super().__init__(topology, dropout)
        shared = shared_activations(topology, activation, abits)
        producer = producers(topology)
        for index, conv in enumerate(topology.convs):
            weight, bias = parameters[conv.name]
            kind, bits = (quantizer, wbits) if index else ("fixed", first_wbits)
            self.blocks[conv.name] = QuantConv(
                weight, bias, weight_quantizer(kind, bits, weight.shape),
                shared[conv.name], shared.get(producer[conv.input]),
            )
        weight, bias = parameters["head"]
        self.head = QuantHead(
            weight, bias, weight_quantizer("fixed", last_wbits, weight.shape),
            shared[producer[topology.head_input]],
        )

    def restrict(self) -> None:
        """Keep latent weights where training can still change their codes."""
        for layer in (*self.blocks.values(), self.head):
            layer.restrict()


def bordered_conv(x, weight, bias, source: ActivationQuantizer | None):
    """3x3 convolution with the border that the format of ``source`` has, zero if it is None."""
    border = source.border if source is not None else 0.0
    if border:
        return F.conv2d(F.pad(x, (1, 1, 1, 1), value=border), weight, bias)
    return F.conv2d(x, weight, bias, padding=1)


def shared_activations(topology, kind: str, bits: int) -> dict[str, ActivationQuantizer]:
    """Quantizer of every convolution's result, one per format group, by layer name."""
    shared = {}
    for group in format_groups(topology):
        shared |= dict.fromkeys(group, ActivationQuantizer(kind, bits))
    return shared
