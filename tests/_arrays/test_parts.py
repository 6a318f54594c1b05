"""Maps of a part as those of a whole, and smoothing within parts."""

import nibabel as nib
import numpy as np
import pytest
from nilearn.image import smooth_img
from scipy import sparse

from sbc_estimators._arrays.parts import (
    PartwiseSmoothing,
    VoxelSmoothing,
    moved,
    weighted_by,
)
from sbc_estimators._arrays.spatial import (
    SpatialMap,
    fitted_map,
    mean_map,
)

COLUMNS = np.array([4, -1, 0, 3, -1, 1, 2])


def test_moved_positions():
    found = moved(SpatialMap(np.array([0, 1, 2, 6])), COLUMNS)
    assert found.members.tolist() == [0, 2, 4]
    # Outputs stay where they were, and one has no member left.
    expected = [[0, 0, 1, 0], [0, 0, 0, 1], [1, 0, 0, 0]]
    assert found.weights.toarray().tolist() == expected
    assert found.lost.tolist() == [0, 1, 0, 0]


def test_moved_means_are_over_what_is_left():
    laid = mean_map([np.array([0, 1, 2]), np.array([1, 4]), np.array([2, 3])])
    found = moved(laid, COLUMNS)
    assert found.members.tolist() == [0, 3, 4]
    expected = [[0.5, 0, 0.5], [0, 0, 0.5], [0.5, 0, 0]]
    np.testing.assert_allclose(found.weights.toarray(), expected)
    assert found.sizes().tolist() == [2, 0, 2]
    assert found.lost.tolist() == [1, 2, 0]


def test_moved_means_keep_what_was_lost_before():
    laid = mean_map([np.array([0, 1]), np.array([2])], np.array([3, 4]))
    assert moved(laid, COLUMNS).lost.tolist() == [4, 4]


def test_moved_maps_are_fitted_with_zeros_elsewhere():
    rng = np.random.default_rng(0)
    maps, values = rng.random((7, 2)), rng.random(7)
    values[COLUMNS < 0] = 0
    expected = np.linalg.lstsq(maps, values, rcond=None)[0]
    found = moved(fitted_map(maps), COLUMNS)
    whole = np.zeros(5)
    whole[COLUMNS[COLUMNS >= 0]] = values[COLUMNS >= 0]
    np.testing.assert_allclose(found.weights.T @ whole[found.members], expected)
    np.testing.assert_allclose(found.lost, maps[COLUMNS < 0].sum(axis=0))
    np.testing.assert_allclose(
        found.extents.toarray(), maps[COLUMNS >= 0][np.argsort(COLUMNS[COLUMNS >= 0])]
    )


# Smoothing


def blob(shape=(6, 5, 4)):
    """Return the voxels of a part that is no box."""
    mask = np.random.default_rng(1).random(shape) < 0.6
    return np.argwhere(mask)


@pytest.mark.parametrize("fwhm", [3.0, 7.0, 20.0])
@pytest.mark.parametrize("sizes", [(2, 2, 2), (3, 2, 4)])
def test_voxels_are_smoothed_within_their_part(sizes, fwhm):
    voxels, affine = blob(), np.diag([*sizes, 1.0])
    values = np.random.default_rng(0).random(len(voxels))
    sigma = fwhm / np.sqrt(8 * np.log(2)) / np.array(sizes)
    offsets = voxels[:, np.newaxis] - voxels
    weights = np.exp(-0.5 * ((offsets / sigma) ** 2).sum(axis=2))
    weights[(np.abs(offsets) > (4 * sigma + 0.5).astype(int)).any(axis=2)] = 0
    expected = weights @ values / weights.sum(axis=1)
    found = VoxelSmoothing(voxels, affine, fwhm)(values)
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_a_part_away_from_all_else_is_smoothed_as_nilearn_does():
    volume = np.zeros((21, 21, 21))
    volume[10, 10, 10] = 1
    affine = np.diag([2.0, 2, 2, 1])
    expected = smooth_img(nib.Nifti1Image(volume, affine), 5.0).get_fdata()
    voxels = np.argwhere(np.ones((21, 21, 21)))
    found = VoxelSmoothing(voxels, affine, 5.0)(volume.ravel())
    middle = (slice(6, 15),) * 3
    # Nothing of the Gaussian around these voxels lies beyond.
    np.testing.assert_allclose(found.reshape(volume.shape)[middle], expected[middle])


def test_a_constant_stays_what_it_is():
    smooth = VoxelSmoothing(blob(), np.diag([2.0, 2, 2, 1]), 6.0)
    for dtype in (np.float32, np.float64):
        np.testing.assert_allclose(smooth(np.full(len(blob()), 3, dtype)), 3, rtol=1e-6)


def two_parts():
    """Return smoothing of two parts of three positions each, by sums over each."""
    sums = weighted_by(sparse.csr_array(np.tril(np.ones((3, 3)))))
    parts = [(np.arange(3), sums), (np.arange(5, 8), sums)]
    return PartwiseSmoothing(parts, "sums")


def test_parts_are_smoothed_by_themselves():
    smoothing = two_parts()
    everything = SpatialMap(np.array([0, 1, 2, 5, 6, 7]), smoothing=smoothing)
    assert smoothing.inputs(everything).tolist() == [0, 1, 2, 5, 6, 7]
    positions = np.array([7, 2, 1, 0, 9, 6, 5])
    row = np.array([3.0, 30, 20, 10, 99, 2, 1])
    found = smoothing.between(positions, everything.members)(row)
    assert found.tolist() == [10, 30, 60, 1, 3, 6]


def test_some_members_of_some_parts():
    smoothing = two_parts()
    some = SpatialMap(np.array([6, 7]), smoothing=smoothing)
    assert smoothing.inputs(some).tolist() == [5, 6, 7]
    found = smoothing.between(np.array([5, 6, 7]), some.members)(np.array([1.0, 2, 3]))
    assert found.tolist() == [3, 6]
    assert some.key != SpatialMap(some.members).key
