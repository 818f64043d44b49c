"""Spinal cord grey matter segmentation challenge: NIfTI volumes drawn on by four raters."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..errors import FxhwError
from .layout import Progress, Slice, crop, split_of, to_8_bits
from .nifti import read_nifti

__all__ = ["slices"]

RATERS = 4
GREY_MATTER = 1
"""Value in a mask; 2 is white matter."""
SPACING = 0.25
"""Pixel side of the result in mm."""
SIZE = (200, 200)
"""(height, width) of the result in pixels: 5 cm, which holds any cord."""
PERCENTILES = (1, 99)
"""Of a volume's intensities; these become 0 and 255."""


def slices(source: Path, val_every: int, progress: Progress) -> Iterator[Slice]:
    """Axial slices of every subject; foreground is what more than half of the raters call grey.

    A volume without any mask, as those of the challenge's test part, and a slice that no rater
    drew on are left out.  Whole subjects are split.

    Raises
    ------
    FxhwError if there is no volume with masks, a rater's mask is missing, a file cannot be read,
    or a mask has another size than its volume.
    """
    subjects = _subjects(source)
    for index, (subject, image_path, mask_paths) in enumerate(subjects):
        progress(index, len(subjects), subject)
        image, spacing = read_nifti(image_path)
        masks = []
        for path in mask_paths:
            mask, _ = read_nifti(path)
            if mask.shape != image.shape:
                raise FxhwError(
                    f"Mask {path} has the size {_size(mask)}, but its volume {image_path.name} "
                    f"has {_size(image)} (slices x rows x columns); they must be the same"
                )
            masks.append(np.rint(mask))
        votes = sum((mask == GREY_MATTER).astype(np.int8) for mask in masks)
        drawn = np.any([mask > 0 for mask in masks], axis=(0, 2, 3))
        low, high = np.percentile(image, PERCENTILES)
        split = split_of(index, val_every)
        for number in np.flatnonzero(drawn).tolist():
            resampled = resample(image[number], spacing, nearest=False)
            label = resample(votes[number] * 2 > RATERS, spacing, nearest=True)
            yield Slice(
                f"slice {number} of {image_path}",
                crop(to_8_bits(resampled, low, high), SIZE),
                crop(label, SIZE),
                subject,
                split,
            )
    progress(len(subjects), len(subjects), "done")


def _subjects(source: Path) -> list[tuple[str, Path, list[Path]]]:
    """(subject, volume, its masks) of every volume that has masks, by site and number."""
    found = []
    paths = sorted(source.rglob("site*-sc*-image.nii.gz"))
    for path in paths:
        match = re.fullmatch(r"(site\d+-sc\d+)-image\.nii\.gz", path.name)
        if not match:
            continue
        masks = [
            path.with_name(f"{match[1]}-mask-r{rater}.nii.gz") for rater in range(1, RATERS + 1)
        ]
        missing = [mask.name for mask in masks if not mask.is_file()]
        if len(missing) == RATERS:
            continue
        if missing:
            raise FxhwError(
                f"Volume {path} lacks {len(missing)} of its {RATERS} masks "
                f"({', '.join(missing)}); put them beside it"
            )
        found.append((match[1], path, masks))
    if not found:
        raise FxhwError(
            f"Source {source} has {len(paths)} files siteS-scNN-image.nii.gz, none with its masks "
            "siteS-scNN-mask-r1.nii.gz to -r4.nii.gz beside it; "
            "unpack the challenge's training part"
        )
    return sorted(found, key=lambda subject: subject[0])


def resample(pixels: np.ndarray, spacing: tuple[float, float], nearest: bool) -> np.ndarray:
    """``pixels`` (rows, columns) at :data:`SPACING`, centres of the outer corners aligned.

    Parameters
    ----------
    spacing : of rows and of columns in mm.
    nearest : take the nearest pixel, keeping the type; else interpolate linearly, as float64.
    """
    for axis, side in enumerate(spacing):
        length = pixels.shape[axis]
        count = max(round(length * side / SPACING), 1)
        position = np.clip((np.arange(count) + 0.5) * (SPACING / side) - 0.5, 0, length - 1)
        if nearest:
            pixels = pixels.take(np.floor(position + 0.5).astype(int), axis=axis)
            continue
        before = np.floor(position).astype(int)
        weight = (position - before).reshape((-1, 1) if axis == 0 else (1, -1))
        after = np.minimum(before + 1, length - 1)
        pixels = pixels.take(before, axis=axis) * (1 - weight) + (
            pixels.take(after, axis=axis) * weight
        )
    return pixels


def _size(volume: np.ndarray) -> str:
    return "x".join(map(str, volume.shape))
