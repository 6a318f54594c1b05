"""Where nothing correlates, z scores are standard normal; intervals cover.

Seeded simulations of 120 seeds and 120 voxels or more. Spreads, false positives and
coverage are those that the documentation promises.
"""

from itertools import product

import numpy as np
import pytest
from scipy.linalg import toeplitz

from sbc_estimators._arrays.correlation import (
    column_norms,
    correlate,
    correlate_remainders,
    without_others,
)
from sbc_estimators._arrays.dimensions import (
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
FEW = 10
"""Median degrees of freedom below which users are warned: z scores are small there."""

FILTERS = ("none", "high-pass", "band-pass")
CLEANINGS = list(product((150, 300), (2.0, 0.72), FILTERS, (0, 24), (0, 0.2)))


def z_scores(cleaning, seeds, voxels, seed_norms=None):
    """z scores and D of seeds' and voxels' coordinates, voxels in float32."""
    seed_norms = column_norms(seeds) if seed_norms is None else seed_norms
    voxels = np.float32(voxels)
    norms = column_norms(voxels)
    directions = directions_of_seeds(seeds, seed_norms, cleaning.bands)
    dof = effective_dof(
        directions, band_shares(voxels, norms, cleaning.bands, CREW), CREW
    )
    r = correlate(seeds, voxels, seed_norms, norms, CREW)
    return z_score(r, dof), dof


def false_positives(z, p):
    """How often |z| is beyond the two-sided threshold of p."""
    return np.mean(np.abs(z) > {0.05: 1.959964, 0.001: 3.290527}[p])


def simulated(kind, noise, compiled, setting):
    """z scores of 120 seeds with 120 voxels of noise, and their median D."""
    n_scans, t_r, *_ = setting
    rng = np.random.default_rng(CLEANINGS.index(setting))
    cleaning = compiled(*setting)
    seeds, voxels = (
        cleaning.clean(noise(kind, rng, n_scans, 120, t_r))[0] for _ in range(2)
    )
    z, dof = z_scores(cleaning, seeds, voxels)
    return z, np.median(dof)


@pytest.mark.parametrize("setting", CLEANINGS, ids=str)
def test_white_noise(setting, noise, compiled):
    z, dof = simulated("white", noise, compiled, setting)
    assert z.std() < 1.03
    assert false_positives(z, 0.05) < 0.06
    assert false_positives(z, 0.001) <= 0.002
    if dof >= FEW:
        assert z.std() > 0.97
        assert false_positives(z, 0.05) > 0.02


@pytest.mark.parametrize("kind", [0.3, 0.6, "fMRI-like", "mixed"])
@pytest.mark.parametrize("setting", CLEANINGS, ids=str)
def test_coloured_noise(kind, setting, noise, compiled):
    z, dof = simulated(kind, noise, compiled, setting)
    assert z.std() < 1.07
    assert false_positives(z, 0.05) < 0.066
    assert false_positives(z, 0.001) <= 0.002
    if dof >= FEW:
        assert z.std() > 0.95
        assert false_positives(z, 0.05) > (0.03 if dof >= 25 else 0.025)


def test_few_degrees_of_freedom_are_rare(noise, compiled):
    """Which settings the lower bounds above leave out: runs of 108 s, band-passed."""
    few = [
        setting
        for setting in CLEANINGS
        if simulated("white", noise, compiled, setting)[1] < FEW
    ]
    assert all(setting[:3] == (150, 0.72, "band-pass") for setting in few)


@pytest.mark.parametrize("censored", [0.0, 0.2])
def test_white_noise_that_is_not_filtered(censored, compiled):
    cleaning = compiled(300, 2.0, "none", censored=censored)
    raw = np.random.default_rng(0).standard_normal((300, 400))
    coordinates, _ = cleaning.clean(raw)
    z, dof = z_scores(cleaning, coordinates[:, :200], coordinates[:, 200:])
    assert abs(np.median(dof) / cleaning.rank - 1) < 0.02
    assert 0.045 < false_positives(z, 0.05) < 0.055
    assert 0.97 < z.std() < 1.03


@pytest.mark.parametrize("setting", CLEANINGS[::3], ids=str)
def test_fixed_seeds_against_white_voxels(setting, compiled):
    """Sines within the band, cleaned and not, and axes that cleaning keeps, by seed."""
    cleaning = compiled(*setting)
    frequencies = np.arange(0.014, 0.1, 0.004)
    phases = np.random.default_rng(0).uniform(0, 2 * np.pi, len(frequencies))
    times = setting[1] * cleaning.kept[:, np.newaxis]
    sines = np.sin(2 * np.pi * frequencies * times + phases)
    sines -= sines.mean(axis=0)
    cleaned = cleaning.projection @ sines
    is_kept = np.linalg.norm(cleaning.projection, axis=1) > 0.01
    axes = np.eye(cleaning.rank)[:, is_kept]
    seeds = np.hstack([cleaned, cleaning.basis.T @ sines, axes])
    norms = np.concatenate(
        [column_norms(cleaned), column_norms(sines), np.ones(is_kept.sum())]
    )
    voxels = np.random.default_rng(1).standard_normal((len(cleaning.kept), 6000))
    z, dof = z_scores(cleaning, seeds, cleaning.projection @ voxels, norms)
    spread = z.std(axis=1)
    assert spread.max() < 1.08
    assert spread[np.median(dof, axis=1) >= FEW].min() > 0.93


# Semipartial and partial correlation


@pytest.mark.parametrize("kind", ["white", 0.6, "fMRI-like"])
@pytest.mark.parametrize("chosen", FILTERS)
def test_partial_and_semipartial(kind, chosen, noise, compiled):
    """10 seeds that correlate; voxels that correlate with all but the first of them."""
    cleaning, rng = compiled(200, 2.0, chosen), np.random.default_rng(0)
    partial, semipartial = [], []
    for _ in range(30):
        common = noise(kind, rng, 200, 4) @ rng.standard_normal((4, 10))
        seeds = common + noise(kind, rng, 200, 10)
        shared = seeds[:, 1:] @ rng.standard_normal((9, 400)) / 2
        private = noise(kind, rng, 200, 400)
        seeds, shared, private = (
            cleaning.clean(raw)[0] for raw in (seeds, shared, private)
        )
        span, own = without_others(seeds)
        voxels = shared + private
        norms = column_norms(voxels)
        r, _ = correlate_remainders(span, own, voxels, norms, CREW)
        directions = directions_of_remainders(span, own, cleaning.bands)
        dof = partial_dof(directions, voxels, norms, CREW)
        partial.append(z_score(r, dof)[0])
        z, _ = z_scores(cleaning, span @ own, private, np.ones(10))
        semipartial.append(z)
    for z in (np.array(partial), np.array(semipartial)):
        assert 0.95 < z.std() < 1.07
        assert 0.03 < false_positives(z, 0.05) < 0.066


def test_leverage_of_many_seeds(compiled):
    """60 seeds of 198 axes; without leverage the spread is 1.2."""
    cleaning, rng = compiled(200, 2.0, "none"), np.random.default_rng(0)
    coordinates, _ = cleaning.clean(rng.standard_normal((200, 460)))
    span, own = without_others(coordinates[:, :60])
    voxels = coordinates[:, 60:]
    norms = column_norms(voxels)
    directions = directions_of_remainders(span, own, cleaning.bands)
    r, _ = correlate_remainders(span, own, voxels, norms, CREW)
    z = z_score(r, partial_dof(directions, voxels, norms, CREW))
    assert 0.97 < z.std() < 1.03


# Intervals


def pairs(rng, noise, cleaning, shared, private, rho, n=800):
    """Coordinates of pairs that share a part rho of their variance, and the true r."""
    n_scans = len(cleaning.kept)
    common, *own = (noise(kind, rng, n_scans, n) for kind in (shared, private, private))
    signals = [np.sqrt(rho) * common + np.sqrt(1 - rho) * x for x in own]
    powers = []
    for coefficient in (shared, private):
        covariance = toeplitz(float(coefficient) ** np.arange(n_scans))
        powers.append(np.sum(cleaning.projection @ covariance * cleaning.projection))
    part = rho * powers[0]
    true = part / (part + (1 - rho) * powers[1])
    return *(cleaning.clean(signal)[0] for signal in signals), true


@pytest.mark.parametrize("chosen", FILTERS)
@pytest.mark.parametrize("rho", [0, 0.3, 0.6, 0.8])
@pytest.mark.parametrize(
    ("shared", "private"), [(0.9, 0.9), (0.3, 0.9), (0.0, 0.9), (0.9, 0.0), (0.5, 0.5)]
)
def test_intervals_cover(shared, private, rho, chosen, noise, compiled):
    cleaning, rng = compiled(200, 2.0, chosen), np.random.default_rng(0)
    seeds, voxels, true = pairs(rng, noise, cleaning, shared, private, rho)
    covered = []
    for start in range(0, seeds.shape[1], 40):  # of a block only its pairs count
        few = slice(start, start + 40)
        directions = directions_of_seeds(
            seeds[:, few], column_norms(seeds[:, few]), cleaning.bands
        )
        norms = column_norms(voxels[:, few])
        shares = band_shares(voxels[:, few], norms, cleaning.bands, CREW)
        dof = effective_dof(directions, shares, CREW)
        variance = fisher_z_variance(directions, voxels[:, few], norms, dof, CREW)
        r = correlate(
            seeds[:, few], voxels[:, few], column_norms(seeds[:, few]), norms, CREW
        )
        error = np.arctanh(np.diag(r)) - np.arctanh(true)
        covered.append(np.abs(error) < 1.959964 * np.sqrt(np.diag(variance)))
    assert 0.92 < np.mean(covered) < 0.985
