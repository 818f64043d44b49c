"""Pancreas-CT: series written with pydicom, labels with nibabel."""

import numpy as np
import pytest

from fxhw.dataset import Dataset
from fxhw.errors import FxhwError
from fxhw.importers import import_dataset

pydicom = pytest.importorskip("pydicom")
nibabel = pytest.importorskip("nibabel")

SHAPE = (4, 130, 200)  # slices from foot to head, rows front to back, columns right to left
UPRIGHT = (1, 0, 0, 0, 1, 0)


def dicom(path, pixels, height, orientation=UPRIGHT, series="1.2.3", intercept=-1024):
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = f"1.2.3.{int(height) + 100}"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset(path, {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID = meta.MediaStorageSOPClassUID
    data.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    data.SeriesInstanceUID = series
    data.Rows, data.Columns = pixels.shape
    data.ImageOrientationPatient = list(orientation)
    data.ImagePositionPatient = [0, 0, height]
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit = 16, 16, 15
    data.PixelRepresentation = 1
    data.RescaleSlope, data.RescaleIntercept = 1, intercept
    data.PixelData = pixels.astype("<i2").tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    data.save_as(path, enforce_file_format=True)


def volume(seed):
    """Hounsfield units and a label: a box in slices 1 and 2, brighter than all else."""
    hounsfield = np.random.default_rng(seed).integers(-1000, 50, SHAPE)
    label = np.zeros(SHAPE, np.uint8)
    label[1, 60:71, 90:111] = 1
    label[2, 2:9, 180:191] = 1
    hounsfield[label > 0] = 240
    return hounsfield, label


def patient(folder, name, seed, flip_rows=False, flip_columns=False, label_signs=(-1, -1, 1)):
    hounsfield, label = volume(seed)
    stored = hounsfield[:, :: -1 if flip_rows else 1, :: -1 if flip_columns else 1] + 1024
    orientation = (-1 if flip_columns else 1, 0, 0, 0, -1 if flip_rows else 1, 0)
    for number in range(SHAPE[0]):
        # Numbered from the head down, as series often are.
        path = folder / "images" / name / "study" / f"{SHAPE[0] - number:06d}.dcm"
        dicom(path, stored[number], -50 + number, orientation)
    # In the order of NIfTI's axes; its x grows to the right, its y to the front.
    voxels = label.transpose(2, 1, 0)
    voxels = voxels[tuple(slice(None, None, s * t) for s, t in zip(label_signs, (-1, -1, 1)))]
    affine = np.diag([*(0.8 * sign for sign in label_signs), 1])
    path = folder / "labels" / f"label{name[-4:]}.nii.gz"
    path.parent.mkdir(exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(voxels, affine), path)


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "download"
    folder.mkdir()
    patient(folder, "PANCREAS_0001", 1)
    patient(folder, "PANCREAS_0002", 2, flip_rows=True, label_signs=(1, 1, -1))
    (folder / "images" / "PANCREAS_0002" / "._000001.dcm").write_text("not DICOM")
    patient(folder, "PANCREAS_0007", 3, flip_columns=True, label_signs=(1, -1, 1))
    return folder


def test_regions_around_the_pancreas(source, tmp_path):
    assert import_dataset("nih", source, tmp_path / "p", val_every=3) == {"train": 4, "val": 2}
    data = Dataset(tmp_path / "p")
    rows = (data.folder / "index.csv").read_text().split()[1:]
    assert [row.split(",")[1:] for row in rows] == [
        *[["PANCREAS_0001", "train"]] * 2,
        *[["PANCREAS_0002", "val"]] * 2,
        *[["PANCREAS_0007", "train"]] * 2,
    ]
    samples = sorted([*data.load("train"), *data.load("val")], key=lambda sample: sample.id)
    # The median pixel in the middle, as far as the slice goes.
    corners = {1: (65 - 56, 100 - 88), 2: (0, 200 - 176)}
    for index, sample in enumerate(samples):
        hounsfield, label = volume(1 + index // 2)
        top, left = corners[1 + index % 2]
        part = (1 + index % 2, slice(top, top + 112), slice(left, left + 176))
        assert sample.image.shape == (112, 176, 1)
        np.testing.assert_array_equal(sample.label, label[part] > 0)
        expected = np.clip(np.rint((hounsfield[part] + 100) * (255 / 340)), 0, 255)
        np.testing.assert_array_equal(sample.image[:, :, 0], expected)


def series_of(folder):
    return folder / "images" / "PANCREAS_0001" / "study"


def no_label(folder):
    (folder / "labels" / "label0007.nii.gz").unlink()


def empty_label(folder):
    voxels = np.zeros(SHAPE[::-1], np.uint8)
    nibabel.save(nibabel.Nifti1Image(voxels, np.eye(4)), folder / "labels" / "label0001.nii.gz")


def missing_slice(folder):
    (series_of(folder) / "000002.dcm").unlink()


def not_dicom(folder):
    (series_of(folder) / "000002.dcm").write_text("<html>")


def cut_short(folder):
    path = series_of(folder) / "000003.dcm"
    path.write_bytes(path.read_bytes()[:-2000])


def no_position(folder):
    path = series_of(folder) / "000002.dcm"
    data = pydicom.dcmread(path)
    del data.ImagePositionPatient
    data.save_as(path)


def two_series(folder):
    dicom(series_of(folder) / "x.dcm", np.zeros(SHAPE[1:]), 9, series="1.2.4")


def two_sizes(folder):
    dicom(series_of(folder) / "x.dcm", np.zeros((5, 6)), 9)


def twice(folder):
    dicom(series_of(folder) / "x.dcm", np.zeros(SHAPE[1:]), -50)


def coronal(folder):
    dicom(series_of(folder) / "x.dcm", np.zeros(SHAPE[1:]), 9, (1, 0, 0, 0, 0, -1))


def nothing(folder):
    for path in folder.rglob("*.dcm"):
        path.unlink()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (no_label, "has no label0007.nii.gz for PANCREAS_0007"),
        (empty_label, "label0001.nii.gz marks no pixel"),
        (missing_slice, "size 4x130x200, but PANCREAS_0001 has 3x130x200"),
        (not_dicom, "000002.dcm is not a CT slice that can be read"),
        (cut_short, "000003.dcm is not a CT slice that can be read"),
        (no_position, "000002.dcm is not a CT slice .*ImagePositionPatient"),
        (two_series, "The 5 files of PANCREAS_0001 have 2 different kinds of series"),
        (two_sizes, "The 5 files of PANCREAS_0001 have 2 different kinds of size"),
        (twice, "000004.dcm and x.dcm both lie at -50 mm"),
        (coronal, "x.dcm is not an axial slice"),
        (nothing, "has no file PANCREAS_NNNN/.../[*].dcm"),
    ],
)
def test_mistakes(source, tmp_path, spoil, message):
    spoil(source)
    with pytest.raises(FxhwError, match=message):
        import_dataset("nih", source, tmp_path / "p")
    assert [path.name for path in tmp_path.iterdir()] == ["download"]
