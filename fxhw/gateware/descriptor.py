"""Descriptors and layers as the gateware sees them."""

from amaranth.hdl import *
from amaranth.lib import data

from ..plan.design import Design
from ..plan.program import FIELDS
from .conv_engine import ConvConfig
from .feature_reader import SourceConfig

__all__ = ["DESCRIPTOR", "LayerConfig", "StepFlags", "field_bits"]

DESCRIPTOR = data.StructLayout(dict(FIELDS))
"""A descriptor's bits, as :data:`fxhw.plan.program.FIELDS` lays them out."""


class StepFlags(data.Struct):
    """Bits of a descriptor's first word from bit 16 on."""

    last: 1
    from_front: 1
    up_a: 1
    up_b: 1
    store_full: 1
    store_pool: 1
    to_head: 1
    trim_left: 1
    trim_right: 1
    odd: 1
    keep: 1


class LayerConfig(data.Struct):
    """Everything the main datapath needs to know of a step; stable while it runs.

    ``full_row_stride`` and ``pool_row_stride`` are bytes from row to row of the results in
    external memory; bases and strides of feature maps are bytes there, words on the chip.
    ``columns`` of the raster's are kept there, all but the first and the last where it is trimmed;
    ``odd`` tells that the raster starts at an odd column.
    """

    conv: ConvConfig
    a: SourceConfig
    b: SourceConfig
    from_front: 1
    store_full: 1
    store_pool: 1
    to_head: 1
    trim_left: 1
    trim_right: 1
    odd: 1
    columns: 16
    words_out: 16
    pixel_stride: 16
    full_base: 32
    pool_base: 32
    full_row_stride: 32
    pool_row_stride: 32


def field_bits(design: Design) -> dict[str, int]:
    """Bits that a good descriptor's fields, and what is made of them, can have on ``design``."""
    front, main = design.front, design.main
    groups_in = max(design.max_groups_in, design.image_channels, design.head_groups)
    most = {
        "width": design.max_width,
        "height": design.max_height,
        "groups_a": groups_in,
        "groups_b": groups_in,
        "groups_in": groups_in,
        "groups_out": max(design.max_groups_out, design.front_groups),
        "row_words": max(front.row_words, main.row_words),
        # Less than a word more than the channels the array makes.
        "words_out": -(-main.max_groups_out * design.pout // design.pin),
    }
    bits = {name: value.bit_length() for name, value in most.items()}
    sizes = dict(FIELDS)
    addresses = ["base_a", "base_b", "row_stride_a", "row_stride_b", "full_base", "pool_base"]
    if design.external:
        bits["columns"] = bits["width"]
        addresses += ["load_address", "full_row_stride", "pool_row_beats", "pixel_stride"]
        return bits | {name: sizes[name] for name in addresses}
    address = design.feature_words.bit_length()
    bits |= {name: min(sizes[name], address) for name in (*addresses, "pixel_stride")}
    return bits | {"load_address": design.parameter_beats.bit_length()}
