"""ISBI 2012 EM challenge: two stacks of 30 sections, 512x512."""

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tifffile

from ..errors import FxhwError
from .layout import DAMAGE, Progress, Slice, split_of

__all__ = ["slices"]

IMAGES = "train-volume.tif"
LABELS = "train-labels.tif"
GROUP = "isbi2012"


def slices(source: Path, val_every: int, progress: Progress) -> Iterator[Slice]:
    """The sections in the order of the stack; foreground is cell interior, 255 in the labels.

    All are of one group, as they are neighbours in one piece of tissue; the split is by section
    all the same, there being no other.

    Raises
    ------
    FxhwError if a stack is missing, cannot be read, is not 8 bits deep, or the two differ in
    size, or a label has other values than 0 and 255.
    """
    progress(0, 1, IMAGES)
    images, labels = _stack(source, IMAGES), _stack(source, LABELS)
    if images.shape != labels.shape:
        raise FxhwError(
            f"Stack {LABELS} is {_size(labels)}, but {IMAGES} is {_size(images)}; "
            "they must have the same size"
        )
    for index, (image, label) in enumerate(zip(images, labels)):
        progress(index, len(images), f"section {index}")
        values = np.unique(label).tolist()
        if not set(values) <= {0, 255}:
            raise FxhwError(
                f"Section {index} of {LABELS} has {len(values)} different values from "
                f"{values[0]} to {values[-1]}; it must hold 0 and 255 alone"
            )
        name = f"section {index} of {IMAGES}"
        yield Slice(name, image, label > 0, GROUP, split_of(index, val_every))
    progress(len(images), len(images), "done")


def _stack(source: Path, name: str) -> np.ndarray:
    """A stack of the source, uint8 (pages, height, width)."""
    paths = sorted(source.rglob(name))
    if not paths:
        raise FxhwError(f"Source {source} has no {name}, nor has a folder in it; download it first")
    try:
        pixels = _read_pages(paths[0])
    except (*DAMAGE, tifffile.TiffFileError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise FxhwError(
            f"Stack {paths[0]} is not a TIFF file that can be read ({reason}); "
            "download it again, or save it without compression"
        ) from error
    if pixels.ndim != 3 or pixels.dtype != np.uint8:
        raise FxhwError(
            f"Stack {paths[0]} is {_size(pixels)} of {pixels.dtype}; "
            "it must be pages x height x width of 8-bit grey"
        )
    return pixels


def _read_pages(path: Path) -> np.ndarray:
    """All pixels of a TIFF file.

    Of a file cut short, tifffile returns the pages that are left and logs that others are not;
    here that is an error.

    Raises
    ------
    ValueError, and what tifffile raises.
    """
    log = _Log(logging.ERROR)
    logger = logging.getLogger("tifffile")
    logger.addHandler(log)
    try:
        pixels = tifffile.imread(path)
    finally:
        logger.removeHandler(log)
    if log.messages:
        raise ValueError(log.messages[0])
    if pixels.size == 0:
        raise ValueError("it holds no page")
    return pixels


class _Log(logging.Handler):
    """Keeps messages; while it is there, warnings are not printed either."""

    def __init__(self, level: int):
        super().__init__()
        self._least = level
        self.messages: list[str] = []

    def emit(self, record):
        if record.levelno >= self._least:
            self.messages.append(record.getMessage())


def _size(pixels: np.ndarray) -> str:
    return "x".join(map(str, pixels.shape))
