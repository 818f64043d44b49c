# amaranth: UnusedElaboratable=no

"""BurstReader gives every beat of every command, as fast as the bus, whatever waits or fails."""

import random

import pytest

from fxhw.gateware.burst_reader import BurstReader
from fxhw.plan.bursts import BurstSpec

from .axi_memory import AxiMemory
from .simulate import simulate_stream

SIZE = 1 << 15


def random_commands(spec, count, seed):
    rng = random.Random(seed)
    commands = []
    for _ in range(count):
        beats = rng.choice([0, 1, 2, 3, rng.randrange(1, 200)])
        address = rng.randrange((SIZE - beats * spec.bus_bytes) // spec.bus_bytes) * spec.bus_bytes
        commands.append({"address": address, "beats": beats})
    return commands


def expected_beats(memory, commands):
    step = memory.spec.bus_bytes
    return [
        {"data": memory.word(c["address"] + n * step), "last": int(n == c["beats"] - 1)}
        for c in commands for n in range(c["beats"])
    ]


def expected_bursts(spec, commands, count="beats"):
    unit = spec.bus_bytes if count == "beats" else 1
    return [
        (burst.address, burst.beats)
        for c in commands for burst in spec.compute(c["address"], c[count] * unit)
    ]


def read(spec, commands, memory, **options):
    reader = BurstReader(spec, **options.pop("parameters", {}))
    beats = expected_beats(memory, commands)
    run = simulate_stream(
        reader, {"commands": commands}, {"o": len(beats)},
        background=[memory.serve_reads(reader.bus)], **options,
    )
    return run, beats


@pytest.mark.parametrize(
    ("spec", "parameters"),
    [
        (BurstSpec(8, 16), {"depth": 64}),
        (BurstSpec(8, 16), {"depth": 16, "outstanding": 1}),
        (BurstSpec(32, 256), {"depth": 128, "outstanding": 3}),
        (BurstSpec(16, 1), {"depth": 2, "outstanding": 2}),
        (BurstSpec(4, 2, address_bits=64), {"depth": 32, "outstanding": 15}),
    ],
    ids=["usual", "smallest", "wide", "single beats", "short bursts"],
)
@pytest.mark.parametrize("pauses", [{}, {"gap": 0.4, "stall": 0.5}])
def test_every_beat_in_order(spec, parameters, pauses):
    memory = AxiMemory(spec, SIZE, latency=9, seed=3, **pauses)
    commands = random_commands(spec, 25, seed=4)
    options = {"idle": 0.3, "stall": 0.4} if pauses else {}
    run, beats = read(spec, commands, memory, parameters=parameters, seed=5, **options)
    assert run.outputs["o"] == beats
    assert memory.reads == expected_bursts(spec, commands)


@pytest.mark.parametrize("max_beats", [16, 64])
def test_a_beat_per_cycle_at_40_cycles_of_latency(max_beats):
    spec = BurstSpec(8, max_beats)
    memory = AxiMemory(spec, SIZE, latency=40)
    commands = [{"address": 8 * 200 * n, "beats": 200} for n in range(8)]
    parameters = {"depth": 128, "outstanding": 7}
    run, beats = read(spec, commands, memory, parameters=parameters, surplus=0)
    assert run.outputs["o"] == beats
    cycles = run.given["o"]
    assert cycles[-1] - cycles[0] == len(beats) - 1
    first = cycles[0] - run.taken["commands"][0]
    assert first <= 40 + 10


def test_too_shallow_a_queue_is_slower():
    """So the test above can fail."""
    spec = BurstSpec(8, 16)
    memory = AxiMemory(spec, SIZE, latency=40)
    run, _ = read(spec, [{"address": 0, "beats": 400}], memory, parameters={"depth": 32})
    assert run.given["o"][-1] - run.given["o"][0] > 500


def test_never_asks_for_more_than_fits():
    """With no beat taken, no more beats are asked for than the queue holds."""
    spec = BurstSpec(8, 16)
    reader = BurstReader(spec, depth=32)
    memory = AxiMemory(spec, SIZE)
    with pytest.raises(TimeoutError):
        simulate_stream(
            reader, {"commands": [{"address": 0, "beats": 500}]}, {"o": 500}, stall=1,
            background=[memory.serve_reads(reader.bus)], timeout=300,
        )
    # The queue's 32 and those that have left it for the output.
    asked = sum(beats for _, beats in memory.reads)
    assert asked in (32, 48)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"depth": 48}, "depth must be a power of two and hold a burst of 64 beats, .* not 48"),
        ({"depth": 32}, "hold a burst of 64 beats, and 2 beats at least, not 32"),
        ({"outstanding": 0}, "outstanding must be 1 or more, not 0"),
    ],
)
def test_refused_parameters(options, message):
    with pytest.raises(ValueError, match=message):
        BurstReader(BurstSpec(8, 64), **options)
