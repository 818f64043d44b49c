"""A network and a design become a program, its parameters, a memory map and an estimate."""

from dataclasses import dataclass, replace

from ..errors import FxhwError
from ..fixed import FixedFormat, WeightFormat
from ..graph import Conv, Network
from .cycles import READ_LATENCY, Estimate, estimate_cycles
from .design import ACTIVATION_BITS, WEIGHT_BITS, Design
from .external_map import ExternalMap, ExternalRegion, map_external
from .memory_map import MemoryMap, Region, map_memory
from .parameters import conv_beats, count_beats, head_beats
from .program import DESCRIPTOR_WORDS, Descriptor, Kernel, Kind, split_beats
from .schedule import Schedule, Step, schedule_network, with_halo

__all__ = ["ROW_WORDS", "Plan", "compile_network", "design_for", "estimate_network"]

ROW_WORDS = 8192
"""Words of a row of the line buffer, beside external memory, unless more are asked for."""


@dataclass(frozen=True)
class Plan:
    """What the accelerator is loaded with to run one network.

    Parameters
    ----------
    design : the accelerator.
    schedule : the network's steps.
    memory_map : where the feature maps lie.
    descriptors : the program: FRONT, HEAD, then a CONV per step; a step that takes a further strip
        of the first convolution has a FRONT before it.
    beats : program and parameters, the program first.
    estimate : cycles per step and in all.
    """

    design: Design
    schedule: Schedule
    memory_map: MemoryMap | ExternalMap
    descriptors: tuple[Descriptor, ...]
    beats: tuple[int, ...]
    estimate: Estimate

    @property
    def places(self) -> tuple[int, ...]:
        """Index of each step's CONV among the descriptors."""
        return tuple(n for n, d in enumerate(self.descriptors) if d.kind is Kind.CONV)


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
    shapes = [_groups(schedule, step, pin, pout) for step in schedule.steps]
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
            (a + b) * _width(step.raster) for (a, b, _), step in zip(shapes, schedule.steps)
        ),
        "pool_words": max(
            (
                out * _pool_columns(step)
                for (_, _, out), step in zip(shapes, schedule.steps)
                if step.pooled
            ),
            default=1,
        ),
        "weight_words": max((a + b) * out for a, b, out in shapes),
        "feature_words": map_memory(schedule, pin).words if memory == "onchip" else 0,
        "parameter_beats": 1 if memory == "onchip" else 0,
        "bus_bits": bus_bits,
        "mul_bits": max(mul_bits, *(_multiplier_bits(conv) for conv in network.convs)),
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


def check_supported(network: Network) -> None:
    """Check that the accelerator has the arithmetic of every layer.

    The first convolution and the head multiply: ternary weights are 2-bit two's complement codes
    to them, powers of two are nothing to them.

    Raises
    ------
    FxhwError naming the layer, what it has and what is supported.
    """
    elsewhere = "run it with 'fxhw golden', or train it with others"
    ends = *network.convs[:1], network.head
    for op in (*network.convs, network.head):
        if op.weight.kind == "power" and op in ends:
            raise FxhwError(
                f"Layer {op.name} has {op.weight.name} weights, powers of two, but the first "
                f"layer and the head multiply fixed and ternary weights only; {elsewhere}"
            )
        if op.weight.bits > WEIGHT_BITS["fixed"][1]:
            raise FxhwError(
                f"Layer {op.name} has {op.weight.bits}-bit weights, but the MAC array takes at "
                f"most {WEIGHT_BITS['fixed'][1]} bits; {elsewhere}"
            )
    for conv in network.convs:
        most = ACTIVATION_BITS[conv.out.kind][1]
        if conv.out.width > most:
            raise FxhwError(
                f"Layer {conv.name} has {conv.out.width}-bit activations, but the MAC array takes "
                f"at most {most} bits; {elsewhere}"
            )


def common_formats(network: Network) -> tuple[WeightFormat, FixedFormat]:
    """The weights of all layers between first and head, and the activations of all layers.

    The binary point of the activations plays no part.  Where some 2-bit weights are ternary and
    others are not, they are fixed ones.

    Raises
    ------
    FxhwError naming the layer that differs.
    """
    inner = network.convs[1:] or network.convs
    weight, activation = inner[0].weight, network.convs[0].out
    for conv in network.convs:
        if conv.out.width != activation.width:
            raise FxhwError(
                f"Layer {conv.name} has {conv.out.width}-bit activations, others have "
                f"{activation.width}; the array needs one width"
            )
        if conv.out.kind != activation.kind:
            raise FxhwError(
                f"Layer {conv.name} has {conv.out.kind} activations, others have "
                f"{activation.kind} ones; the array needs one kind"
            )
        if conv not in inner or conv.weight == weight:
            continue
        if conv.weight.bits != weight.bits:
            raise FxhwError(
                f"Layer {conv.name} has {conv.weight.bits}-bit weights, others have "
                f"{weight.bits}; the array needs one width"
            )
        if "power" in (conv.weight.kind, weight.kind):
            raise FxhwError(
                f"Layer {conv.name} has {conv.weight.name} weights, others have {weight.name} "
                "ones; the array needs one kind"
            )
        weight = WeightFormat(weight.bits)
    return weight, activation


def compile_network(network: Network, design: Design) -> Plan:
    """Program, parameters, memory map and estimate of ``network`` on ``design``.

    Raises
    ------
    FxhwError if the network exceeds a maximum of the design, with both numbers.
    """
    schedule, memory_map = _lower(network, design)
    descriptors = _descriptors(design, schedule, memory_map)
    loads = _loads(design, schedule, descriptors)
    address = len(descriptors) * (32 * DESCRIPTOR_WORDS // design.bus_bits)
    program, payload = [], []
    for descriptor, load in zip(descriptors, loads):
        program.append(replace(descriptor, load_address=address + len(payload)))
        payload += load
    beats = []
    for descriptor in program:
        beats += split_beats(descriptor.encode(), 32 * DESCRIPTOR_WORDS, design.bus_bits)
    beats += payload
    if not design.external and len(beats) > design.parameter_beats:
        raise FxhwError(
            f"The network's program and parameters take {len(beats)} beats, the design holds "
            f"{design.parameter_beats}; generate a design for this network"
        )
    descriptors = tuple(program)
    estimate = estimate_cycles(design, schedule, descriptors)
    return Plan(design, schedule, memory_map, descriptors, tuple(beats), estimate)


def estimate_network(
    network: Network, design: Design, latency: int = READ_LATENCY
) -> tuple[Schedule, tuple[Descriptor, ...], Estimate]:
    """Steps, descriptors (FRONT and HEAD first) and cycles of ``network`` on ``design``.

    Weights are not looked at, and descriptors do not say where theirs lie.

    Parameters
    ----------
    latency : of external memory, from a read's address to its first beat.

    Raises
    ------
    FxhwError as :func:`compile_network`, but for what the parameters are to blame.
    """
    schedule, memory_map = _lower(network, design)
    descriptors = tuple(_descriptors(design, schedule, memory_map))
    return schedule, descriptors, estimate_cycles(design, schedule, descriptors, latency)


def _lower(network: Network, design: Design) -> tuple[Schedule, MemoryMap | ExternalMap]:
    """Steps and memory map, both of which the design has room for."""
    check_supported(network)
    _check_formats(network, design)
    _check_multipliers(network, design)
    row_words = design.row_words if design.external else None
    schedule = schedule_network(
        network, design.pin, design.pout, design.weight_words, row_words
    )
    memory_map = _map_features(design, schedule)
    _check_maxima(network, design, schedule, memory_map)
    return schedule, memory_map


def _map_features(design: Design, schedule: Schedule) -> MemoryMap | ExternalMap:
    if design.external:
        return map_external(schedule, design.pin, design.packed)
    return map_memory(schedule, design.pin)


def _width(columns: tuple[int, int]) -> int:
    """Columns from the first to the one before the end."""
    first, end = columns
    return end - first


def _pool_columns(step: Step) -> int:
    """Pairs of columns of a step's raster, the odd one rounded up."""
    return -(-_width(step.raster) // 2)


def _groups(schedule: Schedule, step: Step, pin: int, pout: int) -> tuple[int, int, int]:
    """(input groups of source A, of source B, output groups) of a step."""
    if step.sources:
        groups = [-(-source.tensor.channels // pin) for source in step.sources]
    else:
        groups = [-(-schedule.front_out.channels // pin)]
    return groups[0], groups[1] if len(groups) > 1 else 0, -(-step.channels // pout)


def _check_formats(network: Network, design: Design) -> None:
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


def _multiplier_bits(conv: Conv) -> int:
    """Bits of the multipliers ``conv`` needs; 0 where all of them are 1."""
    return conv.mul_bits if conv.mul_bits > 1 else 0


def _check_multipliers(network: Network, design: Design) -> None:
    limit = f"at most {design.mul_bits} bits" if design.mul_bits else "no multipliers"
    for conv in network.convs:
        if _multiplier_bits(conv) > design.mul_bits:
            raise FxhwError(
                f"Layer {conv.name} has multipliers of {conv.mul_bits} bits, but the design's "
                f"requantizer takes {limit}; generate a design for this network"
            )


def _check_maxima(
    network: Network, design: Design, schedule: Schedule, memory_map: MemoryMap | ExternalMap
) -> None:
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
        a, b, out = _groups(schedule, step, design.pin, design.pout)
        needs += [
            (step.conv.name, "input groups", a + b, design.max_groups_in),
            (step.conv.name, "output groups", out, design.max_groups_out),
            (step.conv.name, "line buffer words", (a + b) * _width(step.raster), design.row_words),
        ]
        if step.pooled:
            pooled = out * _pool_columns(step)
            needs.append((step.conv.name, "pooling words", pooled, design.pool_words))
    for where, what, need, limit in needs:
        if need > limit:
            raise FxhwError(
                f"The network's {where} needs {need} {what}, the design has at most {limit}; "
                "generate a design for this network and image size"
            )


def _descriptors(
    design: Design, schedule: Schedule, memory_map: MemoryMap | ExternalMap
) -> list[Descriptor]:
    """All descriptors but for their load addresses."""
    common = {
        "height": schedule.front_out.height,
        "kernel": Kernel.CONV3X3_MULTIPLIER if design.mul_bits else Kernel.CONV3X3,
        "weight_bits": design.weight_field,
        "activation_bits": design.activation_field,
        "multiplier_bits": design.mul_bits,
    }
    head_groups = -(-schedule.head.in_channels // design.pout)
    head = Descriptor(
        kind=Kind.HEAD,
        groups_a=head_groups,
        weight_words=head_groups,
        requantize_words=1,
        width=schedule.front_out.width,
        **common,
    )
    descriptors = []
    for step in schedule.steps:
        if not step.sources:
            again = bool(descriptors)
            descriptors.append(_front(design, schedule, step, again, common))
            descriptors += [] if again else [head]
        descriptors.append(_conv(design, schedule, memory_map, step, common))
    descriptors[-1] = replace(descriptors[-1], last=1)
    return descriptors


def _front(
    design: Design, schedule: Schedule, step: Step, again: bool, common: dict
) -> Descriptor:
    """The first convolution, as far as ``step`` takes it; ``again`` with the same parameters."""
    channels, width = schedule.front.in_channels, schedule.image.width
    groups = -(-schedule.front.out_channels // design.pin)
    raster = with_halo(*step.raster, width)
    fields = {}
    if design.external:
        fields = {"base_a": raster[0] * channels, "row_stride_a": width * channels}
    return Descriptor(
        kind=Kind.FRONT,
        keep=int(again),
        groups_a=channels,
        groups_out=groups,
        weight_words=channels * groups,
        requantize_words=groups,
        **_trims(step.raster, raster),
        **fields,
        **common,
    )


def _conv(
    design: Design,
    schedule: Schedule,
    memory_map: MemoryMap | ExternalMap,
    step: Step,
    common: dict,
) -> Descriptor:
    """A step of the main array."""
    a, b, out = _groups(schedule, step, design.pin, design.pout)
    first, _ = step.raster
    fields = {"base_a": 0, "base_b": 0, "row_stride_a": 0, "row_stride_b": 0}
    for which, source in zip("ab", step.sources):
        region = memory_map.regions[source.tensor.name]
        column = first // 2 if source.up else first
        fields[f"base_{which}"] = _first_word(design, region, column)
        fields[f"row_stride_{which}"] = region.row_stride
        fields[f"up_{which}"] = int(source.up)
    group = step.first_channel // design.pin
    if step.store_full:
        region = memory_map.regions[step.out.name]
        fields["full_base"] = _first_word(design, region, step.first_column, group)
        if design.external:
            fields["full_row_stride"] = region.row_stride
    if step.pooled:
        region = memory_map.regions[step.pooled.name]
        fields["pool_base"] = _first_word(design, region, step.first_column // 2, group)
        if design.external:
            fields["pool_row_beats"] = region.row_stride // design.packed.bus_bytes
    elif step.to_head and design.external:
        fields |= {"pool_base": step.first_column, "pool_row_beats": step.out.width}
    return Descriptor(
        kind=Kind.CONV,
        from_front=int(not step.sources),
        store_full=int(step.store_full),
        store_pool=int(step.pooled is not None),
        to_head=int(step.to_head),
        odd=first % 2,
        groups_a=a,
        groups_b=b,
        groups_out=out,
        words_out=-(-step.channels // design.pin),
        weight_words=(a + b) * out,
        requantize_words=out,
        pixel_stride=-(-step.out.channels // design.pin),
        **_trims(step.strip, step.raster),
        **fields,
        **(common | {"height": step.out.height}),
    )


def _trims(strip: tuple[int, int], raster: tuple[int, int]) -> dict[str, int]:
    """Width of a raster, and on which sides it is more than the strip."""
    return {
        "width": _width(raster),
        "trim_left": int(raster[0] < strip[0]),
        "trim_right": int(strip[1] < raster[1]),
    }


def _first_word(
    design: Design, region: Region | ExternalRegion, column: int, group: int = 0
) -> int:
    """Where a word of a column's first row lies in the memory of feature maps."""
    word = design.packed.word_bytes if design.external else 1
    return region.base + (column * region.groups + group) * word


def _loads(
    design: Design, schedule: Schedule, descriptors: list[Descriptor]
) -> list[list[int]]:
    """Beats each descriptor loads: weight words, then requantization words."""
    bus, front = design.bus_bits, schedule.front
    image = [(front.in_channels, schedule.image.format)]
    steps = iter(schedule.steps)
    loads = []
    for descriptor in descriptors:
        if descriptor.keep:
            loads.append([])
        elif descriptor.kind is Kind.FRONT:
            loads.append(conv_beats(design.front, bus, front, image, 0, front.out_channels))
        elif descriptor.kind is Kind.HEAD:
            loads.append(head_beats(design, schedule.head))
        else:
            loads.append(_step_beats(design, schedule, next(steps)))
    return loads


def _step_beats(design: Design, schedule: Schedule, step: Step) -> list[int]:
    """Beats that a step of the main array loads."""
    tensors = [source.tensor for source in step.sources] or [schedule.front_out]
    sources = [(tensor.channels, tensor.format) for tensor in tensors]
    return conv_beats(
        design.main, design.bus_bits, step.conv, sources, step.first_channel, step.channels
    )


def _parameter_beats(design: Design, schedule: Schedule) -> int:
    """Beats of the whole program with its parameters."""
    steps = _descriptors(design, schedule, _map_features(design, schedule))
    program = len(steps) * (32 * DESCRIPTOR_WORDS // design.bus_bits)
    return program + sum(count_beats(design, step) for step in steps)
