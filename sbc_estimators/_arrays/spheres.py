"""Spheres of voxels around coordinates: affines and shapes only."""

import numpy as np

SLACK = 1e-6
"""Millimetres by which a centre may lie beyond the radius: the rounding of affines."""


def sphere_voxels(seeds, radius, affine, shape):
    """Return the voxels of the sphere around each seed.

    A sphere holds the voxels whose centres lie within `radius`, and always the voxel
    that holds the seed itself.

    Parameters
    ----------
    seeds : array-like of shape (n_seeds, 3)
        Coordinates in mm.
    radius : float or None, or a sequence with one for each seed
        In mm; None means the voxel that holds the seed alone.
    affine : ndarray of shape (4, 4)
        Takes voxel indices to mm; oblique, flipped and anisotropic ones are fine.
    shape : tuple of 3 int
        Shape of the grid.

    Returns
    -------
    spheres : list of ndarray of shape (n_voxels_in_sphere,)
        Ascending flat indices into the grid in C order. Empty where the voxel that
        holds the seed is not in the grid, however far the sphere reaches into it.
    """
    radii = np.array([own or 0.0 for own in one_each(radius, len(seeds))])
    voxels, beside = _holding_voxels(seeds, affine)
    inside = is_in_grid(voxels.T, shape)
    spheres = [np.empty(0, dtype=np.intp)] * len(seeds)
    for own in np.unique(radii[inside]):
        chosen = np.flatnonzero(inside & (radii == own))
        offsets = _candidates(own, affine, shape, voxels[chosen])
        away, is_own = affine[:3, :3] @ offsets, ~offsets.any(axis=0)
        for i in chosen:
            x, y, z = away - beside[i][:, np.newaxis]
            near = is_own | (x * x + y * y + z * z <= (own + SLACK) ** 2)
            x, y, z = voxels[i][:, np.newaxis] + offsets[:, near]
            flat = np.ravel_multi_index((x, y, z), shape, mode="wrap")
            spheres[i] = flat[is_in_grid((x, y, z), shape)]
    return spheres


def held_by(seeds, affine):
    """Return the voxel that holds each seed, `(3, n_seeds)`, in the grid or not."""
    return _holding_voxels(seeds, affine)[0].T


def is_in_grid(voxels, shape):
    """Return which of some voxels `(3, n_voxels)` a grid has."""
    pairs = zip(voxels, shape, strict=True)
    return np.logical_and.reduce([(axis >= 0) & (axis < n) for axis, n in pairs])


def one_each(value, n_seeds):
    """Return a list with one value for each seed, of one for all or of such a list."""
    is_scalar = value is None or np.ndim(value) == 0
    return [value] * n_seeds if is_scalar else list(value)


def _holding_voxels(seeds, affine):
    """Return the voxel that holds each seed, and where in it the seed lies in mm."""
    inverse = np.linalg.inv(affine)
    places = np.asarray(seeds, dtype=float) @ inverse[:3, :3].T + inverse[:3, 3]
    voxels = np.round(places)
    return voxels.astype(np.intp), (places - voxels) @ affine[:3, :3].T


def _candidates(radius, affine, shape, voxels):
    """Return the steps from a voxel to those that spheres of seeds in it may hold.

    Of shape (3, n_steps), in C order; those that lead out of the grid from each of some
    voxels are left out.
    """
    inverse = np.linalg.inv(affine)
    reach = radius * np.linalg.norm(inverse[:3, :3], axis=1) + 1
    first = np.maximum(-reach, -voxels.max(axis=0)).astype(int)
    last = np.minimum(reach, np.array(shape) - 1 - voxels.min(axis=0)).astype(int)
    offsets = np.indices(last - first + 1).reshape(3, -1) + first[:, np.newaxis]
    corners = affine[:3, :3] @ (np.indices((2, 2, 2)).reshape(3, -1) - 0.5)
    farthest = radius + SLACK + np.linalg.norm(corners, axis=0).max()
    away = np.linalg.norm(affine[:3, :3] @ offsets, axis=0)
    return offsets[:, away <= farthest]


def overlapping_pair(spheres):
    """Return the positions of the first two spheres that share a voxel, or None."""
    owners = {}
    for position, voxels in enumerate(spheres):
        for voxel in voxels.tolist():
            if voxel in owners:
                return owners[voxel], position
            owners[voxel] = position
    return None
