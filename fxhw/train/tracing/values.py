"""What a tensor of a module that runs under the recorder can stand for."""

from dataclasses import dataclass

import torch

__all__ = ["Answer", "Features", "Linear", "OddSize"]


class OddSize(Exception):
    """A pooling of an odd size: the image is too small to be traced with."""


@dataclass(frozen=True)
class Features:
    """A tensor of the graph: the image, or values that are not negative.

    Parameters
    ----------
    name : of the tensor.
    level : how often it is halved.
    """

    name: str
    level: int


@dataclass(frozen=True, eq=False)
class Linear:
    """A convolution without its ReLU.

    Parameters
    ----------
    where : layer that made it.
    source : what it reads.
    weight, bias : with batch-norms folded, in double precision.
    result : what torch computed, of up to two channels, which may be the logits.
    """

    where: str
    source: Features
    weight: torch.Tensor
    bias: torch.Tensor
    result: torch.Tensor | None

    @property
    def channels(self) -> int:
        """How many it makes."""
        return len(self.bias)


@dataclass(frozen=True, eq=False)
class Answer:
    """What is made of the last convolution without changing the mask.

    Parameters
    ----------
    linear : the last convolution.
    kind : ``logits``, ``sigmoid`` or ``softmax``.
    """

    linear: Linear
    kind: str

    @property
    def channels(self) -> int:
        """Those of the convolution."""
        return self.linear.channels
