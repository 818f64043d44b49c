"""The smallest accelerator that runs a network."""

from ..errors import FxhwError
from ..graph import Network
from .descriptors import make_descriptors
from .design import Design
from .memory_map import map_memory
from .parameters import count_beats
from .program import DESCRIPTOR_WORDS
from .schedule import Schedule, schedule_network
from .support import check_supported, common_formats, multiplier_bits

__all__ = ["ROW_WORDS", "design_for"]

ROW_WORDS = 8192
"""Words of a row of the line buffer, beside external memory, unless more are asked for."""


def design_for(
    network: Network,
    pin: int = 8,
    pout: int = 8,
    weight_words: int | None = None,
    bus_bits: int = 64,
    mul_bits: int = 0,
    style: str = "generic",
    target: str = "generic",
    pixels: int = 1,
    dsps: int = 0,
    memory: str = "onchip",
    address_bits: int = 0,
    row_words: int | None = None,
) -> Design:
    """The smallest design that runs ``network`` at its own size.

    Parameters
    ----------
    pin, pout : input and output channels the main array takes and makes per cycle.
    weight_words : most weight words of a step (default: as many as the largest layer has).
    bus_bits : width of the parameter bus, or of the external memory's.
    mul_bits : least width of the multipliers, for other networks that are to run on the design;
        those of ``network`` itself fit in any case.
    style, target, pixels, dsps : of the MAC arrays, see :class:`.design.Design`.
    memory, address_bits : where feature maps and parameters lie, likewise.
    row_words : most words of a row of the line buffer; with external memory, layers that need more
        run in strips of columns (default there: :data:`ROW_WORDS`).

    Raises
    ------
    FxhwError if the network's layers do not share one format of weights and one of activations,
    or if the accelerator cannot run it.
    """
    check_supported(network)
    weight, activation = common_formats(network)
    for name, value in (("pin", pin), ("pout", pout)):
        if not 1 <= value <= 16:
            raise FxhwError(f"--{name} must lie in 1 .. 16, not {value}")
    if memory == "onchip" and row_words is not None:
        raise FxhwError(
            "Layers run in strips of columns only with external memory: give --memory axi with "
            "--row-words, or leave it out"
        )
    limit = None if memory == "onchip" else row_words or ROW_WORDS
    schedule = schedule_network(network, pin, pout, weight_words, limit)
    shapes = [schedule.groups(step, pin, pout) for step in schedule.steps]
    height, width = network.size
    fields = {
        "wbits": weight.bits,
        "abits": activation.width,
        "pin": pin,
        "pout": pout,
        "ibits": network.image.width,
        "first_wbits": schedule.front.weight.bits,
        "last_wbits": schedule.head.weight.bits,
        "image_channels": network.image_channels,
        "max_width": width,
        "max_height": height,
        "max_groups_in": max(a + b for a, b, _ in shapes),
        "max_groups_out": max(out for _, _, out in shapes),
        "front_groups": -(-schedule.front.out_channels // pin),
        "head_groups": -(-schedule.head.in_channels // pout),
        "row_words": max(
            (a + b) * step.raster_columns for (a, b, _), step in zip(shapes, schedule.steps)
        ),
        "pool_words": max(
            (
                out * step.pooled_columns
                for (_, _, out), step in zip(shapes, schedule.steps)
                if step.pooled
            ),
            default=1,
        ),
        "weight_words": max((a + b) * out for a, b, out in shapes),
        "feature_words": map_memory(schedule, pin).words if memory == "onchip" else 0,
        "parameter_beats": 1 if memory == "onchip" else 0,
        "bus_bits": bus_bits,
        "mul_bits": max(mul_bits, *(multiplier_bits(conv) for conv in network.convs)),
        "style": style,
        "target": target,
        "weights": weight.kind,
        "activations": activation.kind,
        "pixels": pixels,
        "dsps": dsps,
        "memory": memory,
        "address_bits": address_bits,
    }
    probe = Design(**fields)
    if probe.external:
        return probe
    beats = _parameter_beats(probe, schedule)
    return Design(**{**fields, "parameter_beats": beats})


def _parameter_beats(design: Design, schedule: Schedule) -> int:
    """Beats of the whole program with its parameters."""
    steps = make_descriptors(design, schedule, map_memory(schedule, design.pin))
    program = len(steps) * (32 * DESCRIPTOR_WORDS // design.bus_bits)
    return program + sum(count_beats(design, step) for step in steps)
