"""What a traced module is made of."""

from dataclasses import dataclass

from ...graph import Concat, MaxPool, Upsample
from ...graph.unet import ConvShape

__all__ = ["TracedTopology"]


@dataclass(frozen=True)
class TracedTopology:
    """What a module is made of, in the terms of :class:`fxhw.graph.UNetTopology`.

    Parameters
    ----------
    layers : ConvShape, MaxPool, Upsample and Concat in order, without the head.
    head_input : tensor the 1x1 head reads.
    image_channels : channels of the image.
    """

    layers: tuple
    head_input: str
    image_channels: int

    @property
    def convs(self) -> list[ConvShape]:
        """The 3x3 convolutions in order."""
        return [layer for layer in self.layers if isinstance(layer, ConvShape)]

    @property
    def depth(self) -> int:
        """Levels below the image's; sizes that are multiples of ``2**depth`` halve without rest."""
        level = {"image": 0}
        for layer in self.layers:
            source = layer.inputs[0] if isinstance(layer, Concat) else layer.input
            step = {MaxPool: 1, Upsample: -1}.get(type(layer), 0)
            level[layer.output] = level[source] + step
        return max(level.values())
