"""The MAC array of each style; all have the signature of :class:`.mac_array.MacArray`."""

from ..plan.conv_spec import ConvSpec
from .mac_array import MacArray
from .mac_dsp import DspMacArray
from .mac_lut import LutMacArray

__all__ = ["ARRAYS", "make_array"]

ARRAYS = {"generic": MacArray, "lut": LutMacArray, "dsp": DspMacArray, "mixed": DspMacArray}
"""Style -> component."""


def make_array(spec: ConvSpec):
    """The array of ``spec``, of its style."""
    return ARRAYS[spec.style](spec)
