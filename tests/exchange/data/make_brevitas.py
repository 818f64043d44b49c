"""Makes the Brevitas models beside it: python make_brevitas.py.

Needs torch, brevitas, onnx, onnxscript and onnxoptimizer; made with brevitas 0.13.4, torch 2.13.0,
onnx 1.23.2 in an environment of their own.  The networks are not trained, only calibrated.
"""

from pathlib import Path

import brevitas.nn as qnn
import onnx
import torch
from brevitas.export import export_qonnx
from brevitas.quant import (
    Int8WeightPerChannelFloat,
    Int8WeightPerTensorFixedPoint,
    Uint8ActPerTensorFixedPoint,
    Uint8ActPerTensorFloat,
)
from torch import nn
from torch.nn.functional import interpolate, max_pool2d

FOLDER = Path(__file__).parent
SIZE = (18, 14)
CHANNELS = (3, 4)


class Block(nn.Module):
    """3x3 convolution, batch normalization, quantized ReLU."""

    def __init__(self, inputs, outputs, weight, act, relu=None):
        super().__init__()
        self.conv = qnn.QuantConv2d(
            inputs, outputs, 3, padding=1, bias=False, weight_bit_width=4, weight_quant=weight
        )
        self.bn = nn.BatchNorm2d(outputs)
        for values, low, high in ((self.bn.weight, 0.5, 1.5), (self.bn.bias, -0.3, 0.3)):
            nn.init.uniform_(values, low, high)
        self.relu = relu or qnn.QuantReLU(bit_width=6, act_quant=act)

    def forward(self, x):
        return self.relu(self.bn(self.conv(x)))


class UNet(nn.Module):
    """Two levels; the two tensors of a concatenation share a quantizer if ``shared``."""

    def __init__(self, weight, act, shared):
        super().__init__()
        self.image = qnn.QuantIdentity(bit_width=8, act_quant=act)
        inputs, self.down, self.up = 1, nn.ModuleList(), nn.ModuleList()
        for channels in CHANNELS:
            self.down += [
                Block(inputs, channels, weight, act), Block(channels, channels, weight, act)
            ]
            inputs = channels
        below = self.down[-1].relu if shared else None
        self.middle = nn.Sequential(
            Block(inputs, inputs, weight, act), Block(inputs, inputs, weight, act, below)
        )
        for level in reversed(range(len(CHANNELS))):
            channels = CHANNELS[level]
            below = self.down[2 * level - 1].relu if shared and level else None
            self.up += [
                Block(inputs + channels, channels, weight, act),
                Block(channels, channels, weight, act, below),
            ]
            inputs = channels
        self.head = qnn.QuantConv2d(inputs, 1, 1, weight_bit_width=8, weight_quant=weight)

    def forward(self, x):
        x, skips = self.image(x), []
        for a, b in zip(self.down[::2], self.down[1::2]):
            skips.append(b(a(x)))
            x = max_pool2d(skips[-1], 2, ceil_mode=True)
        x = self.middle(x)
        for a, b in zip(self.up[::2], self.up[1::2]):
            skip = skips.pop()
            x = interpolate(x, size=skip.shape[-2:], mode="nearest")
            x = b(a(torch.cat([x, skip], dim=1)))
        return self.head(x)


def write(name, weight, act, shared):
    torch.manual_seed(7)
    network = UNet(weight, act, shared)
    for _ in range(40):
        network(torch.rand(4, 1, *SIZE))
    network.eval()
    path = FOLDER / f"{name}.onnx"
    export_qonnx(network, args=torch.rand(1, 1, *SIZE), export_path=str(path))
    model = onnx.load(path)
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output):
        del value.metadata_props[:]
    del model.metadata_props[:], model.graph.metadata_props[:]
    onnx.save(model, path)
    path.with_suffix(".onnx.data").unlink(missing_ok=True)
    print(f"{path.name}: {path.stat().st_size} bytes")


write("brevitas_float", Int8WeightPerChannelFloat, Uint8ActPerTensorFloat, True)
write("brevitas_separate", Int8WeightPerChannelFloat, Uint8ActPerTensorFloat, False)
write("brevitas_power", Int8WeightPerTensorFixedPoint, Uint8ActPerTensorFixedPoint, True)
