"""Where the map of a page lies: the voxels of a volume, the vertices of a surface.

A place is the position of a voxel (vertex) in the map, counted in the order of the
brain masker. Both kinds of space answer the same questions, so that nobody else asks
which kind it is.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import nibabel
import numpy as np

from .._images.grayordinates import GrayordinateGrid
from .._images.grids import VolumeGrid
from .._images.meshes import FARTHEST_VERTEX, SurfaceGrid, nearest_vertex
from .._images.opening import read_still
from .._signals.kinds import adapter_of
from .._support.messages import in_mm
from ..maskers import SphereSeeds, SurfaceSeeds

HEADER_SIZE = 352
"""Bytes of a NIfTI file before its numbers."""


def space_of(sbc, grid):
    """Return the space of a fitted estimator's maps.

    Parameters
    ----------
    sbc : SeedCorrelationMap
        Fitted.
    grid : VolumeGrid or SurfaceGrid
        Of a run.

    Returns
    -------
    space : VolumeSpace or SurfaceSpace

    Raises
    ------
    TypeError
        If the maps are not of the voxels (vertices) of a mask.
    """
    mask_img = getattr(sbc.brain_masker_, "mask_img_", None)
    if mask_img is not None:
        still = read_still(mask_img, "mask_img")
        make = {VolumeGrid: _volume_space, SurfaceGrid: _surface_space}
        space = make[type(still.grid)](sbc, mask_img, still, grid)
        if space.n_places == sbc.n_voxels_:
            return space
    cure = "Pass a NiftiMasker or a SurfaceMasker as brain_masker, and fit again."
    if grid is not None and grid.kind == GrayordinateGrid.kind:
        cure = (
            "Of grayordinates no page can be shown yet. Fit to the volume or the "
            "surface of the same acquisition, with a NiftiMasker or a SurfaceMasker."
        )
    raise TypeError(
        "sbc must map the voxels (vertices) of a mask to be explored, got the "
        f"brain_masker {type(sbc.brain_masker_).__name__}. {cure}"
    )


def _volume_space(sbc, mask_img, still, grid):
    """Return the space of the voxels of a mask, on its own grid as maps are."""
    return VolumeSpace(mask_img, still.grid, still.values != 0)


def _surface_space(sbc, mask_img, still, grid):
    """Return the space of the vertices of a mask, on the mesh that seeds are on."""
    mesh = sbc.seed_masker_.get_params(deep=False).get("mesh")
    grid = grid if mesh is None else SurfaceGrid(mesh)
    return SurfaceSpace(grid, still.values != 0)


@dataclass(frozen=True, eq=False)
class VolumeSpace:
    """The voxels of a mask.

    Attributes
    ----------
    mask_img : nibabel image
        The brain.
    grid : VolumeGrid
        Of the mask.
    inside : ndarray of bool of shape (n_positions,)
        Which positions of the grid the mask holds.
    """

    mask_img: Any
    grid: VolumeGrid
    inside: np.ndarray

    kind = "volume"

    @property
    def mask(self):
        """The brain, bool `(n_x, n_y, n_z)`."""
        return self.inside.reshape(self.grid.shape)

    @cached_property
    def voxels(self):
        """The voxel of each place, `(n_places, 3)`."""
        return np.argwhere(self.mask)

    @cached_property
    def points(self):
        """Coordinates of all places in mm, `(n_places, 3)`."""
        return nibabel.affines.apply_affine(self.grid.affine, self.voxels)

    @cached_property
    def _places(self):
        """The place at each position, -1 outside of the mask; one more for none."""
        places = np.full(len(self.inside) + 1, -1)
        places[np.flatnonzero(self.inside)] = np.arange(self.n_places)
        return places

    @property
    def n_places(self):
        """Number of voxels in the mask."""
        return len(self.voxels)

    def places_at(self, points):
        """Return the places that hold points `(n_points, 3)` in mm, -1 for none."""
        return self._places[self.grid.holding(points)]

    def place_at(self, xyz):
        """Return the place that holds coordinates in mm; raises ValueError outside."""
        place = int(self.places_at([xyz])[0])
        if place < 0:
            raise ValueError(f"{in_mm(xyz)} mm lies outside the brain mask.")
        return place

    def point(self, place):
        """Return the coordinates of a place in mm."""
        return tuple(self.points[place].tolist())

    def seed(self, place, radius):
        """Return a seed masker of the voxels of the mask around a place."""
        return SphereSeeds([self.point(place)], radius, mask_img=self.mask_img)

    def sphere_of(self, seed_masker, position):
        """Return centre and radius in mm of a fitted masker's seed, or None."""
        sphere = adapter_of(seed_masker, "seed_masker").sphere(position)
        return sphere and (tuple(map(float, sphere[0])), float(sphere[1]))

    def config(self):
        """Return what the page must know of the grid, as JSON has it."""
        affine = np.asarray(self.grid.affine, dtype=float)
        shape = [int(n) for n in self.grid.shape]
        return {"kind": self.kind, "shape": shape, "affine": affine[:3].tolist()}

    def parts(self):
        """Return the arrays from which the page knows the places."""
        img = nibabel.Nifti1Image(np.zeros(self.mask.shape, "f4"), self.grid.affine)
        img.header["descrip"] = b"Fisher z of the correlation with a seed"
        header = np.frombuffer(img.to_bytes()[:HEADER_SIZE], np.uint8)
        return {"mask": self.inside.astype(np.uint8), "header": header}


@dataclass(frozen=True, eq=False)
class SurfaceSpace:
    """The vertices of a mask on a mesh.

    Attributes
    ----------
    grid : SurfaceGrid
        On which distances are measured, and which is shown.
    inside : ndarray of bool of shape (n_positions,)
        Which vertices the mask holds, counted through the parts of the mesh.
    """

    grid: SurfaceGrid
    inside: np.ndarray

    kind = "surface"

    @cached_property
    def coordinates(self):
        """Coordinates of all vertices in mm, those outside of the mask too."""
        parts = self.grid.mesh.parts.values()
        return np.concatenate([part.coordinates for part in parts]).astype(np.float32)

    @cached_property
    def faces(self):
        """The faces of all parts, `(n_faces, 3)`."""
        parts = zip(
            self.grid.mesh.parts.values(), self.grid.starts.values(), strict=True
        )
        faces = [np.asarray(part.faces) + start for part, start in parts]
        return np.concatenate(faces).astype(np.int32)

    @cached_property
    def vertex_of_place(self):
        """The vertex of each place, counted through the parts."""
        return np.flatnonzero(self.inside)

    @property
    def n_places(self):
        """Number of vertices in the mask."""
        return len(self.vertex_of_place)

    @property
    def points(self):
        """Coordinates of all places in mm, `(n_places, 3)`."""
        return self.coordinates[self.vertex_of_place]

    def place_at(self, xyz):
        """Return the place nearest to coordinates in mm; raises ValueError if far."""
        place, distance = nearest_vertex(xyz, self.points)
        if not distance <= FARTHEST_VERTEX:
            raise ValueError(
                f"{in_mm(xyz)} mm lies {distance:.0f} mm from the nearest vertex of "
                "the brain mask."
            )
        return place

    def point(self, place):
        """Return the coordinates of a place in mm."""
        return tuple(self.points[place].tolist())

    def seed(self, place, radius):
        """Return a seed masker of the disc around a place."""
        vertex = int(self.vertex_of_place[place])
        starts = self.grid.starts.items()
        part, start = [own for own in starts if own[1] <= vertex][-1]
        return SurfaceSeeds(
            [vertex - start], radius, hemisphere=part, mesh=self.grid.mesh
        )

    def sphere_of(self, seed_masker, position):
        """Return centre and radius in mm of a fitted masker's seed, or None."""
        # Discs, of all seeds, are places with a hemisphere each.
        sides = getattr(seed_masker, "hemispheres_", None)
        places = getattr(seed_masker, "places_", None)
        if sides is None or places is None or len(places[position]) != 1:
            return None
        (place,), (side,) = places[position], sides[position]
        if isinstance(place, int):
            place = tuple(self.coordinates[self.grid.starts[side] + place].tolist())
        return place, seed_masker.radii_[position]

    def config(self):
        """Return what the page must know of the mesh, as JSON has it."""
        sizes = self.grid.sizes.items()
        hemispheres = [{"name": name, "n_vertices": n} for name, n in sizes]
        return {"kind": self.kind, "hemispheres": hemispheres}

    def parts(self):
        """Return the arrays from which the page knows the places."""
        return {"mask": self.inside.astype(np.uint8)}
