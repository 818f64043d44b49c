"""A schedule becomes descriptors."""

from dataclasses import replace

from .design import Design
from .external_map import ExternalMap, ExternalRegion
from .memory_map import MemoryMap, Region
from .program import Descriptor, Kernel, Kind
from .schedule import Schedule, Step, with_halo

__all__ = ["make_descriptors"]


def make_descriptors(
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
    a, b, out = schedule.groups(step, design.pin, design.pout)
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
        "width": raster[1] - raster[0],
        "trim_left": int(raster[0] < strip[0]),
        "trim_right": int(strip[1] < raster[1]),
    }


def _first_word(
    design: Design, region: Region | ExternalRegion, column: int, group: int = 0
) -> int:
    """Where a word of a column's first row lies in the memory of feature maps."""
    word = design.packed.word_bytes if design.external else 1
    return region.base + (column * region.groups + group) * word
