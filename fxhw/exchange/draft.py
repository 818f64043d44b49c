"""A model in real numbers: its tensors and layers before any code is chosen."""

from dataclasses import dataclass, field

import numpy as np

from .model_file import Node

__all__ = [
    "Draft", "DraftConv", "DraftLink", "Feature", "Pixels", "Quantizer", "Sum", "Weights"
]


@dataclass(frozen=True)
class Quantizer:
    """A quantizer of feature maps: ``clamp(round(x / scale), low, high)``.

    Parameters
    ----------
    scale : one step.
    bits : bits of a code.
    kind : as :attr:`fxhw.fixed.FixedFormat.kind`.
    rounding : ``HALF_EVEN``, ``HALF_UP``, ``HALF_DOWN``, ``FLOOR`` or ``CEIL``.
    """

    scale: float
    bits: int
    kind: str
    rounding: str = "HALF_UP"

    @property
    def max(self) -> int:
        """Largest code."""
        if self.kind in ("sign", "ternary"):
            return 1
        return (1 << (self.bits - (self.kind == "signed"))) - 1

    @property
    def min(self) -> int:
        """Smallest code."""
        if self.kind in ("sign", "ternary"):
            return -1
        return -(1 << (self.bits - 1)) if self.kind == "signed" else 0


@dataclass(frozen=True, eq=False)
class Weights:
    """Constants behind a quantizer: ``codes * scale``, which broadcast together."""

    codes: np.ndarray
    scale: np.ndarray
    bits: int
    kind: str

    @property
    def array(self) -> np.ndarray:
        return self.codes * self.scale


@dataclass(frozen=True)
class Pixels:
    """The image before its quantizer: ``factor`` times the model's input."""

    shape: tuple[int, int, int]
    factor: float = 1.0


@dataclass(frozen=True)
class Feature:
    """A feature map of codes, (channels, height, width); with a border if it is padded."""

    tensor: str
    shape: tuple[int, int, int]
    border: float | None = None


@dataclass(frozen=True, eq=False)
class Sum:
    """``gain * conv + offset`` per output channel, before its quantizer; or the logit."""

    node: Node
    source: Feature
    weights: Weights
    gain: np.ndarray
    offset: np.ndarray
    shape: tuple[int, int, int]
    relu: bool = False
    logit: bool = False


@dataclass(frozen=True, eq=False)
class DraftConv:
    """A convolution with its quantizer (None: the head).

    The sum's value is ``scale(input) * gain * (weights * input codes) + offset``.
    """

    name: str
    input: str
    output: str
    codes: np.ndarray
    bits: int
    kind: str
    gain: np.ndarray
    offset: np.ndarray
    out: Quantizer | None


@dataclass(frozen=True)
class DraftLink:
    """A pooling, upsampling or concatenation: all its tensors share one format."""

    kind: str
    name: str
    inputs: tuple[str, ...]
    output: str


@dataclass
class Draft:
    """A network before its integers are chosen.

    Parameters
    ----------
    image : the image's quantizer, or what stands for it.
    image_shape : (channels, height, width).
    ops : convolutions and links in order; the last is the head.
    shapes : (channels, height, width) of every tensor.
    tensors : the model's name of every convolution's result.
    wanted : (node, quantizer) of quantizers that read quantized tensors, by tensor.
    image_factor : what the model multiplies its input by before the image's quantizer.
    """

    image: Quantizer
    image_shape: tuple[int, int, int]
    ops: list = field(default_factory=list)
    shapes: dict = field(default_factory=dict)
    tensors: dict = field(default_factory=dict)
    wanted: dict = field(default_factory=dict)
    image_factor: float = 1.0
