"""``inq``: weights 0 or powers of two, quantized from the largest down (INQ, Zhou 2017).

A share of each layer's weights, the largest first, is quantized and frozen; the others make up
for it in the training that follows.  The last share is quantized and not trained any more.
"""

import torch

from .straight import power_of_two
from .weight import WeightQuantizer

__all__ = ["SHARES", "PowerWeights"]

SHARES = (0.5, 0.75, 0.82)
"""Share of the weights that is frozen in each stage of the training; after it, all are."""


class PowerWeights(WeightQuantizer):
    """Codes 0 and +-2**k; weights that are not :attr:`frozen` yet stay real numbers.

    Parameters
    ----------
    fmt, channels : as for every weight quantizer.
    shape : of the weights.
    """

    learned = False

    def __init__(self, fmt, shape):
        super().__init__(fmt, shape[0])
        self.register_buffer("frozen", torch.ones(shape, dtype=torch.bool))

    def thaw(self) -> None:
        """Make all weights real numbers again."""
        self.frozen.fill_(False)

    def codes(self, w, frac):
        # The mantissa lies in 0.5 .. 1: from 0.75 on the next power of two is nearer.
        scaled = w * power_of_two(frac, w)
        mantissa, exponent = torch.frexp(scaled.abs())
        power = torch.where(mantissa >= 0.75, exponent, exponent - 1)
        level = power_of_two(power.clamp(0, self.format.top_exponent), w)
        return torch.where(scaled.abs() < 0.5, torch.zeros_like(w), torch.sign(w) * level)

    def start(self, w, low):
        """Each channel's largest code becomes the paper's 2**n1."""
        frac = self.format.power_frac(w.detach().cpu().numpy())
        self.exponent.data.copy_(torch.from_numpy(frac))

    def frac(self, low):
        return torch.maximum(torch.round(self.exponent.detach()).to(torch.int64), low)

    def freeze(self, w: torch.Tensor, share: float, low: torch.Tensor) -> None:
        """Quantize the largest ``share`` of ``w`` for good."""
        # Frozen weights come first, whatever the others have grown to.
        rank = torch.where(self.frozen, torch.inf, w.detach().abs()).flatten()
        chosen = rank.argsort(descending=True, stable=True)[: round(share * w.numel())]
        mask = torch.zeros(w.numel(), dtype=torch.bool, device=w.device)
        mask[chosen] = True
        self.frozen.copy_(mask.view(w.shape))
        with torch.no_grad():
            w.copy_(self(w, low))

    def forward(self, w, low):
        wide = (-1,) + (1,) * (w.dim() - 1)
        frac = self.frac(low).view(wide)
        values = self.codes(w.detach(), frac) * power_of_two(-frac, w)
        return torch.where(self.frozen, values, w)
