"""Maps of space: means, labels, fitted maps, and smoothing as nilearn does it."""

import nibabel as nib
import numpy as np
import pytest
from nilearn.image import smooth_img

from helpers import every_pair
from sbc_estimators._arrays import spatial as _spatial
from sbc_estimators._arrays.spatial import (
    SeparableSmoothing,
    SpatialMap,
    fitted_map,
    label_map,
    mean_map,
    smoothed_from,
    smoothing_matrices,
    smoothing_weights,
)
from sbc_estimators._support.threads import OneWorker

ALONE = OneWorker()

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
    return np.einsum("ai,bj,ck,ijkt->abct", *matrices, volumes, optimize=True)


@pytest.mark.parametrize(
    ("name", "shape", "oblique"), every_pair(WIDTHS, SHAPES, [False, True])
)
def test_matrices_are_what_nilearn_does(name, shape, oblique):
    fwhm, affine = WIDTHS[name], make_affine(sum(shape), oblique)
    volumes = 100 + np.random.default_rng(0).standard_normal((*shape, 3))
    matrices = smoothing_matrices(fwhm, affine, shape)
    assert [matrix.shape for matrix in matrices] == [(n, n) for n in shape]
    expected = nilearn_smooth(volumes, affine, fwhm)
    np.testing.assert_allclose(apply(matrices, volumes), expected, rtol=1e-12)


def test_smoothing_matrices_are_made_once_and_kept_from_harm():
    affine = make_affine(1)
    first = smoothing_matrices(8.0, affine, (5, 6, 7))
    again = smoothing_matrices(np.float32(8), affine.copy(), (5, 6, 7))
    assert all(one is other for one, other in zip(first, again, strict=True))
    with pytest.raises(ValueError, match="read-only"):
        first[0][0, 0] = 1
    for other in (
        smoothing_matrices(8.0, 2 * affine, (5, 6, 7)),
        smoothing_matrices((8, 8, 4.0), affine, (5, 6, 7)),
    ):
        assert not np.allclose(other[2], first[2])


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
    assert weights.nnz <= SeparableSmoothing(matrices, shape).n_weights(voxels)
    np.testing.assert_allclose(
        weights.T @ volumes.reshape(-1, 4)[inputs], smoothed[voxels], atol=1e-12
    )


def test_weights_stay_within_reach():
    shape = (40, 40, 40)
    matrices = smoothing_matrices(6.0, np.diag([3.0, 3, 3, 1]), shape)
    centre = np.ravel_multi_index((20, 20, 20), shape)
    inputs, weights = smoothing_weights(np.array([centre]), matrices, shape)
    places = np.array(np.unravel_index(inputs, shape))
    n_weights = SeparableSmoothing(matrices, shape).n_weights([centre])
    assert weights.nnz == len(inputs) == n_weights == 7**3
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


# Outputs as weighted sums of members


def members_of(spatial, values):
    """Return values at positions `(n_positions, n_rows)` as those of the members."""
    rows = values[spatial.inputs].T
    return spatial.member_rows(spatial.inputs, rows, ALONE).T


def outputs_of(spatial, values):
    """Return the outputs of values at positions in float64, `(n_outputs, n_rows)`.

    Those in float32 must be the same but for rounding.
    """
    members = members_of(spatial, values)
    outputs = members
    if spatial.weights is not None:
        outputs = spatial.weights.T @ members.astype(np.float64)
    rounded = spatial.output_rows(
        spatial.inputs, values[spatial.inputs].T, ALONE, np.empty
    )
    assert rounded.dtype == np.float32
    scale = np.abs(outputs).max(initial=1)
    np.testing.assert_allclose(rounded.T, outputs, rtol=1e-6, atol=1e-6 * scale)
    return outputs


def extents_of(spatial):
    """Return how much of each output lies in each member, as an array."""
    extents = np.zeros((len(spatial.members), spatial.n_outputs))
    for output, (places, own) in enumerate(spatial.members_of_outputs()):
        extents[places, output] = own
    return extents


def test_means_may_share_voxels():
    spatial = mean_map([np.array([7, 3]), np.array([3]), np.array([9, 7, 3])])
    assert spatial.members.tolist() == [3, 7, 9]
    expected = [[1 / 2, 1, 1 / 3], [1 / 2, 0, 1 / 3], [0, 0, 1 / 3]]
    np.testing.assert_allclose(spatial.weights.toarray(), expected)
    np.testing.assert_array_equal(extents_of(spatial), np.array(expected) > 0)
    assert spatial.sizes().tolist() == [2, 1, 3]
    assert spatial.n_outputs == 3
    assert spatial.has_equal_weights()


def test_a_mean_over_nothing_is_0():
    spatial = mean_map([np.array([4]), np.array([], dtype=int)])
    assert spatial.weights.toarray().tolist() == [[1, 0]]
    assert spatial.sizes().tolist() == [1, 0]


def test_labels_in_the_order_wanted():
    labels = np.array([5, 0, 2, 5, 9, 2, 2])
    spatial = label_map(labels, [9, 2, 4])
    assert spatial.members.tolist() == [2, 4, 5, 6]
    expected = [[0, 1 / 3, 0], [1, 0, 0], [0, 1 / 3, 0], [0, 1 / 3, 0]]
    np.testing.assert_allclose(spatial.weights.toarray(), expected)
    assert spatial.sizes().tolist() == [1, 3, 0]
    assert spatial.has_equal_weights()


@pytest.mark.parametrize("seed", range(5))
def test_labels_are_means(seed):
    rng = np.random.default_rng(seed)
    labels, values = rng.integers(-3, 9, 200), rng.standard_normal((200, 4))
    wanted = rng.permutation(np.unique(labels))[:5]
    expected = [values[labels == label].mean(axis=0) for label in wanted]
    found = outputs_of(label_map(labels, wanted), values)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("rank", [1, 3, 4])
def test_maps_are_least_squares(rank):
    rng = np.random.default_rng(9)
    maps = rng.standard_normal((60, rank)) @ rng.standard_normal((rank, 4))
    maps[::3] = 0
    values = rng.standard_normal((60, 5))
    spatial = fitted_map(maps)
    assert len(spatial.members) == 40
    expected = np.linalg.pinv(maps, rcond=1e-12) @ values
    np.testing.assert_allclose(outputs_of(spatial, values), expected, atol=1e-11)


def test_a_map_lies_where_it_has_weight():
    maps = np.array([[0, 2, 0], [1, 0, 0], [-3, 1, 0], [0, 0, 0]])
    spatial = fitted_map(maps)
    assert spatial.members.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(extents_of(spatial), np.abs(maps[:3]))
    assert not spatial.has_equal_weights()


def test_no_maps_at_all():
    assert fitted_map(np.zeros((6, 2))).weights.shape == (0, 2)


def test_positions_are_themselves():
    spatial = SpatialMap(np.array([2, 5]))
    values = np.random.default_rng(2).standard_normal((9, 3))
    np.testing.assert_array_equal(outputs_of(spatial, values), values[[2, 5]])
    np.testing.assert_array_equal(extents_of(spatial), np.eye(2))
    assert spatial.sizes().tolist() == [1, 1]
    assert spatial.has_equal_weights()


@pytest.mark.parametrize("most", [0, 2**20])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_smoothing_comes_before(monkeypatch, most, dtype):
    monkeypatch.setattr(_spatial, "MOST_SMOOTHING_WEIGHTS", most)
    shape, affine = (6, 5, 4), make_affine(3)
    plain = mean_map([np.array([3, 50]), np.array([50, 51, 119])])
    smoothing = SeparableSmoothing(smoothing_matrices(5.0, affine, shape), shape)
    spatial = SpatialMap(plain.members, plain.weights, smoothing)
    volumes = np.random.default_rng(10).standard_normal((*shape, 3)).astype(dtype)
    smoothed = nilearn_smooth(volumes.astype(np.float64), affine, 5.0).reshape(-1, 3)
    tolerance = 1e-6 if dtype == np.float32 else 1e-12
    values = volumes.reshape(-1, 3)
    members = members_of(spatial, values)
    assert members.dtype == dtype
    np.testing.assert_allclose(
        members, smoothed[plain.members], rtol=tolerance, atol=tolerance
    )
    expected = plain.weights.T @ smoothed[plain.members]
    found = outputs_of(spatial, values)
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)
    reached = smoothed_from(
        np.isin(np.arange(120), plain.members).reshape(shape), smoothing.matrices
    )
    np.testing.assert_array_equal(spatial.inputs, np.flatnonzero(reached))


@pytest.mark.parametrize("most", [0, 2**20])
@pytest.mark.parametrize("fwhm", [None, 6.0])
def test_other_positions_and_their_order_have_no_say(monkeypatch, most, fwhm):
    monkeypatch.setattr(_spatial, "MOST_SMOOTHING_WEIGHTS", most)
    shape, smoothing = (5, 6, 7), None
    if fwhm is not None:
        matrices = smoothing_matrices(fwhm, make_affine(5), shape)
        smoothing = SeparableSmoothing(matrices, shape)
    rng = np.random.default_rng(3)
    plain = label_map(rng.integers(0, 40, 210), [5, 7])
    spatial = SpatialMap(plain.members, plain.weights, smoothing)
    values = rng.standard_normal((210, 4))
    expected = outputs_of(spatial, values)
    others = np.setdiff1d(np.arange(210), spatial.inputs)[::2]
    positions = rng.permutation(np.concatenate([spatial.inputs, others]))
    found = spatial.output_rows(positions, values[positions].T, ALONE, np.empty)
    np.testing.assert_allclose(found.T, expected, atol=1e-6)


def test_key_is_that_of_all_that_counts():
    places = [np.array([3, 7]), np.array([9])]
    plain, shape = mean_map(places), (3, 2, 2)
    smoothings = [
        SeparableSmoothing(smoothing_matrices(width, make_affine(1), shape), shape)
        for width in (5.0, 6.0)
    ]
    maps = [
        plain,
        SpatialMap(plain.members),
        mean_map([places[1], places[0]]),
        mean_map(places, lost=np.array([0, 1])),
        fitted_map(np.eye(10)[:, [3, 7]]),
        fitted_map(2 * np.eye(10)[:, [3, 7]]),
        SpatialMap(plain.members, plain.weights, extents=plain.weights),
        *(SpatialMap(plain.members, plain.weights, own) for own in smoothings),
    ]
    assert len({spatial.key for spatial in maps}) == len(maps)
    assert mean_map(places).key == plain.key
