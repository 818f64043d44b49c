"""Bytes that each step moves between the accelerator and an external memory."""

from dataclasses import dataclass

from ..plan import Design
from ..plan.external_map import ExternalMap
from ..plan.packed_rows import source_columns
from ..plan.packed_words import PackedWords
from ..plan.schedule import Schedule, Source, Step, with_halo

__all__ = ["StepTraffic", "count_traffic"]


@dataclass(frozen=True)
class StepTraffic:
    """Beats and bytes of one step.

    Parameters
    ----------
    read_beats : beats of its sources.
    parameter_beats : beats of its weights, biases and shifts.
    write_bytes : bytes of its results.
    bus_bytes : bytes of a beat.
    """

    read_beats: int
    parameter_beats: int
    write_bytes: int
    bus_bytes: int

    @property
    def bytes(self) -> int:
        """All bytes, both ways."""
        return (self.read_beats + self.parameter_beats) * self.bus_bytes + self.write_bytes


def count_traffic(
    design: Design,
    schedule: Schedule,
    layout: ExternalMap,
    parameter_beats: tuple[int, ...],
) -> tuple[StepTraffic, ...]:
    """Traffic of every step of ``schedule``.

    Parameters
    ----------
    layout : where the feature maps lie.
    parameter_beats : beats of each step's parameters.
    """
    packed = design.packed
    image = schedule.image
    steps = []
    for step, parameters in zip(schedule.steps, parameter_beats):
        if step.sources:
            # An upsampled source's row is fetched for each of the two it becomes.
            rows = [_row_beats(step, source, layout, packed) for source in step.sources]
            beats = step.out.height * sum(rows)
        else:
            first, end = with_halo(*step.raster, image.width)
            taken = image.height * (end - first) * image.channels
            beats = -(-taken // packed.bus_bytes)
            if end - first < image.width:
                # Every row of a strip may begin and end in mid-beat.
                beats += image.height
        steps.append(
            StepTraffic(
                read_beats=beats,
                parameter_beats=parameters,
                write_bytes=_written(design, step, packed),
                bus_bytes=packed.bus_bytes,
            )
        )
    return tuple(steps)


def _row_beats(step: Step, source: Source, layout: ExternalMap, packed: PackedWords) -> int:
    """Beats of a row of a step's raster in one of its sources."""
    groups = layout.regions[source.tensor.name].groups
    first, end = step.raster
    column = first // 2 if source.up else first
    skip = column * groups * packed.word_units % packed.beat_units
    columns = source_columns(end - first, source.up, bool(first % 2))
    return packed.count_beats(skip, columns * groups)


def _written(design: Design, step: Step, packed: PackedWords) -> int:
    """Bytes of a step's results: the map, its pooled copy, the mask."""
    words = -(-step.channels // design.pin) * packed.word_bytes
    written = step.out.height * step.columns if step.to_head else 0
    for info, columns in step.stored:
        written += info.height * (columns.stop - columns.start) * words
    return written
