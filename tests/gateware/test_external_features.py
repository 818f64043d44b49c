# amaranth: UnusedElaboratable=no

"""ExternalFeatures: what a step reads and writes, its end, its errors and its cancellation."""

import random

import numpy as np
import pytest

from fxhw.gateware.external_features import ExternalFeatures
from fxhw.plan.bursts import BurstSpec
from fxhw.plan.packed_words import PackedWords

from .axi_memory import AxiMemory
from .designs import small_design
from .mutants import mutant
from .phases import Phases

DESIGN = small_design()
PACKED = PackedWords(DESIGN.feature_bits, DESIGN.bus_bits)
BURSTS = BurstSpec(PACKED.bus_bytes, 16, address_bits=34, max_count=256)
ORIGIN, SIZE = 0x400, 0x3000
LIMIT = 0x2800
WATCH = ("overrun",)


class Step:
    """A step: where it reads and writes, and the results that are sent."""

    def __init__(
        self, rng, *, height=4, width=5, groups=(2, 0), ups=(0, 0), full=(3, 3), pool=None,
        odd=0, halo=0,
    ):
        self.height, self.width, self.groups, self.ups, self.odd = height, width, groups, ups, odd
        self.full, self.pool = full, pool
        words, stride = full or pool
        self.words = words
        kept = width - halo
        self.results = rng.integers(0, 1 << PACKED.word_bits, (height, kept, words))
        halves = (-(-height // 2), -(-kept // 2), words)
        self.pooled = rng.integers(0, 1 << PACKED.word_bits, halves)
        self.fields = {
            "conv.width": width, "conv.height": height, "from_front": not groups[0],
            "store_full": full is not None, "store_pool": pool is not None,
            "columns": kept, "odd": odd,
            "words_out": words, "pixel_stride": stride,
            "full_base": 0x1000 + 2 * int(rng.integers(0, 4)),
            "full_row_stride": 2 * (width * stride + int(rng.integers(0, 4))),
            "pool_base": 0x2002, "pool_row_stride": 2 * (halves[1] * stride + 1),
        }
        self.strides = []
        for name, count, up, base in zip("ab", groups, ups, (0x20, 0x902)):
            columns = -(-(width + odd) // 2) if up else width
            self.strides.append(2 * (columns * count + 3))
            self.fields |= {
                f"{name}.base": base, f"{name}.row_stride": self.strides[-1],
                f"{name}.groups": count, f"{name}.up": up,
            }

    @property
    def setup(self):
        layer = {f"layer.{name}": int(value) for name, value in self.fields.items()}
        return layer | {"origin": ORIGIN, "limit": LIMIT}

    def source(self, memory):
        """The words to be read."""
        pixels = []
        for name, count, up, stride in zip("ab", self.groups, self.ups, self.strides):
            words = np.zeros((self.height, self.width, count), dtype=int)
            for y, x, group in np.ndindex(words.shape):
                y_at, x_at = (y // 2, (x + self.odd) // 2) if up else (y, x)
                at = self.fields[f"{name}.base"] + y_at * stride + 2 * (x_at * count + group)
                at += ORIGIN
                word = int.from_bytes(memory[at : at + 2], "little")
                words[y, x, group] = word & (1 << PACKED.word_bits) - 1
            pixels.append(words)
        return np.concatenate(pixels, axis=2).ravel().tolist()

    def written(self, memory):
        """The memory afterwards."""
        after = bytearray(memory)
        for name, stored, results in (
            ("full", self.full, self.results), ("pool", self.pool, self.pooled)
        ):
            if stored is None:
                continue
            base, row = self.fields[f"{name}_base"], self.fields[f"{name}_row_stride"]
            for (y, x, word), value in np.ndenumerate(results):
                at = ORIGIN + base + y * row + 2 * (x * self.fields["pixel_stride"] + word)
                after[at : at + 2] = int(value).to_bytes(2, "little")
        return after

    def streams(self):
        """Inputs and expected counts of a whole step."""
        inputs = {}
        if self.full:
            inputs["full"] = self.results.ravel()
        if self.pool:
            inputs["pooled"] = self.pooled.ravel()
        return {
            "setup": self.setup, "pulse": ["start"], "inputs": inputs,
            "count": {"source": self.height * self.width * sum(self.groups)},
        }


class Bench:
    """The block, and one memory behind its four ports, of which each answers at its own pace."""

    def __init__(
        self, *, component=ExternalFeatures, fail=(), seed=0, pause=0.3, latency=1, write_stall=None
    ):
        self.dut = component(DESIGN, BURSTS, read_depth=32, write_depth=32)
        options = {"idle": pause, "stall": pause, "seed": seed, "watch": WATCH}
        self.phases = Phases(self.dut, **options)
        self.ports = []
        for index in range(4):
            stall = pause if write_stall is None or index < 2 else write_stall
            port = AxiMemory(
                BURSTS, SIZE, latency=latency * (1, 17, 5, 30)[index], gap=pause, stall=stall,
                fail=fail, seed=seed + index,
            )
            self.ports.append(port)
            port.bytes = self.ports[0].bytes
        self.memory = self.ports[0].bytes

    def run(self, body):
        dut, ports = self.dut, self.ports
        serve = [ports[n].serve_reads(dut.reads[n]) for n in range(2)]
        serve += [ports[2 + n].serve_writes(dut.writes[n]) for n in range(2)]
        self.phases.run(serve)(body)

    async def step(self, ctx, step):
        """A whole step, checked at the very cycle in which ``busy`` falls."""
        before = bytearray(self.memory)
        found = await self.phases.phase(
            ctx, **step.streams(), until=lambda: not ctx.get(self.dut.busy)
        )
        assert found["source"] == step.source(before)
        assert self.memory == step.written(before)

    async def forget(self, ctx, pulses=("cancel",)):
        """Cancel, and wait until nothing is on its way."""
        await self.phases.phase(ctx, pulse=pulses, until=lambda: ctx.get(self.dut.idle))
        assert not ctx.get(self.dut.busy)

    def check_bounds(self, limit=LIMIT):
        """Nothing outside the range, rounded up to a beat, was asked for."""
        end = ORIGIN + -(-limit // PACKED.bus_bytes) * PACKED.bus_bytes
        for port in self.ports:
            for address, beats in (*port.reads, *port.writes):
                assert address >= ORIGIN
                assert address + beats * PACKED.bus_bytes <= end


STEPS = {
    "one source": {},
    "two sources": {"groups": (1, 3)},
    "upsampled": {"groups": (2, 1), "ups": (1, 0)},
    "both upsampled": {"groups": (2, 4), "ups": (1, 1), "width": 16},
    "tile": {"full": (2, 5)},
    "tile and its pooled copy": {"full": (2, 5), "pool": (2, 5)},
    "both": {"full": (1, 1), "pool": (1, 1), "height": 7},
    "only pooled": {"full": None, "pool": (6, 6)},
    "first": {"groups": (0, 0), "pool": (3, 3)},
    "strip": {"groups": (2, 1), "ups": (1, 0), "odd": 1, "halo": 2, "width": 6},
    "last strip": {"groups": (1, 2), "ups": (0, 1), "odd": 1, "halo": 1, "width": 4,
                   "full": (2, 5), "pool": (2, 5)},
    "a pixel": {"height": 1, "width": 1, "pool": (3, 3)},
}


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("pause", [0.0, 0.4])
def test_step(name, pause):
    bench = Bench(pause=pause)
    step = Step(np.random.default_rng(1), **STEPS[name])

    async def body(ctx):
        await bench.step(ctx, step)

    bench.run(body)
    assert not bench.phases.seen["overrun"]
    bench.check_bounds()


def random_step(rng):
    words = int(rng.integers(1, 7))
    stored = words, words + int(rng.choice([0, 0, 2]))
    full, pool = [(stored, None), (stored, stored), (None, stored)][rng.integers(0, 3)]
    height, width = rng.integers(1, 9, 2).tolist()
    groups = int(rng.integers(1, 5)), int(rng.integers(0, 5))
    ups = tuple(rng.integers(0, 2, 2).tolist())
    return Step(rng, height=height, width=width, groups=groups, ups=ups, full=full, pool=pool)


@pytest.mark.parametrize("seed", range(3))
def test_random_steps_follow_one_another(seed):
    rng = np.random.default_rng(seed)
    bench = Bench(pause=0.2, seed=seed)
    steps = [random_step(rng) for _ in range(5)]

    async def body(ctx):
        for step in steps:
            await bench.step(ctx, step)

    bench.run(body)
    bench.check_bounds()


def feed_back(component=ExternalFeatures):
    """A step, and another one that reads its result as soon as it may."""
    rng = np.random.default_rng(5)
    bench = Bench(component=component, pause=0.0, latency=3, write_stall=0.8)
    first, second = Step(rng, full=(2, 2), pool=(2, 2)), Step(rng, groups=(2, 0), full=(1, 1))
    for mine, theirs in (("base", "full_base"), ("row_stride", "full_row_stride")):
        second.fields[f"a.{mine}"] = first.fields[theirs]
    second.strides[0] = first.fields["full_row_stride"]
    second.fields["full_base"] = 0x1800

    async def body(ctx):
        for step in (first, second):
            await bench.step(ctx, step)

    bench.run(body)


def test_a_step_reads_what_the_one_before_wrote():
    feed_back()


@pytest.mark.parametrize(
    ("kind", "address"), [("read_fault", 0x44), ("read_fault", 0x938), ("write_fault", 0x1000)]
)
@pytest.mark.parametrize("pause", [0.0, 0.4])
def test_errors(kind, address, pause):
    rng = np.random.default_rng(7)
    bench = Bench(fail=(ORIGIN + address,), pause=pause)
    step = Step(rng, groups=(2, 1), full=(3, 3), pool=(3, 3))
    step.fields["full_base"] = 0x1000
    later = Step(rng, groups=(2, 1), full=(3, 3), pool=(3, 3))

    async def body(ctx):
        fault = getattr(bench.dut, kind)
        bench.ports[3].fail = ()
        streams = step.streams()
        streams["count"] = {"source": 10**6}
        with pytest.raises(TimeoutError):
            await bench.phases.phase(ctx, **streams, timeout=400)
        assert ctx.get(fault)
        others = {"read_fault", "write_fault"} - {kind}
        assert not any(ctx.get(getattr(bench.dut, name)) for name in others)
        for port in bench.ports:
            port.fail = ()
        await bench.forget(ctx, ("cancel", "clear"))
        assert not ctx.get(fault)
        await bench.step(ctx, later)

    bench.run(body)
    bench.check_bounds()


@pytest.mark.parametrize(
    ("field", "value", "limit"),
    [
        ("a.base", 0x2700, LIMIT),
        ("a.base", 0xFFFF_FFF0, LIMIT),
        ("b.base", 0x2800, LIMIT),
        ("b.row_stride", 0x1000, LIMIT),
        ("full_base", 0x27F0, LIMIT),
        ("full_row_stride", 0x1000, LIMIT),
        ("pool_base", 0x2800, LIMIT - 1),
        ("pool_row_stride", 0x800, LIMIT + 13),
    ],
)
@pytest.mark.parametrize("tile", [False, True])
def test_nothing_past_the_range_is_touched(field, value, limit, tile):
    rng = np.random.default_rng(9)
    stored = (3, 5) if tile else (3, 3)
    step = Step(rng, groups=(2, 1), full=stored, pool=stored, width=8, height=4)
    if field == "a.base":
        step.fields["a.row_stride"] = 0x60
    later = Step(rng, groups=(2, 1), full=stored, pool=stored)
    bench = Bench(pause=0.2)

    async def body(ctx):
        streams = step.streams()
        streams["setup"] |= {f"layer.{field}": value, "limit": limit}
        before = bytearray(bench.memory)
        await bench.phases.phase(ctx, **streams, until=None, surplus=500)
        assert bench.phases.seen["overrun"] == 1
        end = ORIGIN + limit
        assert bench.memory[:ORIGIN] == before[:ORIGIN]
        assert bench.memory[end:] == before[end:]
        bench.check_bounds(limit)
        await bench.forget(ctx)
        await bench.step(ctx, later)

    bench.run(body)


def cancel(seed, component=ExternalFeatures):
    """Cancellations at random times, restarted at once or when all is forgotten."""
    rng = np.random.default_rng(seed)
    when = random.Random(seed)
    bench = Bench(component=component, pause=0.3, seed=seed)

    async def body(ctx):
        for _ in range(5):
            step = Step(rng, groups=(2, 3), ups=(0, 1), full=(3, 3), pool=(3, 3), width=9)
            await bench.phases.phase(
                ctx, **step.streams(), until=None, surplus=when.randrange(250)
            )
            if when.random() < 0.5:
                await bench.forget(ctx)
            else:
                # Words of the next step must not meet those of this one.
                await bench.phases.phase(ctx, pulse=["cancel"], until=None)
                later = Step(rng, groups=(0, 0), full=(1, 1))
                await bench.phases.phase(
                    ctx, **later.streams(), until=lambda: not ctx.get(bench.dut.busy)
                )
            await bench.step(ctx, random_step(rng))

    bench.run(body)
    bench.check_bounds()


@pytest.mark.parametrize("seed", range(4))
def test_cancel(seed):
    cancel(seed)


@pytest.mark.parametrize(
    ("old", "new", "check"),
    [
        ("ResetInserter(self.cancel)(reader)", "reader", cancel),
        ("ResetInserter(self.cancel)(writer)", "writer", cancel),
        ("| ~answered", "", feed_back),
    ],
    ids=["reader goes on", "writer goes on", "write not awaited"],
)
def test_broken_blocks_are_caught(old, new, check):
    broken = mutant(ExternalFeatures, old, new)
    arguments = {"component": broken} | ({"seed": 0} if check is cancel else {})
    with pytest.raises((AssertionError, TimeoutError)):
        check(**arguments)
