"""LineBuffer == three shifted copies of the raster, over shapes and flow control."""

import numpy as np
import pytest

from fxhw.gateware.line_buffer import LineBuffer

from .rasters import columns_of
from .simulate import run_stream, simulate_stream

SHAPES = [(1, 1), (1, 5), (5, 1), (2, 2), (3, 4), (4, 7)]


def setup(words):
    return {"height": words.shape[0], "row_words": words.shape[1]}


def marked(words):
    """The columns of a raster, as the buffer gives them."""
    height, row_words = words.shape
    columns = columns_of(words)
    return [
        {
            "words": column,
            "ends_row": int((n + 1) % row_words == 0),
            "ends_image": int(n + 1 == len(columns)),
        }
        for n, column in enumerate(columns)
    ]


def raster(shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("idle", "stall"), [(0, 0), (0.5, 0), (0, 0.5), (0.4, 0.4)])
def test_columns(shape, idle, stall):
    words = raster(shape)
    expected = marked(words)
    assert expected == run_stream(
        LineBuffer(8, 7),
        words.reshape(-1),
        len(expected),
        idle=idle,
        stall=stall,
        seed=1,
        setup=setup(words),
        pulse=["start"],
    )


def test_throughput():
    words = raster((6, 7))
    run = simulate_stream(
        LineBuffer(8, 7), words.reshape(-1), 42, setup=setup(words), pulse=["start"]
    )
    given = run.given["o"]
    assert given[-1] - given[0] == 41, "a column every cycle"
    assert given[0] == run.taken["i"][7] + 5, "a row and five cycles behind"


def test_takes_nothing_past_the_image():
    words = raster((2, 3))
    with pytest.raises(TimeoutError, match="i accepted 6 of 7"):
        run_stream(
            LineBuffer(8, 3),
            [*words.reshape(-1).tolist(), 1],
            6,
            setup=setup(words),
            pulse=["start"],
            timeout=30,
        )
