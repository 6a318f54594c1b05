"""z scores and variances: against scipy, closed forms, and sums written out."""

import numpy as np
import pytest
from scipy import stats

from sbc_estimators._arrays.correlation import (
    MAX_ABS_R,
    column_norms,
    correlate,
    correlate_remainders,
    fisher_z,
    without_others,
)
from sbc_estimators._arrays.dimensions import (
    Bands,
    band_shares,
    directions_of_seeds,
    effective_dof,
)
from sbc_estimators._arrays.uncertainty import (
    directions_of_remainders,
    fisher_z_variance,
    partial_dof,
    z_score,
)
from sbc_estimators._support.threads import OneWorker

CREW = OneWorker()


# z scores


@pytest.mark.parametrize("dof", [11, 20, 50, 200, 1000])
def test_z_score_is_the_normal_deviate_of_students_t(dof):
    z = np.linspace(-5, 5, 100)  # without 0, which has no relative error
    t = np.where(z > 0, 1, -1) * stats.t.isf(stats.norm.sf(np.abs(z)), dof - 1)
    r = t / np.sqrt(dof - 1 + t**2)
    np.testing.assert_allclose(z_score(r, np.full(100, float(dof))), z, rtol=0.005)


def test_few_degrees_of_freedom_are_conservative():
    for dof in (1.2, 2, 3, 5, 8):
        t = stats.t.isf(0.025, max(dof - 1, 1))
        r = t / np.sqrt(max(dof - 1, 1) + t**2)
        assert 0 < z_score(np.array([r]), np.array([dof]))[0] < 1.96


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_z_score_is_as_written(dtype):
    r = np.array(
        [-MAX_ABS_R, -0.9, -0.5, -1e-3, -1e-7, -1e-20, 0, 1e-5, 0.3, MAX_ABS_R]
    )
    r = r.astype(dtype)
    dof = np.linspace(0.5, 300, len(r)).astype(dtype)
    found = z_score(r, dof)
    assert found.dtype == dtype
    exact, v = r.astype(np.longdouble), np.maximum(dof.astype(np.longdouble) - 1, 1)
    expected = np.sqrt(-v * np.log1p(-(exact**2))) * (8 * v + 1) / (8 * v + 3)
    expected = np.copysign(expected, r).astype(float)
    np.testing.assert_allclose(found, expected, rtol=16 * np.finfo(dtype).eps)


def test_z_score_is_odd_and_grows():
    r = np.linspace(-MAX_ABS_R, MAX_ABS_R, 1001).astype(np.float32)
    dof = np.full(1001, 40, np.float32)
    z = z_score(r, dof)
    assert (np.diff(z) > 0).all()
    np.testing.assert_array_equal(z_score(-r, dof), -z)
    assert (np.abs(z_score(r, 2 * dof)) >= np.abs(z)).all()


def test_no_signal_has_z_score_0():
    z = z_score(np.zeros((1, 2), np.float32), np.array([[np.nan, 1e30]], np.float32))
    np.testing.assert_array_equal(z, 0)


# Variances


def correlated(rng, n_axes, rho, n=50):
    """A seed, and voxels that correlate with it."""
    seed = rng.standard_normal((n_axes, 1))
    noise = rng.standard_normal((n_axes, n))
    return seed, rho * seed + np.sqrt(1 - rho**2) * noise


def variances(seeds, voxels, bands):
    """The variance, D and r of plain correlations."""
    norms = column_norms(voxels)
    directions = directions_of_seeds(seeds, column_norms(seeds), bands)
    dof = effective_dof(directions, band_shares(voxels, norms, bands, CREW), CREW)
    r = correlate(seeds, voxels, column_norms(seeds), norms, CREW)
    return fisher_z_variance(directions, voxels, norms, dof, CREW), dof, r


def spread_by_hand(seed, voxel, bands, dimensions):
    """The sum over bands, of one seed and one voxel with the norms they shall have."""
    c = np.array([seed[band] @ voxel[band] for band in bands.slices])
    a = np.array([seed[band] @ seed[band] for band in bands.slices])
    b = np.array([voxel[band] @ voxel[band] for band in bands.slices])
    r = c.sum()
    terms = a * b + c**2 - 2 * r * c * (a + b) + r**2 / 2 * (a**2 + b**2 + 2 * c**2)
    return np.sum(terms / dimensions) / (1 - r**2) ** 2


@pytest.mark.parametrize("rho", [0, 0.5, 0.99])
def test_variance_in_one_band_is_fishers(rho):
    """1 / (D - 2) whatever r is, as all that is shared has the spectrum of the rest."""
    bands = Bands(np.array([60]), np.full(60, 1 / 60), np.array([60.0]))
    seed, voxels = correlated(np.random.default_rng(0), 60, rho)
    found, dof, _ = variances(seed, voxels, bands)
    np.testing.assert_allclose(dof, 60, rtol=1e-6)
    np.testing.assert_allclose(found, 1 / 58, rtol=1e-5)


@pytest.mark.parametrize("rho", [0, 0.5, 0.99])
def test_variance_is_the_sum_over_bands(compiled, rho):
    bands = compiled().bands
    rank = len(bands.expected)
    seed, voxels = correlated(np.random.default_rng(1), rank, rho)
    seed *= np.linspace(0.1, 2, rank)[:, np.newaxis]
    found, dof, _ = variances(seed, voxels, bands)
    seed, voxels = seed / column_norms(seed), voxels / column_norms(voxels)
    for voxel, variance, d in zip(voxels.T, found[0], dof[0], strict=True):
        expected = spread_by_hand(seed[:, 0], voxel, bands, bands.dimensions)
        np.testing.assert_allclose(variance, d / (d - 2) * expected, rtol=1e-5)


def test_variance_of_a_shared_spectrum_unlike_the_rest(compiled):
    """What is shared is white, the rest slow: less sure than 1 / (D - 2)."""
    cleaning = compiled(n_scans=300, chosen="none")
    rng, slow = np.random.default_rng(0), 1 / np.arange(1, cleaning.rank + 1)
    shared, *private = rng.standard_normal((3, cleaning.rank, 200))
    private = [x * slow[:, np.newaxis] / np.sqrt(np.mean(slow**2)) for x in private]
    seed, voxel = (2 * shared + x for x in private)
    found, dof, _ = variances(seed, voxel, cleaning.bands)
    assert np.median(np.diag(found) * (np.diag(dof) - 2)) > 1.5


def test_variance_of_a_seed_with_itself(compiled):
    """r is 1, and the variance still a number that makes sense."""
    bands = compiled().bands
    seeds = np.random.default_rng(0).standard_normal((len(bands.expected), 3))
    found, dof, r = variances(seeds, np.float32(seeds), bands)
    assert (np.diag(r) == np.float32(MAX_ABS_R)).all()
    relative = np.diag(found) * np.diag(dof)
    assert ((relative > 0.3) & (relative < 2)).all()


def test_variance_of_few_degrees_of_freedom():
    """D - 2 is at least 1, so that no variance is negative."""
    bands = Bands(np.array([2]), np.array([0.5, 0.5]), np.array([2.0]))
    seed, voxels = correlated(np.random.default_rng(0), 2, 0.0)
    found, *_ = variances(seed, voxels, bands)
    np.testing.assert_allclose(found, 2 / 2, rtol=1e-5)


@pytest.mark.parametrize("seeds_are", ["cleaned", "not cleaned"])
def test_partial_variance_is_that_of_explicit_remainders(compiled, seeds_are):
    cleaning = compiled(n_confounds=24)
    bands, basis = cleaning.bands, cleaning.basis
    raw = np.random.default_rng(0).standard_normal((150, 13))
    coordinates, _ = cleaning.clean(raw)
    series = basis @ coordinates[:, :3]
    if seeds_are == "not cleaned":
        series = raw[:, :3] - raw[:, :3].mean(axis=0)
    voxels = coordinates[:, 3:] + 2 * coordinates[:, [1]]
    norms = column_norms(voxels)
    span, own = without_others(series)
    directions = directions_of_remainders(basis.T @ span, own, bands)
    dof = partial_dof(directions, voxels, norms, CREW)
    found = fisher_z_variance(directions, voxels, norms, dof, CREW)
    for j in range(3):
        others, _ = np.linalg.qr(np.delete(series, j, axis=1))
        seed = series[:, j] - others @ (others.T @ series[:, j])
        left = basis @ voxels
        left = left - others @ (others.T @ left)
        seed, left = seed / np.linalg.norm(seed), left / np.linalg.norm(left, axis=0)
        dimensions = bands.dimensions * directions.left[:, j]
        for i in range(10):
            pair = basis.T @ seed, basis.T @ left[:, i]
            expected = spread_by_hand(*pair, bands, dimensions)
            expected *= dof[j, i] / (dof[j, i] - 2)
            np.testing.assert_allclose(found[j, i], expected, rtol=1e-5)


def test_scale_sign_and_order_do_not_matter(compiled):
    bands = compiled().bands
    seed, voxels = correlated(np.random.default_rng(0), len(bands.expected), 0.5)
    expected, dof, r = variances(seed, voxels, bands)
    for changed in ((-1e9 * seed, voxels), (seed, -1e9 * voxels)):
        found, _, opposite = variances(*changed, bands)
        np.testing.assert_allclose(found, expected, rtol=1e-5)
        z = z_score(r, dof)
        np.testing.assert_allclose(z_score(opposite, dof), -z, rtol=1e-5, atol=1e-6)
    found, *_ = variances(seed, np.asfortranarray(voxels[:, ::-1]), bands)
    np.testing.assert_allclose(found, expected[:, ::-1], rtol=1e-5)


def test_no_signal_has_no_variance(compiled):
    bands = compiled().bands
    seeds = np.random.default_rng(0).standard_normal((len(bands.expected), 2))
    voxels = np.random.default_rng(1).standard_normal((len(bands.expected), 3))
    voxels[:, 1], seeds[:, 1] = 0, 0
    found, *_ = variances(seeds, voxels, bands)
    expected = [[False, True, False], [True, True, True]]
    np.testing.assert_array_equal(np.isnan(found), expected)


def test_partial_r_of_nothing_has_neither(compiled):
    """Where other seeds explain a voxel: z is 0, its variance not known."""
    bands = compiled().bands
    seeds = np.random.default_rng(0).standard_normal((len(bands.expected), 3))
    voxels = seeds @ np.array([[0.0], [1.0], [2.0]])
    norms, (span, own) = column_norms(voxels), without_others(seeds)
    directions = directions_of_remainders(span, own, bands)
    r, _ = correlate_remainders(span, own, voxels, norms, CREW)
    dof = partial_dof(directions, voxels, norms, CREW)
    assert z_score(r, dof)[0, 0] == fisher_z(r)[0, 0] == 0
    assert np.isnan(fisher_z_variance(directions, voxels, norms, dof, CREW)[0, 0])
