"""Pearson correlation from cleaned arrays, Fisher z, and the no-signal rule.

Arrays only: nothing here knows of maskers, images or runs.
"""

import numpy as np

MAX_ABS_R = 1 - 2**-23
"""Largest |r| returned, the second float32 below 1, so that Fisher z stays finite."""

NO_SIGNAL_RATIO = 1e-5
"""A cleaned norm below this part of the raw one is rounding noise."""


def typical_values(signals):
    """Return for each signal the median of its first, middle and last value.

    What to take off a signal for precision: one of its own values, so that nothing is
    rounded and a constant becomes exactly 0; and not that of a single odd scan, such
    as the first one is before the steady state.

    Parameters
    ----------
    signals : ndarray of shape (n_scans, n_signals)

    Returns
    -------
    values : ndarray of shape (n_signals,)
        In the dtype of `signals`.
    """
    return np.sort(signals[[0, len(signals) // 2, -1]], axis=0)[1]


def column_norms(array):
    """Return the Euclidean norms of the columns in float64, `(n_columns,)`.

    The sums run in float64 whatever the array's dtype, without a float64 copy of it.
    """
    return np.sqrt(np.einsum("ij,ij->j", array, array, dtype=np.float64))


def has_signal(cleaned_norms, raw_norms):
    """Return which signals are left after cleaning, bool of shape `(n_signals,)`.

    Parameters
    ----------
    cleaned_norms : ndarray of shape (n_signals,)
        Norms of the cleaned, centred signals.
    raw_norms : ndarray of shape (n_signals,)
        Norms of the signals before cleaning, less any constant.

    Notes
    -----
    A constant has no variance, yet a filter leaves a residue of rounding that
    normalises to unit variance like any signal, and correlates with other residues
    perfectly. Hence the ratio rather than the cleaned norm alone.
    """
    finite = np.isfinite(cleaned_norms) & np.isfinite(raw_norms)
    with np.errstate(invalid="ignore"):
        return finite & (cleaned_norms > NO_SIGNAL_RATIO * raw_norms)


def correlate(seeds, voxels, seed_norms, voxel_norms):
    """Return the Pearson correlation of every seed with every voxel.

    Parameters
    ----------
    seeds : ndarray of shape (n_components, n_seeds)
        Cleaned, centred signals, in any orthonormal basis of time.
    voxels : ndarray of shape (n_components, n_voxels)
        The same for voxels, in the same basis.
    seed_norms : ndarray of shape (n_seeds,)
        Norms of the whole seed signals, whatever part of them the basis holds.
    voxel_norms : ndarray of shape (n_voxels,)
        Norms of the voxel signals; 0 marks a voxel without signal.

    Returns
    -------
    r : ndarray of shape (n_seeds, n_voxels), float32
        Within +-`MAX_ABS_R`; 0 where either signal is none.
    """
    seed_scale = _reciprocal(seed_norms)[:, np.newaxis]
    scaled = (seeds.T * seed_scale).astype(voxels.dtype)
    r = (scaled @ voxels).astype(np.float32, copy=False)
    r *= _reciprocal(voxel_norms).astype(np.float32)
    return np.clip(r, -MAX_ABS_R, MAX_ABS_R, out=r)


def _reciprocal(norms):
    """Return 1 / norms, and 0 where a norm is 0."""
    return np.divide(1.0, norms, out=np.zeros(len(norms)), where=norms > 0)


def fisher_z(r):
    """Return the Fisher z of correlations, ``arctanh(r)``, in the dtype of `r`.

    Examples
    --------
    >>> import numpy as np
    >>> fisher_z(np.array([0.0, 0.5])).round(4)
    array([0.    , 0.5493])
    """
    return np.arctanh(r)


def inverse_fisher_z(z):
    """Return the correlations of Fisher z values, ``tanh(z)``."""
    return np.tanh(z)


def unit_variance(signals):
    """Return centred signals scaled to variance 1 (``ddof=1``), 0 where there is none.

    Parameters
    ----------
    signals : ndarray of shape (n_scans, n_signals)
        Centred; a column of zeros is no signal.
    """
    scale = _reciprocal(column_norms(signals)) * np.sqrt(len(signals) - 1)
    return signals * scale
