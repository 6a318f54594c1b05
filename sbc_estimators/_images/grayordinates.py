"""Where grayordinates lie: vertices of cortex and voxels below it, in one list.

A CIFTI file tells of each vertex which one of its mesh it is, and of the mesh how many
vertices it has, but not where they lie. So what is measured along the cortex needs a
mesh from elsewhere.
"""

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from nibabel.cifti2 import BrainModelAxis, Cifti2Image, ScalarAxis

from .._arrays.parts import PartwiseSmoothing, VoxelSmoothing, moved, weighted_by
from .._support.digests import digest
from .._support.messages import some_of
from .along_mesh import gaussian_along
from .grids import Grid, SeedPlaceError, VolumeGrid, joined, of_another_kind
from .meshes import MeshlessGrid, SurfaceGrid, key_of_mesh
from .structures import CORTEX, SUBCORTEX, Structure, called, difference


@dataclass(frozen=True, eq=False)
class GrayordinateGrid(Grid):
    """Grayordinates, in the order of a file.

    Attributes
    ----------
    structures : tuple of Structure
    volume : VolumeGrid or None
        The grid that voxels are of; None where there are none.
    """

    structures: tuple
    volume: Any = None

    kind = "a CIFTI image"
    element = "grayordinate"
    affine = None

    def __getstate__(self):
        # What is made of them is large, and soon made again.
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def n_positions(self):
        """Number of grayordinates."""
        return sum(len(own.places) for own in self.structures)

    @property
    def shape(self):
        """Number of grayordinates, in a tuple."""
        return (self.n_positions,)

    @cached_property
    def key(self):
        """What two grids have in common whose structures are the same."""
        parts = [(own.name, own.places, own.n_vertices) for own in self.structures]
        return digest(self.kind, parts, self.volume and self.volume.key)

    # The parts

    @cached_property
    def cortex(self):
        """The vertices of the hemispheres, those without data too; None without."""
        sizes = {own.side: own.n_vertices for own in self.structures if own.side}
        sizes = {side: sizes[side] for side in CORTEX if side in sizes}
        return MeshlessGrid(None, sizes) if sizes else None

    @cached_property
    def _columns(self):
        """The grayordinate of each position of each part, -1 where there is none."""
        columns = {}
        if self.cortex is not None:
            columns[SurfaceGrid.kind] = np.full(self.cortex.n_positions, -1)
        if self.volume is not None:
            columns[VolumeGrid.kind] = np.full(self.volume.n_positions, -1, np.int32)
        for own in self.structures:
            if not own.is_surface:
                columns[own.kind][self._voxels(own)] = own.positions
            elif own.side:
                first = self.cortex.starts[own.side]
                columns[own.kind][first + own.places] = own.positions
        return columns

    def _voxels(self, own):
        """Return the voxels of a structure, numbered through the volume."""
        return np.ravel_multi_index(tuple(own.places.T), self.volume.shape)

    def part(self, kind):
        """Return the grid of the part that is of a kind, None where it has none."""
        parts = {VolumeGrid.kind: self.volume, SurfaceGrid.kind: self.cortex}
        return super().part(kind) or parts.get(kind)

    def spread(self, values, kind):
        """Return values of grayordinates as values of a part, 0 where it has none."""
        columns = self._columns[kind]
        whole = np.zeros((len(columns), *values.shape[1:]), values.dtype)
        whole[columns >= 0] = values[columns[columns >= 0]]
        return whole

    def as_whole(self, kind, spatial):
        """Return a map that is laid on the part of a kind as one of the whole.

        Positions of the part that are in no structure hold no data, and are left out.
        """
        if kind in (None, self.kind):
            return spatial
        if spatial.smoothing is not None:
            raise ValueError(
                "smoothing_fwhm would blur what the file does not hold into what it "
                "holds. Set it to None; GrayordinateMasker smooths within structures."
            )
        laid = moved(spatial, self._columns[kind])
        empty = np.flatnonzero(laid.sizes() == 0)
        if len(empty):
            raise ValueError(
                f"nothing of {len(empty)} of {laid.n_outputs} regions (the first is "
                f"number {empty[0]}) lies in the structures of the image: "
                f"{self.told()}. Leave them out, or choose regions with RegionSeeds."
            )
        return laid

    def told(self, most=30):
        """Return the words for all structures."""
        return some_of(list(dict.fromkeys(own.told for own in self.structures)), most)

    # Chosen structures

    def chosen(self, structures):
        """Return those of the structures that a user means, in the order of the file.

        Parameters
        ----------
        structures : str, sequence of str or None
            None means all.

        Raises
        ------
        ValueError
            If there is no such structure.
        """
        if structures is None:
            return list(self.structures)
        wanted = [structures] if isinstance(structures, str) else structures
        found = {id(own) for name in wanted for own in called(self.structures, name)}
        return [own for own in self.structures if id(own) in found]

    def of(self, structures):
        """Return the grid of some of the structures alone."""
        start, moved_ones = 0, []
        for own in structures:
            moved_ones.append(Structure(own.name, start, own.places, own.n_vertices))
            start += len(own.places)
        is_flat = all(own.is_surface for own in structures)
        return GrayordinateGrid(tuple(moved_ones), None if is_flat else self.volume)

    def side(self, name):
        """Return which grayordinates lie in a hemisphere, bool `(n_positions,)`."""
        is_there = np.zeros(self.n_positions, bool)
        for own in self.structures:
            is_there[own.positions] = own.name.endswith(f"_{name.upper()}")
        return is_there

    # Other grids

    def same_as(self, other):
        """Whether another grid has the same grayordinates in the same order."""
        return other is self or (
            isinstance(other, GrayordinateGrid) and self.difference(other) is None
        )

    def difference(self, other):
        """Return in words where another grid has other grayordinates, None if nowhere.

        Such as "29706 grayordinates of left cortex, but {other} has 29696".
        """
        found = difference(self.structures, other.structures)
        if found is not None:
            return found
        if self.volume is not None and not self.volume.same_as(other.volume):
            return "its voxels elsewhere than {other}: the affine or the grid differs"
        return None

    def check_holds(self, still, name):
        """Raise an error where a still cannot be laid on these grayordinates."""
        own = still.part(VolumeGrid.kind), still.part(SurfaceGrid.kind)
        here = self.volume, self.cortex
        if not any(None not in pair for pair in zip(own, here, strict=True)):
            raise TypeError(of_another_kind(still.grid, self, name))
        if own[0] is still:
            self.volume.check_holds(still, name)
        if self.cortex is not None and own[1] is not None:
            self.cortex.check_same(own[1].grid, name)

    def values_of(self, still):
        """Return a still's values here, 0 where it has none.

        Voxels take those of their nearest neighbours, vertices those of their number.
        """
        if self.same_as(still.grid):
            return still.values
        self.check_holds(still, "the image")
        shape = (self.n_positions, *still.values.shape[1:])
        values = np.zeros(shape, still.values.dtype)
        for own in self.structures:
            part = still.part(own.kind)
            if part is None:
                continue
            if not own.is_surface:
                values[own.positions] = self.volume.values_at(part, self._voxels(own))
            elif own.side in part.grid.starts:
                first = part.grid.starts[own.side]
                values[own.positions] = part.values[first + own.places]
        return values

    def values_at(self, still, positions):
        """Return a still's values at some of the grayordinates."""
        return self.values_of(still)[positions]

    # Seeds

    def lay_spheres(self, names, centres, radii, mask, allow_overlap, seeds=None):
        """Return the means over the voxels of spheres as a `SpatialMap`.

        As `VolumeGrid.lay_spheres`; voxels that are in no structure are left out, and
        count as lost.
        """
        if self.volume is None:
            return super().lay_spheres(names, centres, radii, mask, allow_overlap)
        if mask is not None:
            if mask.part(VolumeGrid.kind) is None:
                raise TypeError(
                    f"mask_img is {mask.grid.kind} without voxels, but spheres lie in "
                    "the voxels of the image. Pass a mask that is a volume, or a CIFTI "
                    "image that has voxels."
                )
            self.check_holds(mask, "mask_img")
            mask = mask.part(VolumeGrid.kind)
        seeds = range(len(names)) if seeds is None else seeds
        laid = self.volume.lay_spheres(
            names, centres, radii, mask, allow_overlap, seeds
        )
        laid = moved(laid, self._columns[VolumeGrid.kind])
        places = joined([np.array([i]) for i in range(len(names))], seeds)
        for size, own in zip(laid.sizes(), places, strict=True):
            if not size:
                raise ValueError(
                    f"{names[own[0]]} lies in none of the voxels of the image, which "
                    f"are those of {self._told_voxels()}. Use SurfaceSeeds in cortex, "
                    "or Run(img, seed_img=...) with a volume of the same acquisition."
                )
        return laid

    def _told_voxels(self):
        """Return the words for the structures of voxels."""
        return some_of([own.told for own in self.structures if not own.is_surface], 30)

    def discs(self, seeds, sides, radii, mesh=None):
        """Return the positions of the disc around each seed, list of ndarray.

        As `SurfaceGrid.discs`; vertices without data are left out.
        """
        if self.cortex is None:
            return super().discs(seeds, sides, radii, mesh)
        columns = self._columns[SurfaceGrid.kind]
        centres = self.cortex.discs(seeds, sides, [None] * len(seeds), mesh)
        for position, (centre,) in enumerate(centres):
            if columns[centre] < 0:
                raise SeedPlaceError(
                    position,
                    f"{self.cortex.told_vertex(centre)} is on the medial wall, or "
                    "wherever else the image holds no data. Choose a vertex of cortex",
                )
        discs = [columns[disc] for disc in self.cortex.discs(seeds, sides, radii, mesh)]
        return [np.sort(disc[disc >= 0]) for disc in discs]

    # Smoothing and images

    def smoothing(self, fwhm, structures=None, mesh=None):
        """Return what smooths within structures, None for no smoothing.

        Parameters
        ----------
        fwhm : float or None
            In mm.
        structures : list of Structure or None, default=None
            None for all.
        mesh : PolyMesh or None, default=None
            Along which cortex is smoothed.

        Raises
        ------
        ValueError
            If there is cortex and no mesh, or one of another size.
        """
        if not fwhm:
            return None
        chosen = self.structures if structures is None else structures
        if mesh is not None and self.cortex is not None:
            self.cortex.check_same(SurfaceGrid(mesh), "mesh")
        mesh_key = None if mesh is None else key_of_mesh(mesh)
        parts, states = [], [float(fwhm)]
        for own in chosen:
            if own.is_surface:
                part = self._mesh_of(own, mesh, fwhm)
                where = part.coordinates, part.faces, own.places
                smooth, state = weighted_by(gaussian_along(*where, fwhm)), mesh_key
            else:
                smooth = VoxelSmoothing(own.places, self.volume.affine, fwhm)
                state = self.volume.key
            parts.append((own.positions, smooth))
            states.append((own.name, own.start, own.places, state))
        return PartwiseSmoothing(parts, digest(states))

    def _mesh_of(self, own, mesh, fwhm):
        """Return the part of a mesh along which a structure is smoothed."""
        if mesh is None or own.side not in mesh.parts:
            raise ValueError(
                f"smoothing_fwhm={fwhm!r} smooths {own.told} along a mesh, and CIFTI "
                "files hold none. Pass mesh=PolyMesh(left=..., right=...) with "
                "the surfaces of the same space, in mm, or smooth voxels alone with "
                f"structures={SUBCORTEX!r}."
            )
        return mesh.parts[own.side]

    @cached_property
    def axis(self):
        """The grayordinates as nibabel has them."""
        n = self.n_positions
        voxels, vertices = np.full((n, 3), -1), np.full(n, -1)
        for own in self.structures:
            (vertices if own.is_surface else voxels)[own.positions] = own.places
        sizes = {own.name: own.n_vertices for own in self.structures if own.is_surface}
        counts = [len(own.places) for own in self.structures]
        names = np.repeat([own.name for own in self.structures], counts)
        space = {}
        if self.volume is not None:
            space = {"affine": self.volume.affine, "volume_shape": self.volume.shape}
        return BrainModelAxis(names, voxels, vertices, nvertices=sizes, **space)

    def image_of(self, values, names=None):
        """Return values `(n_positions, ...)` as maps in a CIFTI image."""
        maps = values.reshape(self.n_positions, -1).T
        names = [f"map {i}" for i in range(len(maps))] if names is None else names
        img = Cifti2Image(maps, (ScalarAxis(names), self.axis))
        img.nifti_header.set_intent("NIFTI_INTENT_CONNECTIVITY_DENSE_SCALARS")
        return img
