"""The number contract: formats, accumulators, requantization and packing in exact integers.

Imports nothing but NumPy and :mod:`fxhw.errors`.  Read :mod:`~fxhw.fixed.formats` first, then
:mod:`~fxhw.fixed.accumulator`, :mod:`~fxhw.fixed.requantize` and :mod:`~fxhw.fixed.packing`.
"""

from .accumulator import Accumulator
from .formats import ActivationFormat, FixedFormat, WeightFormat
from .packing import codes_to_int, int_to_codes, pack_codes, unpack_codes
from .requantize import Requantize

__all__ = [
    "Accumulator",
    "ActivationFormat",
    "FixedFormat",
    "Requantize",
    "WeightFormat",
    "codes_to_int",
    "int_to_codes",
    "pack_codes",
    "unpack_codes",
]
