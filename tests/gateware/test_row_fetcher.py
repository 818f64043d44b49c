# amaranth: UnusedElaboratable=no

"""RowFetcher == PackedRows.read: addresses, beats and segments, and where a range ends."""

import random

import pytest

from fxhw.gateware.row_fetcher import RowFetcher
from fxhw.gateware.row_length import RowLength
from fxhw.plan.bursts import BurstSpec
from fxhw.plan.packed_rows import PackedRows, Piece, source_columns
from fxhw.plan.packed_words import PackedWords

from .mutants import mutant
from .simulate import simulate_stream

WORDS = [(8, 64), (48, 64), (64, 64), (96, 64), (40, 32), (128, 256)]


def bursts(packed):
    return BurstSpec(bus_bytes=packed.bus_bytes, address_bits=44, max_count=1024)


def fetch(packed, config, raster, limit, origin, count, dut=None, **options):
    """(commands, segments, overruns, cycles of the commands) of a fetcher."""
    dut = dut or RowFetcher(packed, bursts(packed), max_width=40, max_groups=9)
    seen = []

    async def watch(ctx):
        async for *_, overrun in ctx.tick().sample(dut.overrun):
            seen.append(overrun)

    setup = {f"config.{name}": value for name, value in config.items()} | raster
    run = simulate_stream(
        dut, {}, {"commands": count, "segments": count},
        setup=setup | {"limit": limit, "origin": origin}, pulse=["start"],
        background=[watch], surplus=40, **options,
    )
    return run.outputs["commands"], run.outputs["segments"], sum(seen), run.given["commands"]


def check(packed, config, raster, limit, origin=0xABC_0000_1000, **options):
    plan = PackedRows(packed, config["base"], config["row_stride"], limit)
    pieces = plan.read(
        width=raster["width"], height=raster["height"], groups=config["groups"],
        up=bool(config["up"]), odd=bool(raster["odd"]),
    )
    commands, segments, overruns, cycles = fetch(
        packed, config, raster, limit, origin, len(pieces), **options
    )
    assert commands == [
        {"address": origin + piece.offset, "beats": plan.beats(piece)} for piece in pieces
    ]
    assert segments == [{"skip": plan.skip(piece), "words": piece.words} for piece in pieces]
    assert overruns == (len(pieces) < raster["height"])
    bus = packed.bus_bytes
    for command in commands:
        end = command["address"] // bus * bus + command["beats"] * bus
        assert end <= origin + -(-limit // bus) * bus
    return cycles


@pytest.mark.parametrize("words", WORDS)
@pytest.mark.parametrize("stall", [0.0, 0.5])
def test_rows_at_any_offset(words, stall):
    packed = PackedWords(*words)
    unit = packed.unit_bytes
    for base, gap, up, odd in ((0, 0, 0, 0), (3, 1, 0, 0), (5, 7, 1, 0), (2, 3, 1, 1)):
        config = {"groups": 3, "up": up, "base": base * unit}
        config["row_stride"] = 5 * 3 * packed.word_bytes + gap * unit
        raster = {"width": 5, "height": 4, "odd": odd}
        check(packed, config, raster, 1 << 20, stall=stall, seed=base)


@pytest.mark.parametrize("width", [1, 2, 3, 8])
@pytest.mark.parametrize("odd", [0, 1])
def test_upsampled_columns(width, odd):
    assert source_columns(width, True, odd) == len({(odd + x) // 2 for x in range(width)})
    config = {"base": 6, "row_stride": 100, "groups": 2, "up": 1}
    check(PackedWords(48, 64), config, {"width": width, "height": 3, "odd": odd}, 1 << 20)


@pytest.mark.parametrize("words", WORDS)
@pytest.mark.parametrize("widest", [1, 2])
def test_the_shortest_rows_there_are(words, widest):
    """Bytes of a beat that a row does not need are more than it has."""
    packed = PackedWords(*words)
    config = {"base": 5 * packed.unit_bytes, "row_stride": 64, "groups": 1, "up": 0}
    dut = RowFetcher(packed, bursts(packed), max_width=widest, max_groups=1)
    check(packed, config, {"width": widest, "height": 2, "odd": 0}, 1 << 20, dut=dut)


@pytest.mark.parametrize("short", range(10))
def test_a_row_past_the_range_is_never_asked_for(short):
    packed = PackedWords(48, 64)
    config = {"base": 2, "row_stride": 26, "groups": 1, "up": 0}
    check(packed, config, {"width": 4, "height": 3, "odd": 0}, 2 + 2 * 26 + 24 - short)


@pytest.mark.parametrize("base", [0xFFFF_FFFE, 0x8000_0000, 32])
def test_a_base_past_the_range(base):
    config = {"base": base, "row_stride": 0xFFFF_FFFE, "groups": 2, "up": 0}
    check(PackedWords(48, 64), config, {"width": 4, "height": 2, "odd": 0}, 31)


@pytest.mark.parametrize("short", [0, 1])
def test_a_range_at_the_end_of_the_address_space(short):
    config = {"base": 0x1000 - 2 * 24, "row_stride": 24, "groups": 2, "up": 0}
    raster = {"width": 2, "height": 3, "odd": 0}
    origin = (1 << 44) - 0x1000
    check(PackedWords(48, 64), config, raster, 0x1000 - short, origin)
    check(PackedWords(48, 64), config | {"base": 0x1000}, raster, 0x1000 - short, origin)


def test_random():
    rng = random.Random(11)
    for _ in range(40):
        packed = PackedWords(*rng.choice(WORDS))
        unit = packed.unit_bytes
        raster = {
            "width": rng.randint(1, 40), "height": rng.randint(1, 6), "odd": rng.randint(0, 1)
        }
        config = {
            "base": rng.randint(0, 300) * unit, "row_stride": rng.randint(0, 400) * unit,
            "groups": rng.randint(1, 9), "up": rng.randint(0, 1),
        }
        limit = rng.choice([1 << 24, rng.randint(0, 6000)])
        check(packed, config, raster, limit, stall=rng.random() * 0.7, seed=rng.random())


def test_pace():
    config = {"base": 0, "row_stride": 64, "groups": 7, "up": 0}
    raster = {"width": 1, "height": 5, "odd": 0}
    cycles = check(PackedWords(48, 64), config, raster, 1 << 20)
    assert cycles[0] + 1 == 5 + 7  # the first cycle after start is cycle 0
    assert [after - before for before, after in zip(cycles, cycles[1:])] == [3] * 4


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("room >= length.bytes", "room + 1 >= length.bytes"),
        ("length.bytes + packed.bus_bytes - 1", "length.bytes + packed.bus_bytes"),
        ("~config.up | second", "~config.up | ~second"),
    ],
    ids=["a byte past the range", "a beat too many", "rows out of step"],
)
def test_broken_fetchers_are_caught(old, new):
    config = {"base": 2, "row_stride": 30, "groups": 1, "up": 1}
    broken = mutant(RowFetcher, old, new)
    packed = PackedWords(48, 64)
    dut = broken(packed, bursts(packed), max_width=40, max_groups=9)
    with pytest.raises((AssertionError, TimeoutError)):
        check(
            packed, config, {"width": 8, "height": 5, "odd": 0}, 2 + 2 * 30 + 23, dut=dut,
            timeout=60,
        )


@pytest.mark.parametrize(("pixels", "groups"), [(1, 1), (1, 9), (40, 1), (40, 9), (7, 2)])
def test_row_length(pixels, groups):
    packed = PackedWords(88, 64)
    dut = RowLength(packed, 40, 9)
    seen = []

    async def watch(ctx):
        async for *_, start, busy, words, size in ctx.tick().sample(
            dut.start, dut.busy, dut.words, dut.bytes
        ):
            seen.append((start, busy, words, size))

    simulate_stream(
        dut, {}, {}, setup={"pixels": pixels, "groups": groups}, pulse=["start"],
        background=[watch], surplus=groups + 8,
    )
    started = [start for start, *_ in seen].index(1)
    ended = next(n for n in range(started + 1, len(seen)) if not seen[n][1])
    assert ended - started == groups + 2
    assert seen[ended][2:] == (pixels * groups, pixels * groups * packed.word_bytes)


def test_a_row_too_long_for_a_command_is_refused():
    with pytest.raises(ValueError, match="360 words of 6 bytes can touch 271 beats.*most 256"):
        RowFetcher(PackedWords(48, 64), BurstSpec(8, max_count=256), max_width=40, max_groups=9)


def test_rows_off_their_unit_are_refused():
    with pytest.raises(ValueError, match="multiples of 2 bytes, not at 3"):
        PackedRows(PackedWords(48, 64), 3, 8, 100)
    assert PackedRows(PackedWords(8, 64), 3, 8, 100).skip(Piece(11, 1)) == 3
