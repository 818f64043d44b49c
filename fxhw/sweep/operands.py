"""What an array multiplies: weights and activations, named as ``fxhw train`` names them."""

from dataclasses import dataclass
from itertools import product

from ..errors import FxhwError

__all__ = ["ACTIVATIONS", "QUANTIZERS", "WEIGHT_BITS", "Operands", "list_operands"]

QUANTIZERS = {"fixed": "fixed", "ternary": "ternary", "binary": "fixed", "inq": "power"}
"""Quantizer of ``fxhw train`` -> kind of its weights, as of :class:`fxhw.plan.Design`."""

ACTIVATIONS = {"relu": "unsigned", "tanh": "signed", "ternary": "ternary", "sign": "sign"}
"""Activation of ``fxhw train`` -> kind of its codes, as of :class:`fxhw.plan.Design`."""

_OWN = {"fixed": "relu", "ternary": "ternary", "binary": "sign", "inq": "relu"}
"""The activation that a quantizer has unless told otherwise."""

WEIGHT_BITS = {"fixed": (1, 8), "inq": (3, 7)}
"""Fewest and most bits of a weight, of quantizers that leave the choice."""

_FIXED_BITS = {"ternary": 2, "binary": 1, "sign": 1}
"""Bits of weights and activations that come in one width."""


@dataclass(frozen=True, order=True)
class Operands:
    """Kinds and widths of weights and activations.

    Parameters
    ----------
    wbits, abits : bits of a weight and of an activation.
    weights : ``fixed`` (of one bit: binary), ``ternary`` or ``power``.
    activations : ``unsigned``, ``signed``, ``ternary`` or ``sign``.
    """

    wbits: int
    abits: int
    weights: str = "fixed"
    activations: str = "unsigned"

    @property
    def plain(self) -> bool:
        """Whether it takes no more than other widths to get there: fixed weights, ReLU."""
        return (self.weights, self.activations) == ("fixed", "unsigned")

    @property
    def name(self) -> str:
        """``w4a6``, ``ternary-a6``, ``binary-sign``, ``inq5-a8``."""
        return "".join(self._parts) if self.plain else "-".join(self._parts)

    @property
    def title(self) -> str:
        """The same in words: ``w4 a6``, ``ternary a6``, ``binary sign``, ``inq5 a8``."""
        return " ".join(self._parts)

    @property
    def quantizer(self) -> str:
        """The quantizer of ``fxhw train`` that makes them."""
        return {"fixed": "fixed", "ternary": "ternary", "power": "inq"}[self.weights]

    @property
    def activation(self) -> str:
        """The activation of ``fxhw train`` that makes them."""
        return next(name for name, kind in ACTIVATIONS.items() if kind == self.activations)

    @property
    def _parts(self) -> tuple[str, str]:
        if self.weights == "fixed":
            binary = self.wbits == 1 and not self.plain
            weight = "binary" if binary else f"w{self.wbits}"
        else:
            weight = "ternary" if self.weights == "ternary" else f"inq{self.wbits}"
        named = {"unsigned": f"a{self.abits}", "signed": f"tanh{self.abits}"}
        return weight, named.get(self.activations, self.activations)

    @classmethod
    def trained(cls, quantizer: str, activation: str, wbits: int, abits: int) -> "Operands":
        """Those of a training; widths that its names leave no choice of are not looked at.

        Raises
        ------
        KeyError if no array multiplies them.
        """
        return cls(
            _FIXED_BITS.get(quantizer, wbits), _FIXED_BITS.get(activation, abits),
            QUANTIZERS[quantizer], ACTIVATIONS[activation],
        )


def list_operands(quantizers, activations, wbits, abits) -> list[Operands]:
    """Every combination, each once.

    Parameters
    ----------
    quantizers : of :data:`QUANTIZERS`.
    activations : of :data:`ACTIVATIONS`; None takes each quantizer's own.
    wbits : weight bits of each quantizer that leaves the choice.
    abits : bits of activations that have no width of their own.

    Raises
    ------
    FxhwError if activations of a sign and a tanh of one bit would be the same.
    """
    found = {}
    for quantizer in quantizers:
        bits = wbits[quantizer] if quantizer in WEIGHT_BITS else [_FIXED_BITS[quantizer]]
        for activation in activations or [_OWN[quantizer]]:
            if activation == "tanh" and 1 in abits:
                raise FxhwError("--abits must be at least 2 for tanh, not 1; take sign for 1")
            for w, a in product(bits, abits):
                found[Operands.trained(quantizer, activation, w, a)] = None
    return list(found)
