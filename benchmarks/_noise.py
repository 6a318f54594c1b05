"""Noise of known colour, and what is cleaned out of it: for bench_statistics.py."""

import numpy as np
from scipy.signal import lfilter

MIXED = ("white", "AR(1) .3", "AR(1) .6", "fMRI-like")
KINDS = (*MIXED, "mixed", "redder fMRI-like", "strongly red")
"""Colours of noise; "mixed" is a quarter of the signals of each of four."""

PARTS = {
    "fMRI-like": (1.0, 1.0, 1.0, 2.0),
    "redder fMRI-like": (1.0, 1.0, 1.0, 1.0),
    "strongly red": (1.5, 9.0, 0.0, 1.0),
}
"""The exponent of 1/f, and parts of variance that are 1/f, below 0.08 Hz, and white."""


def make_noise(kind, rng, n_scans, n_signals, t_r):
    """Return noise of a kind, or of an AR(1) coefficient, `(n_scans, n_signals)`."""
    if kind in PARTS:
        return _of_spectrum(PARTS[kind], rng, n_scans, n_signals, t_r)
    if kind == "mixed":
        shares = np.array_split(np.arange(n_signals), 4)
        parts = zip(MIXED, map(len, shares), strict=True)
        return np.hstack([make_noise(k, rng, n_scans, n, t_r) for k, n in parts])
    coefficient = {"white": 0.0, "AR(1) .3": 0.3, "AR(1) .6": 0.6}.get(kind, kind)
    steps = rng.standard_normal((n_scans + 100, n_signals))
    steps *= np.sqrt(1 - coefficient**2)
    return lfilter([1], [1, -coefficient], steps, axis=0)[100:]


def _of_spectrum(parts, rng, n_scans, n_signals, t_r):
    """Return noise whose spectrum is a sum of 1/f, what is below 0.08 Hz, and white."""
    exponent, *weights = parts
    n_all = 4 * n_scans  # a quarter of what repeats itself does not
    f = np.fft.rfftfreq(n_all, t_r)[1:, np.newaxis]
    shapes = f**-exponent, 1 / (1 + (f / 0.08) ** 4), np.ones_like(f)
    power = sum(w * x / x.mean() for w, x in zip(weights, shapes, strict=True))
    real, imaginary = rng.standard_normal((2, len(f), n_signals)) * np.sqrt(power)
    spectrum = np.vstack([np.zeros((1, n_signals)), real + 1j * imaginary])
    return np.fft.irfft(spectrum, n_all, axis=0)[:n_scans]


def make_confounds(rng, n_scans):
    """Return 24 confounds as of motion: random walks, their steps, and squares."""
    walks = np.cumsum(rng.standard_normal((n_scans, 6)), axis=0)
    steps = np.diff(walks, axis=0, prepend=walks[:1])
    return np.hstack([walks, steps, walks**2, steps**2])


def censor(rng, n_scans, part):
    """Return the scans that are kept where a part is censored, in bursts of 2 to 6."""
    is_kept = np.ones(n_scans, bool)
    while np.mean(~is_kept) < part:
        start = rng.integers(2, n_scans - 8)
        is_kept[start : start + rng.integers(2, 7)] = False
    return np.flatnonzero(is_kept)
