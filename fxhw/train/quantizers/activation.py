"""Activations: clamped ReLU, hard tanh, ternary tanh and sign, as their formats define them.

===========  ==========================  ======================================
``kind``     with real numbers           codes
===========  ==========================  ======================================
``relu``     relu                        0 .. 2**bits - 1, learned step
``tanh``     tanh                        two's complement of -1 .. 1 - 2**(1 - bits)
``ternary``  tanh                        -1, 0, +1, thresholds at -0.5 and 0.5
``sign``     tanh                        -1, +1
===========  ==========================  ======================================

The two comparators of ``ternary`` are TernaryNet's (Heinrich 2018, at its hardest); ``sign`` is
BNN's (Hubara 2016), with the gradient of a hard tanh.
"""

import torch
import torch.nn.functional as F
from torch import nn

from ...fixed import (
    ActivationFormat,
    FixedFormat,
    SignActivation,
    SignedActivation,
    TernaryActivation,
)
from .straight import power_of_two, round_half_up, straight_through

__all__ = ["ACTIVATIONS", "ActivationQuantizer", "activation_code", "real_activation"]

ACTIVATIONS = ("relu", "tanh", "ternary", "sign")
"""Kinds of activations."""

_FRACS = range(-8, 17)


def real_activation(kind: str, x: torch.Tensor) -> torch.Tensor:
    """The function that ``kind`` quantizes."""
    return F.relu(x) if kind == "relu" else torch.tanh(x)


def activation_code(x: torch.Tensor, fmt: FixedFormat, frac) -> torch.Tensor:
    """Codes of ``x`` in ``fmt`` with ``frac`` fraction bits (an integer or an integer tensor)."""
    if fmt.codes == "sign":
        return torch.where(x >= 0, 1.0, -1.0).to(x.dtype)
    return round_half_up((x * power_of_two(frac, x)).clamp_(fmt.min, fmt.max))


class ActivationQuantizer(nn.Module):
    """Quantizes one tensor, or the two tensors of a concatenation, which share their format.

    Until :meth:`calibrate` it computes with real numbers.  The binary point of ``relu`` is
    learned, the others' is fixed.

    Parameters
    ----------
    kind : one of :data:`ACTIVATIONS`.
    bits : bits of ``relu`` and ``tanh``, 1 to 16.
    """

    def __init__(self, kind: str, bits: int):
        super().__init__()
        self.kind = kind
        self.shape, self._window = {
            "relu": (ActivationFormat(bits), 0.0),
            "tanh": (SignedActivation(bits, bits - 1), 0.0),
            "ternary": (TernaryActivation(), 0.5),
            "sign": (SignActivation(), 0.0),
        }[kind]
        learned = kind == "relu"
        self.exponent = nn.Parameter(torch.tensor(float(self.shape.frac)), requires_grad=learned)
        self.register_buffer("ready", torch.tensor(False))

    @property
    def frac(self) -> torch.Tensor:
        """Fraction bits in use, int64 scalar."""
        rounded = torch.round(self.exponent.detach()).to(torch.int64)
        return rounded.clamp(_FRACS[0], _FRACS[-1])

    @property
    def format(self) -> FixedFormat:
        """The format in use."""
        return FixedFormat(
            self.shape.width, int(self.frac), self.shape.signed, self.shape.codes
        )

    @property
    def border(self) -> float:
        """Value that the border of a convolution takes: 0, or -1 where there is no 0."""
        return float(self.shape.padding) if self.ready else 0.0

    @torch.no_grad()
    def calibrate(self, values: torch.Tensor) -> None:
        """Quantize from now on, ``relu`` with the step of least squared error for ``values``."""
        if self.kind == "relu":
            self.exponent.fill_(float(best_frac(values, self.shape)))
        self.ready.fill_(True)

    def codes(self, x: torch.Tensor) -> torch.Tensor:
        """Codes of ``x``."""
        return activation_code(x, self.shape, self.frac)

    def forward(self, x):
        if not self.ready:
            return real_activation(self.kind, x)
        frac = self.frac
        low, high = self.shape.min - self._window, self.shape.max + self._window
        return straight_through(x, self.exponent, frac, self.codes(x), low, high)


def best_frac(values: torch.Tensor, fmt: FixedFormat) -> int:
    """Fraction bits of least squared error for ``relu(values)``; the fewest of equals."""
    positive = values.detach().double().clamp(min=0)
    errors = [
        float(
            (activation_code(positive, fmt, frac) / power_of_two(frac, positive) - positive)
            .square()
            .sum()
        )
        for frac in _FRACS
    ]
    return _FRACS[errors.index(min(errors))]
