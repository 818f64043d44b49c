"""Quantizers with batch-norm live: how quantized networks are trained, and all of the paper's.

Batch-norm keeps training stable while codes jump.  Its scale of each channel, gamma / sigma, is
rounded to a power of two in the forward pass, so that folding it in the end moves binary points
and changes no code.
"""

import torch
import torch.nn.functional as F
from torch import nn

from .quantizers import ActivationQuantizer, weight_quantizer
from .quantizers.paper import paper_quantize
from .quantizers.straight import power_of_two
from .unet import (
    LEAST_FRAC,
    FloatUNet,
    QuantUNet,
    UNet,
    bordered_conv,
    producers,
    shared_activations,
)

__all__ = ["NormUNet", "PaperUNet"]


_TINY = 2.0**-20
"""A channel whose scale is smaller is as good as zero."""


class NormUNet(UNet):
    """A float network with quantizers put in, batch-norm live; the head stays real.

    Parameters
    ----------
    source : the network to start from; its parameters are taken over, not copied.
    wbits, abits, first_wbits, quantizer, activation : as of
        :class:`~fxhw.train.unet.QuantUNet`.
    """

    def __init__(
        self, source: FloatUNet, wbits, abits, first_wbits=8, quantizer="fixed", activation="relu"
    ):
        super().__init__(source.topology, source.dropout)
        self.head = source.head
        shared = shared_activations(source.topology, activation, abits)
        producer = producers(source.topology)
        for index, conv in enumerate(source.topology.convs):
            convolution, norm, _ = source.blocks[conv.name]
            _make_positive(convolution, norm)
            kind, bits = (quantizer, wbits) if index else ("fixed", first_wbits)
            weights = weight_quantizer(kind, bits, convolution.weight.shape)
            self.blocks[conv.name] = _NormConv(
                convolution, norm, weights, shared[conv.name], shared.get(producer[conv.input])
            )

    def start(self) -> None:
        """Choose the binary points of the weights."""
        for block in self.blocks.values():
            if block.weights is not None:
                block.weights.start(block.conv.weight, block.weight_low)

    def restrict(self) -> None:
        """Keep latent weights where training can still change their codes."""
        for block in self.blocks.values():
            if block.weights is not None:
                block.weights.restrict(block.conv.weight.data, block.weight_low)

    @torch.no_grad()
    def fold(self) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
        """(latent weight, bias) of every convolution and of ``head``, by layer name."""
        parameters = {}
        for name, block in self.blocks.items():
            scale = block.scale()
            bias = block.norm.bias - block.norm.running_mean * scale
            parameters[name] = block.conv.weight * scale.view(-1, 1, 1, 1), bias
        return parameters | {"head": (self.head.weight.detach(), self.head.bias.detach())}

    @torch.no_grad()
    def hand_over(self, target: QuantUNet) -> None:
        """Give ``target``, made of :meth:`fold`, the formats that this network has."""
        for name, block in self.blocks.items():
            other = target.blocks[name]
            other.activation.load_state_dict(block.activation.state_dict())
            if block.weights is not None:
                shift = torch.log2(block.scale().abs().double()).round()
                other.weights.load_state_dict(block.weights.state_dict())
                other.weights.exponent -= shift.to(other.weights.exponent.dtype)
        target.head.start()


@torch.no_grad()
def _make_positive(conv, norm) -> None:
    """Turn the signs of channels that batch-norm would turn: codes are not symmetric."""
    sign = torch.where(norm.weight < 0, -1.0, 1.0)
    conv.weight *= sign.view(-1, 1, 1, 1)
    norm.weight *= sign
    norm.running_mean *= sign


class _NormConv(nn.Module):
    """Convolution, batch-norm with a power of two for its scale, activation.

    Until its activation is calibrated it computes with real numbers.  ``weights`` None
    keeps the weights real; ``source`` None has a border of zero.
    """

    def __init__(self, conv, norm, weights, activation, source: ActivationQuantizer | None):
        super().__init__()
        self.conv, self.norm = conv, norm
        self.weights, self.activation = weights, activation
        self._source = (source,)  # in a tuple, so that it is not registered here as well

    @property
    def weight(self):
        """Latent weights."""
        return self.conv.weight

    @property
    def weight_low(self) -> torch.Tensor:
        """Least fraction bits of the weights, which nothing binds before the folding."""
        return torch.tensor(LEAST_FRAC)

    def scale(self) -> torch.Tensor:
        """Signed power of two (channels,) nearest to gamma / sigma, in its logarithm."""
        ratio = self._ratio().detach()
        exponent = torch.log2(ratio.abs().clamp(min=_TINY)).round().to(torch.int64)
        return power_of_two(exponent, ratio) * torch.where(ratio < 0, -1.0, 1.0)

    def _ratio(self) -> torch.Tensor:
        return self.norm.weight / torch.sqrt(self.norm.running_var + self.norm.eps)

    def accumulate(self, x):
        """What the activation quantizes."""
        weight, norm = self.weight, self.norm
        if not self.activation.ready:
            return norm(bordered_conv(x, weight, None, self._source[0]))
        if self.weights is not None:
            weight = self.weights(weight, self.weight_low)
        sums = bordered_conv(x, weight, None, self._source[0])
        ratio = self._ratio().detach()
        snap = torch.where(ratio.abs() < _TINY, torch.ones_like(ratio), self.scale() / ratio)
        return F.batch_norm(
            sums, norm.running_mean, norm.running_var, norm.weight * snap, norm.bias,
            self.training, norm.momentum, norm.eps,
        )

    def forward(self, x):
        return self.activation(self.accumulate(x))


class PaperUNet(UNet):
    """The paper's network: its quantizers around a batch-norm that stays.

    The first level and the head are real, as its authors have them.

    Parameters
    ----------
    source : the network to start from; its parameters are taken over, not copied.
    fraction_bits : f of the weights' Q0.f.
    integer_bits : i of the activations' Qi.0; of tanh, whose whole part is nothing, Q0.i.
    """

    def __init__(self, source: FloatUNet, fraction_bits: int, integer_bits: int):
        super().__init__(source.topology, source.dropout)
        self.head = source.head
        for conv in source.topology.convs:
            block = source.blocks[conv.name]
            if not conv.name.startswith("enc0"):
                block = _PaperConv(*block, fraction_bits, integer_bits)
            self.blocks[conv.name] = block


class _PaperConv(nn.Module):
    """Convolution with weights Q0.f, batch-norm, activation, its quantizer."""

    def __init__(self, conv, norm, active, fraction_bits: int, integer_bits: int):
        super().__init__()
        self.conv, self.norm, self.active = conv, norm, active
        self.fraction_bits = fraction_bits
        tanh = isinstance(active, nn.Tanh)
        self.formats = (0, integer_bits) if tanh else (integer_bits, 0)

    def forward(self, x):
        weight = paper_quantize(self.conv.weight, 0, self.fraction_bits)
        values = self.active(self.norm(F.conv2d(x, weight, padding=1)))
        return paper_quantize(values, *self.formats)
