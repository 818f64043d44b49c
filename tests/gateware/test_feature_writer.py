"""FeatureWriter addresses a raster; WriteArbiter merges two writers without loss."""

import random

import numpy as np
import pytest

from fxhw.gateware.feature_writer import FeatureWriter, WriteArbiter
from fxhw.gateware.memory_port import WriteRequest

from .simulate import run_stream, simulate_stream


def writer(depth):
    return FeatureWriter(8, depth, max_width=4, max_height=4, max_words=3)


def setup(base, words, stride, width, height):
    return {"base": base, "words": words, "stride": stride, "width": width, "height": height}


@pytest.mark.parametrize(("words", "stride"), [(1, 1), (2, 2), (1, 3), (2, 5), (3, 3), (3, 4)])
@pytest.mark.parametrize(("idle", "stall"), [(0, 0), (0.5, 0.5)])
def test_addresses(words, stride, idle, stall):
    width, height, base = 3, 4, 7
    data = np.random.default_rng(0).integers(0, 256, width * height * words).tolist()
    pixels = base + stride * np.arange(width * height)
    addresses = (pixels[:, None] + np.arange(words)).reshape(-1).tolist()
    got = run_stream(
        writer(100),
        data,
        len(data),
        idle=idle,
        stall=stall,
        setup=setup(base, words, stride, width, height),
        pulse=["start"],
    )
    assert got == [{"address": a, "data": d} for a, d in zip(addresses, data)]


def test_takes_nothing_past_the_raster():
    with pytest.raises(TimeoutError, match="i accepted 4 of 5"):
        run_stream(
            writer(100), range(5), 4, setup=setup(0, 1, 1, 2, 2), pulse=["start"],
            timeout=20,
        )


def test_overrun_is_seen():
    dut = writer(10)
    seen = []

    async def watch(ctx):
        async for _, _, overrun in ctx.tick().sample(dut.overrun):
            seen.append(overrun)

    got = run_stream(
        dut, range(6), 6, setup=setup(8, 1, 1, 3, 2), pulse=["start"], background=[watch]
    )
    assert [word["address"] for word in got] == [8, 9, 10, 11, 12, 13]
    assert sum(seen) == 4


@pytest.mark.parametrize("seed", range(4))
def test_arbiter(seed):
    rng = random.Random(seed)
    words = {
        f"i.{n}": [{"address": 2 * k + n, "data": rng.randrange(256)} for k in range(30)]
        for n in range(2)
    }
    run = simulate_stream(
        WriteArbiter(WriteRequest(100, 8)),
        words,
        {"o": 60},
        idle=0.4,
        stall=0.4,
        seed=seed,
    )
    for n in range(2):
        assert [w for w in run.outputs["o"] if w["address"] % 2 == n] == words[f"i.{n}"]


def test_arbiter_a_write_every_cycle():
    words = {f"i.{n}": [{"address": n, "data": k} for k in range(10)] for n in range(2)}
    run = simulate_stream(WriteArbiter(WriteRequest(100, 8)), words, {"o": 20})
    assert run.given["o"][-1] - run.given["o"][0] == 19
