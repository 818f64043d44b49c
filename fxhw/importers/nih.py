"""NIH Pancreas-CT: a DICOM series per patient, a NIfTI label per patient.

Orientation: image and label are both turned by the directions in their headers (DICOM's image
orientation and position, NIfTI's affine matrix) to foot to head, front to back, and the patient's
right to left.  Origins are not compared, as labels of this set were drawn on the same voxels; the
sizes must agree.  Only series that are axial, gantry tilt aside, can be turned like that.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
from pydicom.errors import InvalidDicomError

from ..errors import FxhwError
from .layout import DAMAGE, Progress, Slice, crop, split_of, to_8_bits
from .nifti import read_nifti

__all__ = ["slices"]

WINDOW = (-100, 240)
"""Hounsfield units that become 0 and 255."""
SIZE = (112, 176)
"""(height, width) of the region in pixels."""


def slices(source: Path, val_every: int, progress: Progress) -> Iterator[Slice]:
    """The axial slices with pancreas, cropped around the median pixel of each one's label.

    Whole patients are split.

    Raises
    ------
    FxhwError if there is no series, a patient's label is missing, a file cannot be read, a
    series is not one axial stack, a label has another size than it, or a label is empty.
    """
    patients = _patients(source)
    labels = {path.name: path for path in sorted(source.rglob("label*.nii.gz"))}
    for patient in patients:
        _label_name(patient, labels, source)
    for index, (patient, paths) in enumerate(patients.items()):
        progress(index, len(patients), patient)
        path = labels[_label_name(patient, labels, source)]
        label = read_nifti(path)[0] > 0.5
        series = _Series(patient, paths)
        if label.shape != series.shape:
            raise FxhwError(
                f"Label {path} has the size {_size(label.shape)}, but {patient} has "
                f"{_size(series.shape)} (slices x rows x columns); they must be the same"
            )
        numbers = np.flatnonzero(label.any(axis=(1, 2))).tolist()
        if not numbers:
            raise FxhwError(f"Label {path} marks no pixel; download it again")
        split = split_of(index, val_every)
        for number in numbers:
            mask = label[number]
            centre = tuple(int(np.median(where)) for where in np.nonzero(mask))
            image = to_8_bits(series.read(number), *WINDOW)
            yield Slice(
                f"slice {number} of {patient}",
                crop(image, SIZE, centre),
                crop(mask, SIZE, centre),
                patient,
                split,
            )
    progress(len(patients), len(patients), "done")


def _patients(source: Path) -> dict[str, list[Path]]:
    """Patient -> the DICOM files under the folder of that name."""
    patients: dict[str, list[Path]] = {}
    for path in sorted(source.resolve().rglob("*.dcm")):
        names = [part for part in path.parts[:-1] if re.fullmatch(r"PANCREAS_\d{4}", part)]
        if names and path.name[0] != ".":  # what macOS leaves beside unpacked files
            patients.setdefault(names[-1], []).append(path)
    if not patients:
        raise FxhwError(
            f"Source {source} has no file PANCREAS_NNNN/.../*.dcm; "
            "give the folder that holds the patients' folders and the labels"
        )
    return dict(sorted(patients.items()))


def _label_name(patient: str, labels: dict[str, Path], source: Path) -> str:
    name = f"label{patient[-4:]}.nii.gz"
    if name not in labels:
        raise FxhwError(
            f"Source {source} has no {name} for {patient}, nor has a folder in it; "
            "put the unpacked labels there"
        )
    return name


class _Series:
    """A patient's slices from foot to head; pixels are read by :meth:`read`, one slice at a time.

    Parameters
    ----------
    patient : name, for error messages.
    paths : the DICOM files, in any order.
    """

    def __init__(self, patient: str, paths: list[Path]):
        heads = [_Head(path) for path in paths]
        for what in ("series", "size"):
            kinds = {getattr(head, what) for head in heads}
            if len(kinds) > 1:
                raise FxhwError(
                    f"The {len(paths)} files of {patient} have {len(kinds)} different kinds of "
                    f"{what}; keep those of one series in its folder"
                )
        heads.sort(key=lambda head: head.height)
        for lower, upper in zip(heads, heads[1:]):
            if lower.height == upper.height:
                raise FxhwError(
                    f"Files {lower.path} and {upper.path.name} both lie at {lower.height:g} mm; "
                    "keep one of them"
                )
        self._heads = heads
        self.shape = (len(heads), *heads[0].size)

    def read(self, number: int) -> np.ndarray:
        """A slice in Hounsfield units, (rows, columns), front to back and right to left."""
        head = self._heads[number]
        data = _read_dicom(head.path)
        try:
            pixels = data.pixel_array.astype(np.float64)
            # What is left out is 1 and 0, which is what the standard says of files without them.
            scaled = pixels * float(data.get("RescaleSlope", 1))
            scaled += float(data.get("RescaleIntercept", 0))
        except DAMAGE as error:
            raise _unreadable(head.path, error) from error
        if scaled.shape != head.size:
            raise FxhwError(
                f"DICOM file {head.path} holds {_size(scaled.shape)} pixels, but its header says "
                f"{_size(head.size)}; download it again"
            )
        return scaled[:: head.row_step, :: head.column_step]


class _Head:
    """What is needed of a file before its pixels: series, (rows, columns), height in mm, and
    whether rows and columns run front to back and right to left (step 1) or back (step -1)."""

    def __init__(self, path: Path):
        data = _read_dicom(path, stop_before_pixels=True)
        self.path = path
        try:
            self.series = str(data.SeriesInstanceUID)
            self.size = (int(data.Rows), int(data.Columns))
            along_row, along_column = np.reshape(
                [float(value) for value in data.ImageOrientationPatient], (2, 3)
            )
            self.height = float(data.ImagePositionPatient[2])
        except DAMAGE as error:
            raise _unreadable(path, error) from error
        # DICOM's x grows to the patient's left and its y to the back.
        if np.argmax(np.abs(along_row)) != 0 or np.argmax(np.abs(along_column)) != 1:
            raise FxhwError(
                f"DICOM file {path} is not an axial slice: its rows run along "
                f"{along_row.tolist()} and its columns along {along_column.tolist()}; "
                "keep the axial series alone in its folder"
            )
        self.column_step = 1 if along_row[0] > 0 else -1
        self.row_step = 1 if along_column[1] > 0 else -1


def _read_dicom(path: Path, **options):
    try:
        return pydicom.dcmread(path, **options)
    except (*DAMAGE, InvalidDicomError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> FxhwError:
    reason = " ".join(str(error).split()) or type(error).__name__
    return FxhwError(
        f"DICOM file {path} is not a CT slice that can be read ({reason}); "
        "download it again, or save it without compression"
    )


def _size(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
