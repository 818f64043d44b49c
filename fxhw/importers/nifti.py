"""NIfTI volumes as axial slices, whatever the order of the axes in the file."""

from pathlib import Path

import nibabel
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.orientations import OrientationError
from nibabel.spatialimages import HeaderDataError, ImageDataError

from ..errors import FxhwError
from .layout import DAMAGE

__all__ = ["read_nifti"]


def read_nifti(path: Path) -> tuple[np.ndarray, tuple[float, float]]:
    """A volume as upright axial slices.

    The axes are permuted and reversed to the nearest anatomical ones, by the directions in the
    header; the origin is not used.

    Returns
    -------
    float32 (slices, rows, columns) from foot to head, front to back, and the patient's right to
    left, which is how a viewer shows it; (row spacing, column spacing) in mm.

    Raises
    ------
    FxhwError if the file is missing, cannot be read, or is not one volume.
    """
    if not path.is_file():
        raise FxhwError(f"Volume {path} does not exist or is not a file")
    try:
        volume = nibabel.as_closest_canonical(nibabel.load(path))
        voxels = np.asarray(volume.dataobj, np.float32)
        sides = nibabel.affines.voxel_sizes(volume.affine)
    except (*DAMAGE, ImageFileError, HeaderDataError, ImageDataError, OrientationError) as error:
        raise FxhwError(
            f"Volume {path} is not a NIfTI file that can be read ({_line(error)}); "
            "download it again"
        ) from error
    while voxels.ndim > 3 and voxels.shape[-1] == 1:
        voxels = voxels[..., 0]
    if voxels.ndim != 3 or 0 in voxels.shape:
        shape = "x".join(map(str, voxels.shape))
        raise FxhwError(f"Volume {path} has the shape {shape}; it must be one volume of 3 axes")
    if not (np.isfinite(sides).all() and sides.min() > 0 and np.isfinite(voxels).all()):
        raise FxhwError(
            f"Volume {path} has voxels of {sides[0]:g}x{sides[1]:g}x{sides[2]:g} mm or values that "
            "are not numbers; sides must be positive and values finite"
        )
    # The canonical axes grow to the right, the front and the head.
    return voxels[::-1, ::-1].transpose(2, 1, 0), (float(sides[1]), float(sides[0]))


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
