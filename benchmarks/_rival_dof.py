"""Degrees of freedom of r as others count them: for bench_statistics.py.

Each function takes the cleaned signals of seeds and voxels, scan by scan and scaled to
norm 1, and the projection that cleaned them, and returns D, of which 1 / (D - 2) is
the variance of Fisher z: `(n_seeds, n_voxels)`, or one number for all.
"""

import numpy as np


def n_minus_3(seeds, voxels, projection):
    """Take all scans as independent: textbooks, C-PAC."""
    return len(seeds) - 1


def white_noise(seeds, voxels, projection):
    """Count what cleaning leaves of white noise, ``tr(S)^2 / tr(S^2)`` (Satterthwaite).

    As in Davey et al. (2013), https://doi.org/10.1016/j.neuroimage.2012.08.022.
    """
    covariance = projection @ projection.T
    return np.trace(covariance) ** 2 / np.sum(covariance**2)


def bartlett(seeds, voxels, projection):
    """Take both signals as AR(1), with coefficients taken from them once cleaned."""
    a, b = (np.sum(x[1:] * x[:-1], axis=0) for x in (seeds, voxels))
    product = np.outer(a, b)
    return len(seeds) * (1 - product) / (1 + product) - 1


def tapered(seeds, voxels, projection):
    """Sum autocorrelations up to lag 2 sqrt(n), tapered as Tukey does.

    This is xDF where nothing correlates (Afyouni et al. 2019,
    https://doi.org/10.1016/j.neuroimage.2019.05.011).
    """
    n = len(seeds)
    lags = np.arange(1, int(2 * np.sqrt(n)) + 1)
    taper = (1 + np.cos(np.pi * lags / len(lags))) / 2
    a, b = (
        np.stack([np.sum(x[lag:] * x[:-lag], axis=0) for lag in lags])
        for x in (seeds, voxels)
    )
    variance = (1 + 2 * (a * taper[:, np.newaxis]).T @ b) / n
    return 1 / np.maximum(variance, 1 / n)


def random_phases(seeds, voxels, projection):
    """Keep amplitudes at each frequency, with random phases, in closed form.

    Theiler et al. (1992), https://doi.org/10.1016/0167-2789(92)90102-S. Censored scans
    are left out, as if the others followed each other.
    """
    n = len(seeds)
    a, b = (np.abs(np.fft.rfft(x, axis=0)[1:]) ** 2 / n for x in (seeds, voxels))
    weights = np.full((len(a), 1), 2.0)
    if n % 2 == 0:
        weights[-1] = 1.0  # of the highest frequency only the sign is random
    return 1 / np.maximum((weights * a).T @ b, 1e-30)


RIVALS = {
    "n - 3": n_minus_3,
    "white-noise trace": white_noise,
    "AR(1), Bartlett": bartlett,
    "Tukey taper (xDF-like)": tapered,
    "random phases": random_phases,
}
