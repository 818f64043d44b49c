"""The U-Net in torch: the float network with batch-norm and the quantized one.

Both walk the same :class:`fxhw.graph.UNetTopology`, so their layers carry the names that the
exported network has.  Images are (n, channels, height, width), values ``code / 256``; results are
logits (n, 1, height, width), foreground where at least 0.
"""

import torch
import torch.nn.functional as F
from torch import nn

from ..fixed import ActivationFormat, FixedFormat, WeightFormat
from ..graph import Concat, MaxPool, UNetTopology, Upsample
from .quantizers import quantize

__all__ = ["IMAGE", "FloatUNet", "QuantConv", "QuantHead", "QuantUNet", "image_tensor"]

IMAGE = FixedFormat(8, 8)
"""Format of the image: 8 bits, values in 0 .. 255/256."""


def image_tensor(images, device="cpu", dtype=torch.float32) -> torch.Tensor:
    """Network input of uint8 (n, height, width, channels) image codes."""
    codes = torch.tensor(images, device=device).permute(0, 3, 1, 2)
    values = codes.to(dtype) / (1 << IMAGE.frac)
    return values.contiguous(memory_format=torch.channels_last)


class _UNet(nn.Module):
    """Runs ``topology`` with a block per convolution and a head; subclasses make those."""

    def __init__(self, topology: UNetTopology):
        super().__init__()
        self.topology = topology
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
            values[layer.output] = result
        return self.head(values[self.topology.head_input])


class FloatUNet(_UNet):
    """Convolution, batch-norm, ReLU at every layer; a 1x1 convolution with bias at the end."""

    def __init__(self, topology: UNetTopology):
        super().__init__(topology)
        for conv in topology.convs:
            self.blocks[conv.name] = nn.Sequential(
                nn.Conv2d(conv.in_channels, conv.out_channels, 3, padding=1, bias=False),
                nn.BatchNorm2d(conv.out_channels),
                nn.ReLU(),
            )
        self.head = nn.Conv2d(topology.channels[0], 1, 1)


class QuantConv(nn.Module):
    """3x3 convolution with folded batch-norm, then requantization to an unsigned activation.

    Until :meth:`set_formats` it computes with real numbers and a plain ReLU.

    Parameters
    ----------
    weight, bias : float (out, in, 3, 3) and (out,), batch-norm folded in.
    weight_bits : 1 to 8.
    out_bits : bits of the activation, 1 to 8.
    """

    def __init__(self, weight, bias, weight_bits: int, out_bits: int):
        super().__init__()
        self.weight = nn.Parameter(weight.detach().clone())
        self.bias = nn.Parameter(bias.detach().clone())
        self.weight_format = WeightFormat(weight_bits)
        self.out_format = ActivationFormat(out_bits)
        self.register_buffer("quantized", torch.tensor(False))
        self.register_buffer("in_frac", torch.tensor(0))
        self.register_buffer("out_frac", torch.tensor(0))
        self.register_buffer("weight_frac", torch.zeros(len(bias), dtype=torch.int64))

    def set_formats(self, in_frac: int, out_frac: int, weight_frac) -> None:
        """Quantize from now on; ``weight_frac`` is int64 (out,)."""
        self.quantized.fill_(True)
        self.in_frac.fill_(in_frac)
        self.out_frac.fill_(out_frac)
        self.weight_frac.copy_(weight_frac)

    def accumulate(self, x):
        """Sum with bias before the requantization: what calibration looks at."""
        if not self.quantized:
            return F.conv2d(x, self.weight, self.bias, padding=1)
        weight = quantize(self.weight, self.weight_frac.view(-1, 1, 1, 1), self.weight_format)
        bias = quantize(self.bias, self.weight_frac + self.in_frac, None)
        return F.conv2d(x, weight, bias, padding=1)

    def forward(self, x):
        acc = self.accumulate(x)
        return quantize(acc, self.out_frac, self.out_format) if self.quantized else F.relu(acc)


class QuantHead(nn.Module):
    """1x1 convolution to one logit, kept whole.

    Parameters
    ----------
    weight, bias : float (1, in, 1, 1) and (1,).
    weight_bits : 1 to 8.
    """

    def __init__(self, weight, bias, weight_bits: int):
        super().__init__()
        self.weight = nn.Parameter(weight.detach().clone())
        self.bias = nn.Parameter(bias.detach().clone())
        self.weight_format = WeightFormat(weight_bits)
        self.register_buffer("quantized", torch.tensor(False))
        self.register_buffer("in_frac", torch.tensor(0))
        self.register_buffer("weight_frac", torch.tensor(0))

    def set_formats(self, in_frac: int, weight_frac: int) -> None:
        """Quantize from now on."""
        self.quantized.fill_(True)
        self.in_frac.fill_(in_frac)
        self.weight_frac.fill_(weight_frac)

    def forward(self, x):
        if not self.quantized:
            return F.conv2d(x, self.weight, self.bias)
        weight = quantize(self.weight, self.weight_frac, self.weight_format)
        bias = quantize(self.bias, self.weight_frac + self.in_frac, None)
        return F.conv2d(x, weight, bias)


class QuantUNet(_UNet):
    """The network that is exported: a :class:`QuantConv` at every layer, a :class:`QuantHead`.

    In float64 the forward pass equals the golden model for every network; in float32 it does
    while no accumulator, with its bias, exceeds 2**24.

    Parameters
    ----------
    parameters : (weight, bias) of every convolution and of ``head``, by layer name.
    wbits, abits : bits of weights and activations.
    first_wbits, last_wbits : weight bits of the first convolution and of the head.
    """

    def __init__(self, topology, parameters, wbits, abits, first_wbits=8, last_wbits=8):
        super().__init__(topology)
        for index, conv in enumerate(topology.convs):
            bits = wbits if index else first_wbits
            self.blocks[conv.name] = QuantConv(*parameters[conv.name], bits, abits)
        self.head = QuantHead(*parameters["head"], last_wbits)
