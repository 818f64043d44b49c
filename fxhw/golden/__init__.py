"""The golden model: a network run in exact integers with NumPy.

:mod:`~fxhw.golden.conv` has the exact convolution, :mod:`~fxhw.golden.run` runs a network,
:mod:`~fxhw.golden.tiling` covers images larger than the network.
"""

from .conv import conv3x3
from .run import run_network, run_op
from .tiling import run_tiled

__all__ = ["conv3x3", "run_network", "run_op", "run_tiled"]
