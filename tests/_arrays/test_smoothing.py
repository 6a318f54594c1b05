"""Smoothing as a matrix an axis, against nilearn.image.smooth_img on volumes."""

import nibabel as nib
import numpy as np
import pytest
from nilearn.image import smooth_img

from sbc_estimators._arrays.smoothing import (
    is_separable,
    n_smoothing_weights,
    smoothed_from,
    smoothing_matrices,
    smoothing_weights,
)

SHAPES = [(9, 7, 8), (1, 6, 5), (3, 2, 1), (20, 4, 6)]
WIDTHS = {
    "number": 6,
    "small": 1.3,
    "wide": 30.0,
    "triple": (4.0, 7.5, 2.0),
    "list": [3, 3, 9],
    "array": np.array([5.0, 4.0, 3.0]),
    "triple-None": (5.0, None, 8.0),
    "one-axis": (None, None, 6.0),
    "numpy": np.float32(5.0),
}


def make_affine(seed, oblique=True):
    """Return an affine with voxels of three sizes, turned and flipped."""
    rng = np.random.default_rng(seed)
    axes = np.diag([-1.0, 1.0, 1.0])
    if oblique:
        axes = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    affine = np.eye(4)
    affine[:3, :3] = axes @ np.diag(rng.uniform(1.5, 5, 3))
    affine[:3, 3] = rng.uniform(-50, 50, 3)
    return affine


def nilearn_smooth(volumes, affine, fwhm):
    """Return volumes smoothed by nilearn, in float64."""
    return np.asarray(smooth_img(nib.Nifti1Image(volumes, affine), fwhm).dataobj)


def apply(matrices, volumes):
    """Return volumes smoothed by one matrix an axis."""
    return np.einsum("ai,bj,ck,ijkt->abct", *matrices, volumes)


@pytest.mark.parametrize("oblique", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", WIDTHS)
def test_matrices_are_what_nilearn_does(name, shape, oblique):
    fwhm, affine = WIDTHS[name], make_affine(sum(shape), oblique)
    volumes = 100 + np.random.default_rng(0).standard_normal((*shape, 3))
    matrices = smoothing_matrices(fwhm, affine, shape)
    assert [matrix.shape for matrix in matrices] == [(n, n) for n in shape]
    expected = nilearn_smooth(volumes, affine, fwhm)
    np.testing.assert_allclose(apply(matrices, volumes), expected, rtol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_smoothing_keeps_constants(shape):
    for matrix in smoothing_matrices(8.0, make_affine(1), shape):
        np.testing.assert_allclose(matrix.sum(axis=1), 1, rtol=1e-12)
        assert (matrix >= 0).all()


def test_axis_without_a_width_is_left_alone():
    matrices = smoothing_matrices((None, 5.0, 0), make_affine(2), (5, 6, 7))
    np.testing.assert_allclose(matrices[0], np.eye(5), atol=1e-15)
    np.testing.assert_allclose(matrices[2], np.eye(7), atol=1e-15)
    assert np.abs(matrices[1] - np.eye(6)).max() > 0.1


@pytest.mark.parametrize(
    "fwhm", [None, 0, 0.0, (0, 0, 0), (None, None, None), [0, None]]
)
def test_no_smoothing_is_none(fwhm):
    assert smoothing_matrices(fwhm, make_affine(3), (4, 5, 6)) is None


@pytest.mark.parametrize(
    "fwhm", [None, 0, 6, 6.5, np.float64(3), (1, 2, None), [1, 2, 3]]
)
def test_separable(fwhm):
    assert is_separable(fwhm)


def test_fast_is_no_matrix():
    # It depends on the values: nilearn leaves out voxels that are 0.
    assert not is_separable("fast")


# What an output depends on


@pytest.mark.parametrize("fwhm", [1.0, 6.0, (4.0, None, 9.0)])
@pytest.mark.parametrize("seed", range(3))
def test_smoothed_from_those_that_have_a_part(seed, fwhm):
    shape = (9, 8, 7)
    mask = np.random.default_rng(seed).random(shape) < 0.02
    matrices = smoothing_matrices(fwhm, make_affine(seed), shape)
    impulses = np.eye(mask.size).reshape(*shape, -1)
    smoothed = apply(matrices, impulses)[mask]
    expected = smoothed.any(axis=0).reshape(shape)
    np.testing.assert_array_equal(smoothed_from(mask, matrices), expected)


# Smoothed voxels as weights of raw ones


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", WIDTHS)
def test_smoothed_voxels_are_weights_of_raw_ones(name, seed):
    rng = np.random.default_rng([seed, 7])
    shape, affine = tuple(rng.integers(1, 10, 3)), make_affine(seed)
    volumes = rng.standard_normal((*shape, 4))
    n_voxels = rng.integers(1, np.prod(shape) + 1)
    voxels = np.sort(rng.choice(np.prod(shape), n_voxels, replace=False))
    smoothed = nilearn_smooth(volumes, affine, WIDTHS[name]).reshape(-1, 4)
    matrices = smoothing_matrices(WIDTHS[name], affine, shape)
    inputs, weights = smoothing_weights(voxels, matrices, shape)
    assert (np.diff(inputs) > 0).all()
    assert weights.shape == (len(inputs), n_voxels)
    assert weights.nnz <= n_smoothing_weights(n_voxels, matrices)
    np.testing.assert_allclose(
        weights.T @ volumes.reshape(-1, 4)[inputs], smoothed[voxels], atol=1e-12
    )


def test_weights_stay_within_reach():
    shape = (40, 40, 40)
    matrices = smoothing_matrices(6.0, np.diag([3.0, 3, 3, 1]), shape)
    centre = np.ravel_multi_index((20, 20, 20), shape)
    inputs, weights = smoothing_weights(np.array([centre]), matrices, shape)
    places = np.array(np.unravel_index(inputs, shape))
    assert weights.nnz == len(inputs) == n_smoothing_weights(1, matrices) == 7**3
    assert np.abs(places - 20).max() <= 3


def test_inputs_are_left_alone():
    shape = (5, 6, 7)
    matrices = smoothing_matrices(6.0, make_affine(4), shape)
    copies = [matrix.copy() for matrix in matrices]
    voxels = np.array([3, 40])
    smoothing_weights(voxels, matrices, shape)
    assert voxels.tolist() == [3, 40]
    for matrix, copy in zip(matrices, copies, strict=True):
        np.testing.assert_array_equal(matrix, copy)
