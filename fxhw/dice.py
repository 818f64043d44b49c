"""The Dice overlap of two masks, in percent."""

from dataclasses import asdict, dataclass

import numpy as np

from .errors import FxhwError

__all__ = ["Scores", "dice", "dice_both", "score"]


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


@dataclass(frozen=True)
class Scores:
    """Mean dice of a set of images, (foreground, background) in percent.

    Parameters
    ----------
    slices : mean over the images, each by itself; one without foreground counts 100 where the
        mask has none either, else 0.
    subjects : mean over the subjects, the pixels of all images of one taken together.
    """

    slices: tuple[float, float]
    subjects: tuple[float, float]

    def to_json(self) -> dict:
        """Both pairs, JSON types only."""
        return {name: list(pair) for name, pair in asdict(self).items()}


def score(masks, labels, groups) -> Scores:
    """Scores of ``masks`` against ``labels`` (bool, height x width each).

    ``groups`` names the subject of each image.
    """
    masks, labels = list(masks), list(labels)
    slices = np.mean([dice_both(mask, label) for mask, label in zip(masks, labels)], axis=0)
    subjects = {}
    for mask, label, group in zip(masks, labels, groups):
        pixels = subjects.setdefault(group, ([], []))
        pixels[0].append(np.ravel(mask))
        pixels[1].append(np.ravel(label))
    pooled = np.mean(
        [dice_both(*map(np.concatenate, pixels)) for pixels in subjects.values()], axis=0
    )
    return Scores(tuple(map(float, slices)), tuple(map(float, pooled)))
