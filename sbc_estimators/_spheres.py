"""Spheres of voxels around coordinates: affines and shapes only."""

import numpy as np

SLACK = 1e-6
"""Millimetres by which a centre may lie beyond the radius: the rounding of affines."""


def sphere_voxels(seeds, radius, affine, shape, mask=None):
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
    mask : ndarray of bool of shape `shape` or None, default=None
        Voxels outside it belong to no sphere.

    Returns
    -------
    spheres : list of ndarray of shape (n_voxels_in_sphere,)
        Ascending flat indices into the grid in C order; empty where a seed lies
        outside the grid or the mask.
    """
    return [
        _one_sphere(seed, own, affine, shape, mask)
        for seed, own in zip(seeds, one_each(radius, len(seeds)), strict=True)
    ]


def one_each(value, n_seeds):
    """Return a list with one value for each seed, of one for all or of such a list."""
    is_scalar = value is None or np.ndim(value) == 0
    return [value] * n_seeds if is_scalar else list(value)


def _one_sphere(seed, radius, affine, shape, mask):
    """Return the flat indices of the voxels in one sphere."""
    seed = np.asarray(seed, dtype=float)
    voxels = _box_around(seed, radius or 0.0, affine, shape)
    offsets = voxels @ affine[:3, :3].T + affine[:3, 3] - seed
    is_near = np.linalg.norm(offsets, axis=1) <= (radius or 0.0) + SLACK
    holds_seed = (voxels == _voxel_of(seed, affine)).all(axis=1)
    voxels = voxels[is_near | holds_seed]
    flat = np.ravel_multi_index(tuple(voxels.T), shape)
    return flat if mask is None else flat[mask.ravel()[flat]]


def _voxel_of(seed, affine):
    """Return the indices of the voxel that holds a coordinate, on the grid or not."""
    inverse = np.linalg.inv(affine)
    return np.round(inverse[:3, :3] @ seed + inverse[:3, 3]).astype(int)


def _box_around(seed, radius, affine, shape):
    """Return the voxels of the grid's box around a sphere, `(n_voxels, 3)`."""
    inverse = np.linalg.inv(affine)
    centre = inverse[:3, :3] @ seed + inverse[:3, 3]
    reach = radius * np.linalg.norm(inverse[:3, :3], axis=1) + 0.5
    first = np.maximum(np.ceil(centre - reach), 0).astype(int)
    last = np.minimum(np.floor(centre + reach), np.array(shape) - 1).astype(int)
    axes = [np.arange(a, b + 1) for a, b in zip(first, last, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)


def overlapping_pair(spheres):
    """Return the positions of the first two spheres that share a voxel, or None."""
    owners = {}
    for position, voxels in enumerate(spheres):
        for voxel in voxels.tolist():
            if voxel in owners:
                return owners[voxel], position
            owners[voxel] = position
    return None
