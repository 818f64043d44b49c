"""MICCAI 2015 GlaS: glands in H&E, BMP images with an instance number per pixel."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from ..errors import FxhwError
from ..images import read_image
from .layout import DAMAGE, Progress, Slice

__all__ = ["slices"]

SPLIT_OF_PART = {"train": "train", "testA": "val", "testB": "val"}
FACTOR = 4


def slices(source: Path, with_test_b: bool, progress: Progress) -> Iterator[Slice]:
    """The images at a quarter of their width and height, each pixel the mean of those it covers.

    Foreground is where at least half of the pixels covered belong to a gland.  Part ``train``
    is for training, ``testA`` for validation, and ``testB`` too ``with_test_b``; the part is
    the group.

    Raises
    ------
    FxhwError if there are no images, an annotation is missing or has another size than its
    image, or a file cannot be read.
    """
    found = _find(source, with_test_b)
    for index, (part, path) in enumerate(found):
        progress(index, len(found), path.stem)
        label_path = path.with_name(f"{path.stem}_anno.bmp")
        image, label = read_image(path, channels=3), _annotation(label_path)
        if label.shape != image.shape[:2]:
            raise FxhwError(
                f"Annotation {label_path} is {label.shape[0]}x{label.shape[1]}, but its image is "
                f"{image.shape[0]}x{image.shape[1]}; they must have the same size"
            )
        share = shrink(np.where(label, 255, 0).astype(np.uint8))
        yield Slice(path.name, shrink(image), share >= 128, part, SPLIT_OF_PART[part])
    progress(len(found), len(found), "done")


def shrink(pixels: np.ndarray) -> np.ndarray:
    """``pixels``, uint8 (height, width) or (height, width, 3), at a quarter of the size, rounded
    to whole pixels, by area averaging."""
    height, width = (max(round(side / FACTOR), 1) for side in pixels.shape[:2])
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BOX))


def _find(source: Path, with_test_b: bool) -> list[tuple[str, Path]]:
    """(part, image) by part and number."""
    found = []
    for path in source.rglob("*.bmp"):
        match = re.fullmatch(r"(train|testA|testB)_(\d+)\.bmp", path.name)
        if match and (with_test_b or match[1] != "testB"):
            found.append((list(SPLIT_OF_PART).index(match[1]), int(match[2]), match[1], path))
    if not found:
        raise FxhwError(
            f"Source {source} has no train_N.bmp or testA_N.bmp, nor has a folder in it; "
            "give the folder the download was unpacked to"
        )
    return [(part, path) for _, _, part, path in sorted(found)]


def _annotation(path: Path) -> np.ndarray:
    """Where an annotation's instance number is not 0, bool (height, width)."""
    if not path.is_file():
        raise FxhwError(f"Annotation {path} does not exist; it must lie beside its image")
    try:
        with Image.open(path) as image:
            # As stored: a palette would turn the numbers into colours, some of them black.
            numbers = np.asarray(image)
    except (*DAMAGE, UnidentifiedImageError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise FxhwError(
            f"Annotation {path} is not an image that can be read ({reason}); download it again"
        ) from error
    return (numbers.reshape(*numbers.shape[:2], -1) > 0).any(axis=2)
