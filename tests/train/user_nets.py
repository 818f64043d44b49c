"""U-Nets as people write them, none of them ours, and modules that cannot be quantized."""

import torch
import torch.nn.functional as F
from torch import nn


def double(inputs, outputs, norm=True, bias=False):
    """Two convolutions, each with its batch-norm and ReLU."""
    layers = []
    for channels in (inputs, outputs):
        layers.append(nn.Conv2d(channels, outputs, 3, padding=1, bias=bias or not norm))
        layers += [nn.BatchNorm2d(outputs)] if norm else []
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)


class Sequentials(nn.Module):
    """Sequential blocks; the skip comes first; the size is padded; two logits and a softmax."""

    class Up(nn.Module):
        def __init__(self, inputs, outputs):
            super().__init__()
            self.up = nn.Upsample(scale_factor=2, mode="nearest")
            self.conv = double(inputs, outputs, bias=True)

        def forward(self, low, skip):
            low = self.up(low)
            rows = skip.size()[2] - low.size()[2]
            columns = skip.size()[3] - low.size()[3]
            low = F.pad(low, [columns // 2, columns - columns // 2, rows // 2, rows - rows // 2])
            return self.conv(torch.cat([skip, low], dim=1))

    def __init__(self, width=5, image_channels=1):
        super().__init__()
        self.inc = double(image_channels, width)
        self.down1 = nn.Sequential(nn.MaxPool2d(2), double(width, 2 * width))
        self.down2 = nn.Sequential(nn.MaxPool2d(2), nn.Dropout2d(0.3), double(2 * width, width))
        self.up1 = self.Up(3 * width, width + 1)
        self.up2 = self.Up(2 * width + 1, width)
        self.outc = nn.Conv2d(width, 2, 1)

    def forward(self, x):
        a = self.inc(x)
        b = self.down1(a)
        return F.softmax(self.outc(self.up2(self.up1(self.down2(b), b), a)), dim=1)


class Functional(nn.Module):
    """Functional calls, no batch-norm, sizes compared, cropped by slices; depth as you like."""

    def __init__(self, depth=2, widths=(4, 5, 6, 7, 4)):
        super().__init__()
        self.depth = depth
        self.convs = nn.ModuleList()
        channels = 1
        for width in widths[: depth + 1]:
            self.convs.append(nn.Conv2d(channels, width, 3, padding=1))
            self.convs.append(nn.Conv2d(width, width, 3, padding="same"))
            channels = width
        for level in reversed(range(depth)):
            self.convs.append(nn.Conv2d(channels + widths[level], widths[level], 3, 1, 1))
            channels = widths[level]
        self.last = nn.Conv2d(channels, 1, 1, bias=False)

    def forward(self, x):
        convs, skips = iter(self.convs), []
        for level in range(self.depth + 1):
            x = F.relu(next(convs)(x))
            x = torch.relu(next(convs)(x))
            if level < self.depth:
                skips.append(x)
                x = F.max_pool2d(x, kernel_size=2, stride=2, ceil_mode=True)
        for skip in reversed(skips):
            x = F.interpolate(x, size=skip.shape[2:], mode="nearest")
            if x.shape[-2:] != skip.shape[-2:]:
                raise ValueError("sizes differ")
            x = x[:, :, : skip.shape[2], : skip.shape[3]]
            x = next(convs)(torch.concat((x, skip), 1)).relu_()
            x = F.dropout(x, 0.5, self.training)
        return torch.sigmoid(self.last(x)).squeeze(1)


class OneByOne(nn.Module):
    """1x1 convolutions inside, a layer used twice and called as a method of nn.ModuleDict is,
    clamp for ReLU, a dictionary for a result."""

    def __init__(self):
        super().__init__()
        self.encoder = double(1, 4)
        self.keys = nn.Conv2d(4, 4, 3, padding=1)
        self.squeeze = nn.Conv2d(4, 3, 1, bias=False)
        self.norm = nn.BatchNorm2d(3, affine=False)
        self.decoder = double(7, 4, norm=False)
        self.head = nn.Sequential(nn.Conv2d(4, 1, 1), nn.BatchNorm2d(1), nn.Identity())

    def forward(self, image):
        skip = self.encoder(image)
        low = nn.functional.max_pool2d(skip, (2, 2))
        low = self.keys(self.keys(low).clamp(min=0)).clamp_min(0)
        low = F.relu(self.norm(self.squeeze(low)), inplace=True)
        low = F.interpolate(low.contiguous(), scale_factor=2)
        unused = F.max_pool2d(low, 2)
        self.seen = unused.shape
        return {"out": self.head(self.decoder(torch.cat([low, skip], 1)))}


class Wide(nn.Module):
    """Depth 4, channels that do not double, argmax of two logits."""

    def __init__(self):
        super().__init__()
        widths = [2, 3, 5, 4, 6]
        pairs = list(zip([1, *widths], widths))
        self.down = nn.ModuleList(double(i, o, bias=True) for i, o in pairs)
        self.up = nn.ModuleList(
            double(widths[k + 1] + widths[k], widths[k]) for k in reversed(range(4))
        )
        self.pool, self.grow = nn.MaxPool2d(2, 2), nn.UpsamplingNearest2d(scale_factor=2)
        self.last = nn.Conv2d(2, 2, 1)

    def forward(self, x):
        skips = []
        for block in self.down[:-1]:
            skips.append(block(x))
            x = self.pool(skips[-1])
        x = self.down[-1](x)
        for block in self.up:
            x = block(torch.cat([self.grow(x), skips.pop()], dim=-3))
        return self.last(x).argmax(dim=1)


class Chain(nn.Module):
    """Any layer between a good convolution and a good head."""

    def __init__(self, layer, channels=4, classes=1):
        super().__init__()
        self.first = nn.Conv2d(1, 4, 3, padding=1)
        self.layer = layer
        self.last = nn.Conv2d(channels, classes, 1)

    def forward(self, x):
        return self.last(self.layer(F.relu(self.first(x))))


class Applied(nn.Module):
    """A function of a feature map as a module."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


NETS = {
    "sequentials": Sequentials,
    "colour": lambda: Sequentials(4, 3),
    "functional1": lambda: Functional(1),
    "functional3": lambda: Functional(3),
    "functional4": lambda: Functional(4),
    "one by one": OneByOne,
    "wide": Wide,
}


def random_net(name, seed=0):
    """One of :data:`NETS` with random weights and batch-norm statistics, in evaluation mode."""
    torch.manual_seed(seed)
    network = NETS[name]() if isinstance(name, str) else name()
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight)
        elif isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.normal_(0, 0.3)
            layer.running_var.uniform_(0.2, 2)
            if layer.affine:
                nn.init.normal_(layer.weight, 1, 0.3)
                nn.init.normal_(layer.bias, 0.5, 0.3)
    return network.eval()
