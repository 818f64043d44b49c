# amaranth: UnusedElaboratable=no

"""ImageReader: the image's bytes in order, its end, its range, its errors, its cancellation."""

import random

import pytest

from fxhw.gateware.image_reader import ImageReader
from fxhw.plan.bursts import BurstSpec

from .axi_memory import AxiMemory
from .designs import small_design
from .mutants import mutant
from .phases import Phases

DESIGN = small_design(image_channels=3)
BURSTS = BurstSpec(8, 16, address_bits=33, max_count=64)
ORIGIN = 0x208
SIZE = 0x1000


class Bench:
    """The reader at a memory."""

    def __init__(self, *, component=ImageReader, pause=0.0, seed=0, latency=1, fail=()):
        self.dut = component(DESIGN, BURSTS, depth=32)
        self.memory = AxiMemory(
            BURSTS, SIZE, latency=latency, gap=pause, stall=pause, seed=seed, fail=fail
        )
        self.phases = Phases(self.dut, stall=pause, seed=seed, watch=("overrun",))

    def run(self, body):
        self.phases.run([self.memory.serve_reads(self.dut.read)])(body)

    def setup(self, row, height, limit, base=0, row_stride=None):
        row_stride = row if row_stride is None else row_stride
        strip = {"base": base, "row_stride": row_stride, "row": row, "height": height}
        return strip | {"origin": ORIGIN, "limit": limit}

    async def image(self, ctx, row, height, limit=SIZE - ORIGIN, base=0, row_stride=None):
        """All of an image's rows, or a strip of them."""
        found = await self.phases.phase(
            ctx, setup=self.setup(row, height, limit, base, row_stride), pulse=["start"],
            count={"o": row * height}, surplus=5,
        )
        first = ORIGIN + base
        stride = row if row_stride is None else row_stride
        rows = [self.memory.bytes[first + y * stride :][:row] for y in range(height)]
        assert [beat["data"] for beat in found["o"]] == list(b"".join(rows))
        assert [beat["last"] for beat in found["o"]] == [0] * (row * height - 1) + [1]

    async def forget(self, ctx, *more):
        await self.phases.phase(
            ctx, pulse=["cancel", *more], until=lambda: ctx.get(self.dut.idle)
        )


@pytest.mark.parametrize(("row", "height"), [(1, 1), (8, 4), (48, 3), (7, 16), (15, 5), (1, 16)])
@pytest.mark.parametrize(("pause", "latency"), [(0.0, 1), (0.4, 30)])
def test_images(row, height, pause, latency):
    bench = Bench(pause=pause, latency=latency)

    async def body(ctx):
        for _ in range(2):
            await bench.image(ctx, row, height, row * height)
        assert ctx.get(bench.dut.idle)

    bench.run(body)
    assert not bench.phases.seen["overrun"]


@pytest.mark.parametrize("pause", [0.0, 0.4])
def test_strips(pause):
    bench = Bench(pause=pause, latency=7)

    async def body(ctx):
        for base, row, height, row_stride in ((5, 9, 4, 30), (29, 1, 5, 30), (8, 16, 3, 24)):
            size = base + (height - 1) * row_stride + row
            await bench.image(ctx, row, height, size, base, row_stride)

    bench.run(body)
    assert not bench.phases.seen["overrun"]


def test_random():
    rng = random.Random(4)
    bench = Bench(pause=0.3)

    async def body(ctx):
        for _ in range(12):
            row, height = rng.randint(1, 48), rng.randint(1, 16)
            if rng.random() < 0.4:
                await bench.phases.phase(
                    ctx, setup=bench.setup(row, height, SIZE - ORIGIN), pulse=["start"],
                    count={"o": 10**6}, until=None, surplus=rng.randrange(150),
                )
                if rng.random() < 0.5:
                    await bench.phases.phase(ctx, pulse=["cancel"], until=None)
                else:
                    await bench.forget(ctx)
            else:
                await bench.image(ctx, row, height)

    bench.run(body)


def test_a_byte_per_cycle():
    bench = Bench()

    async def body(ctx):
        await bench.image(ctx, 45, 16)

    bench.run(body)
    assert bench.phases.cycle < 45 * 16 + 30


def stop_at(limit, component=ImageReader):
    """Read 10 rows of 13 bytes out of ``limit``."""
    bench = Bench(component=component, pause=0.2)

    async def body(ctx):
        with pytest.raises(TimeoutError):
            await bench.phases.phase(
                ctx, setup=bench.setup(13, 10, limit), pulse=["start"], count={"o": 10**6},
                timeout=500,
            )
        assert bench.phases.seen["overrun"] == 1
        end = ORIGIN + -(-limit // 8) * 8
        assert all(address + 8 * beats <= end for address, beats in bench.memory.reads)
        assert len(bench.memory.reads) == limit // 13
        await bench.forget(ctx)
        await bench.image(ctx, 13, 10, 130)

    bench.run(body)


@pytest.mark.parametrize("limit", [0, 12, 13, 64, 65, 129])
def test_nothing_past_the_range_is_read(limit):
    stop_at(limit)


@pytest.mark.parametrize("address", [ORIGIN, ORIGIN + 24, ORIGIN + 64])
def test_error_in_mid_row(address):
    bench = Bench(pause=0.3, fail=(address,))

    async def body(ctx):
        with pytest.raises(TimeoutError):
            await bench.phases.phase(
                ctx, setup=bench.setup(39, 4, 4096 - ORIGIN), pulse=["start"],
                count={"o": 39 * 4}, timeout=600,
            )
        assert ctx.get(bench.dut.fault)
        bench.memory.fail = ()
        await bench.forget(ctx, "clear")
        assert not ctx.get(bench.dut.fault)
        await bench.image(ctx, 20, 5)

    bench.run(body)


def cancelled(component=ImageReader):
    """An image after one that was cancelled in mid-row."""
    bench = Bench(component=component, latency=20)

    async def body(ctx):
        await bench.phases.phase(
            ctx, setup=bench.setup(40, 4, 4096), pulse=["start"], count={"o": 99}, until=None,
            surplus=45,
        )
        await bench.forget(ctx)
        await bench.image(ctx, 40, 4)

    bench.run(body)


def test_cancelled_in_mid_row():
    cancelled()


@pytest.mark.parametrize(
    ("old", "new", "check"),
    [
        ("rows.limit.eq(self.limit)", "rows.limit.eq(~0)", lambda c: stop_at(64, c)),
        ("ResetInserter(self.cancel)(unpacker)", "unpacker", cancelled),
        ("column.last & line.last", "column.last", lambda c: stop_at(64, c)),
    ],
    ids=["past the range", "cancelled words", "an end in every row"],
)
def test_broken_readers_are_caught(old, new, check):
    broken = mutant(ImageReader, old, new)
    with pytest.raises((AssertionError, TimeoutError)):
        check(broken)
