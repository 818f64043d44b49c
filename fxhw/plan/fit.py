"""Whether a network runs on a design."""

from ..errors import FxhwError
from ..graph import Network
from .design import Design
from .external_map import ExternalMap
from .memory_map import MemoryMap
from .schedule import Schedule
from .support import common_formats, multiplier_bits

__all__ = ["check_formats", "check_maxima"]


def check_formats(network: Network, design: Design) -> None:
    """Check that the design computes with the network's codes, and has multipliers for it.

    Raises
    ------
    FxhwError naming what differs, with both widths.
    """
    weight, activation = common_formats(network)
    for what, has, wants in (
        ("weights", weight.bits, design.wbits),
        ("activations", activation.width, design.abits),
        ("image", network.image.width, design.ibits),
        ("first-layer weights", network.convs[0].weight.bits, design.first_wbits),
        ("head weights", network.head.weight.bits, design.last_wbits),
    ):
        if has != wants:
            raise FxhwError(
                f"The network's {what} have {has} bits, the design's {wants}; "
                "generate a design with the network's widths or requantize the network"
            )
    # Ternary codes are 2-bit two's complement ones.
    weights = (weight.kind, "fixed") if weight.kind == "ternary" else (weight.kind,)
    for what, has, wants in (
        ("weights", weights, design.weights),
        ("activations", (activation.kind,), design.activations),
    ):
        if wants not in has:
            raise FxhwError(
                f"The network's {what} are {has[0]}, the design's {wants}; "
                "generate a design for this network"
            )
    _check_multipliers(network, design)


def _check_multipliers(network: Network, design: Design) -> None:
    limit = f"at most {design.mul_bits} bits" if design.mul_bits else "no multipliers"
    for conv in network.convs:
        if multiplier_bits(conv) > design.mul_bits:
            raise FxhwError(
                f"Layer {conv.name} has multipliers of {conv.mul_bits} bits, but the design's "
                f"requantizer takes {limit}; generate a design for this network"
            )


def check_maxima(
    network: Network, design: Design, schedule: Schedule, memory_map: MemoryMap | ExternalMap
) -> None:
    """Check that the design has room for the network's steps and feature maps.

    Raises
    ------
    FxhwError naming the layer and what it needs more of, with both numbers.
    """
    height, width = network.size
    needs = [
        ("image", "width", width, design.max_width),
        ("image", "height", height, design.max_height),
        ("image", "channels", network.image_channels, design.image_channels),
        (
            schedule.front.name,
            "output groups",
            -(-schedule.front.out_channels // design.pin),
            design.front_groups,
        ),
        (
            schedule.head.name,
            "input groups",
            -(-schedule.head.in_channels // design.pout),
            design.head_groups,
        ),
    ]
    if not design.external:
        words = design.feature_words
        needs.append(("memory map", "feature words", memory_map.words, words))
    for step in schedule.steps:
        a, b, out = schedule.groups(step, design.pin, design.pout)
        needs += [
            (step.conv.name, "input groups", a + b, design.max_groups_in),
            (step.conv.name, "output groups", out, design.max_groups_out),
            (step.conv.name, "line buffer words", (a + b) * step.raster_columns, design.row_words),
        ]
        if step.pooled:
            pooled = out * step.pooled_columns
            needs.append((step.conv.name, "pooling words", pooled, design.pool_words))
    for where, what, need, limit in needs:
        if need > limit:
            raise FxhwError(
                f"The network's {where} needs {need} {what}, the design has at most {limit}; "
                "generate a design for this network and image size"
            )
