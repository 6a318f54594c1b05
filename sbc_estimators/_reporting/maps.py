"""Maps of seeds as a report shows them: where their seeds and their peaks are."""

from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from nibabel.affines import voxel_sizes
from nilearn.reporting import get_clusters_table
from scipy.sparse.csgraph import connected_components

from .._arrays.correlation import fisher_z
from .._images.meshes import edge_lengths
from .._images.opening import grid_of
from .._signals.kinds import adapter_of
from .._support.messages import ignoring
from ..plotting._grayordinate_views import mesh_of, parts_of
from ..plotting._seeds import SeedInImage
from .grayordinates import has_cortex, highest_vertices
from .images import GRAYORDINATES, SURFACE, VOLUME, hemispheres, kind_of, volume_data

LEAST_CLUSTER = 250.0
"""Size in mm3 of the smallest cluster whose peak is listed."""

LEAST_VERTICES = 10
"""The same on a surface, in vertices."""

MOST_PEAKS = 10
"""How many peaks of a map are listed, the strongest first."""


@dataclass(frozen=True, eq=False)
class Maps:
    """The maps of a fitted estimator, as Fisher z.

    Attributes
    ----------
    sbc : SeedCorrelationMap
        Fitted.
    z : ndarray of shape (n_seeds, n_voxels)
    """

    sbc: Any
    z: np.ndarray

    @classmethod
    def of(cls, sbc):
        """Return the maps over all runs of `fit`."""
        return cls(sbc, fisher_z(sbc.correlations_))

    def image(self, position):
        """Return one map as an image."""
        return self.sbc.brain_masker_.inverse_transform(self.z[position][np.newaxis])

    @cached_property
    def kind(self):
        """The kind of image that they are, None where they cannot be drawn."""
        kind = None
        with suppress(ValueError):  # such as of nilearn's spheres without a mask
            kind = kind_of(self.image(0))
        return kind if kind in (*PEAKS, GRAYORDINATES) else None

    def parts(self, position):
        """Return the images of what one map consists of, by kind.

        Of a volume or a surface that is the map; of grayordinates their cortex, where
        there is a mesh, and their voxels.
        """
        image = self.image(position)
        if self.kind == GRAYORDINATES:
            return parts_of(image, mesh_of(self.sbc))
        return {self.kind: image}

    @cached_property
    def lacks_mesh(self):
        """Whether they are of cortex, of which there is no mesh."""
        is_gray = self.kind == GRAYORDINATES and mesh_of(self.sbc) is None
        return is_gray and has_cortex(self.image(0))

    @cached_property
    def unit(self):
        """What the values of a map belong to: voxels, vertices or regions."""
        if self.is_of_regions:
            return "regions"
        units = {SURFACE: "vertices", GRAYORDINATES: "grayordinates"}
        return units.get(self.kind, "voxels")

    @property
    def is_of_regions(self):
        """Whether the brain masker averages over parcels or weighted maps."""
        brain = adapter_of(self.sbc.brain_masker_, "brain_masker")
        return brain.element in ("region", "map", "sphere", "disc")

    def place(self, position):
        """Return centre in mm and radius of a seed; (None, 0) where there is none."""
        if self.kind is None:
            return None, 0
        whole = grid_of(self.image(position))
        for kind, image in self.parts(position).items():
            seed = SeedInImage(self.sbc, position, grid_of(image), whole)
            place, radius = WHERE[kind](seed)
            if place is not None:
                return place, radius
        return None, 0

    def highest(self, position):
        """Return where in mm a map is highest, which most often is its seed."""
        if self.kind is None:
            return None
        found = [HIGHEST[kind](part) for kind, part in self.parts(position).items()]
        return max(found)[1] if found else None

    def peaks(self, position, threshold):
        """Return a dict for each of the strongest peaks beyond a threshold."""
        if self.is_of_regions:
            return self._regions(position, threshold)
        if self.kind is None:
            return []
        peaks = (
            highest_vertices(self.image(position), threshold) if self.lacks_mesh else []
        )
        for kind, image in self.parts(position).items():
            peaks += PEAKS[kind](image, threshold)
        return sorted(peaks, key=lambda peak: -abs(peak["z"]))[:MOST_PEAKS]

    def _regions(self, position, threshold):
        """Return the same of a map of regions: those with the strongest values."""
        row = self.z[position]
        first = position * len(row)
        names = self.sbc.get_feature_names_out()[first : first + len(row)]
        prefix = f"{self.sbc.seed_names_[position]} "
        order = np.argsort(-np.abs(row), kind="stable")[:MOST_PEAKS]
        return [
            {
                "name": str(names[i]).removeprefix(prefix),
                "z": float(row[i]),
                "place": self._place_of_region(i),
                "size": None,
                "unit": None,
            }
            for i in order
            if abs(row[i]) > threshold
        ]

    def _place_of_region(self, region):
        """Return a place in mm inside of one region of the brain masker."""
        if self.kind not in HIGHEST:
            return None
        only = np.zeros((1, self.z.shape[1]), np.float32)
        only[0, region] = 1
        return HIGHEST[self.kind](self.sbc.brain_masker_.inverse_transform(only))[1]


# Volumes


def _peaks_in_volume(image, threshold):
    """Return the peaks of clusters, one each."""
    if image.ndim == 4:
        image = image.slicer[..., 0]
    voxel = float(np.prod(voxel_sizes(image.affine)))
    least = max(1, round(LEAST_CLUSTER / voxel))
    with ignoring():  # that there are none
        table = get_clusters_table(
            image, threshold, least, two_sided=True, min_distance=12.0
        )
    whole = table[table["Cluster Size (mm3)"].astype(str) != ""]
    return [
        {
            "name": None,
            "z": float(row["Peak Stat"]),
            "place": tuple(float(row[axis]) for axis in "XYZ"),
            "size": float(row["Cluster Size (mm3)"]),
            "unit": "mm³",
        }
        for row in whole.to_dict("records")
    ]


# Surfaces


def _peaks_on_surface(image, threshold):
    """Return the peaks of clusters, one each.

    Not from nilearn's table, whose peak of a negative cluster is its weakest value.
    """
    return [
        {
            "name": name,
            "z": float(values[vertices[0]]),
            "place": _as_place(coordinates[vertices[0]]),
            "size": len(vertices),
            "unit": "vertices",
        }
        for name, values, coordinates in hemispheres(image)
        for vertices in _clusters_of_vertices(
            edge_lengths(coordinates, image.mesh.parts[name].faces), values, threshold
        )
    ]


def _clusters_of_vertices(graph, values, threshold):
    """Yield the vertices of each cluster that is not too small, the strongest first."""
    for sign in (1, -1):
        inside = np.flatnonzero(sign * values > threshold)
        n_clusters, labels = connected_components(
            graph[inside][:, inside], directed=False
        )
        for label in range(n_clusters):
            own = inside[labels == label]
            if len(own) >= LEAST_VERTICES:
                yield own[np.argsort(-sign * values[own], kind="stable")]


def _middle_vertex(region):
    """Return the place of the vertex in the middle of a region, None if it is empty."""
    best = max(hemispheres(region), key=lambda part: np.count_nonzero(part[1]))
    inside = best[2][best[1] > 0]
    if not len(inside):
        return None
    distances = np.linalg.norm(inside - inside.mean(axis=0), axis=1)
    return _as_place(inside[distances.argmin()])


def _middle_of_discs(seed):
    """Return the middle of a seed on a surface, and 0: its radius is not in space."""
    region = seed.region()
    is_there = region is not None and seed.grid.same_as(grid_of(region))
    return (_middle_vertex(region) if is_there else None), 0


def _highest_voxel(image):
    """Return the highest value in a volume, and where in mm it is."""
    data = volume_data(image)
    voxel = np.unravel_index(data.argmax(), data.shape)
    place = image.affine[:3, :3] @ voxel + image.affine[:3, 3]
    return float(data[voxel]), _as_place(place)


def _highest_vertex(image):
    """Return the highest value on a surface, and where in mm it is."""
    _, values, coordinates = max(hemispheres(image), key=lambda part: part[1].max())
    return float(values.max()), _as_place(coordinates[values.argmax()])


def _as_place(coordinates):
    """Return coordinates as a tuple of three numbers in mm."""
    return tuple(round(float(value), 2) for value in coordinates)


PEAKS = {VOLUME: _peaks_in_volume, SURFACE: _peaks_on_surface}
"""What finds the peaks of a map, by the kind of its image."""

HIGHEST = {VOLUME: _highest_voxel, SURFACE: _highest_vertex}
"""What finds where a map is highest."""

WHERE = {VOLUME: SeedInImage.sphere, SURFACE: _middle_of_discs}
"""What finds centre and radius of a seed, None and 0 where it is not in an image."""
