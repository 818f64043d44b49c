# amaranth: UnusedElaboratable=no

import numpy as np
import pytest

from fxhw.gateware.repacker import Repacker

from .simulate import run_stream, simulate_stream

LANES = [(1, 2), (2, 1), (1, 16), (16, 1), (8, 16), (16, 8), (2, 3), (3, 2), (5, 7), (7, 5), (6, 9),
         (4, 4)]


def repack(words, in_words, out_words, out_lanes):
    """Reference: output words of whole pixels given as an ``(n, in_lanes)`` array."""
    pixels = words.reshape(-1, in_words * words.shape[1])
    size = out_words * out_lanes
    pixels = np.pad(pixels, ((0, 0), (0, max(0, size - pixels.shape[1]))))[:, :size]
    return pixels.reshape(-1, out_lanes)


def random_words(count, lanes, bits, seed=4):
    return np.random.default_rng(seed).integers(0, 1 << bits, (count, lanes))


def sizes(in_lanes, out_lanes):
    """Words per pixel in and out: tight fits, then padding and dropping."""
    if in_lanes == out_lanes:
        return [(1, 1), (3, 3)]
    exact = [(n, -(-n * in_lanes // out_lanes)) for n in (1, 2, 3, out_lanes)]
    return dict.fromkeys([*exact, (1, 3), (2, exact[1][1] + 2), (3, 1), (out_lanes + 2, in_lanes)])


@pytest.mark.parametrize(("in_lanes", "out_lanes"), LANES)
@pytest.mark.parametrize(("idle", "stall"), [(0.0, 0.0), (0.5, 0.0), (0.0, 0.5), (0.4, 0.4)])
def test_equals_reference(in_lanes, out_lanes, idle, stall):
    for in_words, out_words in sizes(in_lanes, out_lanes):
        words = random_words(5 * in_words, in_lanes, bits=4)
        expected = repack(words, in_words, out_words, out_lanes)
        out = run_stream(
            Repacker(4, in_lanes, out_lanes), words, len(expected), idle=idle, stall=stall, seed=9,
            setup={"in_words": in_words, "out_words": out_words},
        )
        np.testing.assert_array_equal(out, expected, err_msg=f"{in_words} -> {out_words} words")


@pytest.mark.parametrize(("in_lanes", "out_lanes"), LANES)
def test_interval(in_lanes, out_lanes):
    for in_words, out_words in sizes(in_lanes, out_lanes):
        run = simulate_stream(
            Repacker(1, in_lanes, out_lanes), random_words(6 * in_words, in_lanes, bits=1),
            6 * out_words, setup={"in_words": in_words, "out_words": out_words},
        )
        interval = Repacker.interval(in_lanes, out_lanes, in_words, out_words)
        assert max(in_words, out_words) <= interval <= max(in_words, out_words) + 1
        ends = run.given["o"][out_words - 1 :: out_words]
        assert np.diff(ends).tolist() == [interval] * 5, f"{in_words} -> {out_words} words"


def test_tail_is_zero_and_surplus_is_dropped():
    setup = {"in_words": 2, "out_words": 1}
    words = [[1, 2, 3], [4, 5, 6], [7, 8, 9], [10, 11, 12]]
    assert run_stream(Repacker(4, 3, 4), words, 2, setup=setup) == [[1, 2, 3, 4], [7, 8, 9, 10]]
    setup = {"in_words": 1, "out_words": 2}
    assert run_stream(Repacker(4, 3, 2), words[:2], 4, setup=setup) == [
        [1, 2], [3, 0], [4, 5], [6, 0],
    ]


def test_latency():
    run = simulate_stream(
        Repacker(4, 2, 6), random_words(3, 2, bits=4), 1, setup={"in_words": 3, "out_words": 1}
    )
    assert run.given["o"] == [run.taken["i"][2] + 1]


@pytest.mark.parametrize(
    ("arguments", "what"),
    [((0, 1, 1), "code width"), ((1, 0, 1), "input lanes"), ((1, 1, 0), "output lanes")],
)
def test_parameters_wrong(arguments, what):
    with pytest.raises(ValueError, match=f"^Repacker {what} must be a positive integer, not 0$"):
        Repacker(*arguments)
