"""ColumnPairs == pairs of columns with their marks, over shapes, groups and flow control."""

import numpy as np
import pytest

from fxhw.gateware.column_pairs import ColumnPairs

from .rasters import columns_of
from .simulate import run_stream, simulate_stream

SHAPES = [(1, 1, 1), (1, 1, 3), (1, 2, 2), (2, 4, 1), (4, 1, 2), (3, 5, 1), (4, 3, 3), (2, 6, 2)]


def pairs_of(words):
    """[(words, marks)] of every pair; of the last one, which only completes, words are None."""
    height, width, groups = words.shape
    padded = np.pad(words, ((1, 1), (0, width % 2), (0, 0)))
    pairs = []
    for y in range(height):
        for x in range(0, width, 2):
            marks = {"left": x == 0, "before": x > 0 or (width % 2 == 0 and y > 0), "own": True}
            for group in range(groups):
                part = padded[y : y + 3, x : x + 2, group]
                pairs.append((part.reshape(-1).tolist(), marks))
    if width % 2 == 0:
        pairs += [(None, {"left": True, "before": True, "own": False})] * groups
    return pairs


def stimulus(shape, seed=0):
    words = np.random.default_rng(seed).integers(0, 256, shape)
    height, width, groups = shape
    columns = columns_of(words.reshape(height, width * groups))
    return columns, pairs_of(words), {"height": height, "width": width, "groups": groups}


def check(outputs, expected):
    assert len(outputs) == len(expected)
    for output, (words, marks) in zip(outputs, expected):
        assert output["marks"] == marks
        assert words is None or list(output["words"]) == words


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("idle", "stall"), [(0, 0), (0.5, 0), (0, 0.5), (0.4, 0.4)])
def test_pairs(shape, idle, stall):
    columns, expected, setup = stimulus(shape)
    outputs = run_stream(
        ColumnPairs(8, 3), columns, len(expected), idle=idle, stall=stall, seed=2, setup=setup,
        pulse=["start"],
    )
    check(outputs, expected)


def test_a_column_every_cycle():
    columns, expected, setup = stimulus((5, 4, 2))
    run = simulate_stream(ColumnPairs(8, 3), columns, len(expected), setup=setup, pulse=["start"])
    given = run.given["o"]
    assert given[-1] - given[0] <= len(columns)
