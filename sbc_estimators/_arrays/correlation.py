"""Cleaned signals, their correlation plain and partial, and Fisher z."""

from dataclasses import dataclass

import numpy as np

MAX_ABS_R = 1 - 2**-23
"""Largest |r| returned, the second float32 below 1, so that Fisher z stays finite."""

NO_SIGNAL_RATIO = 1e-5
"""A cleaned norm below this part of the raw one is rounding noise."""

REMAINDER_RATIO = 1e-4
"""What seeds leave of a signal may be rounding noise below this part of its norm.

Ten times `NO_SIGNAL_RATIO`: float32 rounds signals before drifts are taken out of them.
"""

SMALLEST_VARIANCE = 1e-12
"""Variances of unit-norm seeds below this are the rounding of their products."""

CHUNK_SIZE = 2**18
"""How many numbers of voxels are worked on at a time: 2 MiB in float64."""


PIECE = 2**13
"""How many voxels of maps are averaged at a time."""

MOST_FACTORS = 32
"""Maps whose odds are multiplied: float64 holds 42 of 2 / (1 - `MAX_ABS_R`)."""

FEW_SEEDS = 8
"""For fewer seeds reading the voxels takes longer than the product."""


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


def of_one_size(columns):
    """Return columns times powers of 2, so that the largest number of each is about 1.

    What comes in a small unit is thus not taken for nothing, and nothing is rounded.
    """
    exponents = np.frexp(np.abs(columns).max(axis=0, initial=0.0))[1]
    return np.ldexp(columns, -exponents)


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


@dataclass(frozen=True)
class CleanedSignals:
    """Cleaned, centred signals in a basis of time.

    Attributes
    ----------
    coordinates : ndarray of shape (n_components, n_signals)
    norms : ndarray of shape (n_signals,)
        0 where there is no signal.
    basis : ndarray of shape (n_kept_scans, n_components) or None
        None where the coordinates are the scans themselves.
    shares : ndarray of shape (n_bands, n_signals) or None
        How the power of each spreads over bands of `basis`, where that is kept.
    """

    coordinates: np.ndarray
    norms: np.ndarray
    basis: np.ndarray | None = None
    shares: np.ndarray | None = None

    def series(self):
        """Return the signals scan by scan, `(n_kept_scans, n_signals)`."""
        return self.coordinates if self.basis is None else self.basis @ self.coordinates

    def in_basis(self, basis):
        """Return the coordinates in another basis of time, or as series for None."""
        if basis is self.basis:
            return self.coordinates
        series = self.series()
        return series if basis is None else basis.T @ series


def cleaned_signals(coordinates, raw_norms, basis=None):
    """Return `CleanedSignals` whose norms are 0 where nothing but rounding is left.

    Parameters
    ----------
    coordinates : ndarray of shape (n_components, n_signals)
    raw_norms : ndarray of shape (n_signals,)
        Norms of the signals before cleaning, less any constant.
    basis : ndarray of shape (n_kept_scans, n_components) or None, default=None
    """
    norms = column_norms(coordinates)
    # Below its smallest number a type rounds all the more, down to 0.
    is_held = norms > np.finfo(coordinates.dtype).tiny
    norms = np.where(has_signal(norms, raw_norms) & is_held, norms, 0.0)
    return CleanedSignals(coordinates, norms, basis)


def cleaned_rows(rows, basis):
    """Return rows of coordinates and probes as `CleanedSignals`, and the raw norms."""
    rank = basis.shape[1]
    raw_norms = column_norms(rows[rank:])
    return cleaned_signals(rows[:rank], raw_norms, basis), raw_norms


# r


def correlate(seeds, voxels, seed_norms, voxel_norms, crew):
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
    crew : OneWorker or Workers

    Returns
    -------
    r : ndarray of shape (n_seeds, n_voxels), float32
        Within +-`MAX_ABS_R`; 0 where either signal is none.
    """
    scaled = (seeds.T * _reciprocal(seed_norms)[:, np.newaxis]).astype(voxels.dtype)
    r = np.empty((len(scaled), len(voxel_norms)), np.float32)
    step = max(1, CHUNK_SIZE // max(len(voxels), len(scaled)))
    if len(scaled) < FEW_SEEDS:  # nothing is used twice that could stay in cache
        step = max(step, -(-len(voxel_norms) // 8))

    def fill(start):
        chunk = slice(start, start + step)
        norms = voxel_norms[chunk]
        # Some are inf, where float32 cannot hold a voxel.
        with np.errstate(invalid="ignore", divide="ignore"):
            part = scaled @ voxels[:, chunk]
            part *= (1 / norms).astype(part.dtype)
        if not norms.all():
            part[:, norms == 0] = 0.0
        np.clip(part, -MAX_ABS_R, MAX_ABS_R, out=r[:, chunk], casting="same_kind")

    crew.map(fill, range(0, len(voxel_norms), step))
    return r


def _reciprocal(norms):
    """Return 1 / norms, and 0 where a norm is 0."""
    return np.divide(1.0, norms, out=np.zeros(len(norms)), where=norms > 0)


def dependent_seeds(seeds):
    """Return which seeds are sums of others, but for rounding.

    Parameters
    ----------
    seeds : ndarray of shape (n_scans, n_seeds)
        Cleaned, centred signals scan by scan, none of them 0.

    Returns
    -------
    indices : ndarray of shape (n_dependent,)
        Ascending, none where seeds are independent.

    Notes
    -----
    Of seed j, scaled to norm 1, the others leave the norm ``1 / sqrt((G^-1)_jj)``, G
    being the correlations among seeds.
    """
    unit = seeds / column_norms(seeds)
    variances, directions = np.linalg.eigh(unit.T @ unit)
    # Rounding leaves the variances of sums anywhere near 0, or below.
    variances = np.maximum(variances, SMALLEST_VARIANCE)
    remainders = 1 / np.sqrt((directions**2 / variances).sum(axis=1))
    return np.flatnonzero(remainders < REMAINDER_RATIO)


def without_others(seeds):
    """Return what is each seed's own: its residual on all the other seeds.

    Parameters
    ----------
    seeds : ndarray of shape (n_scans, n_seeds)
        Cleaned, centred signals scan by scan, independent as `dependent_seeds` says.

    Returns
    -------
    span : ndarray of shape (n_scans, n_seeds)
        Orthonormal columns that span the seeds.
    own : ndarray of shape (n_seeds, n_seeds)
        Column j of ``span @ own`` is the residual of seed j, scaled to norm 1.

    Notes
    -----
    The residuals are, but for scale, the columns of ``S (S'S)^-1``, and with S = QR
    this is Q times the transpose of ``R^-1``. So no S'S is inverted, which would lose
    twice the digits where seeds are much alike.
    """
    span, triangle = np.linalg.qr(seeds / column_norms(seeds))
    own = np.linalg.inv(triangle).T
    return span, own / column_norms(own)


def correlate_remainders(span, own, voxels, voxel_norms, crew):
    """Return the partial correlation of every seed with every voxel.

    Parameters
    ----------
    span : ndarray of shape (n_components, n_seeds)
        As `without_others` returns it, in the basis of the voxels.
    own : ndarray of shape (n_seeds, n_seeds)
        As `without_others` returns it.
    voxels : ndarray of shape (n_components, n_voxels)
        Cleaned, centred signals in any orthonormal basis of time.
    voxel_norms : ndarray of shape (n_voxels,)
        Their norms in float64; 0 marks a voxel without signal.
    crew : OneWorker or Workers

    Returns
    -------
    r : ndarray of shape (n_seeds, n_voxels), float32
        Within +-`MAX_ABS_R`; 0 where the other seeds leave nothing of a voxel.
    n_explained : int
        How many voxels have a signal of which some seeds leave nothing.

    Notes
    -----
    With a the voxel's product with what is the seed's own, and e the norm of what all
    seeds leave of the voxel, ``r = a / sqrt(e^2 + a^2)``: the root is the norm of what
    the other seeds leave. e^2 is a difference of numbers that may be close, so the sums
    are float64, a chunk of voxels at a time.
    """
    n_seeds, n_voxels = own.shape[1], len(voxel_norms)
    r = np.empty((n_seeds, n_voxels), np.float32)
    step = max(1, CHUNK_SIZE // max(len(voxels), n_seeds))

    def fill(start):
        chunk = slice(start, start + step)
        norms = voxel_norms[chunk]
        parts, left = _parts_and_remainders(span, own, voxels[:, chunk], norms)
        is_left = left > REMAINDER_RATIO * norms
        n_explained = np.count_nonzero(~is_left.all(axis=0) & (norms > 0))
        is_left &= norms > 0
        r[:, chunk] = np.divide(parts, left, out=np.zeros_like(left), where=is_left)
        return n_explained

    n_explained = int(sum(crew.map(fill, range(0, n_voxels, step))))
    return np.clip(r, -MAX_ABS_R, MAX_ABS_R, out=r), n_explained


def _parts_and_remainders(span, own, voxels, voxel_norms):
    """Return the voxels' products with each seed's own, and norms without the others.

    Both are of shape (n_seeds, n_voxels) and in float64.
    """
    inside = span.T @ voxels.astype(np.float64)
    parts = own.T @ inside
    beyond = voxel_norms**2 - np.einsum("ij,ij->j", inside, inside)
    return parts, np.sqrt(parts**2 + np.maximum(beyond, 0.0))


# Fisher z


def fisher_z(r):
    """Return the Fisher z of correlations, ``arctanh(r)``, in the dtype of `r`.

    Notes
    -----
    numpy takes some 20 ns for the arctanh of a float32 and 2 for its logarithm, which
    it computes several at a time. With x = 2r / (1 - r), arctanh(r) is half of
    log(1 + x), and the rounding of 1 + x is made good as Kahan does it for log1p. The
    sign is put aside, as near r = -1 little is left of 1 + x.

    Examples
    --------
    >>> import numpy as np
    >>> fisher_z(np.array([0.0, 0.5])).round(4)
    array([0.    , 0.5493])
    """
    size = np.abs(r)
    x = 2 * size / (1 - size)
    rounded = 1 + x
    exact = rounded == 1
    ratio = np.divide(x, rounded - 1, out=np.ones_like(x), where=~exact)
    return np.copysign(np.where(exact, x, np.log(rounded) * ratio) / 2, r)


def inverse_fisher_z(z):
    """Return the correlations of Fisher z values, ``tanh(z)``."""
    return np.tanh(z)


def mean_of_maps(maps, crew):
    """Return the correlations whose Fisher z is the mean of that of several maps.

    Parameters
    ----------
    maps : list of ndarray of shape (n_voxels,)
        r, within +-`MAX_ABS_R`.
    crew : OneWorker or Workers

    Returns
    -------
    r : ndarray of shape (n_voxels,), float32

    Notes
    -----
    arctanh(r) is half of log((1 + r) / (1 - r)), and a sum of logarithms is that of a
    product: a logarithm is taken once for `MOST_FACTORS` maps.
    """
    r = np.empty(len(maps[0]), np.float32)

    def fill(start):
        chunk = slice(start, start + PIECE)
        total = 0.0
        for first in range(0, len(maps), MOST_FACTORS):
            above = below = 1.0
            for own in maps[first : first + MOST_FACTORS]:
                part = own[chunk].astype(np.float64)
                above = above * (1 + part)
                below = below * (1 - part)
            total = total + np.log(above / below)
        r[chunk] = np.tanh(total / (2 * len(maps)))

    crew.map(fill, range(0, len(r), PIECE))
    return r


def unit_variance(signals):
    """Return centred signals scaled to variance 1 (``ddof=1``), 0 where there is none.

    Parameters
    ----------
    signals : ndarray of shape (n_scans, n_signals)
        Centred; a column of zeros is no signal.
    """
    scale = _reciprocal(column_norms(signals)) * np.sqrt(len(signals) - 1)
    return signals * scale
