"""A network and a design become a program, its parameters, a memory map and an estimate."""

from dataclasses import dataclass, replace

from ..errors import FxhwError
from ..graph import Network
from .cycles import READ_LATENCY, Estimate, estimate_cycles
from .descriptors import make_descriptors
from .design import Design
from .external_map import ExternalMap, map_external
from .fit import check_formats, check_maxima
from .memory_map import MemoryMap, map_memory
from .parameters import conv_beats, head_beats
from .program import DESCRIPTOR_WORDS, Descriptor, Kind, split_beats
from .schedule import Schedule, Step, schedule_network
from .support import check_supported

__all__ = ["Plan", "compile_network", "estimate_network"]


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


def compile_network(network: Network, design: Design) -> Plan:
    """Program, parameters, memory map and estimate of ``network`` on ``design``.

    Raises
    ------
    FxhwError if the network exceeds a maximum of the design, with both numbers.
    """
    schedule, memory_map = _lower(network, design)
    descriptors = make_descriptors(design, schedule, memory_map)
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
    descriptors = tuple(make_descriptors(design, schedule, memory_map))
    return schedule, descriptors, estimate_cycles(design, schedule, descriptors, latency)


def _lower(network: Network, design: Design) -> tuple[Schedule, MemoryMap | ExternalMap]:
    """Steps and memory map, both of which the design has room for."""
    check_supported(network)
    check_formats(network, design)
    row_words = design.row_words if design.external else None
    schedule = schedule_network(
        network, design.pin, design.pout, design.weight_words, row_words
    )
    if design.external:
        memory_map = map_external(schedule, design.pin, design.packed)
    else:
        memory_map = map_memory(schedule, design.pin)
    check_maxima(network, design, schedule, memory_map)
    return schedule, memory_map


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
