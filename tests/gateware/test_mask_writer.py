# amaranth: UnusedElaboratable=no

"""MaskWriter: the mask's bytes in memory, when they are there, errors, range, cancellation."""

import random

import pytest

from fxhw.gateware.mask_writer import MaskWriter
from fxhw.plan.bursts import BurstSpec

from .axi_memory import AxiMemory
from .designs import small_design
from .mutants import mutant
from .phases import Phases

DESIGN = small_design()
BURSTS = BurstSpec(8, 16, address_bits=33, max_count=64)
ORIGIN = 0x208
SIZE = 0x1000


class Bench:
    """The writer at a memory."""

    def __init__(self, *, component=MaskWriter, pause=0.0, seed=0, latency=1, fail=()):
        self.dut = component(DESIGN, BURSTS, depth=32)
        self.memory = AxiMemory(
            BURSTS, SIZE, latency=latency, gap=pause, stall=pause, seed=seed, fail=fail
        )
        self.phases = Phases(self.dut, idle=pause, seed=seed, watch=("overrun",))
        self.rng = random.Random(seed)

    def run(self, body):
        self.phases.run([self.memory.serve_writes(self.dut.write)])(body)

    def begin(self, width, height, logits, limit, strip=None):
        """A mask's random bytes, and how to start it; ``strip`` has a strip's first column and the
        columns of the whole mask."""
        count = width * height * (DESIGN.logit_bytes if logits else 1)
        data = list(self.rng.randbytes(count))
        first, pixels = (0, width) if strip is None else strip
        setup = {"first_column": first, "row_pixels": pixels}
        setup |= {"width": width, "height": height, "logits": logits}
        setup |= {"origin": ORIGIN, "limit": limit}
        beats = [{"data": value, "last": n == count - 1} for n, value in enumerate(data)]
        return data, {"setup": setup, "pulse": ["start"], "inputs": {"i": beats}}

    async def mask(self, ctx, width, height, logits=0, limit=None, strip=None):
        """A mask, there at the very cycle in which ``busy`` falls."""
        first, pixels = (0, width) if strip is None else strip
        size = DESIGN.logit_bytes if logits else 1
        first, row, stride = first * size, width * size, pixels * size
        end = first + (height - 1) * stride + row
        data, streams = self.begin(width, height, logits, end if limit is None else limit, strip)
        before = bytearray(self.memory.bytes)
        await self.phases.phase(ctx, **streams, until=lambda: not ctx.get(self.dut.busy))
        for y in range(height):
            at = ORIGIN + first + y * stride
            before[at : at + row] = bytes(data[y * row : (y + 1) * row])
        assert self.memory.bytes == before

    async def forget(self, ctx, *more):
        await self.phases.phase(
            ctx, pulse=["cancel", *more], until=lambda: ctx.get(self.dut.idle)
        )
        assert not ctx.get(self.dut.busy)


def masks(pause=0.0, latency=1, component=MaskWriter):
    """Masks and logits of several sizes, one after the other."""
    bench = Bench(pause=pause, latency=latency, component=component)

    async def body(ctx):
        for width, height in ((1, 1), (8, 4), (16, 16), (7, 3), (16, 1), (1, 16)):
            for logits in (0, 1):
                await bench.mask(ctx, width, height, logits)

    bench.run(body)
    assert not bench.phases.seen["overrun"]


@pytest.mark.parametrize(("pause", "latency"), [(0.0, 1), (0.4, 30)])
def test_masks(pause, latency):
    assert DESIGN.logit_bytes > 1
    masks(pause, latency)


def strips(pause=0.0, logits=0, component=MaskWriter):
    """Strips of a mask, the first, one in the middle, and the last of one pixel."""
    bench = Bench(pause=pause, latency=7, component=component)

    async def body(ctx):
        for first, width, height, pixels in ((0, 5, 4, 16), (5, 10, 3, 16), (15, 1, 6, 16)):
            await bench.mask(ctx, width, height, logits, strip=(first, pixels))

    bench.run(body)
    assert not bench.phases.seen["overrun"]


@pytest.mark.parametrize("pause", [0.0, 0.4])
@pytest.mark.parametrize("logits", [0, 1])
def test_strips(pause, logits):
    strips(pause, logits)


def test_random_and_cancelled():
    bench = Bench(pause=0.3)
    rng = random.Random(3)

    async def body(ctx):
        for _ in range(25):
            width, height, logits = rng.randint(1, 16), rng.randint(1, 16), rng.randint(0, 1)
            if rng.random() < 0.4:
                _, streams = bench.begin(width, height, logits, SIZE - ORIGIN)
                outside = bench.memory.bytes[:ORIGIN]
                await bench.phases.phase(ctx, **streams, until=None, surplus=rng.randrange(300))
                if rng.random() < 0.5:
                    await bench.phases.phase(ctx, pulse=["cancel"], until=None)
                else:
                    await bench.forget(ctx)
                assert bench.memory.bytes[:ORIGIN] == outside
            else:
                if ctx.get(bench.dut.busy):  # of a burst cancelled just now
                    await bench.forget(ctx)
                await bench.mask(ctx, width, height, logits)

    bench.run(body)


def test_a_byte_per_cycle():
    bench = Bench()

    async def body(ctx):
        await bench.mask(ctx, 16, 16, 1)

    bench.run(body)
    assert bench.phases.cycle < 16 * (16 * DESIGN.logit_bytes + 3) + 40


def stop_at(limit, logits=0, component=MaskWriter):
    """Write 10 rows of 13 pixels into ``limit`` bytes."""
    bench = Bench(component=component, pause=0.2)
    row = 13 * (DESIGN.logit_bytes if logits else 1)

    async def body(ctx):
        data, streams = bench.begin(13, 10, logits, limit)
        before = bytearray(bench.memory.bytes)
        await bench.phases.phase(ctx, **streams, until=lambda: not ctx.get(bench.dut.busy))
        assert bench.phases.seen["overrun"] == 1
        end = limit // row * row
        before[ORIGIN : ORIGIN + end] = bytes(data[:end])
        assert bench.memory.bytes == before
        await bench.forget(ctx)
        await bench.mask(ctx, 5, 5)

    bench.run(body)


@pytest.mark.parametrize(("limit", "logits"), [(0, 0), (12, 0), (65, 0), (129, 0), (100, 1)])
def test_nothing_past_the_range_is_written(limit, logits):
    stop_at(limit, logits)


def test_error_in_mid_mask():
    bench = Bench(pause=0.3, fail=(ORIGIN + 32,))

    async def body(ctx):
        _, streams = bench.begin(16, 8, 0, 4096)
        with pytest.raises(TimeoutError):
            await bench.phases.phase(ctx, **streams, timeout=600)
        assert ctx.get(bench.dut.fault)
        bench.memory.fail = ()
        await bench.forget(ctx, "clear")
        assert not ctx.get(bench.dut.fault)
        await bench.mask(ctx, 12, 5)

    bench.run(body)


@pytest.mark.parametrize(
    ("old", "new", "check"),
    [
        ("rows.limit.eq(self.limit)", "rows.limit.eq(~0)", lambda c: stop_at(64, component=c)),
        ("rows.busy | ~bursts.idle", "rows.busy", lambda c: masks(latency=30, component=c)),
        ("rows.target.base.eq(base)", "rows.target.base.eq(0)", lambda c: strips(component=c)),
        ("self._logit_bytes, 1)", "self._logit_bytes, 2)", lambda c: masks(component=c)),
    ],
    ids=["past the range", "write not awaited", "first strip's place", "wrong bytes"],
)
def test_broken_writers_are_caught(old, new, check):
    broken = mutant(MaskWriter, old, new)
    with pytest.raises((AssertionError, TimeoutError)):
        check(broken)
