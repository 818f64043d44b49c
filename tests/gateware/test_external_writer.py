"""ExternalWriter: the bytes a burst writer would leave in memory == the packed feature map."""

# amaranth: UnusedElaboratable=no

import numpy as np
import pytest

from fxhw.gateware.external_writer import ExternalWriter
from fxhw.plan.bursts import BurstSpec
from fxhw.plan.packed_words import PackedWords

from .simulate import simulate_stream

ORIGIN = 0x2000
FREE = 0xEE


def write(packed, words, base, row_stride, pixel_stride, limit=1 << 15, **options):
    """Memory after writing (height, width, words) words, commands, and overruns seen.

    Acts as the burst writer does: of each command's beats only its own bytes get through.
    """
    height, width, count = words.shape
    whole = count == pixel_stride
    commands, beats = [], 0
    for y in range(height):
        for x in range(1 if whole else width):
            offset = base + y * row_stride + x * pixel_stride * packed.word_bytes
            size = packed.word_bytes * count * (width if whole else 1)
            if offset + size > limit:
                break
            commands.append({"address": ORIGIN + offset, "bytes": size})
            beats += -(-(offset % packed.bus_bytes + size) // packed.bus_bytes)
        else:
            continue
        break
    dut = ExternalWriter(packed, BurstSpec(bus_bytes=packed.bus_bytes))
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
    assert row[-1] - row[0] == 39


@pytest.mark.parametrize(("words", "stride"), [(2, 2), (1, 2)])
def test_nothing_is_written_past_the_range(words, stride):
    packed = PackedWords(48, 64)
    data = random_words(packed, np.random.default_rng(2), (4, 3, words))
    row = 3 * stride * packed.word_bytes
    limit = 2 * row + packed.word_bytes * words
    memory, run, overruns = write(packed, data, 0, row, stride, limit=limit)
    assert overruns == 1
    assert memory
    assert max(memory) < limit
    assert len(run.taken["i"]) == data.size
