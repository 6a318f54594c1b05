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

from .._arrays.discs import nearest_vertex
from .._arrays.spheres import held_by, is_in_grid
from .._images.grids import is_surface, n_vertices, vertices
from ..maskers import SphereSeeds, SurfaceSeeds

FARTHEST_VERTEX = 10.0
"""Millimetres beyond which coordinates are not those of a place on the mesh."""


def space_of(sbc, image):
    """Return the space of a fitted estimator's maps.

    Parameters
    ----------
    sbc : SeedCorrelationMap
        Fitted.
    image : nibabel image or SurfaceImage
        Of a run; its scans are not read.

    Returns
    -------
    space : VolumeSpace or SurfaceSpace

    Raises
    ------
    TypeError
        If the maps are not of the voxels (vertices) of a mask.
    """
    mask_img = getattr(sbc.brain_masker_, "mask_img_", None)
    if mask_img is None:
        space, n_places = None, 0
    elif is_surface(mask_img):
        mesh = getattr(sbc.seed_masker_, "mesh", None) or image.mesh
        space = SurfaceSpace(mask_img, mesh)
        n_places = space.n_places
    else:
        space = VolumeSpace(mask_img)
        n_places = space.n_places
    if n_places != sbc.n_voxels_:
        raise TypeError(
            "sbc must map the voxels (vertices) of a mask to be explored, got the "
            f"brain_masker {type(sbc.brain_masker_).__name__}. Pass a NiftiMasker or a "
            "SurfaceMasker as brain_masker, and fit again."
        )
    return space


@dataclass(frozen=True, eq=False)
class VolumeSpace:
    """The voxels of a mask.

    Attributes
    ----------
    mask_img : nibabel image
        The brain.
    """

    mask_img: Any

    kind = "volume"
    unit = "voxel"

    @cached_property
    def affine(self):
        """Takes voxels to mm."""
        return np.asarray(self.mask_img.affine, dtype=float)

    @cached_property
    def mask(self):
        """The brain, bool `(n_x, n_y, n_z)`."""
        return np.asarray(self.mask_img.dataobj) != 0

    @cached_property
    def voxels(self):
        """The voxel of each place, `(n_places, 3)`."""
        return np.argwhere(self.mask)

    @cached_property
    def _places(self):
        """The place of each voxel of the grid, -1 outside of the mask."""
        places = np.full(self.mask.shape, -1)
        places[self.mask] = np.arange(self.n_places)
        return places

    @property
    def n_places(self):
        """Number of voxels in the mask."""
        return len(self.voxels)

    @property
    def points(self):
        """Coordinates of all places in mm, `(n_places, 3)`."""
        return nibabel.affines.apply_affine(self.affine, self.voxels)

    def places_at(self, points):
        """Return the places that hold points `(n_points, 3)` in mm, -1 for none."""
        voxels = held_by(points, self.affine)
        inside = is_in_grid(voxels, self.mask.shape)
        return np.where(inside, self._places[tuple(voxels * inside)], -1)

    def place_at(self, xyz):
        """Return the place that holds coordinates in mm; raises ValueError outside."""
        place = int(self.places_at([xyz])[0])
        if place < 0:
            raise ValueError(f"{_told(xyz)} mm lies outside the brain mask.")
        return place

    def point(self, place):
        """Return the coordinates of a place in mm."""
        xyz = nibabel.affines.apply_affine(self.affine, self.voxels[place])
        return tuple(xyz.tolist())

    def seed(self, place, radius):
        """Return a seed masker of the voxels of the mask around a place."""
        return SphereSeeds([self.point(place)], radius or None, mask_img=self.mask_img)

    def config(self):
        """Return what the page must know of the grid, as JSON has it."""
        return {
            "kind": self.kind,
            "unit": self.unit,
            "shape": list(self.mask.shape),
            "affine": self.affine[:3].tolist(),
        }

    def parts(self):
        """Return the arrays from which the page knows the places."""
        header = nibabel.Nifti1Image(np.zeros(self.mask.shape, np.float32), self.affine)
        header.header["descrip"] = b"Fisher z of the correlation with a seed"
        return {
            "mask": self.mask.astype(np.uint8),
            "header": np.frombuffer(header.to_bytes()[:352], np.uint8),
        }


@dataclass(frozen=True, eq=False)
class SurfaceSpace:
    """The vertices of a mask on a mesh.

    Attributes
    ----------
    mask_img : SurfaceImage
        The brain.
    mesh : PolyMesh
        On which distances are measured, and which is shown.
    """

    mask_img: Any
    mesh: Any

    kind = "surface"
    unit = "vertex"

    @cached_property
    def mask(self):
        """The brain, bool `(n_vertices,)`, through all parts."""
        return vertices(self.mask_img).ravel() != 0

    @cached_property
    def coordinates(self):
        """Coordinates of all vertices in mm, those outside of the mask too."""
        parts = [np.asarray(part.coordinates) for part in self.mesh.parts.values()]
        return np.concatenate(parts).astype(np.float32)

    @cached_property
    def faces(self):
        """The faces of all parts, `(n_faces, 3)`."""
        starts = self.starts.values()
        parts = zip(self.mesh.parts.values(), starts, strict=True)
        return np.concatenate([np.asarray(part.faces) + start for part, start in parts])

    @cached_property
    def starts(self):
        """The number of the first vertex of each part."""
        sizes = n_vertices(self.mesh)
        return dict(zip(sizes, np.cumsum([0, *sizes.values()]).tolist(), strict=False))

    @cached_property
    def vertex_of_place(self):
        """The vertex of each place, counted through the parts."""
        return np.flatnonzero(self.mask)

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
                f"{_told(xyz)} mm lies {distance:.0f} mm from the nearest vertex of "
                "the brain mask."
            )
        return place

    def point(self, place):
        """Return the coordinates of a place in mm."""
        return tuple(self.points[place].tolist())

    def seed(self, place, radius):
        """Return a seed masker of the disc around a place."""
        vertex = int(self.vertex_of_place[place])
        part = [name for name, start in self.starts.items() if start <= vertex][-1]
        return SurfaceSeeds(
            [vertex - self.starts[part]],
            radius or None,
            hemisphere=part,
            mesh=self.mesh,
        )

    def config(self):
        """Return what the page must know of the mesh, as JSON has it."""
        sizes = n_vertices(self.mesh)
        hemispheres = [{"name": k, "n_vertices": n} for k, n in sizes.items()]
        return {"kind": self.kind, "unit": self.unit, "hemispheres": hemispheres}

    def parts(self):
        """Return the arrays from which the page knows the places."""
        return {"mask": self.mask.astype(np.uint8)}


def _told(xyz):
    """Return coordinates as people write them."""
    return ", ".join(f"{float(x):g}" for x in xyz)
