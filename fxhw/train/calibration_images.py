"""Images to calibrate a network on: of a data set, of a folder, or made up."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..dataset import DATASETS, Dataset, Sample, find_dataset
from ..errors import FxhwError
from ..fixed import normalize
from ..images import list_images, read_image
from ..synthetic import make_sample

__all__ = ["SYNTHETIC", "CalibrationImages", "find_images"]

SYNTHETIC = "synthetic"
"""Name of made-up images."""

_CROPS, _SIDE = 16, 192
_STORED, _STORED_SIDE = 2, 64


@dataclass(frozen=True)
class CalibrationImages:
    """Images to calibrate on, normalized.

    Parameters
    ----------
    name : of where they come from.
    crops : uint8 (n, height, width, channels).
    val : labelled images to judge the result by; empty if there are none.
    """

    name: str
    crops: np.ndarray
    val: list[Sample]

    @property
    def stored(self) -> np.ndarray:
        """The few crops that stay with the network."""
        chosen = np.linspace(0, len(self.crops) - 1, min(_STORED, len(self.crops))).astype(int)
        return self.crops[chosen, :_STORED_SIDE, :_STORED_SIDE]


def find_images(source: str, channels: int, normalization: str) -> CalibrationImages:
    """Images for a network of ``channels``.

    Parameters
    ----------
    source : a data set's name or folder, of which ``train`` images calibrate and ``val`` images
        judge; a plain folder of images; or :data:`SYNTHETIC`.

    Raises
    ------
    FxhwError if there are none, or one cannot be read.
    """
    if channels not in (1, 3):
        raise FxhwError(f"The network reads images of {channels} channels, but images have 1 or 3")
    val: list[Sample] = []
    if source == SYNTHETIC:
        name = "made-up images"
        images = [make_sample(_SIDE, _SIDE, seed)[0] for seed in range(1, 5)]
        images = [image.repeat(channels, axis=2) for image in images]
    elif source in DATASETS or (Path(source) / "index.csv").is_file():
        dataset = find_dataset(source)
        name = dataset.name
        paths = [_image_path(dataset, identifier) for identifier in dataset.ids("train")]
        if not paths:
            raise FxhwError(f"Data set {source} has no train images to calibrate on")
        # A few of many: evenly from all, as neighbours often are slices of one subject.
        chosen = np.linspace(0, len(paths) - 1, min(_CROPS, len(paths))).astype(int)
        images = [read_image(paths[i], channels) for i in chosen]
        if dataset.ids("val"):
            val = [
                replace(sample, image=read_image(_image_path(dataset, sample.id), channels))
                for sample in dataset.load("val")
            ]
    elif Path(source).is_dir():
        name = Path(source).resolve().name
        paths = list_images(source)
        chosen = np.linspace(0, len(paths) - 1, min(_CROPS, len(paths))).astype(int)
        images = [read_image(paths[i], channels) for i in chosen]
    else:
        raise FxhwError(
            f"--calib {source} is neither a data set ({', '.join(DATASETS)}, or a folder with "
            f"index.csv), nor a folder of images, nor the word {SYNTHETIC}"
        )
    crops = _crops([normalize(image, normalization) for image in images])
    val = [replace(sample, image=normalize(sample.image, normalization)) for sample in val]
    return CalibrationImages(name, crops, val)


def _image_path(dataset: Dataset, identifier: str) -> Path:
    return dataset.folder / "images" / f"{identifier}.png"


def _crops(images: list[np.ndarray]) -> np.ndarray:
    """Crops of one size: one or more of each image, spread over its diagonal."""
    size = [min(_SIDE, *(image.shape[axis] for image in images)) for axis in (0, 1)]
    each = -(-_CROPS // len(images))
    crops = []
    for image in images:
        spare = [image.shape[axis] - size[axis] for axis in (0, 1)]
        for k in range(each if any(spare) else 1):
            share = (k + 0.5) / each if any(spare) else 0
            top, left = (int(n * share) for n in spare)
            crops.append(image[top : top + size[0], left : left + size[1]])
    return np.stack(crops)
