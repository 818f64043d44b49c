"""Cycles a program takes, from the shapes alone, with the bound of every step named.

A step takes its windows' cycles (input groups x output groups per pixel, or per two where the array
makes two), the time to fill the
line buffer with a row and a pixel before the first window, and the time for the last result to
get through the pipeline.  Rows whose results outrun the feature memory's write port take as long
as their writes.  The next step's parameters are loaded meanwhile; a step too short to hide that
waits for it.

With external memory a step's input comes after the memory's latency, and the step ends when its
last write is answered.  What the bus can carry is not looked at here, see :mod:`fxhw.estimate`.
"""

from dataclasses import dataclass

from .conv_spec import ConvSpec
from .design import Design
from .parameters import count_beats
from .preparation import prepare_cycles
from .program import DESCRIPTOR_WORDS, Descriptor, Kind
from .schedule import Schedule

__all__ = [
    "Estimate",
    "StepEstimate",
    "engine_latency",
    "estimate_cycles",
    "fetch_latency",
    "queue_words",
    "requantizer_latency",
]

_PIPELINE = 11
"""Cycles from the first word of a step's input to the last result written, beside the engine's
latency and the filling of the line buffer: stage 1, line buffer 5, window 1, queue 2, fork 1,
writer 1."""

_READER = 4
"""Cycles from the start of a step to the first word of its input, beside the feature memory's."""

_FROM_FRONT = 3
"""The same where the input is the first convolution."""

READ_LATENCY = 40
"""Cycles from a read's address to its first beat, that external memory is taken to have."""

_FETCH_ROW = 28
"""Cycles from the start of a step to the first word of its input beside the external memory's
latency and the words of a pixel, which are counted: row fetcher 5, burst reader 9, share 3,
unpacker 3, reader 4, engine 4."""

_STORE_ROW = 32
"""Cycles from the last word of a step's result to its end beside the last burst's beats: trim 1,
writer's stage and packer 6, burst writer 7, share 5, the memory's answer 8, the step's end 5."""

_POOL, _HEAD = 6, 5
"""Cycles of the pool, and of the head beside its dot product."""

_STORED = 1
"""Cycles after the last write until the step is known to be done, with on-chip features."""

_FRONT_PIPELINE = 8
"""Cycles from the first image code to the first result of the first convolution, likewise."""

_LAUNCH = 5
"""Cycles between the last write of a step and the start of the next: the end is noted twice, the
configuration changes two cycles later, and is settled when the step starts."""

_PREPARE = 8
"""Cycles to prepare a step beside its beats and operations: the first operation is looked up 3,
either section begins 1, the last operation is judged 2, launch 1."""


@dataclass(frozen=True)
class StepEstimate:
    """One step's cycles.

    Parameters
    ----------
    name : layer.
    wait : cycles the datapath idles before the step, waiting for its parameters.
    fill : cycles until its first window.
    work : cycles the array computes.
    writes : cycles it waits for results to be written, on top of ``work``.
    drain : cycles from its last window to its last result written.
    """

    name: str
    wait: int
    fill: int
    work: int
    writes: int
    drain: int

    @property
    def total(self) -> int:
        """Cycles of the step with the wait before it."""
        return self.wait + self.fill + self.work + self.writes + self.drain

    @property
    def bound(self) -> str:
        """What the step spends most of its time on."""
        costs = {
            "array": self.work,
            "parameters": self.wait,
            "line buffer": self.fill,
            "feature memory": self.writes,
        }
        return max(costs, key=costs.get)


def utilization(macs: int, cycles: int, macs_per_cycle: int) -> float:
    """Share of an array's multiplier-cycles that did useful work, 0 .. 1; 0 without cycles.

    Parameters
    ----------
    macs : useful multiply-accumulates of the array, not those that others do meanwhile.
    """
    return macs / (cycles * macs_per_cycle) if cycles else 0.0


@dataclass(frozen=True)
class Estimate:
    """Cycles of a program, from START to the last byte of the mask.

    Parameters
    ----------
    start : cycles before the first step of the main datapath starts.
    steps : the main datapath's steps.
    macs : useful multiply-accumulates of the main array, which the first layer and the head have
        multipliers beside.
    macs_per_cycle : multipliers of the main array.
    """

    start: int
    steps: tuple[StepEstimate, ...]
    macs: int
    macs_per_cycle: int

    @property
    def total(self) -> int:
        """Cycles in all."""
        return self.start + sum(step.total for step in self.steps)

    @property
    def utilization(self) -> float:
        """Useful MACs of the main array over cycles times its multipliers, 0 .. 1."""
        return utilization(self.macs, self.total, self.macs_per_cycle)


def requantizer_latency(mul_bits: int, biased: bool = False) -> int:
    """Register stages of a requantizer: shift and clamp, and before them the product, if there are
    multipliers, and the sum, unless the accumulators hold the bias.
    """
    return 3 + (mul_bits > 0) - biased


def fetch_latency(spec: ConvSpec) -> int:
    """Cycles from a window's issue until it is at the array beside its weights: the memory, the
    register behind it, and where weights come from all over the die, one on the way."""
    return 2 + (spec.lanes_in > 1)


def engine_latency(spec: ConvSpec) -> int:
    """Cycles from a window's issue to its result's arrival in the queue: its weights, the array,
    the accumulators, the requantizer."""
    fetched = fetch_latency(spec) + spec.array_latency + spec.stagger
    return fetched + 1 + requantizer_latency(spec.mul_bits, spec.biased)


def queue_words(spec: ConvSpec) -> int:
    """Words of the queue behind an engine: credits do not limit one whose results wait a little.

    While they do not wait at all, ``engine_latency + 5`` words would do.
    """
    words = engine_latency(spec) + 5 + 8
    if spec.pixels == 2:
        # A pixel waits there while the one before it leaves.
        words += spec.max_groups_out
    return -(-words // 16) * 16


def estimate_cycles(
    design: Design,
    schedule: Schedule,
    descriptors: tuple[Descriptor, ...],
    latency: int = READ_LATENCY,
) -> Estimate:
    """Cycles of ``descriptors`` on ``design``, with streams that never stall.

    Parameters
    ----------
    latency : cycles from a read's address to its first beat, with external memory.
    """
    memories = _Latencies.of(design, latency)
    names = iter(schedule.steps)
    front, steps = None, []
    # When the datapath is free, and when preparation begins: at the launch of the step before.
    free = start = launched = front_start = 0
    for descriptor in descriptors:
        launched += _prepare(design, descriptor, memories.parameters)
        if descriptor.kind is Kind.FRONT:
            # A further strip's first convolution waits for the step before.
            front, front_start = descriptor, max(launched, free)
            launched = front_start
        elif descriptor.kind is Kind.CONV:
            if not steps:
                free = start = launched
            wait = max(0, launched - free)
            launched = free + wait
            name = next(names).conv.name
            since_front = launched - front_start - memories.image
            estimate = _step(design, memories, name, front, descriptor, wait, since_front)
            steps.append(estimate)
            free += estimate.total
    macs = sum(step.macs for step in schedule.steps)
    return Estimate(start, tuple(steps), macs, design.macs_per_cycle)


@dataclass(frozen=True)
class _Latencies:
    """Cycles until the first beat or word arrives of parameters, image, or a step's source; the
    first two with what sections and commands of external memory cost beside."""

    parameters: int
    image: int
    source: int

    @classmethod
    def of(cls, design: Design, latency: int) -> "_Latencies":
        if not design.external:
            return cls(design.parameter_banks.latency, 0, _READER + design.feature_banks.latency)
        # The descriptor and both sections wait for the memory.
        return cls(3 * (latency + _FETCH_ROW), latency + _FETCH_ROW, latency + _FETCH_ROW)


def _prepare(design: Design, d: Descriptor, latency: int) -> int:
    """Cycles to fetch, check and load one step."""
    if d.keep:
        latency //= 3  # of the descriptor alone
    fetch = 32 * DESCRIPTOR_WORDS // design.bus_bits + latency
    return fetch + prepare_cycles(design, d) + count_beats(design, d) + _PREPARE


def _step(
    design: Design,
    memories: _Latencies,
    name: str,
    front: Descriptor,
    d: Descriptor,
    wait: int,
    since_front: int,
) -> StepEstimate:
    """One step; ``since_front`` is how long before it the first convolution was started."""
    groups_in = d.groups_a + d.groups_b
    row = -(-d.width // design.pixels)
    # Two pixels of a row of even width are complete only with the pair behind it.
    windows = row * d.height + (design.pixels == 2 and d.width % 2 == 0)
    # A row of one word is taken every other cycle.
    beat = 2 if groups_in * d.width == 1 else 1
    fill = beat * groups_in * (d.width + 1)
    # A row of windows, or of the columns they are made of.
    row_cycles = groups_in * max(row * d.groups_out, beat * d.width)
    if d.from_front:
        pace = max(front.groups_a * front.groups_out, front.groups_a * (1 + (d.width == 1)))
        latency = _FRONT_PIPELINE + engine_latency(design.front)
        image_row = front.groups_a * (front.width + 1) + latency
        fill = max(fill, image_row + pace * (front.width + 1) - since_front)
        # Words wait in the queue for a step that starts late.
        ahead = min(queue_words(design.front) * pace, max(0, since_front - image_row))
        behind = d.height * max(0, front.width * pace - row_cycles)
        image = max(0, behind - ahead)
    else:
        image = 0
    results = d.columns * _result_interval(design, d)
    # Two burst writers do not share what two writers of the feature memory do.
    conflict = _pool_conflict if not design.external else lambda d, row: 0
    writes = sum(
        max(0, results - row_cycles)
        + max(0, conflict(d, y) - max(0, row_cycles - d.columns * d.words_out))
        for y in range(d.height)
    )
    tail = _HEAD + design.head_latency if d.to_head else _POOL if d.store_pool else 0
    source = _FROM_FRONT if d.from_front else memories.source
    if not design.external:
        tail += _STORED * (d.store_full or d.store_pool)
    else:
        source += 0 if d.from_front else d.groups_a
        tail += _STORE_ROW + _last_bursts(design, d)
    if design.pin != design.pout and not d.to_head:
        # The words that a pixel's last results complete leave one after the other.
        tail += 1 + d.words_out - (d.groups_out - 1) * design.pout // design.pin
    if design.pixels == 2 and d.width % 2:
        # The last two pixels come together and leave one after the other.
        tail += d.groups_out
    return StepEstimate(
        name=name,
        wait=wait,
        fill=fill,
        work=windows * groups_in * d.groups_out,
        writes=writes + image + d.height * (row_cycles - row * groups_in * d.groups_out),
        drain=source + _PIPELINE + engine_latency(design.main) + tail + _LAUNCH,
    )


def _result_interval(design: Design, d: Descriptor) -> int:
    """Cycles a pixel's results take through repacking and the write port."""
    if not (d.store_full or d.store_pool):
        return d.groups_out
    if design.pin == design.pout:
        return d.words_out
    last = d.groups_out * design.pout - 1
    straddles = (last + 1 - design.pout) // design.pin != last // design.pin
    return max(d.groups_out + (design.pout < design.pin and straddles), d.words_out)


def _last_bursts(design: Design, d: Descriptor) -> int:
    """Beats of the last bursts of a step's results: they leave once their last word is there."""
    widths = d.columns * d.store_full, -(-d.columns // 2) * d.store_pool
    bytes_ = [width * d.pixel_stride * design.packed.word_bytes for width in widths]
    most = design.bursts.block_beats
    return sum(min(most, -(-count // design.packed.bus_bytes)) for count in bytes_)


def _pool_conflict(d: Descriptor, row: int) -> int:
    """Cycles of a row in which the pooled copy keeps the result from the write port."""
    if not (d.store_pool and d.store_full) or (row % 2 == 0 and row != d.height - 1):
        return 0
    return -(-d.columns // 2) * d.words_out
