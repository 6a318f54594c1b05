"""Grids of voxels: masks and atlases from other grids, and spheres laid on them."""

import nibabel as nib
import numpy as np
import pytest
from nilearn.image import resample_img

from sbc_estimators._images.grids import NotLinearError, Still, VolumeGrid
from sbc_estimators._images.opening import read_still

AFFINE = np.array(
    [[-3, 0, 0, 40.3], [0, 3, 0.1, -61.7], [0, 0, 3, -20.1], [0, 0, 0, 1]]
)
SHAPE = (7, 6, 5)


def grid_of_part(start):
    """Return the grid of what `slicer` leaves of an image, whose rounding differs."""
    affine = AFFINE.copy()
    affine[:3, 3] += AFFINE[:3, :3] @ start
    return VolumeGrid(tuple(np.subtract(SHAPE, start)), affine)


@pytest.mark.parametrize("start", [(1, 0, 2), (0, 3, 0), (2, 2, 2)])
def test_values_of_a_part_keep_their_outermost_layer(start):
    whole, part = VolumeGrid(SHAPE, AFFINE), grid_of_part(start)
    values = np.arange(1, part.n_positions + 1)
    expected = np.zeros(SHAPE, int)
    expected[tuple(slice(first, None) for first in start)] = values.reshape(part.shape)
    found = whole.values_of(Still(part, values))
    np.testing.assert_array_equal(found.reshape(SHAPE), expected)
    some = np.array([0, 40, 209, 207])
    np.testing.assert_array_equal(
        whole.values_at(Still(part, values), some), found[some]
    )


@pytest.mark.parametrize(
    "affine",
    [
        np.diag([1.5, 1.5, 1.5, 1]),
        np.array([[3, 0, 0, 1.5], [0, 3, 0, -1.5], [0, 0, 3, 0], [0, 0, 0, 1]]),
        np.array([[1, 0.4, 0, 2], [-0.37, 1, 0, 4], [0, 0, 1.5, 1], [0, 0, 0, 1]]),
    ],
)
def test_halves_of_a_voxel_go_where_nilearn_puts_them(affine):
    there, here = VolumeGrid((9, 9, 9), np.diag([3.0, 3, 3, 1])), (15, 15, 13)
    values = np.arange(1.0, there.n_positions + 1)
    found = VolumeGrid(here, affine).values_of(Still(there, values))
    options = {"interpolation": "nearest", "copy_header": True, "force_resample": True}
    expected = resample_img(there.image_of(values), affine, here, **options)
    np.testing.assert_array_equal(found.reshape(here), expected.get_fdata())


def test_values_of_several_maps():
    whole, part = VolumeGrid(SHAPE, AFFINE), grid_of_part((1, 1, 1))
    maps = np.random.default_rng(0).random((part.n_positions, 2))
    found = whole.values_of(Still(part, maps))
    for column, own in zip(found.T, maps.T, strict=True):
        np.testing.assert_array_equal(column, whole.values_of(Still(part, own)))
    assert found.shape == (210, 2)


def test_a_voxel_anywhere_is_covered():
    grid = VolumeGrid(SHAPE, AFFINE)
    fine = VolumeGrid((60, 60, 60), AFFINE @ np.diag([0.4, 0.4, 0.4, 1]))
    is_inside = []
    for position in (0, 10, 59 * 3600 + 59 * 60 + 59):
        values = np.zeros(fine.n_positions, np.uint8)
        values[position] = 1
        is_inside.append(grid.covers(Still(fine, values)))
    assert is_inside == [True, True, False]
    # Few of many: those beyond the grid are more than are looked at at a time.
    values = np.ones(fine.n_positions, np.uint8)
    values.reshape(fine.shape)[:17, :14, :11] = 0
    assert grid.covers(Still(fine, values))
    values.reshape(fine.shape)[:18, :15, :12] = 0
    assert not grid.covers(Still(fine, values))


def test_what_is_missing_in_a_still():
    data = np.ones((3, 3, 3), np.float32)
    data[0, 0] = np.nan, np.inf, 2
    img = nib.Nifti1Image(data, np.eye(4))
    assert read_still(img, "mask_img").values[:3].tolist() == [0, 0, 2]
    assert read_still(img, "mask_img", 7).values[:3].tolist() == [7, 7, 2]


def test_spheres_of_a_masker_that_has_one_radius():
    grid = VolumeGrid(SHAPE, AFFINE)
    centres = nib.affines.apply_affine(AFFINE, [(2, 2, 2), (5, 5, 4)])
    for radius, sizes in ((3.01, [7, 5]), (None, [1, 1])):
        laid = grid.lay_spheres(["a", "b"], centres, radius, None, False)
        assert laid.sizes().tolist() == sizes
        assert laid.lost is None
    with pytest.raises(ValueError, match=r"^a lies outside the image; the image spans"):
        grid.lay_spheres(["a"], [(500, 0, 0)], 8, None, False)
    with pytest.raises(ValueError, match=r"^b \(radius=3 mm\) and c \(.* overlap"):
        grid.lay_spheres([*"abc"], [centres[0], *[centres[1]] * 2], 3, None, False)
    joined = grid.lay_spheres([*"abc"], centres[[0, 1, 1]], 3, None, False, [0, 1, 1])
    assert joined.n_outputs == 2


@pytest.mark.parametrize(
    "fwhm", [None, 0, 6, 6.5, np.float64(3), (1, 2, None), [1, 2, 3]]
)
def test_smoothing_is_one_matrix_an_axis(fwhm):
    smoothing = VolumeGrid(SHAPE, AFFINE).smoothing(fwhm)
    if not np.any([width or 0 for width in np.ravel(fwhm)]):
        assert smoothing is None
    else:
        shapes = [matrix.shape for matrix in smoothing.matrices]
        assert shapes == [(n, n) for n in SHAPE]


def test_fast_smoothing_is_no_matrix():
    # It depends on the values: nilearn leaves out voxels that are 0.
    expected = "^smoothing_fwhm='fast' is not one matrix an axis$"
    with pytest.raises(NotLinearError, match=expected):
        VolumeGrid(SHAPE, AFFINE).smoothing("fast")
