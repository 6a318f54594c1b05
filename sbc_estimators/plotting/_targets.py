"""Maps of targets, such as the regions of an atlas: the seed's own is no finding."""

import numpy as np
from scipy import sparse

from .._images.grids import NotLinearError
from .._images.opening import grid_of
from .._signals.kinds import adapter_of

OWN = 0.5
"""Part of the seed in a target, or of a target in the seed, that makes it its own."""


def without_own_targets(estimator, position, values):
    """Return the map of a seed with 0 for the seed's own targets.

    Parameters
    ----------
    estimator : SeedCorrelationMap
    position : int
        Of the seed.
    values : ndarray of shape (n_voxels,)
        As they are where targets are voxels.
    """
    grid = grid_of(estimator.brain_masker_.inverse_transform(values[np.newaxis]))
    if grid is None:
        return values
    is_own = _own_targets(estimator, position, grid)
    return np.where(is_own, 0, values).astype(values.dtype)


def _own_targets(estimator, position, grid):
    """Return which targets a seed lies in, or most of which lies in it."""
    none = np.zeros(estimator.n_voxels_, bool)
    try:
        targets = adapter_of(estimator.brain_masker_, "brain_masker").on(grid)
        if targets.weights is None:
            return none
        seeds = adapter_of(estimator.seed_masker_, "seed_masker").on(grid)
    # A seed that is not known, lies in other images, or elsewhere in each run.
    except (NotLinearError, TypeError, ValueError):
        return none
    targets = _extents(targets, grid)
    seed = _extents(seeds, grid)[:, [position]].toarray().ravel()
    total = targets.sum(axis=1)
    shares = seed / np.where(total > 0, total, 1) / seed.sum()
    sizes = targets.sum(axis=0)
    of_targets = (targets.T @ (seed > 0)) / np.where(sizes > 0, sizes, 1)
    return (targets.T @ shares >= OWN) | (of_targets >= OWN)


def _extents(spatial, grid):
    """Return how much of each output lies in each position, sparse."""
    rows, columns, extents = [], [], []
    for output, (places, own) in enumerate(spatial.members_of_outputs()):
        rows.append(spatial.members[places])
        columns.append(np.full(len(places), output))
        extents.append(own)
    places = np.concatenate(rows), np.concatenate(columns)
    shape = grid.n_positions, spatial.n_outputs
    return sparse.csc_array((np.concatenate(extents), places), shape=shape)
