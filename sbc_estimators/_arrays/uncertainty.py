"""How sure a correlation is: z scores, the variance of Fisher z, and partial r.

All from effective degrees of freedom, which `dimensions` takes of a map's signals.
"""

import numpy as np

from .correlation import MAX_ABS_R, REMAINDER_RATIO
from .dimensions import Directions, chunks, dof_of, scales

LEAST_LEFT = 1e-9
"""What other seeds leave of white noise in a band is rounding below this part."""


def z_score(r, dof):
    """Return correlations as normal deviates: standard normal where nothing correlates.

    Parameters
    ----------
    r : ndarray
    dof : ndarray of the shape of `r`
        Effective degrees of freedom, NaN where there is no signal.

    Returns
    -------
    z : ndarray
        In the dtype of `r`; 0 where there is no signal.

    Notes
    -----
    Given D degrees of freedom, ``t = r sqrt(v / (1 - r^2))`` is Student's t with
    v = D - 1 degrees of freedom (at least 1), and ::

        z = sign(r) (8 v + 1) / (8 v + 3) sqrt(v log(1 + t^2 / v))

    is the normal deviate of the same probability, within 0.5 % for D above 11 and z
    up to 5 [1]_. With few degrees of freedom it is too small. It tests that there is no
    correlation: a strong r has a smaller z than its Fisher z over its standard error.

    ``log(1 + t^2 / v)`` is ``-log(1 - r^2)``, computed as a factor of r^2: what rounds
    1 - r^2 for a small r then hardly matters.

    References
    ----------
    .. [1] Wallace (1959). Bounds on normal approximations to Student's and the
       chi-square distributions. Annals of Mathematical Statistics, 30(4), 1121-1130.

    Examples
    --------
    >>> import numpy as np
    >>> z_score(np.array([0.0, 0.3, -0.3]), np.array([50.0, 50.0, 10.0])).round(3)
    array([ 0.   ,  2.139, -0.897])
    """
    v = np.maximum(dof - 1, 1)
    left = (1 - np.abs(r)) * (1 + np.abs(r))
    growth = np.divide(np.log(left), left - 1, out=np.ones_like(r), where=left != 1)
    z = r * (8 * v + 1) / (8 * v + 3) * np.sqrt(v * growth)
    return np.where(np.isnan(dof), 0, z).astype(r.dtype, copy=False)


def fisher_z_variance(directions, voxels, norms, dof, crew):
    """Return the variance of Fisher z, for intervals and weights.

    Parameters
    ----------
    directions : Directions
    voxels : ndarray of shape (rank, n_voxels)
        Cleaned, centred signals in the basis that the bands cut; of any memory layout.
    norms : ndarray of shape (n_voxels,)
        Their norms; 0 marks a voxel without signal.
    dof : ndarray of shape (n_seeds, n_voxels)
        Effective degrees of freedom D of the same correlations.
    crew : OneWorker or Workers

    Returns
    -------
    variance : ndarray of shape (n_seeds, n_voxels), float32
        NaN where there is no signal.

    Notes
    -----
    This is the delta method in bands. With a and b the shares of power of seed and
    voxel in a band, c their product there (the c sum to r), and m the band's dimension
    times what other seeds leave of it, it is ::

        D / (D - 2) sum [a b + c^2 - 2 r c (a + b) + r^2 / 2 (a^2 + b^2 + 2 c^2)] / m

    over (1 - r^2)^2, with D - 2 at least 1. 1 / (D - 2) alone holds where nothing
    correlates, or where what two signals share has the spectrum of what they don't.

    Signals are taken as normal, and as independent between bands. Variances depend on
    the r of their voxel, so that they bias a mean that they weigh voxel by voxel.
    """
    variance = np.empty(dof.shape, np.float32)

    def fill(chunk):
        spread = _spread(directions, voxels[:, chunk], norms[chunk])
        some = dof[:, chunk].astype(np.float64)
        variance[:, chunk] = some / np.maximum(some - 2, 1) * spread

    # An eighth of the usual chunk, as there are some ten arrays of its size.
    crew.map(fill, chunks(len(norms), 8 * max(directions.unit.shape)))
    return variance


def _spread(directions, voxels, norms):
    """Return the delta method's variance of Fisher z, not adjusted for a small D."""
    rest, parts, powers = remainders(directions, voxels, norms)
    roots, squares = np.sqrt(powers), directions.unit**2
    r = directions.unit.T @ rest + parts * squares.sum(axis=0)[:, np.newaxis]
    r = np.clip(r / roots, -MAX_ABS_R, MAX_ABS_R)
    total = np.zeros_like(r)
    dimensions = directions.bands.dimensions[:, np.newaxis] * directions.left
    for band, m in zip(directions.bands.slices, dimensions, strict=True):
        a = squares[band].sum(axis=0)[:, np.newaxis]
        own, cross = parts * a, directions.unit[band].T @ rest[band]
        b = np.einsum("ij,ij->j", rest[band], rest[band]) + 2 * parts * cross
        b, c = (b + parts * own) / powers, (cross + own) / roots
        term = a * b + c**2 - 2 * r * c * (a + b) + r**2 / 2 * (a**2 + b**2 + 2 * c**2)
        total += term / m[:, np.newaxis]
    return total / (1 - r**2) ** 2


# Partial correlation: what is left of a voxel differs from seed to seed


def directions_of_remainders(span, own, bands):
    """Return the directions of partial correlation.

    Parameters
    ----------
    span : ndarray of shape (rank, n_seeds)
        As `correlate_remainders` takes it.
    own : ndarray of shape (n_seeds, n_seeds)
        As `correlate_remainders` takes it.
    bands : Bands

    Notes
    -----
    With H what the others of a seed take out, white noise of variance 1 leaves the
    variances ``diag((I - H)^2)``. They are ``1 - diag(H)`` where seeds are cleaned like
    voxels; else H, seen in the basis of the voxels, is no projection.
    """
    unit = span @ own
    once = np.sum(span**2, axis=1, keepdims=True) - unit**2
    twice = np.sum(span @ (span.T @ span) * span, axis=1, keepdims=True) - unit * (
        2 * span @ (span.T @ unit) - unit * np.sum(unit**2, axis=0)
    )
    left = bands.sums(bands.expected[:, np.newaxis] * (1 - 2 * once + twice))
    return Directions(bands, unit, np.maximum(left, LEAST_LEFT), span, own)


def partial_dof(directions, voxels, norms, crew):
    """Return the effective degrees of freedom of partial correlations.

    Parameters
    ----------
    directions : Directions
        As `directions_of_remainders` makes them.
    voxels : ndarray of shape (rank, n_voxels)
        Cleaned, centred signals in the basis that the bands cut; of any memory layout.
    norms : ndarray of shape (n_voxels,)
        Their norms; 0 marks a voxel without signal.
    crew : OneWorker or Workers

    Returns
    -------
    dof : ndarray of shape (n_seeds, n_voxels), float32
        D, one over the variance of r where nothing correlates. NaN where there is no
        signal, or other seeds leave nothing of it.

    Notes
    -----
    With e what all seeds leave of a voxel, a its product with what is a seed's own, o,
    the other seeds leave e + a o, with the power ::

        |e_k|^2 + 2 a o_k . e_k + a^2 |o_k|^2

    in band k. As D is linear in it, one more product with the voxels does.
    """
    bands, weights = directions.bands, directions.weights
    per_axis = np.repeat(weights, bands.sizes, axis=0) * directions.unit
    of_own = np.sum(per_axis * directions.unit, axis=0)[:, np.newaxis]
    dof = np.empty((weights.shape[1], len(norms)), np.float32)

    def fill(chunk):
        rest, parts, powers = remainders(directions, voxels[:, chunk], norms[chunk])
        variance = weights.T @ bands.sums(rest**2)
        variance += 2 * parts * (per_axis.T @ rest) + parts**2 * of_own
        dof[:, chunk] = dof_of(variance / powers)

    crew.map(fill, chunks(len(norms), max(directions.unit.shape)))
    return dof


def remainders(directions, voxels, norms):
    """Return what is left of voxels of norm 1 where seeds are taken out, in float64.

    Returns
    -------
    rest : ndarray of shape (rank, n_voxels)
        What all of the span leaves.
    parts : ndarray of shape (n_seeds, n_voxels)
        Products with what is each seed's own.
    powers : ndarray of shape (n_seeds, n_voxels)
        Squared norms of what each seed's others leave, NaN where that is nothing.
    """
    unit = voxels * scales(norms)
    inside = directions.span.T @ unit
    parts = directions.own.T @ inside
    beyond = 1 - np.einsum("ij,ij->j", inside, inside)
    powers = np.maximum(beyond, 0) + parts**2
    powers[~(powers > REMAINDER_RATIO**2)] = np.nan
    return unit - directions.span @ inside, parts, powers
