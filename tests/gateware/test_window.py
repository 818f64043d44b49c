"""Window == nine shifted copies of the raster, over shapes, groups and flow control."""

import numpy as np
import pytest

from fxhw.gateware.window import Window

from .rasters import windows_of
from .simulate import run_stream, simulate_stream
from .test_line_buffer import marked

SHAPES = [(1, 1, 1), (1, 1, 3), (1, 4, 1), (4, 1, 2), (2, 2, 1), (3, 5, 1), (4, 3, 3)]


def stimulus(shape, seed=0):
    words = np.random.default_rng(seed).integers(0, 256, shape)
    height, width, groups = shape
    columns = marked(words.reshape(height, width * groups))
    return columns, windows_of(words), {"groups": groups}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("idle", "stall"), [(0, 0), (0.5, 0), (0, 0.5), (0.4, 0.4)])
def test_windows(shape, idle, stall):
    columns, expected, setup = stimulus(shape)
    assert expected == run_stream(
        Window(8, 3),
        columns,
        len(expected),
        idle=idle,
        stall=stall,
        seed=2,
        setup=setup,
        pulse=["start"],
    )


def test_no_cycle_lost_between_rows():
    columns, expected, setup = stimulus((5, 4, 2))
    run = simulate_stream(Window(8, 3), columns, len(expected), setup=setup, pulse=["start"])
    given = run.given["o"]
    assert given[-1] - given[0] == len(expected) - 1
