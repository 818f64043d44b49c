"""The U-Net's shape: which layers there are and what feeds them (Ronneberger 2015; 1908.01073)."""

from dataclasses import dataclass

from .ops import Concat, MaxPool, Upsample

__all__ = ["ConvShape", "UNetTopology"]


@dataclass(frozen=True)
class ConvShape:
    """One convolution of the topology."""

    name: str
    input: str
    output: str
    in_channels: int
    out_channels: int


@dataclass(frozen=True)
class UNetTopology:
    """A U-Net of ``depth`` levels below the image, two 3x3 convolutions at each.

    Level ``i`` has ``channels[i]`` channels on the way down and up; the bottom has
    ``channels[-1]``.  The decoder concatenates [upsampled, skip].

    Parameters
    ----------
    channels : channels of each level, finest first; its length is the depth.
    image_channels : channels of the image.
    """

    channels: tuple[int, ...]
    image_channels: int = 1

    def __post_init__(self):
        if not self.channels or min(self.channels) < 1:
            raise ValueError(f"U-Net channels must be positive, not {self.channels}")

    @classmethod
    def doubling(cls, base_channels: int, depth: int, image_channels: int = 1):
        """Channels that double from level to level, as in the paper."""
        return cls(tuple(base_channels << level for level in range(depth)), image_channels)

    @property
    def depth(self) -> int:
        return len(self.channels)

    @property
    def layers(self) -> list:
        """All layers before the head, in order: ConvShape, MaxPool, Upsample and Concat."""
        layers = []

        def pair(block, source, in_channels, out_channels):
            layers.append(
                ConvShape(f"{block}a", source, f"{block}a", in_channels, out_channels)
            )
            layers.append(
                ConvShape(f"{block}b", f"{block}a", f"{block}b", out_channels, out_channels)
            )
            return f"{block}b", out_channels

        source, channels = "image", self.image_channels
        for level, width in enumerate(self.channels):
            source, channels = pair(f"enc{level}", source, channels, width)
            layers.append(MaxPool(f"pool{level}", source, f"pool{level}"))
            source = f"pool{level}"
        source, channels = pair("mid", source, channels, self.channels[-1])
        for level in reversed(range(self.depth)):
            width, skip = self.channels[level], f"enc{level}b"
            layers.append(Upsample(f"up{level}", source, f"up{level}", like=skip))
            layers.append(Concat(f"cat{level}", (f"up{level}", skip), f"cat{level}"))
            source, channels = pair(f"dec{level}", f"cat{level}", channels + width, width)
        return layers

    @property
    def convs(self) -> list[ConvShape]:
        """The 3x3 convolutions in order."""
        return [layer for layer in self.layers if isinstance(layer, ConvShape)]

    @property
    def head_input(self) -> str:
        """Tensor the 1x1 head reads."""
        return "dec0b"
