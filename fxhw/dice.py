"""The Dice overlap of two masks, in percent."""

import numpy as np

from .errors import FxhwError

__all__ = ["dice", "dice_both"]


def dice(prediction: np.ndarray, label: np.ndarray) -> float:
    """``200 * |both| / (|prediction| + |label|)`` of two bool masks; 100 if both are empty.

    Raises
    ------
    FxhwError if the shapes differ.
    """
    prediction, label = np.asarray(prediction, bool), np.asarray(label, bool)
    if prediction.shape != label.shape:
        shapes = ["x".join(map(str, mask.shape)) for mask in (prediction, label)]
        raise FxhwError(f"A mask of {shapes[0]} cannot be compared with a label of {shapes[1]}")
    total = int(prediction.sum()) + int(label.sum())
    return 200.0 * int((prediction & label).sum()) / total if total else 100.0


def dice_both(prediction: np.ndarray, label: np.ndarray) -> tuple[float, float]:
    """:func:`dice` of the foreground and of the background."""
    prediction, label = np.asarray(prediction, bool), np.asarray(label, bool)
    return dice(prediction, label), dice(~prediction, ~label)
