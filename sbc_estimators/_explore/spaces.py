"""Where the map of a page lies: voxels of a volume, vertices of a surface, or both.

A place is a position in the map, counted in the order of the brain masker. A part of
the space knows which of its voxels (vertices) is which place; the parts answer the same
questions, so that nobody else asks of what kind they are.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import nibabel
import numpy as np

from .._images.grids import SeedPlaceError, VolumeGrid
from .._images.meshes import FARTHEST_VERTEX, SurfaceGrid, nearest_vertex
from .._images.opening import grid_of, in_space, read_still
from .._images.structures import SUBCORTEX
from .._support.messages import in_mm
from ..maskers import SphereSeeds, SurfaceSeeds
from ..plotting._grayordinate_views import hemispheres_of, mesh_of


def space_of(sbc, grid):
    """Return the space of a fitted estimator's maps.

    Parameters
    ----------
    sbc : SeedCorrelationMap
        Fitted.
    grid : VolumeGrid, SurfaceGrid or GrayordinateGrid
        Of a run.

    Returns
    -------
    space : Space

    Raises
    ------
    TypeError
        If the maps are not of the voxels, vertices or grayordinates of a mask.
    ValueError
        If they are of cortex, and there is no mesh of it.
    """
    still = _numbered(sbc)
    if still is None:
        raise TypeError(
            "sbc must map the voxels (vertices) of a mask to be explored, got the "
            f"brain_masker {type(sbc.brain_masker_).__name__}. Pass a NiftiMasker, a "
            "SurfaceMasker or a GrayordinateMasker as brain_masker, and fit again."
        )
    volume, cortex = still.part(VolumeGrid.kind), still.part(SurfaceGrid.kind)
    if volume is not None:
        volume = VolumeSpace(volume.grid, _places(volume))
    if cortex is not None:
        cortex = SurfaceSpace(_on_mesh(sbc, cortex.grid, grid), _places(cortex))
    return Space(still.grid, volume, cortex, sbc._space)


def _numbered(sbc):
    """Return a map of the places, counted from 1; None unless each is in it once."""
    if not hasattr(sbc.brain_masker_, "inverse_transform"):
        return None
    numbers = np.arange(1, sbc.n_voxels_ + 1, dtype=np.float32)
    img = sbc.brain_masker_.inverse_transform(numbers[np.newaxis])
    if grid_of(img) is None:
        return None
    still = read_still(img, "map")
    found = np.sort(still.values[still.values != 0])
    return still if np.array_equal(found, numbers) else None


def _places(part):
    """Return the place at each position of a part of such a map, -1 for none."""
    return part.values.ravel().astype(np.int32) - 1


def _on_mesh(sbc, own, of_run):
    """Return the grid of the vertices of a map, on the mesh that seeds are on."""
    mesh = mesh_of(sbc) or of_run.part(SurfaceGrid.kind).mesh
    if mesh is None:
        sizes = " and ".join(f"{n} {side}" for side, n in own.sizes.items())
        raise ValueError(
            "the page shows the cortex on a mesh, and CIFTI files hold none. Pass "
            "brain_masker=GrayordinateMasker(mesh=PolyMesh(left=..., right=...)) with "
            f"a mesh of {sizes} vertices, in mm, such as fs_LR's midthickness "
            f"surfaces, or structures={SUBCORTEX!r} for voxels alone, and fit again."
        )
    return hemispheres_of(mesh, own, "mesh")


@dataclass(frozen=True, eq=False)
class Space:
    """All places of a map.

    Attributes
    ----------
    grid : VolumeGrid, SurfaceGrid or GrayordinateGrid
        Of the map as an image.
    volume : VolumeSpace or None
    cortex : SurfaceSpace or None
    codes : Space of a header, or None
        What files say of the space that a volume lies in.
    """

    grid: Any
    volume: Any
    cortex: Any
    codes: Any = None

    @cached_property
    def parts(self):
        """Those that there are."""
        return [part for part in (self.volume, self.cortex) if part is not None]

    @property
    def n_places(self):
        """Number of voxels and vertices."""
        return len(self.points)

    @cached_property
    def points(self):
        """Coordinates of all places in mm, `(n_places, 3)`."""
        points = np.empty((sum(len(part.points) for part in self.parts), 3))
        for part in self.parts:
            points[part.places[part.positions]] = part.points
        return points

    def place_at(self, xyz):
        """Return the place that holds coordinates in mm.

        The voxel, or else the nearest vertex, if it is not far.

        Raises
        ------
        ValueError
            If there is none.
        """
        for part in self.parts:
            place = part.place_at(xyz)
            if place >= 0:
                return place
        where = " and ".join(part.outside(xyz) for part in self.parts)
        raise ValueError(f"{in_mm(xyz)} mm lies {where}.")

    def point(self, place):
        """Return the coordinates of a place in mm."""
        return tuple(self.points[place].tolist())

    def seed(self, place, radius):
        """Return a seed masker of what lies around a place."""
        own = next(part for part in self.parts if place in part.places)
        return own.seed(place, self.point(place), radius)

    def sphere_of(self, seeds, position):
        """Return place and radius in mm of one of an adapter's seeds, or None.

        That of a sphere or disc which has its centre in the map.
        """
        found = (part.sphere_of(seeds, position) for part in self.parts)
        return next((own for own in found if own is not None and own[0] >= 0), None)

    def config(self):
        """Return what the page must know of the parts, as JSON has it."""
        return {part.name: part.config() for part in self.parts}

    def arrays(self):
        """Return the arrays from which the page knows the places, by name.

        ``header`` is what a file of one map holds before its numbers. Those of the
        cortex are the anatomy's.
        """
        header = _header(self.grid, self.codes)
        if self.volume is None:
            return header
        return {"place_of_voxel": differences(self.volume.places), **header}


def differences(places):
    """Return places as steps from one to the next, which are fewer bytes in a file."""
    return np.diff(places, prepend=places.dtype.type(0))


def _header(grid, codes):
    """Return the start of a file of a map, by name; surfaces have none."""
    if not grid.is_in_one_file:
        return {}
    img = in_space(grid.image_of(np.zeros(grid.n_positions, np.float32)), codes)
    header = getattr(img, "nifti_header", img.header)
    header["descrip"] = b"Fisher z of the correlation with a seed"
    content = img.to_bytes()
    n_bytes = len(content) - grid.n_positions * np.dtype(np.float32).itemsize
    return {"header": np.frombuffer(content[:n_bytes], np.uint8)}


class Part:
    """What voxels and vertices have in common.

    Attributes
    ----------
    grid : VolumeGrid or SurfaceGrid
    places : ndarray of int of shape (n_positions,)
        The place at each position of the grid, -1 where it is none of the map's.
    """

    @cached_property
    def positions(self):
        """The positions that are places, ascending."""
        return np.flatnonzero(self.places >= 0)


@dataclass(frozen=True, eq=False)
class VolumeSpace(Part):
    """The places that are voxels; see `Part`."""

    grid: VolumeGrid
    places: np.ndarray

    name = "volume"

    @property
    def mask(self):
        """Which voxels are places, bool `(n_x, n_y, n_z)`."""
        return (self.places >= 0).reshape(self.grid.shape)

    @cached_property
    def mask_img(self):
        """The same as an image."""
        return self.grid.image_of((self.places >= 0).astype(np.uint8))

    @cached_property
    def points(self):
        """Coordinates of the voxels in mm, in the order of positions."""
        return nibabel.affines.apply_affine(self.grid.affine, np.argwhere(self.mask))

    def places_at(self, points):
        """Return the places that hold points `(n_points, 3)` in mm, -1 for none."""
        return np.append(self.places, -1)[self.grid.holding(points)]

    def place_at(self, xyz):
        """Return the place that holds coordinates in mm, -1 for none."""
        return int(self.places_at([xyz])[0])

    def outside(self, xyz):
        """Return in words where coordinates lie that are in no place."""
        return "outside the brain mask"

    def seed(self, place, point, radius):
        """Return a seed masker of the voxels that are places, around one."""
        return SphereSeeds([point], radius, mask_img=self.mask_img)

    def sphere_of(self, seeds, position):
        """Return place and radius in mm of one of an adapter's seeds, or None."""
        sphere = seeds.sphere(position)
        return sphere and (self.place_at(sphere[0]), float(sphere[1]))

    def config(self):
        """Return what the page must know of the grid, as JSON has it."""
        affine = np.asarray(self.grid.affine, dtype=float)
        shape = [int(n) for n in self.grid.shape]
        return {"shape": shape, "affine": affine[:3].tolist()}


@dataclass(frozen=True, eq=False)
class SurfaceSpace(Part):
    """The places that are vertices; see `Part`.

    Attributes
    ----------
    grid : SurfaceGrid
        On which distances are measured, and which is shown.
    places : ndarray of int of shape (n_positions,)
        Counted through the parts of the mesh.
    """

    grid: SurfaceGrid
    places: np.ndarray

    name = "cortex"

    @cached_property
    def coordinates(self):
        """Coordinates of all vertices in mm, those that are no places too."""
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

    @property
    def points(self):
        """Coordinates of the vertices that are places in mm."""
        return self.coordinates[self.positions]

    def place_at(self, xyz):
        """Return the place nearest to coordinates in mm, -1 if it is far."""
        nearest, distance = nearest_vertex(xyz, self.points)
        is_near = distance <= FARTHEST_VERTEX
        return int(self.places[self.positions[nearest]]) if is_near else -1

    def outside(self, xyz):
        """Return in words where coordinates lie that are in no place."""
        _, distance = nearest_vertex(xyz, self.points)
        return f"{distance:.0f} mm from the nearest vertex of the brain mask"

    def seed(self, place, point, radius):
        """Return a seed masker of the disc around a place."""
        (vertex,) = np.flatnonzero(self.places == place).tolist()
        starts = self.grid.starts.items()
        part, start = [own for own in starts if own[1] <= vertex][-1]
        return SurfaceSeeds(
            [vertex - start], radius, hemisphere=part, mesh=self.grid.mesh
        )

    def sphere_of(self, seeds, position):
        """Return place and radius in mm of one of an adapter's seeds, or None."""
        placed = seeds.placed() if seeds.element == "disc" else None
        if placed is None or len(placed[position][0]) != 1:
            return None
        (place,), (side,), radius = placed[position]
        try:
            # Near the midline, vertices of the other hemisphere may be nearer.
            part, vertex = self.grid.vertex_of(place, side, self.grid.mesh, position)
        except SeedPlaceError:
            return None
        return int(self.places[self.grid.starts[part] + vertex]), float(radius)

    def config(self):
        """Return what the page must know of the mesh, as JSON has it."""
        starts = [*self.grid.starts.values(), self.grid.n_positions]
        return {"hemispheres": [*self.grid.sizes], "starts": starts}
