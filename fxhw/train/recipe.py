"""What a training run is asked to do; everything that decides its result besides the data."""

import dataclasses
from dataclasses import dataclass

from ..errors import FxhwError
from ..fixed import NORMALIZATIONS
from ..graph import UNetTopology
from .augment import Augmentation
from .loss import LOSSES
from .quantizers import ACTIVATIONS, FULL_PRECISION, QUANTIZERS, Quantizer

__all__ = ["Phase", "Recipe"]

_RANGES = {
    "base_channels": (1, 1024),
    "depth": (1, 8),
    "epochs": (1, 100_000),
    "qat_epochs": (0, 100_000),
    "batch": (1, 4096),
    "crop": (8, 8192),
    "seed": (0, 2**32 - 1),
    "dropout": (0.0, 0.9),
    "distillation": (0.0, 1.0),
    "weight_decay": (0.0, 1.0),
}

_CHOICES = {
    "quantizer": tuple(QUANTIZERS),
    "activation": ACTIVATIONS,
    "normalization": NORMALIZATIONS,
    "loss": tuple(LOSSES),
}


@dataclass(frozen=True)
class Phase:
    """A stretch of training with one network and one learning-rate schedule.

    Parameters
    ----------
    name : ``float``, ``tune``, ``paper``, ``norm`` or ``qat``.
    epochs : passes over the training images.
    learning_rate : at the start; a cosine to zero.
    """

    name: str
    epochs: int
    learning_rate: float


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A training run.

    Parameters
    ----------
    quantizer : one of :data:`~fxhw.train.quantizers.QUANTIZERS`.
    wbits, abits : bits of weights and activations; None takes the quantizer's own.
    activation : kind of activation; None takes the quantizer's own.
    first_wbits, last_wbits : weight bits of the first convolution and of the 1x1 head, 1 to 16,
        or 32 for full precision, which then has no integer network to export.
    base_channels : channels of the finest level; they double from level to level.
    depth : levels above the bottom.
    epochs, qat_epochs : epochs with real numbers, then with quantized ones.
    batch : crops per step.
    crop : side of a crop in pixels; smaller images shrink it.
    seed : of the first weights, the order of the crops and the augmentation.
    learning_rate, qat_learning_rate : Adam's rate at the start of each phase, cosine to zero.
    weight_decay : of AdamW, with real numbers.
    dropout : share of channels that training drops after every convolution.
    distillation : share of the network of real numbers in the targets of the quantized phases.
    loss : one of :data:`~fxhw.train.loss.LOSSES`.
    normalization : of every image before anything else, as the exported network has it.
    augmentation : how crops vary.
    size : (height, width) the network is meant for.

    Raises
    ------
    FxhwError if a number is out of range or a name unknown.
    """

    quantizer: str = "fixed"
    wbits: int | None = None
    abits: int | None = None
    activation: str | None = None
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
    weight_decay: float = 0.0
    dropout: float = 0.0
    distillation: float = 0.0
    loss: str = "both"
    normalization: str = "none"
    augmentation: Augmentation = Augmentation()
    size: tuple[int, int] = (128, 128)

    def __post_init__(self):
        kind = QUANTIZERS.get(self.quantizer)
        for name in ("wbits", "abits", "activation"):
            if kind and getattr(self, name) is None:
                object.__setattr__(self, name, getattr(kind, name))
        if self.quantizer == "float":
            object.__setattr__(self, "distillation", 0.0)  # it would learn from itself
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise FxhwError(
                    f"Training option {name} must be one of {', '.join(choices)}, "
                    f"not {getattr(self, name)}"
                )
        for name, (low, high) in _RANGES.items():
            _check_range(name, getattr(self, name), low, high)
        self._check_widths()
        for name in ("learning_rate", "qat_learning_rate"):
            if not 0 < getattr(self, name) <= 1:
                raise FxhwError(
                    f"Training option {name} must lie above 0 and not above 1, "
                    f"not {getattr(self, name)}"
                )
        if min(self.size) < 1:
            raise FxhwError(f"The network's size must be positive, not {self.size}")

    def _check_widths(self) -> None:
        widths = self.kind.widths
        if self.wbits not in widths:
            raise FxhwError(
                f"Quantizer {self.quantizer} has weights of {widths[0]} .. {widths[-1]} bits, "
                f"not {self.wbits}; change --wbits or --quantizer"
            )
        if self.quantizer != "float":
            low = 2 if self.activation == "tanh" else 1
            _check_range("abits", self.abits, low, 16)
        for name in ("first_wbits", "last_wbits"):
            if getattr(self, name) != FULL_PRECISION:
                _check_range(name, getattr(self, name), 1, 16)

    @property
    def kind(self) -> Quantizer:
        """What the quantizer's name stands for."""
        return QUANTIZERS[self.quantizer]

    @property
    def exports(self) -> bool:
        """Whether the result is a network of integers alone."""
        return self.kind.exports and FULL_PRECISION not in (self.first_wbits, self.last_wbits)

    @property
    def phases(self) -> tuple[Phase, ...]:
        """The run's phases in order.

        Folding changes little, so that the phase after it is the shorter and the gentler; INQ
        freezes all weights in the end and has none.
        """
        names, rate = self.kind.phases, self.qat_learning_rate
        last = 0 if self.quantizer == "inq" else self.qat_epochs // 3
        lengths = [self.qat_epochs - last, last] if len(names) == 2 else [self.qat_epochs]
        rates = [rate, rate / 5]
        return (
            Phase("float", self.epochs, self.learning_rate),
            *(Phase(*phase) for phase in zip(names, lengths, rates)),
        )

    def topology(self, image_channels: int) -> UNetTopology:
        """The network's shape."""
        return UNetTopology.doubling(self.base_channels, self.depth, image_channels)

    def to_json(self) -> dict:
        """All options, JSON types only."""
        return dataclasses.asdict(self) | {"size": list(self.size)}

    def float_json(self) -> dict:
        """The options that decide the network with real numbers."""
        names = (
            "base_channels", "depth", "epochs", "batch", "crop", "seed", "learning_rate",
            "weight_decay", "dropout", "loss", "normalization", "augmentation",
        )
        real = "relu" if self.activation == "relu" else "tanh"
        everything = self.to_json()
        return {name: everything[name] for name in names} | {"activation": real}


def _check_range(name: str, value, low, high) -> None:
    if not low <= value <= high:
        raise FxhwError(f"Training option {name} must lie in {low} .. {high}, not {value}")
