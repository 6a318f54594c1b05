"""Bands of time: the same cleaning in other axes, and what white noise is in them."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad

from sbc_estimators._arrays.dimensions import CLASS_EDGES, expected_shares, in_bands

CLEANINGS = [
    {},
    {"censored": 0.2},
    {"n_confounds": 24, "censored": 0.2},
    {"chosen": "high-pass", "t_r": 0.72},
    {"chosen": "none", "n_scans": 90},
]


@pytest.fixture(params=CLEANINGS, ids=str)
def cleaning(request, compiled):
    return compiled(**request.param)


def classes(cleaning):
    """Axes of each class: before the rotation gains descend, so classes take turns."""
    gains = np.linalg.norm(cleaning.before[1], axis=1)
    numbers = np.sum(gains[:, np.newaxis] <= CLASS_EDGES, axis=1)
    return [np.flatnonzero(numbers == k) for k in range(4)]


def correlations(coordinates):
    unit = coordinates / np.linalg.norm(coordinates, axis=0)
    return unit.T @ unit


# The same cleaning in other axes


def test_it_is_the_same_cleaning(cleaning):
    basis, projection = cleaning.before
    np.testing.assert_allclose(
        cleaning.basis @ cleaning.projection, basis @ projection, atol=1e-12
    )
    np.testing.assert_allclose(
        cleaning.basis.T @ cleaning.basis, np.eye(cleaning.rank), atol=1e-12
    )


def test_no_correlation_changes(cleaning):
    raw = np.random.default_rng(0).standard_normal((len(cleaning.kept), 30))
    before, after = cleaning.before[1] @ raw, cleaning.projection @ raw
    np.testing.assert_allclose(correlations(after), correlations(before), atol=1e-12)


def test_what_is_given_stays_as_it_is(compiled):
    cleaning = compiled()
    before = [array.copy() for array in cleaning.before]
    in_bands(*cleaning.before, cleaning.kept)
    for array, copy in zip(cleaning.before, before, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_axes_stay_in_their_class(cleaning):
    for axes in classes(cleaning):
        mixed = cleaning.before[0][:, axes].T @ cleaning.basis[:, axes]
        np.testing.assert_allclose(mixed @ mixed.T, np.eye(len(axes)), atol=1e-12)


def test_no_band_crosses_classes(cleaning):
    ends = [axes[-1] + 1 for axes in classes(cleaning) if len(axes)]
    assert set(ends) <= set(cleaning.bands.ends)
    assert cleaning.bands.ends[-1] == cleaning.rank


def test_bands_run_from_smooth_to_rough(cleaning):
    """Within each class that is put in order: sums of squared steps over gaps."""
    steps = np.diff(cleaning.basis, axis=0) ** 2 / np.diff(cleaning.kept)[:, np.newaxis]
    bands = cleaning.bands
    roughness = bands.sums(steps.sum(axis=0)[:, np.newaxis])[:, 0] / bands.sizes
    for axes in classes(cleaning)[1:]:
        within = np.isin(bands.starts, axes)
        assert (np.diff(roughness[within]) > 0).all()


def test_bands_are_of_frequencies(compiled):
    """Axis i is a wave of about i / 2 cycles a run where nothing is filtered."""
    cleaning = compiled(chosen="none")
    spectra = np.abs(np.fft.rfft(cleaning.basis, axis=0)) ** 2
    cycles = np.arange(len(spectra)) @ spectra / spectra.sum(axis=0)
    for band in cleaning.bands.slices:
        axes = np.arange(cleaning.rank)[band]
        assert abs(cycles[band].mean() - axes.mean() / 2) < 2


def test_amplified_axes_are_not_put_in_order(compiled):
    """They cut across all frequencies: each stays what it was, but for sign."""
    cleaning = compiled(chosen="high-pass", t_r=0.72)
    amplified = classes(cleaning)[0]
    mixed = cleaning.before[0][:, amplified].T @ cleaning.basis[:, amplified]
    assert len(amplified) > 2
    np.testing.assert_allclose(np.abs(mixed).max(axis=0), 1, rtol=1e-9)


def test_white_noise_is_independent_within_bands(cleaning):
    for band in cleaning.bands.slices:
        rows = cleaning.projection[band]
        covariance = rows @ rows.T
        off = covariance - np.diag(np.diag(covariance))
        assert np.abs(off).max() <= 1e-14 * covariance.max() + 1e-30


def test_sizes_of_bands():
    """Pairs above a gain of 1.05; elsewhere 0.3 i, at least 6 and at most 24 axes."""
    gains = np.repeat([1.2, 1.0, 0.5, 0.1], [5, 200, 13, 2])
    basis = np.linalg.qr(np.random.default_rng(0).standard_normal((230, 220)))[0]
    *_, bands = in_bands(basis, gains[:, np.newaxis] * basis.T, np.arange(230))
    growing = [6, 6, 6, 6, 7, 9, 12, 15, 20, 24, 24, 24, 24, 17]
    assert bands.sizes.tolist() == [2, 2, 1, *growing, 6, 6, 1, 2]
    assert sum(growing) == 200


@pytest.mark.parametrize(
    ("gain", "sizes"),
    [
        (1.0501, [1, 3]),
        (1.0499, [4]),
        (0.7001, [4]),
        (0.6999, [3, 1]),
    ],
)
def test_where_classes_end(gain, sizes):
    """An axis of another class is in a band of its own."""
    basis = np.linalg.qr(np.random.default_rng(0).standard_normal((20, 4)))[0]
    gains = np.array([0.8, 0.8, 0.8, gain])
    *_, bands = in_bands(basis, gains[:, np.newaxis] * basis.T, np.arange(20))
    assert bands.sizes.tolist() == sizes


def test_weak_axes_are_a_class_of_their_own():
    basis = np.linalg.qr(np.random.default_rng(0).standard_normal((20, 4)))[0]
    gains = np.array([0.3001, 0.3001, 0.2999, 0.2999])
    *_, bands = in_bands(basis, gains[:, np.newaxis] * basis.T, np.arange(20))
    assert bands.sizes.tolist() == [2, 2]


def test_rotation_knows_of_gaps(compiled):
    """Two scans that lie far apart in time may differ more."""
    basis, projection = compiled(n_scans=60, chosen="none").before
    near, far = np.arange(60), np.r_[np.arange(30), np.arange(1000, 1030)]
    first = [in_bands(basis, projection, kept)[0][:, :6] for kept in (near, far)]
    steps = [np.sum((x[30] - x[29]) ** 2) for x in first]
    assert steps[1] > 10 * steps[0]


# Expected shares


def reference(variances):
    """The integral of `expected_shares`, by adaptive quadrature over logarithms."""

    def integrand(x, v):
        t = np.exp(x)
        return v * t / (1 + 2 * t * v) * np.exp(-np.log1p(2 * t * variances).sum() / 2)

    edges = np.arange(-40.0, 90.0, 5.0) - np.log(variances.max())
    exact = {"epsabs": 0, "epsrel": 1e-12}
    return [
        sum(quad(integrand, *piece, args=(v,), **exact)[0] for piece in pairwise(edges))
        for v in variances
    ]


UNLIKE = {
    "two": [1.0, 4.0],
    "small": [1e-9, 3e-9, 1e-8, 1e-7],
    "one among small": [1.0] + [1e-4] * 23,
    "far apart": list(np.logspace(-13, 0, 24)),
    "alike": list(np.linspace(0.5, 1.1, 24)),
    "of float64": [1e-14, 1.0],
}


@pytest.mark.parametrize("variances", UNLIKE.values(), ids=UNLIKE)
def test_expected_shares_are_those_of_quadrature(variances):
    variances = np.array(variances)
    shares = expected_shares(variances)
    np.testing.assert_allclose(shares, reference(variances), rtol=1e-11)
    np.testing.assert_allclose(shares.sum(), 1, rtol=1e-12)
    assert (shares > 0).all()


def test_expected_shares_are_those_of_noise():
    variances = np.array([0.01, 0.2, 1.0, 1.0, 3.0])
    noise = np.random.default_rng(0).standard_normal((200_000, 5)) ** 2 * variances
    shares = (noise / noise.sum(axis=1, keepdims=True)).mean(axis=0)
    np.testing.assert_allclose(expected_shares(variances), shares, atol=0.002)


@pytest.mark.parametrize("n_axes", [1, 2, 6, 7, 24])
def test_equal_variances_have_equal_shares(n_axes):
    shares = expected_shares(np.full(n_axes, 0.37))
    np.testing.assert_allclose(shares, 1 / n_axes, rtol=1e-15)


def test_shares_have_no_scale():
    variances = np.array([0.2, 0.5, 0.9])
    for scale in (1e-200, 1e200):
        np.testing.assert_allclose(
            expected_shares(scale * variances), expected_shares(variances), rtol=1e-13
        )


# Dimensions


def test_dimensions_are_of_expected_shares(cleaning):
    bands = cleaning.bands
    assert (bands.expected > 0).all()
    np.testing.assert_allclose(bands.sums(bands.expected[:, np.newaxis]), 1, rtol=1e-12)
    for band, dimension in zip(bands.slices, bands.dimensions, strict=True):
        variances = np.sum(cleaning.projection[band] ** 2, axis=1)
        shares = expected_shares(variances)
        np.testing.assert_allclose(bands.expected[band], shares, rtol=1e-9)
        np.testing.assert_allclose(dimension, 1 / np.sum(shares**2), rtol=1e-9)


@pytest.mark.parametrize("censored", [0.0, 0.2])
def test_white_noise_keeps_all_dimensions_where_nothing_is_filtered(compiled, censored):
    cleaning = compiled(n_scans=200, chosen="none", censored=censored)
    assert abs(cleaning.bands.dimensions.sum() - cleaning.rank) < 1e-9
