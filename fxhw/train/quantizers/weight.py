"""What the weight quantizers share: a binary point per output channel, kept within bounds."""

from abc import ABC, abstractmethod

import torch
from torch import nn

from ...fixed import WeightFormat
from .straight import power_of_two, straight_through

__all__ = ["WeightQuantizer"]

_SPAN = 24
"""Bounds the binary point from above; a channel with smaller weights is as good as zero."""


class WeightQuantizer(nn.Module, ABC):
    """Weights of one layer as ``code * 2**-frac``, ``frac`` per output channel.

    Subclasses give :meth:`codes`.  ``low`` is the least ``frac`` a layer allows: a result never
    has more fraction bits than its accumulator, so that the shift stays at least 0.

    Parameters
    ----------
    fmt : the codes.
    channels : output channels.
    """

    learned = True
    """Whether the binary points are trained."""

    def __init__(self, fmt: WeightFormat, channels: int):
        super().__init__()
        self.format = fmt
        self.exponent = nn.Parameter(torch.zeros(channels), requires_grad=self.learned)

    def frac(self, low: torch.Tensor) -> torch.Tensor:
        """Fraction bits in use, int64 (channels,)."""
        rounded = torch.round(self.exponent.detach()).to(torch.int64)
        return torch.minimum(torch.maximum(rounded, low), low + _SPAN)

    @abstractmethod
    def codes(self, w: torch.Tensor, frac: torch.Tensor) -> torch.Tensor:
        """Codes of ``w`` (channels, ...) for ``frac`` (channels, 1, ...)."""

    def window(self) -> tuple[float, float]:
        """Range of weights, in codes, that get a gradient."""
        return self.format.min, self.format.max

    def start(self, w: torch.Tensor, low: torch.Tensor) -> None:
        """Choose the binary points for ``w``: least squared error per channel."""
        self.exponent.data.copy_(self._best(w.detach().double().flatten(1), low))

    def restrict(self, w: torch.Tensor, low: torch.Tensor) -> None:
        """Keep the latent weights ``w`` where they can still change; called after each step."""

    def forward(self, w, low):
        frac = self.frac(low)
        wide = (-1,) + (1,) * (w.dim() - 1)
        codes = self.codes(w.detach(), frac.view(wide))
        return straight_through(
            w, self.exponent.view(wide), frac.view(wide), codes, *self.window()
        )

    def _best(self, w: torch.Tensor, low: torch.Tensor) -> torch.Tensor:
        candidates = [low + offset for offset in range(_SPAN + 1)]
        errors = []
        for candidate in candidates:
            frac = candidate.expand(len(w)).view(-1, 1)
            values = self.codes(w, frac) * power_of_two(-frac, w)
            errors.append((values - w).square().sum(dim=1))
        return torch.stack(errors).argmin(dim=0) + low
