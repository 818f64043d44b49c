"""The Dice overlap."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fxhw.dice import Scores, dice, dice_both, score
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


def row(text):
    """A mask one pixel high from ones and zeros."""
    return np.array([[digit == "1" for digit in text]])


def test_scores_by_hand():
    """Two slices of one subject, one of another."""
    labels = [row("1100"), row("1000"), row("1111")]
    masks = [row("1000"), row("1110"), row("0110")]
    scores = score(masks, labels, ["ann", "ann", "bob"])
    slices = [(200 / 3, 80.0), (50.0, 50.0), (200 / 3, 0.0)]
    assert scores.slices == pytest.approx(np.mean(slices, axis=0))
    # Of ann's 8 pixels 3 are labelled, 4 marked, 2 both; 5 and 4 are background, 3 both.
    subjects = [(400 / 7, 600 / 9), (200 / 3, 0.0)]
    assert scores.subjects == pytest.approx(np.mean(subjects, axis=0))


def test_slices_without_foreground():
    """They count 100 or 0 by themselves, and nothing but their false pixels in a subject."""
    labels = [row("0000"), row("0000"), row("1100")]
    masks = [row("0000"), row("0001"), row("1100")]
    scores = score(masks, labels, ["ann"] * 3)
    assert scores.slices[0] == pytest.approx((100 + 0 + 100) / 3)
    assert scores.subjects[0] == pytest.approx(200 * 2 / 5)
    assert score(masks[:1], labels[:1], ["ann"]).subjects == (100.0, 100.0)


def test_slices_of_a_subject_may_differ_in_size_and_lie_apart():
    labels = [row("11"), row("10"), row("1111")]
    masks = [row("10"), row("01"), row("1100")]
    scores = score(masks, labels, iter(["ann", "bob", "ann"]))
    assert scores.subjects[0] == pytest.approx((200 * 3 / 9 + 0) / 2)


def test_subjects_of_one_slice_each_score_as_slices():
    rng = np.random.default_rng(0)
    masks, labels = rng.random((2, 5, 4, 6)) < 0.5
    scores = score(masks, labels, range(5))
    assert scores.slices == scores.subjects


def test_scores_as_json():
    scores = Scores((1.0, 2.0), (3.0, 4.0))
    assert scores.to_json() == {"slices": [1.0, 2.0], "subjects": [3.0, 4.0]}
    assert json.loads(json.dumps(score([row("1")], [row("1")], "a").to_json())) == {
        "slices": [100.0, 100.0], "subjects": [100.0, 100.0]
    }
