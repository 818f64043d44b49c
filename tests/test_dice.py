"""The Dice overlap."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fxhw.dice import dice, dice_both
from fxhw.errors import FxhwError


@given(st.integers(0, 1 << 32))
def test_equals_counting(seed):
    rng = np.random.default_rng(seed)
    prediction, label = rng.random((2, 5, 7)) < rng.random()
    pairs = list(zip(prediction.ravel().tolist(), label.ravel().tolist()))
    both = sum(p and t for p, t in pairs)
    total = sum(p for p, _ in pairs) + sum(t for _, t in pairs)
    expected = 200 * both / total if total else 100.0
    assert dice(prediction, label) == pytest.approx(expected)
    assert dice_both(prediction, label) == (
        dice(prediction, label), dice(~prediction, ~label)
    )


def test_ends_of_the_scale():
    empty, full = np.zeros((3, 3), bool), np.ones((3, 3), bool)
    assert dice(empty, empty) == 100.0
    assert dice_both(full, full) == (100.0, 100.0)
    assert dice_both(empty, full) == (0.0, 0.0)


def test_half_of_the_label():
    label = np.array([[1, 1, 0, 0]])
    assert dice(np.array([[1, 0, 0, 0]]), label) == pytest.approx(100 * 2 / 3)


def test_shapes_differ():
    with pytest.raises(FxhwError, match=r"^A mask of 2x3 cannot be compared with a label of 3x2$"):
        dice(np.zeros((2, 3)), np.zeros((3, 2)))
