# amaranth: UnusedElaboratable=no

"""BurstWriter writes every byte of every command, no other, and never waits in mid-burst."""

import random

import pytest

from fxhw.gateware.burst_writer import BurstWriter
from fxhw.plan.bursts import BurstSpec

from .axi_memory import AxiMemory
from .mutants import mutant
from .simulate import simulate_stream
from .test_burst_reader import expected_bursts

SIZE = 1 << 15


def random_commands(spec, count, seed):
    rng = random.Random(seed)
    commands = []
    for _ in range(count):
        size = rng.choice([0, 1, 2, rng.randrange(1, 40), rng.randrange(1, 150 * spec.bus_bytes)])
        commands.append({"address": rng.randrange(SIZE - size), "bytes": size})
    return commands


def words_of(spec, commands, seed):
    """Random words, as many as the commands take."""
    rng = random.Random(seed)
    count = sum(beats for _, beats in expected_bursts(spec, commands, "bytes"))
    return [rng.getrandbits(spec.data_bits) for _ in range(count)]


def written(spec, before, commands, words):
    """The memory's bytes after the commands, and every beat's address and strobes."""
    after, lanes = bytearray(before), []
    words = iter(words)
    for command in commands:
        for burst in spec.compute(command["address"], command["bytes"]):
            for beat in range(burst.beats):
                address = burst.address + beat * spec.bus_bytes
                strobes = spec.strobes(burst, beat)
                lanes.append((address, strobes))
                data = next(words).to_bytes(spec.bus_bytes, "little")
                for lane in range(spec.bus_bytes):
                    if strobes >> lane & 1:
                        after[address + lane] = data[lane]
    return after, lanes


def write(
    spec, commands, memory, *, block=BurstWriter, parameters=None, words=None, **options
):
    writer = block(spec, **(parameters or {}))
    words = words_of(spec, commands, 7) if words is None else words
    expected = written(spec, memory.bytes, commands, words)
    idle = []

    async def watch(ctx):
        async for _, _, value in ctx.tick().sample(writer.idle):
            idle.append(value)

    run = simulate_stream(
        writer, {"commands": commands, "i": words}, {}, surplus=300,
        background=[memory.serve_writes(writer.bus), watch], **options,
    )
    return run, expected, idle


@pytest.mark.parametrize(
    ("spec", "parameters"),
    [
        (BurstSpec(8, 16), {"depth": 32}),
        (BurstSpec(8, 16), {"depth": 16, "outstanding": 1}),
        (BurstSpec(32, 256), {"depth": 256, "outstanding": 3}),
        (BurstSpec(16, 1), {"depth": 2, "outstanding": 2}),
        (BurstSpec(4, 2, address_bits=64), {"depth": 4, "outstanding": 15}),
        (BurstSpec(1, 16), {"depth": 16}),
    ],
    ids=["usual", "smallest", "wide", "single beats", "short bursts", "bytes"],
)
@pytest.mark.parametrize("pauses", [{}, {"gap": 0.4, "stall": 0.5}])
def test_every_byte_and_no_other(spec, parameters, pauses):
    memory = AxiMemory(spec, SIZE, latency=9, seed=3, **pauses)
    commands = random_commands(spec, 25, seed=6)
    _, (after, lanes), idle = write(
        spec, commands, memory, parameters=parameters, idle=0.4 if pauses else 0, seed=2
    )
    assert memory.writes == expected_bursts(spec, commands, "bytes")
    assert memory.lanes == lanes
    assert memory.bytes == after
    assert idle[0]
    assert idle[-1]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("queue.o.valid & words.room)", "queue.o.valid)"),
        ("issuer.hold.eq(self._waiting)", "issuer.hold.eq(0)"),
    ],
    ids=["word lost before a slow bus", "burst overwritten"],
)
def test_broken_writers_are_caught(old, new):
    """What takes more words than the proofs have."""
    spec = BurstSpec(4, 2)
    memory = AxiMemory(spec, SIZE, latency=3, stall=0.9, seed=5)
    commands = [{"address": 0x100, "bytes": 400}]

    def check(block):
        parameters = {"depth": 32, "outstanding": 15}
        _, (after, _), _ = write(spec, commands, memory, block=block, parameters=parameters)
        assert memory.bytes == after

    with pytest.raises((AssertionError, TimeoutError)):
        check(mutant(BurstWriter, old, new))


def test_a_word_per_cycle():
    """But for a cycle between bursts."""
    spec = BurstSpec(8, 64)
    memory = AxiMemory(spec, SIZE, latency=30)
    commands = [{"address": 64 * 8 * n, "bytes": 64 * 8} for n in range(20)]
    run, _, _ = write(spec, commands, memory)
    cycles = run.taken["i"]
    assert cycles[-1] - cycles[0] < 20 * (64 + 1)


def test_an_address_waits_for_its_words():
    """Words that come slowly do not hold the bus: a burst's words go out in a row."""
    spec = BurstSpec(8, 16)
    memory = AxiMemory(spec, SIZE)
    commands = [{"address": 0x100, "bytes": 200}]
    sent = []

    class Watched(AxiMemory):
        def _write(self, open_bursts, word, answers, cycle):
            sent.append(cycle)
            super()._write(open_bursts, word, answers, cycle)

    memory = Watched(spec, SIZE)
    run, _, _ = write(spec, commands, memory, idle=0.8)
    for start, beats in ((0, 16), (16, 9)):
        cycles = sent[start : start + beats]
        assert cycles[-1] - cycles[0] == beats - 1
        assert memory.at["aw"][start // 16] > run.taken["i"][start + beats - 1]


def test_idle_only_when_answered():
    spec = BurstSpec(8, 16)
    memory = AxiMemory(spec, SIZE, latency=100)
    run, _, idle = write(spec, [{"address": 0, "bytes": 8}], memory)
    taken = run.taken["commands"][0]
    assert not any(idle[taken + 1 : taken + 100])
    assert all(idle[taken + 120 :])


def test_words_before_their_command():
    spec = BurstSpec(8, 16)
    memory = AxiMemory(spec, SIZE)
    commands = random_commands(spec, 5, seed=1)
    _, (after, _), _ = write(
        spec, commands, memory, idle={"commands": 0.95}, parameters={"depth": 64}
    )
    assert memory.bytes == after
