"""Fake quantizers: real numbers whose values are codes of the number contract.

One recipe per file: :mod:`~fxhw.train.quantizers.fixed` (ours),
:mod:`~fxhw.train.quantizers.paper`,
:mod:`~fxhw.train.quantizers.ternary`, :mod:`~fxhw.train.quantizers.binary` and
:mod:`~fxhw.train.quantizers.inq`; :mod:`~fxhw.train.quantizers.activation` has the activations.
All rest on :mod:`~fxhw.train.quantizers.straight`.
"""

from dataclasses import dataclass

from ...fixed import WeightFormat
from .activation import ACTIVATIONS, ActivationQuantizer
from .binary import BinaryWeights
from .fixed import FixedWeights
from .inq import PowerWeights
from .ternary import TernaryWeights
from .weight import WeightQuantizer

__all__ = [
    "ACTIVATIONS",
    "FULL_PRECISION",
    "QUANTIZERS",
    "ActivationQuantizer",
    "Quantizer",
    "WeightQuantizer",
    "weight_quantizer",
]

FULL_PRECISION = 32
"""As a number of weight bits: the weights stay real numbers."""


@dataclass(frozen=True)
class Quantizer:
    """What a recipe's name stands for.

    Parameters
    ----------
    wbits, abits : bits of weights and activations unless told otherwise.
    activation : kind of the activations unless told otherwise.
    phases : phases of the training after the one with real numbers: ``norm`` quantizes with
        batch-norm live, ``qat`` with batch-norm folded, ``paper`` is a world of its own and
        ``tune`` goes on with real numbers.
    widths : bits of a weight that make sense.
    """

    wbits: int
    abits: int
    activation: str
    phases: tuple[str, ...]
    widths: range

    @property
    def exports(self) -> bool:
        """Whether the result runs in integers alone."""
        return self.phases[-1] == "qat"


QUANTIZERS = {
    "fixed": Quantizer(4, 6, "relu", ("norm", "qat"), range(1, 17)),
    "paper": Quantizer(4, 6, "relu", ("paper",), range(1, 17)),
    "ternary": Quantizer(2, 2, "ternary", ("norm", "qat"), range(2, 3)),
    "binary": Quantizer(1, 1, "sign", ("norm", "qat"), range(1, 2)),
    "inq": Quantizer(5, 8, "relu", ("norm", "qat"), range(3, 8)),
    "float": Quantizer(FULL_PRECISION, FULL_PRECISION, "relu", ("tune",), range(32, 33)),
}


def weight_quantizer(name: str, bits: int, shape) -> WeightQuantizer | None:
    """Quantizer ``name`` for weights of ``shape`` (out_channels, ...); None at full precision."""
    if bits == FULL_PRECISION:
        return None
    if name == "ternary":
        return TernaryWeights(WeightFormat(2, "ternary"), shape[0])
    if name == "inq":
        return PowerWeights(WeightFormat(bits, "power"), shape)
    return (BinaryWeights if bits == 1 else FixedWeights)(WeightFormat(bits), shape[0])
