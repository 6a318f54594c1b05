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
    inverse = np.linalg.inv(affine)
    spheres = [
        _one_sphere(np.asarray(seed, dtype=float), own or 0.0, affine, inverse, shape)
        for seed, own in zip(seeds, one_each(radius, len(seeds)), strict=True)
    ]
    return spheres if mask is None else [v[mask.ravel()[v]] for v in spheres]


def one_each(value, n_seeds):
    """Return a list with one value for each seed, of one for all or of such a list."""
    is_scalar = value is None or np.ndim(value) == 0
    return [value] * n_seeds if is_scalar else list(value)


def _one_sphere(seed, radius, affine, inverse, shape):
    """Return the flat indices of the voxels in one sphere."""
    centre = inverse[:3, :3] @ seed + inverse[:3, 3]
    reach = radius * np.linalg.norm(inverse[:3, :3], axis=1) + 0.5
    first = np.maximum(np.ceil(centre - reach), 0).astype(int)
    last = np.minimum(np.floor(centre + reach), np.array(shape) - 1).astype(int)
    x, y, z = (
        np.arange(a, b + 1)[:, np.newaxis] for a, b in zip(first, last, strict=True)
    )
    along_x, along_y, along_z = affine[:3, :3].T
    offsets = (z * along_z + affine[:3, 3] - seed) + (y * along_y)[:, np.newaxis]
    offsets = offsets + (x * along_x)[:, np.newaxis, np.newaxis]
    is_near = (offsets**2).sum(axis=-1) <= (radius + SLACK) ** 2
    holds_seed = np.round(centre).astype(int)
    if (holds_seed >= first).all() and (holds_seed <= last).all():
        is_near[tuple(holds_seed - first)] = True
    voxels = [
        axis + start for axis, start in zip(np.nonzero(is_near), first, strict=True)
    ]
    return np.ravel_multi_index(voxels, shape)


def overlapping_pair(spheres):
    """Return the positions of the first two spheres that share a voxel, or None."""
    owners = {}
    for position, voxels in enumerate(spheres):
        for voxel in voxels.tolist():
            if voxel in owners:
                return owners[voxel], position
            owners[voxel] = position
    return None
