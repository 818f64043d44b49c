"""ColumnTrim == the raster without its first or last column, over shapes and flow control."""

from itertools import product

import numpy as np
import pytest

from fxhw.gateware.column_trim import ColumnTrim

from .simulate import run_stream, simulate_stream

SHAPES = [(1, 2, 1), (3, 3, 1), (2, 4, 3), (4, 5, 2), (1, 9, 2), (5, 3, 3), (2, 1, 2)]
SIDES = list(product((0, 1), (0, 1)))


def trim(**changes):
    sizes = {"max_groups": 3, "max_width": 9, "max_height": 5}
    return ColumnTrim(8, **{**sizes, **changes})


def stimulus(shape, left, right, seed=0):
    """Words of a raster, those that are kept, and the block's setup."""
    words = np.random.default_rng(seed).integers(0, 256, shape)
    height, width, groups = shape
    kept = words[:, left : width - right]
    setup = {"left": left, "right": right, "groups": groups, "width": width, "height": height}
    return words.ravel(), kept.ravel().tolist(), setup


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("left", "right"), SIDES)
@pytest.mark.parametrize(("idle", "stall"), [(0, 0), (0.5, 0), (0, 0.5), (0.4, 0.4)])
def test_columns(shape, left, right, idle, stall):
    if shape[1] <= left + right:
        return
    words, kept, setup = stimulus(shape, left, right)
    outputs = run_stream(
        trim(), words, len(kept), idle=idle, stall=stall, seed=3, setup=setup, pulse=["start"]
    )
    assert outputs == kept


@pytest.mark.parametrize(("left", "right"), SIDES)
def test_a_word_every_cycle(left, right):
    words, kept, setup = stimulus((5, 9, 3), left, right)
    run = simulate_stream(trim(), words, len(kept), setup=setup, pulse=["start"])
    taken = run.taken["i"]
    assert taken[-1] - taken[0] <= len(words)


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 1, 1), (1, 5, 1), (1, 3, 2)], ids=str)
def test_largest_of_one(shape):
    """Counters that have nothing to count."""
    height, width, groups = shape
    words, kept, setup = stimulus(shape, 0, int(width > 1))
    block = trim(max_groups=groups, max_width=width, max_height=height)
    assert run_stream(block, words, len(kept), setup=setup, pulse=["start"]) == kept
