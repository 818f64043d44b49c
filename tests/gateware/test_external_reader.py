"""ExternalReader == concatenation of (upsampled) feature maps in packed rows, strips included."""

# amaranth: UnusedElaboratable=no

import numpy as np
import pytest

from fxhw.gateware.external_reader import ExternalReader
from fxhw.gateware.pixel_repeater import PixelRepeater
from fxhw.gateware.row_fetcher import RowFetcher
from fxhw.plan.bursts import BurstSpec
from fxhw.plan.packed_words import PackedWords

from .simulate import run_stream, simulate_stream

PACKED = PackedWords(48, 64)
BURSTS = BurstSpec(bus_bytes=PACKED.bus_bytes, address_bits=40)
ORIGIN = 0x4_0000_1000
LIMIT = 1 << 16


def align(count, grain=PACKED.bus_bytes):
    return -(-count // grain) * grain


class Map:
    """A feature map of random words in packed rows from ``base`` on."""

    def __init__(self, rng, base, rows, columns, groups):
        self.words = rng.integers(0, 1 << 48, (rows, columns, groups))
        self.base, self.stride = base, align(columns * groups * PACKED.word_bytes)
        self.memory = {}
        for y, row in enumerate(self.words.reshape(rows, -1).tolist()):
            for index, beat in enumerate(PACKED.pack(row)):
                self.memory[base + y * self.stride + index * PACKED.bus_bytes] = beat

    def config(self, first, columns, up):
        """Fields of a source that reads ``columns`` columns from ``first`` on, and the beats."""
        groups = self.words.shape[2]
        start = self.base + first * groups * PACKED.word_bytes
        skip = start % PACKED.bus_bytes // PACKED.unit_bytes
        rows = {
            "base": start, "row_stride": self.stride, "words": columns * groups,
            "beats": PACKED.count_beats(skip, columns * groups), "up": up,
        }
        return {"rows": rows, "groups": groups}


def fields(name, config):
    found = {}
    for key, value in config.items():
        path = f"{name}.{key}"
        found |= fields(path, value) if isinstance(value, dict) else {path: value}
    return found


def layer(rng, height, width, groups, ups, first=0, columns=None):
    """(configuration, expected words, [beats of each source]) of columns first .. of a layer."""
    columns = width - first if columns is None else columns
    config = {"width": columns, "height": height, "odd": first & 1}
    config |= {"origin": ORIGIN, "limit": LIMIT}
    pixels, beats = [], []
    base = 0
    for name, count, up in zip("ab", groups, ups):
        if not count:
            config |= {"b.groups": 0}
            beats.append([])
            continue
        rows, across = (-(-height // 2), -(-width // 2)) if up else (height, width)
        source = Map(rng, base, rows, across, count)
        base = align(base + rows * source.stride, 64)
        low, high = (first // 2, -(-(first + columns) // 2)) if up else (first, first + columns)
        read = source.config(low, high - low, up)
        config |= fields(name, read)
        read = read["rows"]
        words = source.words
        if up:
            words = words.repeat(2, axis=0).repeat(2, axis=1)
        pixels.append(words[:height, first : first + columns])
        start = read["base"] // PACKED.bus_bytes * PACKED.bus_bytes
        found = []
        for y in range(height):
            at = start + (y // 2 if up else y) * source.stride
            found += [source.memory[at + 8 * index] for index in range(read["beats"])]
        beats.append(found)
    return config, np.concatenate(pixels, axis=2).ravel().tolist(), beats


def read_layer(parts, **options):
    config, words, beats = parts
    commands = [config["height"] if found else 0 for found in beats]
    run = simulate_stream(
        ExternalReader(PACKED, BURSTS, 8), {"beats.0": beats[0], "beats.1": beats[1]},
        {"o": len(words), "commands.0": commands[0], "commands.1": commands[1]},
        setup=config, pulse=["start"], **options,
    )
    assert run.outputs["o"] == words
    return run


@pytest.mark.parametrize("size", [(1, 1), (3, 4), (4, 5), (2, 7)])
@pytest.mark.parametrize("groups", [(1, 0), (3, 0), (2, 1), (1, 4)])
@pytest.mark.parametrize("ups", [(0, 0), (1, 0), (0, 1), (1, 1)])
def test_whole_rows(size, groups, ups):
    rng = np.random.default_rng(3)
    run = read_layer(layer(rng, *size, groups, ups), idle=0.2, stall=0.2, seed=5)
    assert all(command["address"] % 8 == 0 for command in run.outputs["commands.0"])


@pytest.mark.parametrize(("first", "columns"), [(0, 5), (3, 4), (4, 5), (1, 8), (7, 1)])
@pytest.mark.parametrize("ups", [(0, 0), (1, 0), (1, 1)])
def test_strips(first, columns, ups):
    rng = np.random.default_rng(4)
    read_layer(layer(rng, 3, 9, (3, 1), ups, first, columns), idle=0.3, stall=0.3, seed=6)


def test_random_layers():
    rng = np.random.default_rng(8)
    for _ in range(12):
        height, width = rng.integers(1, 6, 2).tolist()
        groups = int(rng.integers(1, 5)), int(rng.integers(0, 5))
        first = int(rng.integers(0, width))
        columns = int(rng.integers(1, width - first + 1))
        ups = rng.integers(0, 2, 2).tolist()
        parts = layer(rng, height, width, groups, ups, first, columns)
        idle, stall = rng.random(2).tolist()
        read_layer(parts, idle=idle * 0.6, stall=stall * 0.6, seed=int(rng.integers(99)))


def test_pace():
    run = read_layer(layer(np.random.default_rng(1), 4, 12, (2, 2), (0, 1)))
    given = run.given["o"]
    assert given[-1] - given[0] <= len(given) + 3 * 4


def test_addresses():
    rng = np.random.default_rng(2)
    run = read_layer(layer(rng, 4, 6, (1, 1), (1, 0)))
    stride = align(3 * 6)
    addresses = [command["address"] for command in run.outputs["commands.0"]]
    assert addresses == [ORIGIN, ORIGIN, ORIGIN + stride, ORIGIN + stride]


def test_a_row_past_the_range_is_never_asked_for():
    config = {
        "config.base": 8, "config.row_stride": 32, "config.words": 4, "config.beats": 3,
        "origin": 0x100, "limit": 8 + 32 + 24, "height": 3,
    }
    seen = []

    def fetch(limit, count):
        dut = RowFetcher(PACKED, BURSTS)

        async def watch(ctx):
            async for *_, overrun in ctx.tick().sample(dut.overrun):
                seen.append(overrun)

        return run_stream(
            dut, {}, {"commands": count, "segments": count}, setup={**config, "limit": limit},
            pulse=["start"], background=[watch], surplus=30,
        )

    found = fetch(8 + 32 + 24, 2)
    assert [command["address"] for command in found["commands"]] == [0x108, 0x128]
    assert sum(seen) == 1
    seen.clear()
    assert len(fetch(8 + 64 + 24, 3)["commands"]) == 3
    assert sum(seen) == 0


@pytest.mark.parametrize("odd", [0, 1])
@pytest.mark.parametrize("width", [1, 2, 5])
def test_repeater(odd, width):
    rng = np.random.default_rng(width)
    fresh = -(-(width + odd) // 2)
    words = rng.integers(0, 256, (3, fresh, 2))
    expected = words.repeat(2, axis=1)[:, odd : odd + width]
    out = run_stream(
        PixelRepeater(8, 2), words.ravel(), expected.size, idle=0.3, stall=0.3,
        setup={"up": 1, "odd": odd, "groups": 2, "width": width}, pulse=["start"],
    )
    assert out == expected.ravel().tolist()
