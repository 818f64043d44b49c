"""What a training run is asked to do; everything that decides its result besides the data."""

import dataclasses
from dataclasses import dataclass

from ..errors import FxhwError
from ..graph import UNetTopology

__all__ = ["Recipe"]

_RANGES = {
    "wbits": (1, 8),
    "abits": (1, 8),
    "first_wbits": (1, 8),
    "last_wbits": (1, 8),
    "base_channels": (1, 1024),
    "depth": (1, 8),
    "epochs": (1, 100_000),
    "qat_epochs": (0, 100_000),
    "batch": (1, 4096),
    "crop": (8, 8192),
    "seed": (0, 2**32 - 1),
}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A training run.

    Parameters
    ----------
    wbits, abits : bits of weights and activations, 1 to 8.
    first_wbits, last_wbits : weight bits of the first convolution and of the 1x1 head.
    base_channels : channels of the finest level; they double from level to level.
    depth : levels above the bottom.
    epochs, qat_epochs : epochs with real numbers, then with quantized ones.
    batch : crops per step.
    crop : side of a crop in pixels; smaller images shrink it.
    seed : of the first weights, the order of the crops and the augmentation.
    learning_rate, qat_learning_rate : Adam's rate at the start of each phase, cosine to zero.
    size : (height, width) the network is meant for.

    Raises
    ------
    FxhwError if a number is out of range.
    """

    wbits: int = 4
    abits: int = 6
    first_wbits: int = 8
    last_wbits: int = 8
    base_channels: int = 8
    depth: int = 3
    epochs: int = 45
    qat_epochs: int = 20
    batch: int = 4
    crop: int = 192
    seed: int = 0
    learning_rate: float = 4e-3
    qat_learning_rate: float = 1e-3
    size: tuple[int, int] = (128, 128)

    def __post_init__(self):
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise FxhwError(
                    f"Training option {name} must lie in {low} .. {high}, not {value}"
                )
        for name in ("learning_rate", "qat_learning_rate"):
            if not 0 < getattr(self, name) <= 1:
                raise FxhwError(
                    f"Training option {name} must lie above 0 and not above 1, "
                    f"not {getattr(self, name)}"
                )
        if min(self.size) < 1:
            raise FxhwError(f"The network's size must be positive, not {self.size}")

    def topology(self, image_channels: int) -> UNetTopology:
        """The network's shape."""
        return UNetTopology.doubling(self.base_channels, self.depth, image_channels)

    def to_json(self) -> dict:
        """All options, JSON types only."""
        return dataclasses.asdict(self) | {"size": list(self.size)}
