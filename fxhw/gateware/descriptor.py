"""Descriptors and layers as the gateware sees them."""

from amaranth.hdl import *
from amaranth.lib import data

from ..plan.program import FIELDS
from .conv_engine import ConvConfig
from .feature_reader import SourceConfig

__all__ = ["DESCRIPTOR", "LayerConfig"]

DESCRIPTOR = data.StructLayout(dict(FIELDS))
"""A descriptor's bits, as :data:`fxhw.plan.program.FIELDS` lays them out."""


class LayerConfig(data.Struct):
    """Everything the main datapath needs to know of a step; stable while it runs."""

    conv: ConvConfig
    a: SourceConfig
    b: SourceConfig
    from_front: 1
    store_full: 1
    store_pool: 1
    to_head: 1
    words_out: 16
    pixel_stride: 16
    full_base: 32
    pool_base: 32
