"""Maps of a part as those of a whole, and smoothing within parts: arrays only."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from .spatial import SpatialMap, VolumeSmoother, smoothing_matrices
from .streaming import look_up, lookup

WIDTHS_PER_SIGMA = np.sqrt(8 * np.log(2))
"""Full widths at half maximum in a standard deviation, of a Gaussian."""

TRUNCATED = 4.0
"""Standard deviations beyond which nilearn's Gaussian is 0."""


def moved(spatial, columns):
    """Return a map of positions as one of their columns, as far as these have one.

    Parameters
    ----------
    spatial : SpatialMap
        Not smoothed.
    columns : ndarray of int of shape (n_positions,)
        -1 for a position that has none: it is left out, and counts as lost.

    Notes
    -----
    Means are over what is left. Maps that are fitted take what is left out for 0.
    """
    places = columns[spatial.members]
    kept = np.flatnonzero(places >= 0)
    kept = kept[np.argsort(places[kept])]
    members = places[kept].astype(np.intp)
    whole = spatial.weights
    if whole is None:
        whole = sparse.eye_array(len(spatial.members), format="csc")
    is_mean = spatial.extents is None
    sizes = (whole != 0).astype(np.float64) if is_mean else spatial.extents
    weights, left = whole[kept], sizes[kept]
    lost = sizes.sum(axis=0) - left.sum(axis=0)
    lost = lost if spatial.lost is None else lost + spatial.lost
    if is_mean:
        total = np.maximum(weights.sum(axis=0), np.finfo(float).tiny)
        weights = weights @ sparse.diags_array(whole.sum(axis=0) / total)
    return SpatialMap(
        members,
        sparse.csc_array(weights),
        extents=None if is_mean else sparse.csc_array(left),
        lost=lost,
    )


@dataclass(frozen=True, eq=False)
class PartwiseSmoothing:
    """Smoothing of each of some parts by itself.

    Attributes
    ----------
    parts : list of (ndarray of int, callable)
        The positions of each, and what smooths their values.
    key : str
        Changes when what it does changes.
    """

    parts: list
    key: str

    def inputs(self, spatial_map):
        """Return the positions on which the smoothed members of a map depend."""
        members = spatial_map.members
        needed = [own for own, _ in self.parts if np.isin(own, members).any()]
        return np.sort(np.concatenate(needed))

    def between(self, positions, members):
        """Return the function from values at positions to smoothed ones at members.

        The positions are those of `inputs` and maybe others, in any order.
        """
        held, wanted, steps = lookup(positions), lookup(members), []
        for own, smooth in self.parts:
            places = look_up(wanted, own)
            is_wanted = places >= 0
            if is_wanted.any():
                steps.append((held[own], smooth, is_wanted, places[is_wanted]))

        def smoothed(row):
            out = np.empty(len(members), row.dtype)
            for into, smooth, is_wanted, places in steps:
                out[places] = smooth(row[into])[is_wanted]
            return out

        return smoothed


class VoxelSmoothing:
    """A Gaussian over the voxels of one part, which takes nothing from beyond.

    Weights are nilearn's, divided by their sum over the part.

    Parameters
    ----------
    voxels : ndarray of int of shape (n_voxels, 3)
    affine : ndarray of shape (4, 4)
    fwhm : float
        In mm.
    """

    def __init__(self, voxels, affine, fwhm):
        first = voxels.min(axis=0)
        shape = voxels.max(axis=0) - first + 1
        sizes = np.linalg.norm(affine[:3, :3], axis=0)
        # nilearn reflects at the borders of an image: none is in reach.
        margin = np.ceil(TRUNCATED * fwhm / WIDTHS_PER_SIGMA / sizes).astype(int) + 1
        matrices = smoothing_matrices(fwhm, affine, tuple(shape + 2 * margin))
        matrices = [
            matrix[n:-n, n:-n] for matrix, n in zip(matrices, margin, strict=True)
        ]
        places = np.ravel_multi_index(tuple((voxels - first).T), tuple(shape))
        self._smoother = VolumeSmoother(places, places, matrices, tuple(shape))
        self._sums = self._smoother(np.ones(len(voxels)))

    def __call__(self, values):
        """Return the smoothed values of the voxels."""
        return self._smoother(values) / self._sums


def weighted_by(weights):
    """Return what smooths by a sparse matrix, in float64."""
    return lambda values: weights @ values.astype(np.float64)
