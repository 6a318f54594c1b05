"""Pearson from cleaned arrays, Fisher z, and the rule of what is no signal."""

import numpy as np
import pytest

from helpers import every_pair
from sbc_estimators._arrays.correlation import (
    MAX_ABS_R,
    NO_SIGNAL_RATIO,
    column_norms,
    correlate,
    fisher_z,
    has_signal,
    inverse_fisher_z,
    mean_of_maps,
    unit_variance,
)
from sbc_estimators._support.threads import OneWorker

ALONE = OneWorker()


def centred(rng, n_scans, n_signals, dtype=np.float64):
    """Return centred signals that share some of their variance."""
    signals = rng.standard_normal((n_scans, n_signals))
    signals += rng.standard_normal((n_scans, 1))
    return (signals - signals.mean(axis=0)).astype(dtype)


def pearson(seeds, voxels):
    """Return r of every seed with every voxel, as `correlate` is called for it."""
    return correlate(seeds, voxels, column_norms(seeds), column_norms(voxels), ALONE)


# Pearson


@pytest.mark.parametrize(
    ("n_seeds", "dtype", "seed"),
    every_pair([1, 3, 40], [np.float32, np.float64], range(4)),
)
def test_is_what_numpy_says(dtype, n_seeds, seed):
    rng = np.random.default_rng(seed)
    seeds, voxels = centred(rng, 60, n_seeds), centred(rng, 60, 25, dtype)
    r = pearson(seeds, voxels)
    expected = np.corrcoef(seeds, voxels, rowvar=False)[:n_seeds, n_seeds:]
    assert r.shape == (n_seeds, 25)
    assert r.dtype == np.float32
    np.testing.assert_allclose(r, expected, atol=3e-7)


def test_many_voxels_are_correlated_in_pieces():
    rng = np.random.default_rng(2)
    seeds, voxels = centred(rng, 60, 300), centred(rng, 60, 2000, np.float32)
    r = pearson(seeds, voxels)
    expected = np.corrcoef(seeds, voxels, rowvar=False)[:300, 300:]
    np.testing.assert_allclose(r, expected, atol=3e-7)


@pytest.mark.parametrize("scale", [1e-12, 1e-3, 1e9])
def test_scale_plays_no_part(scale):
    rng = np.random.default_rng(0)
    seeds, voxels = centred(rng, 50, 2), centred(rng, 50, 9, np.float32)
    r = pearson(seeds, voxels)
    scaled = pearson(-seeds * scale, (voxels / scale).astype(np.float32))
    np.testing.assert_allclose(scaled, -r, atol=2e-7)


@pytest.mark.parametrize("scale", [1e-120, 1e-44, 1e120])
def test_scale_beyond_float32_plays_no_part_in_float64(scale):
    rng = np.random.default_rng(0)
    seeds, voxels = centred(rng, 50, 2), centred(rng, 50, 9)
    scaled = pearson(seeds * scale, voxels * scale)
    np.testing.assert_allclose(scaled, pearson(seeds, voxels), atol=2e-7)


def test_voxel_without_signal_may_hold_anything():
    rng = np.random.default_rng(0)
    seeds, voxels = centred(rng, 50, 2), centred(rng, 50, 9, np.float32)
    norms = column_norms(voxels)
    voxels[7, 4], norms[4] = np.inf, 0.0
    r = correlate(seeds, voxels, column_norms(seeds), norms, ALONE)
    assert np.isfinite(r).all()
    assert (np.flatnonzero((r == 0).all(axis=0)) == [4]).all()


def test_any_orthonormal_basis_will_do():
    rng = np.random.default_rng(1)
    seeds, voxels = centred(rng, 50, 2), centred(rng, 50, 9)
    basis = np.linalg.qr(rng.standard_normal((50, 50)))[0]
    r = pearson(basis.T @ seeds, basis.T @ voxels)
    np.testing.assert_allclose(r, pearson(seeds, voxels), atol=2e-7)


def test_seed_norms_are_those_of_the_whole_seed():
    # The basis of the voxels holds a part of the seed alone.
    rng = np.random.default_rng(2)
    seeds, rest = centred(rng, 50, 2), centred(rng, 50, 20)
    voxels = rest[:, :6]
    basis = np.linalg.svd(voxels, full_matrices=False)[0]
    r = correlate(
        basis.T @ seeds,
        basis.T @ voxels,
        column_norms(seeds),
        column_norms(voxels),
        ALONE,
    )
    expected = np.corrcoef(seeds, voxels, rowvar=False)[:2, 2:]
    np.testing.assert_allclose(r, expected, atol=3e-7)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_voxels_in_either_memory_order(dtype):
    rng = np.random.default_rng(3)
    seeds, voxels = centred(rng, 50, 3), centred(rng, 50, 9, dtype)
    r = pearson(seeds, np.asfortranarray(voxels))
    np.testing.assert_allclose(r, pearson(seeds, np.ascontiguousarray(voxels)), 1e-6)


def test_inputs_are_left_alone():
    rng = np.random.default_rng(4)
    arrays = [centred(rng, 50, 3), centred(rng, 50, 9)]
    arrays += [column_norms(array) for array in arrays]
    copies = [array.copy() for array in arrays]
    correlate(*arrays, ALONE)
    for array, copy in zip(arrays, copies, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_scans", [3, 100, 1200])
def test_self_correlation_is_clipped_and_its_z_finite(n_scans, dtype):
    signals = centred(np.random.default_rng(5), n_scans, 200, dtype)
    r = pearson(np.hstack([signals, -signals]).astype(float), signals)
    diagonal = np.concatenate([np.diag(r[:200]), -np.diag(r[200:])])
    assert np.abs(r).max() <= np.float32(MAX_ABS_R) < 1
    np.testing.assert_allclose(diagonal, 1, atol=1e-6)
    assert np.isfinite(fisher_z(r)).all()


def test_clip_is_below_one_in_float32():
    assert np.float32(MAX_ABS_R) < 1
    assert 1 - MAX_ABS_R < 1.3e-7


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_no_signal_has_no_correlation(dtype):
    rng = np.random.default_rng(6)
    seeds, voxels = centred(rng, 40, 2), centred(rng, 40, 5, dtype)
    seed_norms, voxel_norms = column_norms(seeds), column_norms(voxels)
    seed_norms[0] = voxel_norms[3] = 0
    r = correlate(seeds, voxels, seed_norms, voxel_norms, ALONE)
    assert (r[0] == 0).all()
    assert (r[:, 3] == 0).all()
    assert (np.delete(r[1], 3) != 0).all()


# Norms


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("order", ["C", "F"])
def test_norms_are_summed_in_float64(dtype, order):
    # In float32 a thousand ones beside the square of 10,000 are lost one by one.
    array = np.full((1001, 3), 1.0, dtype=dtype, order=order)
    array[0] = 1e4
    norms = column_norms(array)
    assert norms.dtype == np.float64
    np.testing.assert_allclose(norms, np.sqrt(1e8 + 1000), rtol=1e-12)


@pytest.mark.parametrize("magnitude", [1e-30, 1e30])
def test_norms_of_float32_neither_vanish_nor_overflow(magnitude):
    array = np.full((4, 2), magnitude, dtype=np.float32)
    np.testing.assert_allclose(column_norms(array), 2 * magnitude, rtol=1e-6)


# What is a signal


@pytest.mark.parametrize(
    ("cleaned", "raw", "expected"),
    [
        (1.0, 1.0, True),
        (1e-3, 1.0, True),
        (2 * NO_SIGNAL_RATIO, 1.0, True),
        (0.5 * NO_SIGNAL_RATIO, 1.0, False),
        (1e-12, 1e-12, True),
        (0.0, 1.0, False),
        (0.0, 0.0, False),
        (np.nan, 1.0, False),
        (1.0, np.nan, False),
        (np.inf, 1.0, False),
        (1.0, np.inf, False),
        (np.nan, np.nan, False),
        (np.inf, np.inf, False),
    ],
)
def test_signal_or_rounding(cleaned, raw, expected):
    found = has_signal(np.array([cleaned, 1.0]), np.array([raw, 1.0]))
    assert found.tolist() == [expected, True]


# Fisher z


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fisher_z_round_trip(dtype):
    r = np.linspace(-0.999, 0.999, 2001).astype(dtype)
    z = fisher_z(r)
    assert z.dtype == dtype
    np.testing.assert_allclose(z, 0.5 * np.log((1 + r) / (1 - r)), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(inverse_fisher_z(z), r, atol=10 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fisher_z_is_as_exact_as_its_type(dtype):
    near_one = 1 - np.logspace(-7, 0, 2000)
    r = np.concatenate([near_one, np.logspace(-12, 0, 2000)]).astype(dtype)
    r = np.clip(np.concatenate([r, -r]), -MAX_ABS_R, MAX_ABS_R)
    expected = np.arctanh(r.astype(np.float64))
    np.testing.assert_allclose(fisher_z(r), expected, rtol=4 * np.finfo(dtype).eps)
    np.testing.assert_array_equal(fisher_z(-r), -fisher_z(r))


@pytest.mark.parametrize("n_maps", [1, 2, 20, 100])
def test_mean_of_maps_is_that_of_fisher_z(n_maps):
    rng = np.random.default_rng(0)
    maps = rng.uniform(-1, 1, (n_maps, 10_001)).astype(np.float32)
    maps[:, :3] = MAX_ABS_R, -MAX_ABS_R, 0
    expected = np.tanh(np.arctanh(maps.astype(np.float64)).mean(axis=0))
    r = mean_of_maps(list(maps), ALONE)
    assert r.dtype == np.float32
    np.testing.assert_allclose(r, expected, atol=1e-7)


def test_fisher_z_is_odd_and_grows():
    r = np.linspace(-MAX_ABS_R, MAX_ABS_R, 1001)
    z = fisher_z(r)
    assert (np.diff(z) > 0).all()
    np.testing.assert_allclose(z, -z[::-1], atol=1e-8)
    assert fisher_z(np.float32(0)) == 0


# Unit variance


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_unit_variance(dtype):
    signals = centred(np.random.default_rng(7), 30, 6, dtype)
    signals[:, 2] = 0
    scaled = unit_variance(signals * np.array([1e-9, 1, 1, 5, 1e9, 1], dtype=dtype))
    others = np.delete(scaled, 2, axis=1)
    np.testing.assert_allclose(others.std(axis=0, ddof=1), 1, rtol=1e-5)
    assert (scaled[:, 2] == 0).all()
    expected = signals[:, 3] / signals[:, 3].std(ddof=1)
    np.testing.assert_allclose(scaled[:, 3], expected, rtol=1e-5)
