"""The quantized network, independent of training and of hardware.

:mod:`~fxhw.graph.ops` has the operators, :mod:`~fxhw.graph.network` the graph with its shape and
format inference and its checks, :mod:`~fxhw.graph.unet` the U-Net topology,
:mod:`~fxhw.graph.outline` a network that is all shape, :mod:`~fxhw.graph.liveness` what is alive
at once.
"""

from .network import Network, TensorInfo
from .ops import Concat, Conv, Head, MaxPool, Upsample
from .outline import outline_network
from .unet import UNetTopology

__all__ = [
    "Concat",
    "Conv",
    "Head",
    "MaxPool",
    "Network",
    "TensorInfo",
    "UNetTopology",
    "Upsample",
    "outline_network",
]
