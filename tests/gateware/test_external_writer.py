# amaranth: UnusedElaboratable=no

"""ExternalWriter: the bytes a burst writer would leave in memory == the packed feature map."""

import numpy as np
import pytest

from fxhw.gateware.external_writer import ExternalWriter
from fxhw.plan.bursts import BurstSpec
from fxhw.plan.packed_rows import PackedRows
from fxhw.plan.packed_words import PackedWords

from .mutants import mutant
from .simulate import simulate_stream

ORIGIN = 0x2000
FREE = 0xEE


def make(packed, component=ExternalWriter):
    bursts = BurstSpec(bus_bytes=packed.bus_bytes, address_bits=44, max_count=4096)
    return component(packed, bursts, max_width=300, max_words=5)


def write(packed, words, base, row_stride, pixel_stride, limit=1 << 15, dut=None, **options):
    """Memory after writing (height, width, words) words, commands, and overruns seen.

    Acts as the burst writer does: of each command's beats only its own bytes get through.
    """
    height, width, count = words.shape
    plan = PackedRows(packed, base, row_stride, limit)
    pieces = plan.write(width=width, height=height, words=count, pixel_stride=pixel_stride)
    commands = [
        {"address": ORIGIN + piece.offset, "bytes": plan.size(piece)} for piece in pieces
    ]
    beats = sum(plan.beats(piece) for piece in pieces)
    dut = dut or make(packed)
    overruns = []

    async def watch(ctx):
        async for *_, overrun in ctx.tick().sample(dut.overrun):
            overruns.append(overrun)

    config = {
        "target.base": base, "target.row_stride": row_stride, "target.pixel_stride": pixel_stride,
        "target.words": count, "width": width, "height": height, "origin": ORIGIN, "limit": limit,
    }
    run = simulate_stream(
        dut, words.ravel(), {"commands": len(commands), "beats": beats}, setup=config,
        pulse=["start"], background=[watch], surplus=40, **options,
    )
    assert run.outputs["commands"] == commands
    memory = {}
    given = iter(run.outputs["beats"])
    for command in commands:
        first = command["address"] // packed.bus_bytes * packed.bus_bytes
        last = command["address"] + command["bytes"]
        for beat_address in range(first, last, packed.bus_bytes):
            beat = next(given).to_bytes(packed.bus_bytes, "little")
            for lane, value in enumerate(beat):
                if command["address"] <= beat_address + lane < last:
                    memory[beat_address + lane - ORIGIN] = value
    return memory, run, sum(overruns)


def expected_bytes(packed, words, base, row_stride, pixel_stride):
    memory = {}
    for (y, x, group), word in np.ndenumerate(words):
        at = base + y * row_stride + (x * pixel_stride + group) * packed.word_bytes
        for lane, value in enumerate(int(word).to_bytes(packed.word_bytes, "little")):
            memory[at + lane] = value
    return memory


def random_words(packed, rng, shape):
    return rng.integers(0, 1 << packed.word_bits, shape, dtype=np.int64)


@pytest.mark.parametrize("packed", [PackedWords(48, 64), PackedWords(8, 64), PackedWords(40, 32)])
@pytest.mark.parametrize(("words", "stride"), [(1, 1), (3, 3), (2, 5), (1, 4)])
@pytest.mark.parametrize(("idle", "stall"), [(0.0, 0.0), (0.3, 0.3)])
def test_memory_holds_the_feature_map(packed, words, stride, idle, stall):
    rng = np.random.default_rng(words)
    base, row = 64 + 2 * packed.word_bytes, 5 * stride * packed.word_bytes + 16
    data = random_words(packed, rng, (3, 5, words))
    memory, _, overruns = write(
        packed, data, base, row, stride, idle=idle, stall=stall, seed=4
    )
    assert memory == expected_bytes(packed, data, base, row, stride)
    assert not overruns


def test_whole_rows_are_one_command_and_at_full_pace():
    packed = PackedWords(48, 64)
    data = random_words(packed, np.random.default_rng(1), (2, 40, 1))
    _, run, _ = write(packed, data, 0, 240, 1)
    assert len(run.outputs["commands"]) == 2
    row = run.taken["i"][:40]
    assert row[-1] - row[2] == 37  # two of them wait for the first command


@pytest.mark.parametrize(
    ("words", "stride", "apart"), [(1, 8, 3), (1, 3, 3), (2, 8, 4), (3, 8, 5), (4, 8, 5)]
)
def test_pace_of_pixels_of_tiles(words, stride, apart):
    """Cycles from pixel to pixel: 1 or 2 more than its words."""
    packed = PackedWords(48, 64)
    data = random_words(packed, np.random.default_rng(1), (1, 200, words))
    _, run, _ = write(packed, data, 0, 16384, stride)
    firsts = run.taken["i"][2 * words :: words]  # two words wait for the first command
    assert firsts[-1] - firsts[0] <= apart * 197


@pytest.mark.parametrize(("words", "stride"), [(2, 2), (1, 2)])
@pytest.mark.parametrize("short", [0, 1, 2, 12])
def test_nothing_is_written_past_the_range(words, stride, short):
    packed = PackedWords(48, 64)
    data = random_words(packed, np.random.default_rng(2), (4, 3, words))
    row = 3 * stride * packed.word_bytes
    limit = 2 * row + packed.word_bytes * words - short
    memory, run, overruns = write(packed, data, 0, row, stride, limit=limit)
    assert overruns == 1
    assert memory
    assert max(memory) < limit
    whole = expected_bytes(packed, data, 0, row, stride)
    assert memory == {at: whole[at] for at in memory}
    assert len(run.taken["i"]) == data.size


def test_a_target_past_the_range():
    packed = PackedWords(48, 64)
    data = random_words(packed, np.random.default_rng(2), (2, 3, 1))
    memory, run, overruns = write(packed, data, 0xFFFF_FFF0, 0xFFFF_FFFE, 1)
    assert (memory, overruns, len(run.taken["i"])) == ({}, 1, data.size)


def test_random():
    rng = np.random.default_rng(12)
    for seed in range(30):
        word, bus = rng.choice([(8, 64), (48, 64), (64, 64), (96, 64), (40, 32), (56, 128)])
        packed = PackedWords(int(word), int(bus))
        height, width, words = rng.integers(1, 6, 3).tolist()
        stride = words + int(rng.choice([0, 0, 1, 4]))
        unit = packed.unit_bytes
        base = int(rng.integers(0, 50)) * unit
        row = width * stride * packed.word_bytes + int(rng.integers(0, 9)) * unit
        limit = int(rng.choice([1 << 20, base + int(rng.integers(0, height * row))]))
        data = rng.integers(0, 1 << min(packed.word_bits, 62), (height, width, words))
        idle, stall = (0.7 * rng.random(2)).tolist()
        memory, _, overruns = write(
            packed, data, base, row, stride, limit=limit, idle=idle, stall=stall, seed=seed
        )
        whole = expected_bytes(packed, data, base, row, stride)
        assert memory == {at: whole[at] for at in memory}
        assert overruns == (len(memory) < len(whole))


def test_busy_until_the_last_beat_is_given_away():
    packed = PackedWords(48, 64)
    dut = make(packed)
    busy = []

    async def watch(ctx):
        async for *_, value in ctx.tick().sample(dut.busy):
            busy.append(value)

    data = random_words(packed, np.random.default_rng(3), (2, 4, 1))
    setup = {
        "target.base": 4, "target.row_stride": 26, "target.pixel_stride": 1, "target.words": 1,
        "width": 4, "height": 2, "origin": ORIGIN, "limit": 999,
    }
    run = simulate_stream(
        dut, data.ravel(), {"commands": 2, "beats": 8}, setup=setup, pulse=["start"],
        background=[watch], stall={"beats": 0.9, "commands": 0.0}, seed=1,
    )
    started = busy.index(1)
    ended = busy.index(0, started)
    assert ended - started == max(run.given["beats"]) + 1
    assert not any(busy[ended:])


@pytest.mark.parametrize(
    ("old", "new", "stride"),
    [
        ("room >= length.bytes", "room + 1 >= length.bytes", 2),
        ("row_room - target.row_stride", "row_room", 2),
        ("address.eq(address + step)", "address.eq(address + length.bytes)", 2),
        ("drop & ~packer.segments.valid & packer.segments.ready", "drop", 1),
    ],
    ids=["a byte past the range", "rows past the range", "pixels without gaps", "words lost"],
)
def test_broken_writers_are_caught(old, new, stride):
    packed = PackedWords(48, 64)
    # Whole rows hold more words than the packer's queue.
    width = 30 if stride == 1 else 3
    data = random_words(packed, np.random.default_rng(2), (4, width, 1))
    row = width * stride * packed.word_bytes
    limit = 2 * row + packed.word_bytes * (width if stride == 1 else 1) - 1
    dut = make(packed, mutant(ExternalWriter, old, new))
    stall = {"commands": 0.0, "beats": 0.8}

    def check():
        memory, *_ = write(
            packed, data, 0, row, stride, limit=limit, dut=dut, timeout=60, stall=stall
        )
        whole = expected_bytes(packed, data, 0, row, stride)
        assert memory == {at: whole[at] for at in memory}

    with pytest.raises((AssertionError, TimeoutError)):
        check()


def test_a_row_too_long_for_a_command_is_refused():
    with pytest.raises(ValueError, match="1500 words of 6 bytes, but.*most 128 beats of 8"):
        ExternalWriter(PackedWords(48, 64), BurstSpec(8, max_count=128), max_width=300, max_words=5)
