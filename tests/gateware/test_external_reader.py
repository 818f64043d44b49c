# amaranth: UnusedElaboratable=no

"""ExternalReader == concatenation of (upsampled) feature maps in packed rows, strips included."""

import numpy as np
import pytest

from fxhw.gateware.external_reader import ExternalReader
from fxhw.gateware.pixel_repeater import PixelRepeater
from fxhw.plan.bursts import BurstSpec
from fxhw.plan.packed_rows import PackedRows
from fxhw.plan.packed_words import PackedWords

from .simulate import run_stream, simulate_stream

PACKED = PackedWords(48, 64)
SIZES = [(8, 64), (40, 64), (48, 128), (96, 32), (20, 64)]
ORIGIN = 0x4_0000_1000
LIMIT = 1 << 16


class Map:
    """A feature map of random words from ``base`` on, rows ``gap`` bytes apart."""

    def __init__(self, rng, packed, base, rows, columns, groups, gap):
        most = 1 << min(packed.word_bits, 62)
        self.words = rng.integers(0, most, (rows, columns, groups))
        self.base = base
        self.stride = columns * groups * packed.word_bytes + gap
        self.bytes = bytearray(rng.bytes(base + rows * self.stride + 2 * packed.bus_bytes))
        for y, row in enumerate(self.words.reshape(rows, -1).tolist()):
            for index, word in enumerate(row):
                at = base + y * self.stride + index * packed.word_bytes
                self.bytes[at : at + packed.word_bytes] = word.to_bytes(packed.word_bytes, "little")


def layer(rng, height, width, groups, ups, first=0, columns=None, packed=PACKED, gap=2):
    """(configuration, expected words, [pieces of each source], [beats of each source], words and
    bus) of columns first .. of a layer."""
    columns = width - first if columns is None else columns
    config = {"width": columns, "height": height, "odd": first & 1}
    config |= {"origin": ORIGIN, "limit": LIMIT}
    pixels, pieces, beats = [], [[], []], [[], []]
    base = 0
    for index, (name, count, up) in enumerate(zip("ab", groups, ups)):
        if not count:
            config |= {"b.groups": 0}
            continue
        rows, across = (-(-height // 2), -(-width // 2)) if up else (height, width)
        source = Map(rng, packed, base, rows, across, count, gap)
        low = first // 2 if up else first
        start = base + low * count * packed.word_bytes
        base += 3 * packed.unit_bytes
        config |= {
            f"{name}.base": start, f"{name}.row_stride": source.stride,
            f"{name}.groups": count, f"{name}.up": up,
        }
        words = source.words
        if up:
            words = words.repeat(2, axis=0).repeat(2, axis=1)
        pixels.append(words[:height, first : first + columns])
        plan = PackedRows(packed, start, source.stride, LIMIT)
        pieces[index] = [
            (piece, plan.beats(piece))
            for piece in plan.read(
                width=columns, height=height, groups=count, up=bool(up), odd=bool(first & 1)
            )
        ]
        for piece, touched in pieces[index]:
            low = piece.offset // packed.bus_bytes * packed.bus_bytes
            for at in range(low, low + touched * packed.bus_bytes, packed.bus_bytes):
                beat = source.bytes[at : at + packed.bus_bytes]
                beats[index].append(int.from_bytes(beat, "little"))
    expected = np.concatenate(pixels, axis=2).ravel().tolist()
    return config, expected, pieces, beats, packed


def make(packed):
    bursts = BurstSpec(bus_bytes=packed.bus_bytes, address_bits=40, max_count=1024)
    return ExternalReader(packed, bursts, max_width=20, max_groups=8)


def read_layer(parts, dut=None, **options):
    config, words, pieces, beats, packed = parts
    run = simulate_stream(
        dut or make(packed), {"beats.0": beats[0], "beats.1": beats[1]},
        {"o": len(words), **{f"commands.{n}": len(pieces[n]) for n in range(2)}},
        setup=config, pulse=["start"], **options,
    )
    assert run.outputs["o"] == words
    for index in range(2):
        assert run.outputs[f"commands.{index}"] == [
            {"address": ORIGIN + piece.offset, "beats": touched} for piece, touched in pieces[index]
        ]
    return run


@pytest.mark.parametrize("size", [(1, 1), (3, 4), (4, 5), (2, 7)])
@pytest.mark.parametrize("groups", [(1, 0), (3, 0), (2, 1), (1, 4)])
@pytest.mark.parametrize("ups", [(0, 0), (1, 0), (0, 1), (1, 1)])
def test_whole_rows(size, groups, ups):
    rng = np.random.default_rng(3)
    read_layer(layer(rng, *size, groups, ups), idle=0.2, stall=0.2, seed=5)


@pytest.mark.parametrize(("first", "columns"), [(0, 5), (3, 4), (4, 5), (1, 8), (7, 1)])
@pytest.mark.parametrize("ups", [(0, 0), (1, 0), (1, 1)])
def test_strips(first, columns, ups):
    rng = np.random.default_rng(4)
    read_layer(layer(rng, 3, 9, (3, 1), ups, first, columns), idle=0.3, stall=0.3, seed=6)


def test_random_layers():
    rng = np.random.default_rng(8)
    for _ in range(16):
        packed = PackedWords(*rng.choice(SIZES).tolist())
        height, width = rng.integers(1, 6, 2).tolist()
        groups = int(rng.integers(1, 5)), int(rng.integers(0, 5))
        first = int(rng.integers(0, width))
        columns = int(rng.integers(1, width - first + 1))
        ups = rng.integers(0, 2, 2).tolist()
        gap = int(rng.integers(0, 12)) * packed.unit_bytes
        parts = layer(rng, height, width, groups, ups, first, columns, packed, gap)
        idle, stall = rng.random(2).tolist()
        read_layer(parts, idle=idle * 0.6, stall=stall * 0.6, seed=int(rng.integers(99)))


def test_pace():
    run = read_layer(layer(np.random.default_rng(1), 4, 12, (2, 2), (0, 1)))
    given = run.given["o"]
    assert given[-1] - given[0] <= len(given) + 3 * 4


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
