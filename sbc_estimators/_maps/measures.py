"""From cleaned signals of seeds and voxels to r, by each measure."""

import numpy as np

from .._arrays.correlation import (
    REMAINDER_RATIO,
    correlate,
    correlate_remainders,
    dependent_seeds,
    without_others,
)
from .._signals.sources import signal_names
from .._support.checks import check_independent_seeds, check_seeds_leave_something
from .._support.threads import workers


def correlate_by(measure, source, seeds, voxels, where):
    """Return r of seeds with voxels.

    Parameters
    ----------
    measure : str
        "correlation", "partial" or "semipartial".
    source : SignalSource
        Where the seeds come from, for their names.
    seeds, voxels : CleanedSignals
        Of the same scans, each in a basis of its own; every seed has a signal.
    where : str
        Names the run in errors.

    Returns
    -------
    r : ndarray of shape (n_seeds, n_voxels), float32
    n_explained : int
        Voxels of which some seed's other seeds leave nothing, so that r is 0.

    Raises
    ------
    ValueError
        If the other seeds cannot be taken out, as seeds are sums of one another or
        take up all directions of time.
    """
    n_seeds = len(seeds.norms)
    with workers() as crew:
        if measure == "correlation" or n_seeds == 1:
            series = seeds.in_basis(voxels.basis)
            norms = seeds.norms, voxels.norms
            return correlate(series, voxels.coordinates, *norms, crew), 0
        series = seeds.series()
        names = signal_names(source, n_seeds, "seed")
        check_independent_seeds(dependent_seeds(series), names, measure, where)
        span, own = without_others(series)
        if measure == "semipartial":
            series, norms = _in_basis(voxels, span @ own), np.ones(n_seeds)
            return correlate(series, voxels.coordinates, norms, voxels.norms, crew), 0
        check_seeds_leave_something(n_seeds, _directions_left(span, voxels), where)
        span = _in_basis(voxels, span)
        return correlate_remainders(span, own, voxels.coordinates, voxels.norms, crew)


def _in_basis(voxels, series):
    """Return series scan by scan as coordinates in the basis of voxels."""
    return series if voxels.basis is None else voxels.basis.T @ series


def _directions_left(span, voxels):
    """Return how many directions of the voxels' time lie beyond the seeds'."""
    n_seeds = span.shape[1]
    if voxels.basis is None:
        return len(span) - 1 - n_seeds
    if n_seeds < voxels.rank:
        return voxels.rank - n_seeds
    # Only seeds that are cleaned otherwise than voxels leave something here.
    beyond = voxels.basis - span @ (span.T @ voxels.basis)
    return int(np.sum(np.linalg.svd(beyond, compute_uv=False) > REMAINDER_RATIO))
