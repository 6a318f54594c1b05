"""Effective degrees of freedom: small cases by hand, and what must not matter."""

from types import SimpleNamespace

import numpy as np
import pytest

from sbc_estimators._arrays import dimensions
from sbc_estimators._arrays.correlation import (
    column_norms,
    correlate_remainders,
    without_others,
)
from sbc_estimators._arrays.dimensions import (
    Bands,
    band_shares,
    directions_of_seeds,
    effective_dof,
    median_dof,
)
from sbc_estimators._arrays.uncertainty import directions_of_remainders, partial_dof
from sbc_estimators._support.threads import OneWorker, workers

CREW = OneWorker()
TWO_BANDS = Bands(np.array([2, 3]), np.array([0.5, 0.5, 1.0]), np.array([2.0, 1.0]))


def dof(seeds, voxels, bands=TWO_BANDS, crew=CREW, norms=None):
    """D of plain correlations."""
    norms = column_norms(seeds) if norms is None else norms
    directions = directions_of_seeds(seeds, norms, bands)
    shares = band_shares(voxels, column_norms(voxels), bands, crew)
    return effective_dof(directions, shares, crew)


@pytest.fixture
def signals(compiled):
    """Coordinates of 3 seeds and 40 voxels, and the cleaning."""
    cleaning = compiled(n_confounds=24)
    raw = np.random.default_rng(0).standard_normal((150, 43))
    coordinates, _ = cleaning.clean(raw)
    return SimpleNamespace(
        seeds=coordinates[:, :3],
        voxels=coordinates[:, 3:],
        cleaning=cleaning,
        bands=cleaning.bands,
    )


# By hand


@pytest.mark.parametrize(
    ("seed", "voxel", "expected"),
    [
        ([1, 0, 0], [3, 4, 0], 2),  # both in the band of two axes
        ([1, 0, 0], [0, 1, 0], 2),  # where in it does not matter
        ([1, 1, 0], [1, -1, 0], 2),
        ([0, 0, 1], [0, 0, -2], 1),  # both in the band of one axis
        ([1, 0, 0], [1, 1, 1], 3),  # f = 2/3, 1/3; w = 1/2, 0
        ([1, 1, 1], [1, 1, 1], 3),  # f = 2/3, 1/3; w = 1/3, 1/3
        ([3, 0, 4], [1, 0, 0], 2 / 0.36),  # more than there are axes
    ],
)
def test_by_hand(seed, voxel, expected):
    seed, voxel = (np.array(x, float)[:, np.newaxis] for x in (seed, voxel))
    np.testing.assert_allclose(dof(seed, voxel), expected, rtol=1e-6)


def test_axes_count_by_their_expected_shares():
    bands = Bands(np.array([2]), np.array([0.8, 0.2]), np.array([1 / 0.68]))
    found = dof(np.eye(2), np.ones((2, 1)), bands)
    np.testing.assert_allclose(found, [[1 / 0.8], [1 / 0.2]], rtol=1e-6)


def test_a_part_of_a_seed_counts_over_the_whole():
    """Of a seed cleaned otherwise the basis of voxels holds a part: r is smaller."""
    seed, voxel = np.array([[1.0], [0.0], [0.0]]), np.array([[1.0], [0.0], [0.0]])
    found = dof(seed, voxel, norms=np.array([2.0]))
    np.testing.assert_allclose(found, 4 * 2, rtol=1e-6)


def test_shares_are_powers_over_their_total():
    voxel = np.array([[3.0], [4.0], [5.0]])
    shares = band_shares(voxel, column_norms(voxel), TWO_BANDS, CREW)
    np.testing.assert_allclose(shares, [[0.5], [0.5]], rtol=1e-6)


def test_signals_that_share_no_band():
    """D is huge but a number: what is left of r there is rounding."""
    found = dof(np.array([[1.0], [0.0], [0.0]]), np.array([[0.0], [0.0], [1.0]]))
    assert found > 1e12
    assert np.isfinite(found).all()


# What does not matter


def test_scale_and_sign_do_not_matter(signals):
    expected = dof(signals.seeds, signals.voxels, signals.bands)
    for scale in (-1, 1e-150, 1e150):
        np.testing.assert_allclose(
            dof(scale * signals.seeds, signals.voxels, signals.bands),
            expected,
            rtol=1e-5,
        )
        np.testing.assert_allclose(
            dof(signals.seeds, scale * signals.voxels, signals.bands),
            expected,
            rtol=1e-5,
        )


@pytest.mark.parametrize("scale", [3e-38, 1e36])
def test_signals_near_the_bounds_of_float32(signals, scale):
    expected = dof(signals.seeds, signals.voxels, signals.bands)
    voxels = np.float32(scale * signals.voxels)
    # Numbers below 1e-38 have fewer digits.
    np.testing.assert_allclose(
        dof(signals.seeds, voxels, signals.bands), expected, rtol=1e-4
    )


def test_order_of_signals_does_not_matter(signals):
    expected = dof(signals.seeds, signals.voxels, signals.bands)
    order = np.random.default_rng(1).permutation(40)
    found = dof(signals.seeds[:, ::-1], signals.voxels[:, order], signals.bands)
    np.testing.assert_allclose(found, expected[::-1][:, order], rtol=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("order", ["C", "F", "every other"])
def test_memory_layout_does_not_matter(signals, dtype, order):
    expected = dof(signals.seeds, signals.voxels, signals.bands)
    voxels = np.asarray(signals.voxels, dtype, order="F" if order == "F" else "C")
    if order == "every other":
        voxels = np.repeat(voxels, 2, axis=1)[:, ::2]
    copy = voxels.copy()
    found = dof(signals.seeds, voxels, signals.bands)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    np.testing.assert_array_equal(voxels, copy)


def test_chunks_and_threads_do_not_matter(signals, monkeypatch, set_blas_threads):
    everything = dof(signals.seeds, signals.voxels, signals.bands)
    monkeypatch.setattr(dimensions, "CHUNK_SIZE", 7 * signals.cleaning.rank)
    set_blas_threads(2)
    try:
        with workers() as crew:
            assert type(crew) is not OneWorker
            found = dof(signals.seeds, signals.voxels, signals.bands, crew)
    finally:
        set_blas_threads(1)
    np.testing.assert_allclose(found, everything, rtol=1e-5)


# No signal


def test_no_signal_has_no_degrees_of_freedom(signals):
    voxels = np.float32(signals.voxels)
    voxels[0, 3], voxels[:, 4], voxels[0, 5] = np.nan, 0, np.inf
    norms = column_norms(voxels)
    norms[[3, 5]] = 0  # as `norms_of_signals` has them
    seed_norms = column_norms(signals.seeds) * [1, 0, 1]
    directions = directions_of_seeds(signals.seeds, seed_norms, signals.bands)
    shares = band_shares(voxels, norms, signals.bands, CREW)
    found = effective_dof(directions, shares, CREW)
    is_nan = np.zeros((3, 40), bool)
    is_nan[1], is_nan[:, 3:6] = True, True
    np.testing.assert_array_equal(np.isnan(found), is_nan)


def test_median_is_over_voxels_with_signal():
    dof = np.random.default_rng(0).gamma(20, 1, (4, 31)).astype(np.float32)
    dof[1, ::3], dof[2, :30], dof[3] = np.nan, np.nan, np.nan
    found = median_dof(dof, CREW)
    expected = [*np.nanmedian(dof[:3], axis=1), np.nan]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert sorted(np.isfinite(dof).sum(axis=1)) == [0, 1, 20, 31]


# White noise that is only centred


def test_white_noise_has_all_degrees_of_freedom(compiled):
    cleaning = compiled(n_scans=200, chosen="none")
    raw = np.random.default_rng(0).standard_normal((200, 240))
    coordinates, _ = cleaning.clean(raw)
    found = dof(coordinates[:, :120], coordinates[:, 120:], cleaning.bands)
    assert abs(np.median(found) / cleaning.rank - 1) < 0.02


# Partial correlation


def remainders_by_hand(series, j, voxels, cleaning):
    """What is seed j's own, and what the others leave of voxels, in all of time."""
    others, _ = np.linalg.qr(np.delete(series, j, axis=1))
    own = series[:, j] - others @ (others.T @ series[:, j])
    whole = cleaning.basis @ voxels
    return own / np.linalg.norm(own), whole - others @ (others.T @ whole), others


def partial_by_hand(series, j, voxels, cleaning):
    """D of one seed: powers that the others leave over what they leave of noise."""
    own, rest, others = remainders_by_hand(series, j, voxels, cleaning)
    norms = np.linalg.norm(rest, axis=0)
    own, rest, others = (cleaning.basis.T @ x for x in (own, rest, others))
    bands = cleaning.bands
    left = np.eye(cleaning.rank) - others @ others.T
    variance = 0
    for band in bands.slices:
        expected = bands.expected[band]
        weight = np.sum(expected * own[band] ** 2)
        noise = np.sum(expected * np.sum(left[band] ** 2, axis=1))
        variance = (
            variance + np.sum(rest[band] ** 2, axis=0) / norms**2 * weight / noise
        )
    return 1 / variance


@pytest.mark.parametrize("seeds_are", ["cleaned", "not cleaned"])
def test_partial_is_that_of_explicit_remainders(signals, seeds_are):
    cleaning = signals.cleaning
    if seeds_are == "cleaned":
        series = cleaning.basis @ signals.seeds
    else:
        series = np.random.default_rng(2).standard_normal((150, 3))
        series -= series.mean(axis=0)
    voxels = signals.voxels + 2 * signals.seeds[:, [1]]
    span, own = without_others(series)
    directions = directions_of_remainders(cleaning.basis.T @ span, own, signals.bands)
    found = partial_dof(directions, voxels, column_norms(voxels), CREW)
    for j in range(3):
        expected = partial_by_hand(series, j, voxels, cleaning)
        np.testing.assert_allclose(found[j], expected, rtol=1e-6)


def test_leverage_is_what_others_take(signals):
    """Of cleaned seeds: 1 less the mean of the projection's diagonal in a band."""
    series = signals.cleaning.basis @ signals.seeds
    span, own = without_others(series)
    basis, bands = signals.cleaning.basis, signals.bands
    directions = directions_of_remainders(basis.T @ span, own, bands)
    others, _ = np.linalg.qr(basis.T @ series[:, 1:])
    taken = bands.expected * np.sum(others**2, axis=1)
    expected = 1 - bands.sums(taken[:, np.newaxis])[:, 0]
    np.testing.assert_allclose(directions.left[:, 0], expected, rtol=1e-9)
    assert expected.min() < 0.9


def test_partial_of_one_seed_is_plain(signals):
    seed = signals.seeds[:, :1]
    unit = seed / column_norms(seed)
    directions = directions_of_remainders(unit, np.eye(1), signals.bands)
    norms = column_norms(signals.voxels)
    found = partial_dof(directions, signals.voxels, norms, CREW)
    np.testing.assert_allclose(
        found, dof(seed, signals.voxels, signals.bands), rtol=1e-5
    )


def test_other_seeds_take_degrees_of_freedom(compiled):
    """20 seeds beside it leave white noise that many fewer."""
    cleaning = compiled(n_scans=200, chosen="none")
    coordinates, _ = cleaning.clean(
        np.random.default_rng(0).standard_normal((200, 121))
    )
    span, own = without_others(coordinates[:, :21])
    directions = directions_of_remainders(span, own, cleaning.bands)
    voxels = coordinates[:, 21:]
    found = partial_dof(directions, voxels, column_norms(voxels), CREW)
    assert abs(np.median(found) / (cleaning.rank - 20) - 1) < 0.02


def test_partial_of_nothing_is_nothing(signals):
    """NaN where there is no signal, and where other seeds explain a voxel."""
    span, own = without_others(signals.seeds)
    voxels = signals.voxels[:, :4].copy()
    voxels[:, 1] = signals.seeds @ [0.0, 1.0, 2.0]
    voxels[:, 2] = 0
    norms = column_norms(voxels)
    directions = directions_of_remainders(span, own, signals.bands)
    found = partial_dof(directions, voxels, norms, CREW)
    r, n_explained = correlate_remainders(span, own, voxels, norms, CREW)
    expected = np.zeros((3, 4), bool)
    expected[:, 2], expected[0, 1] = True, True
    np.testing.assert_array_equal(np.isnan(found), expected)
    np.testing.assert_array_equal(r == 0, expected)
    assert n_explained == 1
