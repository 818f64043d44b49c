"""What every importer shares: slices, splits, cropping, and the writer of a data set's folder."""

import csv
import os
import shutil
import struct
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import FxhwError

__all__ = [
    "DAMAGE",
    "Progress",
    "Slice",
    "check_output",
    "check_source",
    "crop",
    "split_of",
    "to_8_bits",
    "write_dataset",
]

DAMAGE = (
    OSError,
    ValueError,
    EOFError,
    RuntimeError,
    AttributeError,
    KeyError,
    IndexError,
    TypeError,
    struct.error,
    zlib.error,
)
"""What the readers raise on a damaged file, the classes of their own aside; DICOM elements that
are missing or empty come as AttributeError and TypeError."""

Progress = Callable[[int, int, str], None]
"""Called as (items done, items in all, what comes next); an item is a volume or an image."""


@dataclass(frozen=True, eq=False)
class Slice:
    """One image of a data set and its label.

    Parameters
    ----------
    name : where it comes from, for error messages.
    image : uint8 (height, width) or (height, width, 3).
    label : bool (height, width), true is foreground.
    group : what must not straddle splits, a subject for example.
    split : ``train`` or ``val``.
    """

    name: str
    image: np.ndarray
    label: np.ndarray
    group: str
    split: str


def split_of(index: int, val_every: int) -> str:
    """``val`` for the second of every ``val_every`` items, else ``train``.

    The second, since two items are then enough for both splits and the first of a series, often
    the odd one, is trained on.
    """
    return "val" if index % val_every == 1 else "train"


def to_8_bits(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """``values`` with ``low`` at 0 and ``high`` at 255, rounded and clipped: uint8, same shape."""
    scaled = (np.asarray(values, np.float64) - low) * (255 / max(high - low, 1e-9))
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)


def crop(
    pixels: np.ndarray, size: tuple[int, int], centre: tuple[int, int] | None = None
) -> np.ndarray:
    """The part of ``pixels`` (height, width) around ``centre``, moved where it would stick out.

    Parameters
    ----------
    size : (height, width) of the result; a side that ``pixels`` lacks is padded with zeros,
        equally on both ends.
    centre : (row, column), None for the middle.
    """
    for axis, wanted in enumerate(size):
        length = pixels.shape[axis]
        middle = length // 2 if centre is None else centre[axis]
        start = min(max(middle - wanted // 2, 0), max(length - wanted, 0))
        pixels = pixels.take(range(start, min(start + wanted, length)), axis=axis)
        missing = wanted - pixels.shape[axis]
        if missing:
            padding = [(0, 0)] * pixels.ndim
            padding[axis] = (missing // 2, missing - missing // 2)
            pixels = np.pad(pixels, padding)
    return pixels


def check_source(source: Path) -> None:
    """Refuse a source that is no folder.

    Raises
    ------
    FxhwError.
    """
    if not source.is_dir():
        what = "is a file, not a folder" if source.exists() else "does not exist"
        raise FxhwError(f"Source {source} {what}; give the folder the download was unpacked to")


def check_output(folder: Path) -> None:
    """Refuse a folder that holds anything.

    Raises
    ------
    FxhwError.
    """
    if folder.is_dir():
        held = sum(1 for _ in folder.iterdir())
        if held:
            raise FxhwError(
                f"Folder {folder} already holds {held} files or folders; "
                "give a new or an empty one"
            )
    elif folder.exists() or folder.is_symlink():
        raise FxhwError(f"Output {folder} is not a folder; give a new or an empty one")


def write_dataset(folder: str | os.PathLike, slices: Iterable[Slice]) -> dict[str, int]:
    """Write a data set: a temporary folder beside ``folder``, then a rename.

    Returns
    -------
    Images per split, ``train`` and ``val``.

    Raises
    ------
    FxhwError if ``folder`` holds anything, a label has another size than its image, a split
    stays empty or something cannot be written; nothing but parent folders is left behind then.
    """
    folder = Path(folder)
    check_output(folder)
    target = Path(os.path.abspath(folder))  # "." has no name to derive another from
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        (temporary / "images").mkdir(parents=True)
        (temporary / "labels").mkdir()
        counts = _fill(temporary, slices)
        check_output(folder)
        if target.is_dir():
            target.rmdir()  # empty; not every system renames over a folder
        temporary.rename(target)
    except OSError as error:
        raise FxhwError(
            f"Data set {folder} cannot be written: {error.strerror or error}"
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return counts


def _fill(folder: Path, slices: Iterable[Slice]) -> dict[str, int]:
    """Write the images, the labels and the index; images per split."""
    counts = {"train": 0, "val": 0}
    with open(folder / "index.csv", "w", newline="", encoding="utf-8") as file:
        index = csv.writer(file, lineterminator="\n")
        index.writerow(["id", "group", "split"])
        for number, item in enumerate(slices):
            if item.label.shape != item.image.shape[:2]:
                raise FxhwError(
                    f"The label of {item.name} is {item.label.shape[0]}x{item.label.shape[1]}, "
                    f"but its image is {item.image.shape[0]}x{item.image.shape[1]}; "
                    "they must have the same size"
                )
            file_name = f"{number:03d}.png"
            Image.fromarray(item.image).save(folder / "images" / file_name)
            label = np.where(item.label, 255, 0).astype(np.uint8)
            Image.fromarray(label).save(folder / "labels" / file_name)
            index.writerow([file_name.removesuffix(".png"), item.group, item.split])
            counts[item.split] += 1
    for split, count in counts.items():
        if count == 0:
            raise FxhwError(
                f"The import has {sum(counts.values())} images but none to go into {split}; "
                "both splits need some: get more of the download, or change --val-every"
            )
    return counts
