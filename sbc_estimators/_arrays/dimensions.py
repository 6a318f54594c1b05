"""Bands of time, and the effective degrees of freedom that correlations have in them.

A cleaning's axes are cut into narrow bands, in each of which noise of any colour is
white, so that nobody needs to estimate its spectrum. If a
voxel's noise is white inside each band before cleaning, with any power in each, then,
given its power there and any seed, fixed or random, the r of signals that do not
correlate has the variance ::

    1 / D = sum_k f_k w_k,   f_k = |v_k|^2 / |v|^2,   w_k = sum_i E_i u_i^2 / |u|^2

with v_k the voxel's coordinates in band k, u_i the seed's on axis i of that band, and
E_i the expected share of that axis in the power of the band (`Bands.expected`). No
spectrum is estimated. With one band and a random seed, D is Satterthwaite's for white
noise, ``tr(S)^2 / tr(S^2)``; with pairs of neighbouring frequencies everywhere, it is
what random phases of a seed give [1]_. It is a rotation test [2]_ in closed form.

Noise that changes within a band of 6 to 24 axes, as strongly red noise does at the
lowest frequencies, has fewer degrees of freedom than this, and so has noise whose
variance changes within a run.

References
----------
.. [1] Theiler et al. (1992). Testing for nonlinearity in time series: the method of
   surrogate data. Physica D, 58(1-4), 77-94.
   https://doi.org/10.1016/0167-2789(92)90102-S
.. [2] Langsrud (2005). Rotation tests. Statistics and Computing, 15(1), 53-60.
   https://doi.org/10.1007/s11222-005-4789-5
"""

from dataclasses import dataclass, replace

import numpy as np

from .correlation import CHUNK_SIZE

CLASS_EDGES = (1.05, 0.7, 0.3)
"""Gains of the cleaning at which one class of axes ends and the next begins.

A filter's padding amplifies the scans at the ends, splines those around censored
bursts: axes above 1.05, which cut across all frequencies.
"""

SMALLEST_BAND, LARGEST_BAND, GROWTH = 6, 24, 0.3
"""Axes of a band: this part of the axes before it in its class, within these bounds."""

AMPLIFIED_BAND = 2
"""Axes of a band where cleaning amplifies."""

LOG_STEPS = np.arange(-40.0, 80.0, 0.25)
"""Where `expected_shares` evaluates its integrand, as logarithms."""


@dataclass(frozen=True, eq=False)
class Bands:
    """The axes of a cleaning's basis, cut into orthogonal bands of time.

    Attributes
    ----------
    ends : ndarray of int of shape (n_bands,)
        Where each band ends; the next one begins there.
    expected : ndarray of shape (rank,)
        Each axis's expected share in the power of its band under white noise. They
        sum to 1 in each band.
    dimensions : ndarray of shape (n_bands,)
        The dimension of each band, ``1 / sum(expected**2)`` over its axes: their
        number where cleaning treats all of them alike.
    """

    ends: np.ndarray
    expected: np.ndarray
    dimensions: np.ndarray

    @property
    def starts(self):
        """Where each band begins."""
        return np.concatenate([[0], self.ends[:-1]])

    @property
    def sizes(self):
        """How many axes each band has."""
        return np.diff(self.ends, prepend=0)

    @property
    def slices(self):
        """The axes of each band."""
        return [slice(*edges) for edges in zip(self.starts, self.ends, strict=True)]

    def sums(self, values):
        """Return sums over the axes of each band, `(n_bands, n_columns)`."""
        return np.add.reduceat(values, self.starts, axis=0)


def in_bands(basis, projection, kept):
    """Rotate the axes of a cleaning into bands of time.

    Parameters
    ----------
    basis : ndarray of shape (n_kept_scans, rank)
        Orthonormal columns that span the cleaned, centred signals.
    projection : ndarray of shape (rank, n_kept_scans)
        Takes raw signals to their coordinates in `basis`. Its rows are orthogonal, as
        a singular value decomposition leaves them; their norms are the gains.
    kept : ndarray of int of shape (n_kept_scans,)
        Indices of the scans that are not censored, ascending.

    Returns
    -------
    basis, projection : ndarray
        The same cleaning with rotated axes. No norm and no inner product of
        coordinates changes but by rounding, so no correlation does.
    bands : Bands

    Notes
    -----
    Axes are put into classes by their gain, and a class in order of roughness: by the
    eigenvectors of B'B, B being the differences of `basis` between neighbouring kept
    scans over the square root of their gap. This is an order by frequency that knows
    of gaps. The i-th axis of a class opens a band of 0.3 i axes, at least 6 and at
    most 24. Where cleaning amplifies, axes cut across all frequencies: they stay as
    they are, in pairs. Within a band, axes are turned to the left singular vectors of
    its part of `projection`: then coordinates of white noise are independent.

    These settings come of simulations and are frozen: 6 to 24 axes are few enough for
    a spectrum to be flat in them, and their number hardly matters otherwise.
    """
    gains = np.linalg.norm(projection, axis=1)
    classes = np.searchsorted(-np.array(CLASS_EDGES), -gains, side="left")
    bases, projections, sizes = [], [], []
    for k in np.unique(classes):
        axes = np.flatnonzero(classes == k)
        part = basis[:, axes], projection[axes]
        part = part if k == 0 else _by_roughness(*part, kept)
        sizes_here = _sizes(len(axes), amplified=k == 0)
        _make_independent(*part, sizes_here)
        bases.append(part[0])
        projections.append(part[1])
        sizes.extend(sizes_here)
    projection = np.concatenate(projections)
    return np.hstack(bases), projection, _bands(projection, np.cumsum(sizes))


def _by_roughness(basis, projection, kept):
    """Return a class of axes rotated so that they run from smooth to rough."""
    steps = np.diff(basis, axis=0) / np.sqrt(np.diff(kept))[:, np.newaxis]
    _, rotation = np.linalg.eigh(steps.T @ steps)
    return basis @ rotation, rotation.T @ projection


def _sizes(n_axes, amplified):
    """Return how many axes each band of a class has."""
    sizes, start = [], 0
    while start < n_axes:
        size = int(np.clip(GROWTH * (start + 1), SMALLEST_BAND, LARGEST_BAND))
        size = min(AMPLIFIED_BAND if amplified else size, n_axes - start)
        sizes.append(size)
        start += size
    return sizes


def _make_independent(basis, projection, sizes):
    """Rotate axes within bands, in place, to where those of white noise are so."""
    start = 0
    for size in sizes:
        band = slice(start, start + size)
        rows = projection[band]
        _, rotation = np.linalg.eigh(rows @ rows.T)
        projection[band] = rotation.T @ rows
        basis[:, band] = basis[:, band] @ rotation
        start += size


def _bands(projection, ends):
    """Return the bands of rotated axes that end at `ends`."""
    variances = np.einsum("ij,ij->i", projection, projection)
    parts = np.split(variances, ends[:-1])
    expected = np.concatenate([expected_shares(part) for part in parts])
    starts = np.concatenate([[0], ends[:-1]])
    return Bands(ends, expected, 1 / np.add.reduceat(expected**2, starts))


def expected_shares(variances):
    """Return the expected share of each of some normal variables in their power.

    Parameters
    ----------
    variances : ndarray of shape (n_axes,)
        Variances of independent normal variables of mean 0, all above 0.

    Returns
    -------
    shares : ndarray of shape (n_axes,)
        ``E[x_i^2 / sum_j x_j^2]``. They sum to 1, and are ``1 / n_axes`` for equal
        variances.

    Notes
    -----
    The share of axis i with variance v_i is ::

        integral_0^inf v_i / (1 + 2 t v_i) prod_j (1 + 2 t v_j)^(-1/2) dt

    With t = exp(x) the integrand is analytic within pi of the real line, where the
    trapezoidal rule converges like ``exp(-2 pi^2 / step)`` [1]_, however unlike the
    variances are. The steps of 0.25 leave an error below 1e-14 for up to 24 axes.

    References
    ----------
    .. [1] Trefethen, Weideman (2014). The exponentially convergent trapezoidal rule.
       SIAM Review, 56(3), 385-458. https://doi.org/10.1137/130932132

    Examples
    --------
    >>> import numpy as np
    >>> expected_shares(np.array([1.0, 4.0])).round(4)  # not 1 : 4
    array([0.3333, 0.6667])
    """
    scaled = variances / variances.max()
    t = np.exp(LOG_STEPS)
    grown = 1 + 2 * np.outer(scaled, t)
    product = np.exp(-0.5 * np.log(grown).sum(axis=0))
    shares = (scaled[:, np.newaxis] * t / grown) @ product
    return shares / shares.sum()


# Degrees of freedom

LEAST_OVERLAP = 1e-30
"""Smallest variance of r: that of signals that share no band at all would be 0."""


@dataclass(frozen=True, eq=False)
class Directions:
    """What voxels are correlated with: seeds, or what is each seed's own.

    Attributes
    ----------
    bands : Bands
        Of the cleaning of the voxels.
    unit : ndarray of shape (rank, n_seeds)
        Coordinates of seeds in the basis of the voxels over the norms of the whole
        seeds, whatever part of them the basis holds. NaN where a seed has no signal.
    left : ndarray of shape (n_bands, n_seeds)
        What part of white noise in a band is left where other seeds are taken out of
        voxels: 1 - h, h being the leverage of an axis, 0 where nothing is taken out.
    span : ndarray of shape (rank, n_spanning)
        Coordinates of orthonormal signals that span what is taken out.
    own : ndarray of shape (n_spanning, n_seeds)
        How `unit` goes together from `span`, where something is taken out.
    """

    bands: Bands
    unit: np.ndarray
    left: np.ndarray
    span: np.ndarray
    own: np.ndarray

    @property
    def weights(self):
        """The w_k of each seed, over what is left, `(n_bands, n_seeds)`."""
        shares = self.bands.expected[:, np.newaxis] * self.unit**2
        return self.bands.sums(shares) / self.left


def directions_of_seeds(seeds, norms, bands):
    """Return the directions of plain and of semipartial correlation.

    Parameters
    ----------
    seeds : ndarray of shape (rank, n_seeds)
        Cleaned, centred signals in the basis of the voxels. They may be cleaned
        otherwise, or not at all.
    norms : ndarray of shape (n_seeds,)
        Norms of the whole signals; 0 marks a seed without signal.
    bands : Bands
    """
    rank, n_seeds = seeds.shape
    unit = seeds * scales(norms)
    left = np.ones((len(bands.ends), n_seeds))
    return Directions(bands, unit, left, np.zeros((rank, 0)), np.zeros((0, n_seeds)))


def scales(norms):
    """Return 1 / norms, and NaN where a norm is 0."""
    return np.divide(1.0, norms, out=np.full(len(norms), np.nan), where=norms > 0)


# Plain and semipartial correlation: powers once, then a product for all seeds


def band_shares(voxels, norms, bands, crew):
    """Return how the power of each voxel spreads over bands.

    Parameters
    ----------
    voxels : ndarray of shape (rank, n_voxels)
        Cleaned, centred signals in the basis that the bands cut; of any memory layout.
    norms : ndarray of shape (n_voxels,)
        Their norms; 0 marks a voxel without signal.
    bands : Bands
    crew : OneWorker or Workers

    Returns
    -------
    shares : ndarray of shape (n_bands, n_voxels), float32
        They sum to 1 for each voxel, and are NaN where there is no signal. To the last
        bit they are the same whatever other voxels there are.
    """
    shares = np.empty((len(bands.ends), len(norms)), np.float32)

    def fill(chunk):
        per_norm = scales(norms[chunk]).astype(voxels.dtype)
        part = np.multiply(voxels[:, chunk], per_norm, order="C")
        np.square(part, out=part)
        for k, band in enumerate(bands.slices):
            shares[k, chunk] = part[band].sum(axis=0)

    crew.map(fill, chunks(len(norms), len(voxels)))
    return shares


def effective_dof(directions, shares, crew):
    """Return the effective degrees of freedom of plain or semipartial correlations.

    Parameters
    ----------
    directions : Directions
        As `directions_of_seeds` makes them.
    shares : ndarray of shape (n_bands, n_voxels)
        As `band_shares` returns them.
    crew : OneWorker or Workers

    Returns
    -------
    dof : ndarray of shape (n_seeds, n_voxels), float32
        D, one over the variance of r where nothing correlates. NaN where either
        signal is none. It is above the rank of the cleaning where two signals hardly
        share a band.
    """
    weights = directions.weights.T.astype(shares.dtype)
    dof = np.empty((len(weights), shares.shape[1]), np.float32)

    def fill(chunk):
        dof[:, chunk] = dof_of(weights @ shares[:, chunk])

    crew.map(fill, chunks(shares.shape[1], max(weights.shape)))
    return dof


def dof_of(variance):
    """Return the degrees of freedom, one over the variance of r; NaN where that is."""
    return 1 / np.maximum(variance, LEAST_OVERLAP)


def chunks(n_voxels, n_rows):
    """Return slices of voxels, as many as fit in cache with that many rows."""
    step = max(1, CHUNK_SIZE // n_rows)
    return [slice(start, start + step) for start in range(0, n_voxels, step)]


# What there is to report

MANY = 5000
"""About how many voxels a median is taken of, where nothing else is asked for."""

NEIGHBOURS = 16
"""Voxels next to each other that are taken: those of a line of cache."""


def sampled(signals):
    """Return some thousand of `CleanedSignals`, which lie evenly among all of them."""
    names = "coordinates", "norms", "shares"
    step = max(1, len(signals.norms) // MANY)
    if step == 1:
        return signals
    arrays = {name: getattr(signals, name) for name in names}
    some = {n: _some_of(own, step) for n, own in arrays.items() if own is not None}
    return replace(signals, **some)


def _some_of(rows, step):
    """Return some columns: a few neighbours in each of many pieces."""
    size = step * NEIGHBOURS
    n_pieces = rows.shape[-1] // size
    pieces = rows[..., : n_pieces * size].reshape(*rows.shape[:-1], n_pieces, size)
    return pieces[..., :NEIGHBOURS].reshape(*rows.shape[:-1], -1)


def median_dof(dof, crew):
    """Return the median over voxels of each seed's degrees of freedom, `(n_seeds,)`.

    Voxels without signal do not count; NaN where no voxel has any.
    """
    return np.array(crew.map(_median, dof))


def _median(values):
    """Return the median of numbers of which some may be NaN.

    numpy is quickest with one place to part at, and has NaN behind all numbers.
    """
    n = np.count_nonzero(~np.isnan(values))
    if not n:
        return np.nan
    parted = np.partition(values, n // 2)
    middle = parted[n // 2]
    return float(middle if n % 2 else (middle + parted[: n // 2].max()) / 2)
