"""Recipes that suit the known data sets; a run's own options go over them."""

from .augment import Augmentation
from .recipe import Recipe

__all__ = ["PRESETS", "preset"]

PRESETS: dict[str, dict] = {
    "em": {
        "epochs": 15,
        "qat_epochs": 6,
        "crop": 160,
        "augmentation": Augmentation(
            warped=0.5, angle=15, scale=1.15, stretch=1.1
        ),
    },
    # Sites differ in contrast and shading, which the normalization and the augmentation answer;
    # and four people are few to fine-tune on, so that what was learnt of them is held fast.
    "gm": {
        "epochs": 7,
        "qat_epochs": 3,
        "crop": 112,
        "weight_decay": 1e-3,
        "loss": "foreground",
        "distillation": 0.7,
        "normalization": "zscore",
        "augmentation": Augmentation(
            symmetries=2, angle=20, scale=1.35, stretch=1.25, gain=1.5, offset=30, gamma=1.5,
            shading=0.3, blurred=0.3,
        ),
        "size": (200, 200),
    },
    # Patients lie the same way round, so nothing is mirrored.
    "pancreas": {
        "epochs": 35,
        "qat_epochs": 16,
        "crop": 176,
        "weight_decay": 1e-2,
        "loss": "foreground",
        "augmentation": Augmentation(
            symmetries=1, scale=1.35, stretch=1.25, bend=4.0, gain=1.4, offset=30, gamma=1.3,
            shading=0.2, blurred=0.3,
        ),
        "size": (112, 176),
    },
}
"""Data set's name -> options of its recipe that differ from the defaults."""


def preset(dataset: str, **options) -> Recipe:
    """The recipe for ``dataset``, by name, with ``options`` of one's own; None is no option."""
    given = {name: value for name, value in options.items() if value is not None}
    return Recipe(**PRESETS.get(dataset, {}) | given)
