"""Cleanings in bands of time, and noise, that tests of statistics share."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
from scipy.signal import lfilter

from sbc_estimators._arrays.cleaning import (
    ALIKE_TOLERANCE,
    CleaningParameters,
    compile_cleaning,
)
from sbc_estimators._arrays.dimensions import Bands, in_bands

FILTERS = {
    "none": {},
    "high-pass": {"high_pass": 0.01},
    "band-pass": {"low_pass": 0.1, "high_pass": 0.01},
}


@dataclass(frozen=True, eq=False)
class Cleaning:
    """A cleaning in bands, the factors it was made of, and its kept scans."""

    basis: np.ndarray
    projection: np.ndarray
    bands: Bands
    kept: np.ndarray
    before: tuple

    @property
    def rank(self):
        return self.basis.shape[1]

    def clean(self, raw):
        """Return coordinates of signals given at all scans, and their norms."""
        coordinates = self.projection @ raw[self.kept]
        return coordinates, np.linalg.norm(coordinates, axis=0)


@cache
def _compiled(n_scans=150, t_r=2.0, chosen="band-pass", n_confounds=0, censored=0.0):
    rng = np.random.default_rng(n_scans)
    kept = _kept(rng, n_scans, censored)
    parameters = CleaningParameters(detrend=True, t_r=t_r, **FILTERS[chosen])
    confounds = _confounds(rng, n_scans) if n_confounds else None
    operator = compile_cleaning(parameters, n_scans, kept, confounds)
    operator = operator.reduced(ALIKE_TOLERANCE)
    before = operator.basis, operator.projection
    return Cleaning(*in_bands(*before, kept), kept, before)


def _kept(rng, n_scans, censored):
    """Return kept scans, that part censored in bursts of 2 to 6."""
    is_kept = np.ones(n_scans, bool)
    while np.mean(~is_kept) < censored:
        start = rng.integers(2, n_scans - 8)
        is_kept[start : start + rng.integers(2, 7)] = False
    return np.flatnonzero(is_kept)


def _confounds(rng, n_scans):
    """Return 24 confounds as of motion: random walks, their steps, and squares."""
    walks = np.cumsum(rng.standard_normal((n_scans, 6)), axis=0)
    steps = np.diff(walks, axis=0, prepend=walks[:1])
    return np.hstack([walks, steps, walks**2, steps**2])


@pytest.fixture(scope="session")
def compiled():
    """The function that compiles a cleaning, once for all tests that ask for it."""
    return _compiled


def _noise(kind, rng, n_scans, n_signals, t_r=2.0):
    """Return noise: "white", "fMRI-like", "mixed", or the AR(1) coefficient."""
    shape = n_scans, n_signals
    if kind == "white":
        return rng.standard_normal(shape)
    if kind == "mixed":
        parts = ("white", 0.3, 0.6, "fMRI-like")
        n = n_signals // 4
        return np.hstack([_noise(part, rng, n_scans, n, t_r) for part in parts])
    if kind == "fMRI-like":
        return _fmri_like(rng, n_scans, n_signals, t_r)
    steps = rng.standard_normal((n_scans + 100, n_signals)) * np.sqrt(1 - kind**2)
    return lfilter([1], [1, -kind], steps, axis=0)[100:]


def _fmri_like(rng, n_scans, n_signals, t_r):
    """Return noise of which a half is white, a quarter 1/f, a quarter below 0.08 Hz."""
    n_all = 4 * n_scans  # a quarter of what repeats itself does not
    f = np.fft.rfftfreq(n_all, t_r)[1:, np.newaxis]
    parts = [1 / f, 1 / (1 + (f / 0.08) ** 4), np.ones_like(f)]
    power = sum(w * p / p.mean() for w, p in zip((1, 1, 2), parts, strict=True))
    spectrum = rng.standard_normal((2, len(f), n_signals)) * np.sqrt(power)
    spectrum = np.vstack([np.zeros((1, n_signals)), spectrum[0] + 1j * spectrum[1]])
    return np.fft.irfft(spectrum, n_all, axis=0)[:n_scans]


@pytest.fixture(scope="session")
def noise():
    """The function ``kind, rng, n_scans, n_signals, t_r -> signals``."""
    return _noise
