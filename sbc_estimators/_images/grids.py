"""Where the positions of images lie: grids of voxels, meshes of vertices.

Positions are numbered: voxels in C order of the grid (x, y, z), vertices through the
parts of a mesh, left then right. A grid says which positions a seed holds, brings
values from other grids, and makes images of values; nobody else asks of what kind it
is.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import nibabel
import numpy as np

from .._arrays.spatial import SeparableSmoothing, mean_map, smoothing_matrices
from .._support.digests import digest

SAME_PLACE = 1e-3
"""Part of a voxel by which the centres of voxels on one grid may lie apart."""

SAMPLE = 10_000
"""How many positions of a mask are looked at at a time, to see whether any is here."""

SLACK = 1e-6
"""Millimetres by which a centre may lie beyond the radius: the rounding of affines."""


class NotLinearError(Exception):
    """Says why something is not a linear map that is known before scans are read.

    Parameters
    ----------
    reason : str
    spatial : SpatialMap or None, default=None
        The map that it would be of scans that nilearn has smoothed.
    """

    def __init__(self, reason, spatial=None):
        super().__init__(reason)
        self.spatial = spatial


@dataclass(frozen=True, eq=False)
class Still:
    """What an image of one or a few scans holds: a mask, an atlas, maps.

    Attributes
    ----------
    grid : VolumeGrid, SurfaceGrid or GrayordinateGrid
    values : ndarray of shape (n_positions,) or (n_positions, n_maps)
    doubts : tuple of str, default=()
        Words for what its header leaves open of where it lies.
    names : dict of int to str, or None, default=None
        What an atlas calls its labels, where its file tells.
    """

    grid: Any
    values: np.ndarray
    doubts: tuple = ()
    names: Any = None

    @cached_property
    def key(self):
        """A short text that changes when anything of it does."""
        return digest(self.grid.key, self.values)

    def part(self, kind):
        """Return what lies in the part of its grid that is of a kind, None without."""
        grid = self.grid.part(kind)
        if grid is None or grid is self.grid:
            return None if grid is None else self
        values = self.grid.spread(self.values, kind)
        return Still(grid, values, self.doubts, self.names)


class Grid:
    """What grids of all kinds have in common.

    One that has parts of other kinds tells of each its own grid, and lays there what
    a masker of that kind does: `part`, `spread` and `as_whole`.
    """

    is_in_one_file = True
    """Whether one file holds an image: of a surface, there is one a hemisphere."""

    def part(self, kind):
        """Return the grid of the part that is of a kind, None where it has none.

        None as a kind is any, and so the whole.
        """
        return self if kind in (None, self.kind) else None

    def as_whole(self, kind, spatial):
        """Return a map that is laid on the part of a kind as one of the whole."""
        return spatial

    def ones(self):
        """Return an image of ones, which tells maskers where to lay what they have."""
        return self.image_of(np.ones(self.n_positions, np.uint8))

    def lay_spheres(self, names, centres, radii, mask, allow_overlap, seeds=None):
        """Return the means over spheres as a `SpatialMap`."""
        raise TypeError(
            f"spheres lie in volumes, but the image is {self.kind}. Use SurfaceSeeds, "
            "or RegionSeeds of an atlas of its kind."
        )

    def discs(self, seeds, sides, radii, mesh):
        """Return the positions of the disc around each seed, list of ndarray."""
        raise TypeError(
            f"discs lie on surfaces, but the image is {self.kind}. Use SphereSeeds, "
            "or RegionSeeds of an atlas of its kind."
        )

    def side(self, name):
        """Return which positions lie in a hemisphere, bool `(n_positions,)`."""
        raise ValueError(
            f"hemisphere={name!r} is for surfaces, but the image is {self.kind}. Leave "
            "it out."
        )


@dataclass(frozen=True, eq=False)
class VolumeGrid(Grid):
    """Voxels of a volume.

    Attributes
    ----------
    shape : tuple of 3 int
    affine : ndarray of shape (4, 4)
        Takes voxels to mm.
    """

    shape: tuple
    affine: np.ndarray

    kind = "a volume"
    element = "voxel"

    @cached_property
    def n_positions(self):
        """Number of voxels."""
        return int(np.prod(self.shape))

    @cached_property
    def key(self):
        """What two grids have in common that are the same to the last bit."""
        affine = np.ascontiguousarray(self.affine, float)
        return f"{self.kind} {self.shape} {affine.tobytes().hex()}"

    def same_as(self, other):
        """Whether another grid has its voxels where this one has them."""
        if other is self:
            return True
        if not isinstance(other, VolumeGrid) or tuple(self.shape) != tuple(other.shape):
            return False
        steps = np.linalg.solve(self.affine, other.affine) - np.eye(4)
        apart = steps[:3, :3] @ self._corners + steps[:3, 3:]
        return bool(np.abs(apart).max() < SAME_PLACE)

    def values_of(self, still):
        """Return a still's values here, by nearest neighbours from another grid.

        As nilearn resamples, halves up, 0 beyond the centres of the outermost voxels
        there; unlike it, rounding moves no centre beyond them.
        """
        if self.same_as(still.grid):
            return still.values
        return self.values_at(still, np.arange(self.n_positions))

    def values_at(self, still, positions):
        """Return a still's values at some of the positions here, as `values_of`."""
        if self.same_as(still.grid):
            return still.values[positions]
        if not isinstance(still.grid, VolumeGrid):
            raise TypeError(of_another_kind(still.grid, self))
        steps = np.linalg.solve(still.grid.affine, self.affine)
        voxels = np.transpose(np.unravel_index(positions, self.shape))
        voxels = voxels @ steps[:3, :3].T + steps[:3, 3]
        last = np.subtract(still.grid.shape, 1)
        inside = (voxels > -SAME_PLACE) & (voxels < last + SAME_PLACE)
        voxels = np.clip(np.floor(voxels + 0.5 + 1e-6).astype(np.intp), 0, last)
        values = still.values[np.ravel_multi_index(tuple(voxels.T), still.grid.shape)]
        values[~inside.all(axis=1)] = 0
        return values

    def covers(self, still):
        """Whether any position of a still that is not 0 lies within this grid."""
        values = still.values
        positions = np.flatnonzero(values.any(axis=1) if values.ndim > 1 else values)
        if self.same_as(still.grid) or not isinstance(still.grid, VolumeGrid):
            return len(positions) > 0
        # A sample of all of space will mostly do.
        n_samples = 1 + len(positions) // SAMPLE
        return any(
            self._has_any_of(still.grid, positions[first::n_samples])
            for first in range(n_samples)
        )

    def _has_any_of(self, other, positions):
        """Whether any of some positions of another grid lies within this one."""
        voxels = np.transpose(np.unravel_index(positions, other.shape))
        places = voxels @ other.affine[:3, :3].T + other.affine[:3, 3]
        return bool(is_in_grid(held_by(places, self.affine), self.shape).any())

    def check_holds(self, still, name):
        """Raise an error where a still cannot be laid on this grid."""
        if not isinstance(still.grid, VolumeGrid):
            raise TypeError(of_another_kind(still.grid, self, name))
        if not self.covers(still):
            cause = "nothing of it lies within the image"
            if not self.same_as(still.grid):
                cause = (
                    f"it and the image do not overlap; affine of {name}:\n"
                    f"{still.grid.affine}\nof the image:\n{self.affine}"
                )
            raise ValueError(f"{name}: {cause}. Are both in the same space?")

    def lay_spheres(self, names, centres, radii, mask, allow_overlap, seeds=None):
        """Return the means over spheres as a `SpatialMap`.

        What the mask takes of a sphere counts as lost where it takes the voxel that
        holds the centre too: what is left may lie to one side.

        Parameters
        ----------
        names : sequence of n_spheres str
            The words for each in errors, such as "seed 'PCC' at (0, -52, 18) mm".
        centres : sequence of n_spheres triplets of float
            In mm.
        radii : float, None, or a sequence with one of these a sphere
            In mm.
        mask : Still or None
            On any grid; positions where it is 0 are left out.
        allow_overlap : bool
            Whether spheres of two seeds may share positions.
        seeds : sequence of n_spheres int or None, default=None
            The seed that each sphere is a part of, ascending from 0; None for one each.

        Raises
        ------
        ValueError
            If the centre of a sphere lies outside the grid, or nothing of it within the
            mask, or two overlap that must not.
        """
        seeds = range(len(names)) if seeds is None else seeds
        found = whole = sphere_voxels(centres, radii, self.affine, self.shape)
        self._check_inside(whole, names, "the image")
        if mask is not None:
            self.check_holds(mask, "mask_img")
            is_kept = self.values_of(mask) != 0
            found = [voxels[is_kept[voxels]] for voxels in whole]
            self._check_inside(found, names, "mask_img")
        if not allow_overlap:
            radii = one_each(radii, len(names))
            pairs = zip(names, radii, strict=True)
            words = [f"{name} (radius={own!r} mm)" for name, own in pairs]
            check_overlap(found, seeds, words)
        means = joined(found, seeds)
        if mask is None:
            return mean_map(means)
        has_centre = is_kept[self.holding(centres)]
        wanted = [found[i] if own else whole[i] for i, own in enumerate(has_centre)]
        sizes = zip(joined(wanted, seeds), means, strict=True)
        return mean_map(means, np.array([len(a) - len(b) for a, b in sizes]))

    def _check_inside(self, spheres, names, what):
        """Raise ValueError where a sphere has no voxels."""
        for name, voxels in zip(names, spheres, strict=True):
            if not len(voxels):
                raise ValueError(
                    f"{name} lies outside {what}; the image spans {self.span()}. Move "
                    "the seed, or check that seeds and image are in the same space."
                )

    def holding(self, centres):
        """Return the position that holds each centre, -1 outside, `(n_centres,)`."""
        voxels = held_by(centres, self.affine)
        inside = is_in_grid(voxels, self.shape)
        flat = np.ravel_multi_index(tuple(voxels), self.shape, mode="clip")
        return np.where(inside, flat, -1)

    @property
    def _corners(self):
        """The voxels in the corners, `(3, 8)`."""
        ends = np.subtract(self.shape, 1)[:, np.newaxis]
        return np.indices((2, 2, 2)).reshape(3, -1) * ends

    @property
    def reach(self):
        """The least and the largest coordinates of centres of voxels in mm."""
        corners = self.affine[:3, :3] @ self._corners + self.affine[:3, 3:]
        return corners.min(axis=1), corners.max(axis=1)

    def span(self):
        """Return the words for where the grid lies in mm."""
        low, high = (ends.round(1).tolist() for ends in self.reach)
        return f"{low} to {high} mm"

    def smoothing(self, fwhm):
        """Return what smooths volumes with a width in mm, None for no smoothing.

        Raises
        ------
        NotLinearError
            If it is not one matrix an axis.
        """
        if isinstance(fwhm, str):
            raise NotLinearError(f"smoothing_fwhm={fwhm!r} is not one matrix an axis")
        matrices = smoothing_matrices(fwhm, self.affine, self.shape)
        return None if matrices is None else SeparableSmoothing(matrices, self.shape)

    def image_of(self, values):
        """Return values `(n_positions, ...)` as an image, 3D or 4D."""
        shape = (*self.shape, *values.shape[1:])
        return nibabel.Nifti1Image(values.reshape(shape), self.affine)


class SeedPlaceError(ValueError):
    """Says what is wrong with the seed at a position, whose name the caller knows."""

    def __init__(self, position, problem):
        super().__init__(problem)
        self.position = position


def of_another_kind(grid, other, name="the image"):
    """Return the words for a still that is not of the kind of an image."""
    return (
        f"{name} is {grid.kind}, but the run is {other.kind}. Pass one of the run's "
        "kind, or Run(img, seed_img=...) where seeds and voxels are in images of their "
        "own."
    )


# Spheres


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


# Seeds of one or several places


def joined(places, seeds):
    """Return the positions of each seed, ascending, from those of its places.

    Parameters
    ----------
    places : list of ndarray of int
    seeds : sequence of int
        The seed that each place is a part of, ascending from 0.
    """
    firsts = np.flatnonzero(np.diff(seeds, prepend=-1))
    pieces = [places[a:b] for a, b in pairwise([*firsts, len(places)])]
    return [np.unique(np.concatenate(piece)) for piece in pieces]


def check_overlap(places, seeds, names):
    """Raise ValueError where places of different seeds share a position."""
    owners = {}
    for number, positions in enumerate(places):
        for position in positions.tolist():
            owner = owners.setdefault(position, number)
            if seeds[owner] != seeds[number]:
                raise ValueError(
                    f"{names[owner]} and {names[number]} overlap. Use a smaller "
                    "radius, or allow_overlap=True."
                )
