"""Cycles, traffic and footprint of a network on an accelerator, layer by layer."""

from dataclasses import asdict, dataclass
from itertools import groupby

from ..errors import FxhwError
from ..graph import Network
from ..plan import Design, estimate_network
from ..plan.cycles import READ_LATENCY, StepEstimate, utilization
from ..plan.external_map import map_external
from ..plan.parameters import count_beats
from ..plan.program import DESCRIPTOR_WORDS, Descriptor, Kind
from .traffic import StepTraffic, count_traffic

__all__ = ["Forecast", "LayerForecast", "forecast_network"]


@dataclass(frozen=True)
class LayerForecast:
    """A convolution on the main array, all its tiles and strips together.

    Parameters
    ----------
    name : layer; the first convolution is counted with the one it streams into, the head with the
        one it reads.
    size : (height, width, channels) of the result.
    tiles, strips : tiles of output channels, and strips of columns that each of them comes in.
    macs : useful multiply-accumulates.
    array_macs : those of them that the main array does; the first convolution and the head have
        multipliers of their own.
    cycles : from the end of the layer before to the end of this one.
    read_bytes, parameter_bytes, write_bytes : moved over the bus; 0 on chip.
    bound : what most of the cycles are owed to.
    """

    name: str
    size: tuple[int, int, int]
    tiles: int
    strips: int
    macs: int
    array_macs: int
    cycles: int
    read_bytes: int
    parameter_bytes: int
    write_bytes: int
    bound: str

    @property
    def bytes(self) -> int:
        """All bytes moved."""
        return self.read_bytes + self.parameter_bytes + self.write_bytes


@dataclass(frozen=True)
class Forecast:
    """What to expect of an image.

    Parameters
    ----------
    layers : in order.
    start : cycles before the first of them.
    macs_per_cycle : multipliers of the main array.
    clock : clock in Hz.
    bus_bytes : bytes of a beat of the external memory's bus; None on chip.
    feature_bytes, parameter_bytes : footprint: all feature maps alive at once, and program with
        parameters.
    overhead : bytes of the stored feature maps over those of their codes; None on chip.
    """

    layers: tuple[LayerForecast, ...]
    start: int
    macs_per_cycle: int
    clock: float
    bus_bytes: int | None
    feature_bytes: int
    parameter_bytes: int
    overhead: float | None

    @property
    def cycles(self) -> int:
        """Cycles of an image, from START to the last byte of the mask."""
        return self.start + sum(layer.cycles for layer in self.layers)

    @property
    def macs(self) -> int:
        """Useful multiply-accumulates of an image."""
        return sum(layer.macs for layer in self.layers)

    @property
    def array_macs(self) -> int:
        """Those of the main array."""
        return sum(layer.array_macs for layer in self.layers)

    @property
    def bytes(self) -> int:
        """Bytes moved for an image."""
        return sum(layer.bytes for layer in self.layers)

    @property
    def utilization(self) -> float:
        """Useful MACs of the main array over cycles times its multipliers, 0 .. 1."""
        return utilization(self.array_macs, self.cycles, self.macs_per_cycle)

    @property
    def frames_per_second(self) -> float:
        """Images per second at the clock."""
        return self.clock / self.cycles

    def to_json(self) -> dict:
        """JSON types, the sums included."""
        entry = asdict(self)
        for name in ("cycles", "macs", "array_macs", "bytes", "utilization", "frames_per_second"):
            entry[name] = getattr(self, name)
        return entry


def forecast_network(
    network: Network, design: Design, clock: float, latency: int = READ_LATENCY
) -> Forecast:
    """Forecast of ``network`` on ``design`` at ``clock`` Hz.

    Parameters
    ----------
    latency : of external memory: cycles from a read's address to its first beat.

    Raises
    ------
    FxhwError if the design cannot run the network, or the latency is out of its range.
    """
    if not 0 <= latency <= 100_000:
        raise FxhwError(f"The memory's latency must lie in 0 .. 100000 cycles, not {latency}")
    schedule, program, estimate = estimate_network(network, design, latency)
    loads = tuple(count_beats(design, descriptor) for descriptor in program)
    parameters = len(program) * 32 * DESCRIPTOR_WORDS // design.bus_bits + sum(loads)
    beats = _step_beats(program, loads)
    traffic = None
    if design.external:
        layout = map_external(schedule, design.pin, design.packed)
        traffic = count_traffic(design, schedule, layout, beats)
        features, overhead = layout.size, layout.overhead
    else:
        features, overhead = -(-design.feature_words * design.feature_bits // 8), None
    macs = network.macs()
    layers = []
    steps = list(zip(schedule.steps, estimate.steps, traffic or [None] * len(estimate.steps)))
    ahead = [moved.parameter_beats for *_, moved in steps[1:]] + [0] if traffic else None
    for name, found in groupby(range(len(steps)), key=lambda index: steps[index][0].conv.name):
        tiles = list(found)
        step = steps[tiles[0]][0]
        names = [name]
        names += [schedule.front.name] if not step.sources else []
        names += [schedule.head.name] if step.to_head else []
        costs = [
            _step_cycles(steps[t][1], steps[t][2], ahead[t] if ahead else 0) for t in tiles
        ]
        moved = [steps[t][2] for t in tiles if traffic]
        layers.append(
            LayerForecast(
                name=name,
                size=(step.out.height, step.out.width, step.out.channels),
                tiles=len({steps[t][0].first_channel for t in tiles}),
                strips=len({steps[t][0].first_column for t in tiles}),
                macs=sum(macs[each] for each in names),
                array_macs=sum(steps[t][0].macs for t in tiles),
                cycles=sum(cycles for cycles, _ in costs),
                read_bytes=sum(part.read_beats * part.bus_bytes for part in moved),
                parameter_bytes=sum(part.parameter_beats * part.bus_bytes for part in moved),
                write_bytes=sum(part.write_bytes for part in moved),
                bound=max(costs)[1],
            )
        )
    return Forecast(
        layers=tuple(layers),
        start=estimate.start,
        macs_per_cycle=estimate.macs_per_cycle,
        clock=clock,
        bus_bytes=design.packed.bus_bytes if design.external else None,
        feature_bytes=features,
        parameter_bytes=parameters * design.bus_bits // 8,
        overhead=overhead,
    )


def _step_beats(program: tuple[Descriptor, ...], loads: tuple[int, ...]) -> tuple[int, ...]:
    """Beats of the parameters that each step of the main array loads."""
    return tuple(load for d, load in zip(program, loads) if d.kind is Kind.CONV)


def _step_cycles(
    step: StepEstimate, traffic: StepTraffic | None, ahead: int
) -> tuple[int, str]:
    """Cycles of a step and their bound; ``ahead`` beats of the next step's parameters share the
    bus with its sources."""
    if traffic is None:
        return step.total, step.bound
    # The window waits for a row and a pixel, which cannot come faster than the bus brings them.
    streamed = traffic.read_beats + ahead
    computed = step.fill + step.work + step.writes
    cycles = step.wait + max(streamed, computed) + step.drain
    return cycles, "external memory" if streamed > computed else step.bound
