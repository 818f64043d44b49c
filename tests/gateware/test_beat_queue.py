# amaranth: UnusedElaboratable=no

"""BeatQueue keeps words and their order, holds what it says, and passes one per cycle."""

import pytest

from fxhw.gateware.beat_queue import BEHIND, BeatQueue

from .simulate import run_stream, simulate_stream


@pytest.mark.parametrize("depth", [2, 4, 32])
@pytest.mark.parametrize("pauses", [(0, 0), (0.5, 0), (0, 0.5), (0.5, 0.5)])
def test_words(depth, pauses):
    idle, stall = pauses
    words = [n * 37 % 256 for n in range(200)]
    assert run_stream(BeatQueue(8, depth), words, 200, idle=idle, stall=stall) == words


@pytest.mark.parametrize("depth", [4, 16])
def test_capacity_and_throughput(depth):
    with pytest.raises(TimeoutError, match=f"i accepted {depth + BEHIND} of 100"):
        run_stream(BeatQueue(8, depth), range(100), 100, stall=1, timeout=50)
    run = simulate_stream(BeatQueue(8, depth), range(100), 100)
    assert run.given["o"] == list(range(3, 103))


@pytest.mark.parametrize("depth", [0, 1, 3, 4.0])
def test_refused_depths(depth):
    with pytest.raises(ValueError, match="depth must be a power of two from 2 on"):
        BeatQueue(8, depth)
