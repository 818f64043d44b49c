"""NIfTI volumes: any order and direction of axes comes out the same."""

from itertools import permutations, product

import numpy as np
import pytest

from fxhw.errors import FxhwError

nibabel = pytest.importorskip("nibabel")


def read(path):
    from fxhw.importers.nifti import read_nifti

    return read_nifti(path)


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_axes_are_those_of_the_patient(tmp_path, order):
    upright = np.random.default_rng(0).integers(0, 99, (2, 3, 4)).astype(np.float32)
    to_right = upright[:, ::-1, ::-1].transpose(2, 1, 0)  # grows right, front, head
    for signs in product((1, -1), repeat=3):
        voxels = to_right[tuple(slice(None, None, sign) for sign in signs)].transpose(order)
        affine = np.zeros((4, 4))
        for axis, anatomical in enumerate(order):
            affine[anatomical, axis] = signs[anatomical] * (0.5, 0.6, 7)[anatomical]
        affine[:, 3] = 5, 6, 7, 1
        nibabel.save(nibabel.Nifti1Image(voxels, affine), tmp_path / "v.nii.gz")
        volume, spacing = read(tmp_path / "v.nii.gz")
        np.testing.assert_array_equal(volume, upright)
        assert spacing == pytest.approx((0.6, 0.5))


def test_values_are_scaled_and_a_trailing_axis_of_one_is_dropped(tmp_path):
    image = nibabel.Nifti1Image(np.full((2, 3, 4, 1), 7, np.int16), np.eye(4))
    image.header.set_slope_inter(2, 1)
    nibabel.save(image, tmp_path / "v.nii.gz")
    volume, _ = read(tmp_path / "v.nii.gz")
    assert volume.shape == (4, 3, 2)
    assert (volume == 15).all()


def test_values_that_are_no_numbers(tmp_path):
    voxels = np.full((2, 3, 4), np.nan, np.float32)
    nibabel.save(nibabel.Nifti1Image(voxels, np.eye(4)), tmp_path / "v.nii.gz")
    with pytest.raises(FxhwError, match="values that are not numbers"):
        read(tmp_path / "v.nii.gz")


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FxhwError, match="none.nii.gz does not exist"):
        read(tmp_path / "none.nii.gz")
