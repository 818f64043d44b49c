"""Segmentation data on disk: a folder with images, labels and an index.

::

    index.csv          header id,group,split; split is train or val
    images/<id>.png    8-bit, grey or RGB
    labels/<id>.png    8-bit, one channel, 0 or 255
"""

import csv
import os
import reprlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .errors import FxhwError
from .images import read_image, read_label

__all__ = ["DATASETS", "SPLITS", "Dataset", "Sample", "find_dataset"]

DATASETS = ("em", "gm", "pancreas", "glas")
"""Names :func:`find_dataset` knows."""

SPLITS = ("train", "val")


@dataclass(frozen=True, eq=False)
class Sample:
    """One image and its label.

    Parameters
    ----------
    id : file name without ``.png``.
    image : uint8 (height, width, channels).
    label : bool (height, width), true is foreground.
    group : the subject it comes from; the id where the index names none.
    """

    id: str
    image: np.ndarray
    label: np.ndarray
    group: str = ""


def find_dataset(name_or_path: str | os.PathLike) -> "Dataset":
    """The data set at a path, or one of :data:`DATASETS` under ``$FXHW_DATA``.

    Without ``$FXHW_DATA``, names are looked for in ``../shared/data``.

    Raises
    ------
    FxhwError if there is no such folder or its index is unusable.
    """
    folder = Path(name_or_path)
    if folder.is_dir():
        return Dataset(folder)
    if str(name_or_path) in DATASETS:
        root = Path(os.environ.get("FXHW_DATA") or "../shared/data")
        if (root / folder).is_dir():
            return Dataset(root / folder)
        raise FxhwError(
            f"Data set {name_or_path} is not in {root}; set FXHW_DATA to the folder that "
            "holds it, or give the data set's own folder"
        )
    raise FxhwError(
        f"Data set {name_or_path} is neither a folder nor one of {', '.join(DATASETS)}"
    )


class Dataset:
    """A data set's index, read at once; images are read by :meth:`load`.

    Parameters
    ----------
    folder : the data set's folder.

    Raises
    ------
    FxhwError if the index is missing, lacks a column, repeats an id or names another split.
    """

    def __init__(self, folder: str | os.PathLike):
        self.folder = Path(folder)
        self._splits: dict[str, list[str]] = {split: [] for split in SPLITS}
        self._groups: dict[str, str] = {}
        index = self.folder / "index.csv"
        try:
            with open(index, newline="", encoding="utf-8-sig") as file:
                rows = list(csv.DictReader(file))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise FxhwError(f"Data set index {index} cannot be read: {error}") from error
        seen = set()
        for line, row in enumerate(rows, start=2):
            identifier, split = row.get("id"), row.get("split")
            if not identifier or split not in SPLITS:
                raise FxhwError(
                    f"Data set index {index}, line {line}: id {reprlib.repr(identifier)} with "
                    f"split {reprlib.repr(split)}; each line needs an id and a split, train or val"
                )
            plain = Path(identifier).name == identifier and identifier.isprintable()
            if identifier in seen or not plain:
                raise FxhwError(
                    f"Data set index {index}, line {line}: id {reprlib.repr(identifier)} is there "
                    "twice or is not a plain file name"
                )
            seen.add(identifier)
            self._groups[identifier] = row.get("group") or identifier
            self._splits[split].append(identifier)

    @property
    def name(self) -> str:
        """Name of the folder."""
        return self.folder.resolve().name

    def ids(self, split: str) -> list[str]:
        """Ids of ``split``, in the order of the index."""
        if split not in SPLITS:
            raise FxhwError(f"Split must be one of {', '.join(SPLITS)}, not {split!r}")
        return list(self._splits[split])

    def load(self, split: str) -> list[Sample]:
        """Read every sample of ``split``.

        Raises
        ------
        FxhwError if the split is empty, a file is missing or damaged, a label has another size
        than its image or other values than 0 and 255, or images differ in channels.
        """
        ids = self.ids(split)
        if not ids:
            raise FxhwError(
                f"Data set {self.folder} has no {split} images; its index.csv must name some"
            )
        samples = [self._read(identifier) for identifier in ids]
        for sample in samples:
            if sample.image.shape[2] != samples[0].image.shape[2]:
                raise FxhwError(
                    f"Image {sample.id} of data set {self.folder} has {sample.image.shape[2]} "
                    f"channels, but {samples[0].id} has {samples[0].image.shape[2]}; "
                    "all images of a data set must agree"
                )
        return samples

    def _read(self, identifier: str) -> Sample:
        image = read_image(self.folder / "images" / f"{identifier}.png")
        path = self.folder / "labels" / f"{identifier}.png"
        label = read_label(path)
        if label.shape != image.shape[:2]:
            raise FxhwError(
                f"Label {path} is {label.shape[0]}x{label.shape[1]}, but its image is "
                f"{image.shape[0]}x{image.shape[1]}; they must have the same size"
            )
        return Sample(identifier, image, label, self._groups[identifier])
