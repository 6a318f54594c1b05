"""Which voxels (vertices) each seed is made of, and how: arrays only."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse

from .smoothing import n_smoothing_weights, smoothing_weights

MOST_SMOOTHING_WEIGHTS = 2**23
"""The most numbers that a smoothing matrix may hold: about 100 MB."""


@dataclass(frozen=True, eq=False)
class SeedRegions:
    """The voxels of seeds on the grid of a run, or the vertices on its surface.

    Voxels are counted in C order of the grid (x, y, z), vertices through the parts of
    a surface, left then right.

    Attributes
    ----------
    inputs : ndarray of int of shape (n_inputs,)
        The raw voxels that have a part in any seed.
    smoothing : sparse array of shape (n_inputs, n_members), or None
        ``raw[:, inputs] @ smoothing`` are the signals of the members; None where they
        are the raw ones.
    members : ndarray of int of shape (n_members,)
        The voxels that the seeds are made of.
    membership : sparse array of shape (n_members, n_seeds)
        How seeds are made of members: 1 / n each for a mean of n. Seeds may share
        members.
    extents : sparse array of shape (n_members, n_seeds), or None
        How much of each seed lies in each member, above 0, in any unit. None where a
        seed lies in all of its members alike.
    lost : ndarray of shape (n_seeds,), or None
        How much of each seed lies in no member though it was asked for, in the unit of
        `extents`, or in voxels; None for nothing.
    """

    inputs: np.ndarray
    smoothing: Any
    members: np.ndarray
    membership: Any
    extents: Any = None
    lost: Any = None

    @property
    def n_seeds(self):
        """Number of seeds."""
        return self.membership.shape[1]

    @cached_property
    def weights(self):
        """Seeds as sums of raw voxels, sparse of shape (n_inputs, n_seeds)."""
        if self.smoothing is None:
            return self.membership
        return sparse.csc_array(self.smoothing @ self.membership)

    def sizes(self):
        """Return how many members each seed has, `(n_seeds,)`."""
        return np.diff(self.membership.indptr)

    def members_of_seeds(self):
        """Yield for each seed the places of its members, and how much lies in each.

        Places are those among all members, in `extents` as 1 where it is None.
        """
        extents = self.membership if self.extents is None else self.extents
        for first, last in zip(extents.indptr[:-1], extents.indptr[1:], strict=True):
            places = extents.indices[first:last]
            if self.extents is None:
                yield places, np.ones(len(places))
            else:
                yield places, extents.data[first:last]

    def equal_weights(self):
        """Whether every seed weighs all of its voxels alike."""
        weights = self.membership
        pieces = np.split(weights.data, weights.indptr[1:-1])
        return all(np.ptp(piece) == 0 for piece in pieces if len(piece))

    def signals(self, raw):
        """Return the signals of seeds in float64, `(n_scans, n_seeds)`.

        Parameters
        ----------
        raw : ndarray of shape (n_inputs, n_scans)
            Of the inputs alone, in their order.
        """
        return (self.weights.T @ raw.astype(np.float64, copy=False)).T


def _unsmoothed(members, membership, extents=None):
    """Return seeds whose members are raw voxels."""
    membership = sparse.csc_array(membership)
    return SeedRegions(members, None, members, membership, extents)


def voxel_regions(voxels):
    """Return seeds that are one voxel each."""
    return _unsmoothed(voxels, sparse.eye_array(len(voxels), format="csc"))


def mean_regions(regions, lost=None):
    """Return seeds that are means, from the indices of the voxels of each.

    Parameters
    ----------
    regions : list of ndarray of int
        May share voxels; none holds one twice.
    lost : ndarray of int of shape (n_seeds,) or None, default=None
        How many more voxels of each were asked for.
    """
    sizes = np.array([len(voxels) for voxels in regions])
    members, rows = np.unique(np.concatenate(regions), return_inverse=True)
    seeds = np.repeat(np.arange(len(regions)), sizes)
    weights = (1 / np.maximum(sizes, 1))[seeds]
    shape = (len(members), len(regions))
    membership = sparse.csc_array((weights, (rows, seeds)), shape=shape)
    return replace(_unsmoothed(members, membership), lost=lost)


def label_regions(labels, wanted):
    """Return seeds that are the means over labelled regions.

    Parameters
    ----------
    labels : ndarray of shape (n_voxels,)
    wanted : sequence of n_seeds labels
        In the order of the seeds, none twice; one that is nowhere has no members.
    """
    wanted = np.asarray(wanted)
    order = np.argsort(wanted)
    places = np.searchsorted(wanted, labels, sorter=order)
    seeds = order[np.minimum(places, len(wanted) - 1)]
    members = np.flatnonzero(wanted[seeds] == labels)
    seeds = seeds[members]
    sizes = np.bincount(seeds, minlength=len(wanted))
    shape = (len(members), len(wanted))
    weights = (1 / sizes[seeds], (np.arange(len(members)), seeds))
    return _unsmoothed(members, sparse.csc_array(weights, shape=shape))


def map_regions(maps):
    """Return seeds that are fitted to the voxels by least squares.

    Parameters
    ----------
    maps : ndarray of shape (n_voxels, n_maps)
        Weights, 0 outside a mask. Voxels with any weight are members.

    Notes
    -----
    With maps M, signals S minimise the squares of ``M S - V`` over voxels V. That is
    linear in V: S is ``pinv(M) V``. Directions with singular values below rounding
    beside the largest are left out, as :func:`scipy.linalg.lstsq` leaves them out.
    """
    members = np.flatnonzero(maps.any(axis=1))
    maps = maps[members].astype(np.float64, copy=False)
    left, scales, right = np.linalg.svd(maps, full_matrices=False)
    keep = scales > np.finfo(np.float64).eps * scales.max(initial=0.0)
    # Where maps overlap, each takes part in all voxels of the others, but lies in its
    # own.
    extents = sparse.csc_array(np.abs(maps))
    return _unsmoothed(members, (left[:, keep] / scales[keep]) @ right[keep], extents)


def smoothed_regions(regions, matrices, shape):
    """Return the same seeds made of smoothed voxels, or None if they are too many.

    Parameters
    ----------
    regions : SeedRegions
        Not smoothed.
    matrices : list of ndarray
        As `smoothing_matrices` returns them.
    shape : tuple of 3 int
    """
    if n_smoothing_weights(len(regions.members), matrices) > MOST_SMOOTHING_WEIGHTS:
        return None
    inputs, smoothing = smoothing_weights(regions.members, matrices, shape)
    return replace(regions, inputs=inputs, smoothing=smoothing)
