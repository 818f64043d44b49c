"""The number contract: formats, accumulators, requantization and packing in exact integers.

Imports nothing but NumPy and :mod:`fxhw.errors`.  Read :mod:`~fxhw.fixed.formats` and
:mod:`~fxhw.fixed.weights` first, then :mod:`~fxhw.fixed.accumulator`,
:mod:`~fxhw.fixed.requantize`, :mod:`~fxhw.fixed.normalize` and :mod:`~fxhw.fixed.packing`.
:mod:`~fxhw.fixed.paper` is another project's quantizer, for comparison.
"""

from .accumulator import Accumulator
from .formats import (
    ActivationFormat,
    FixedFormat,
    SignActivation,
    SignedActivation,
    TernaryActivation,
)
from .normalize import CODES_PER_DEVIATION, NORMALIZATIONS, normalize
from .packing import codes_to_int, int_to_codes, pack_codes, unpack_codes
from .paper import PaperFormat
from .requantize import MAX_MUL_BITS, Requantize
from .weights import WeightFormat, power_exponent

__all__ = [
    "Accumulator",
    "ActivationFormat",
    "CODES_PER_DEVIATION",
    "FixedFormat",
    "MAX_MUL_BITS",
    "NORMALIZATIONS",
    "PaperFormat",
    "Requantize",
    "SignActivation",
    "SignedActivation",
    "TernaryActivation",
    "WeightFormat",
    "codes_to_int",
    "int_to_codes",
    "normalize",
    "pack_codes",
    "power_exponent",
    "unpack_codes",
]
