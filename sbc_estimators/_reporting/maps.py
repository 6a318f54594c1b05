"""Maps of seeds as a report shows them: where their seeds and their peaks are."""

import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from nibabel.affines import voxel_sizes
from nilearn.reporting import get_clusters_table

from .._arrays.correlation import fisher_z
from .._images.opening import grid_of
from .._signals.kinds import adapter_of
from ..plotting._seeds import SeedInImage
from .grayordinates import highest_vertices, voxels_of
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
        kind = kind_of(self.image(0))
        return kind if kind in PEAKS else None

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
        return brain.element in ("region", "map")

    def place(self, position):
        """Return centre in mm and radius of a seed; (None, 0) where there is none."""
        if self.kind is None:
            return None, 0
        grid = grid_of(self.image(position))
        seed = SeedInImage(self.sbc, position, grid)
        if self.kind == VOLUME:
            return seed.sphere()
        if self.kind == GRAYORDINATES:
            return seed.adapter.sphere(position) or (None, 0)
        region = seed.region()
        is_there = region is not None and grid.same_as(grid_of(region))
        return (_middle_vertex(region) if is_there else None), 0

    def highest(self, position):
        """Return where in mm a map is highest, which most often is its seed."""
        if self.kind not in HIGHEST:
            return None
        return _where_highest(self.image(position))

    def peaks(self, position, threshold):
        """Return a dict for each of the strongest peaks beyond a threshold."""
        if self.is_of_regions:
            return self._regions(position, threshold)
        if self.kind is None:
            return []
        image = self.image(position)
        peaks = sorted(
            PEAKS[self.kind](image, threshold), key=lambda peak: -abs(peak["z"])
        )
        return peaks[:MOST_PEAKS]

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
        return _where_highest(self.sbc.brain_masker_.inverse_transform(only))


# Volumes


def _peaks_in_volume(image, threshold):
    """Return the peaks of clusters, one each."""
    if image.ndim == 4:
        image = image.slicer[..., 0]
    voxel = float(np.prod(voxel_sizes(image.affine)))
    least = max(1, round(LEAST_CLUSTER / voxel))
    table = _clusters(image, threshold, least, min_distance=12.0)
    whole = table[table["Cluster Size (mm3)"].astype(str) != ""]
    return [
        {
            "name": None,
            "z": float(row["Peak Stat"]),
            "place": tuple(float(row[axis]) for axis in "XYZ"),
            "size": float(row["Cluster Size (mm3)"]),
        }
        for row in whole.to_dict("records")
    ]


def _clusters(image, threshold, least, **options):
    """Return nilearn's table of clusters; that there are none is no news."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return get_clusters_table(image, threshold, least, two_sided=True, **options)


# Grayordinates


def _peaks_of_grayordinates(image, threshold):
    """Return the peaks of clusters of voxels, and the strongest vertices of cortex."""
    voxels = voxels_of(image)
    peaks = [] if voxels is None else _peaks_in_volume(voxels, threshold)
    return [*highest_vertices(image, threshold), *peaks]


# Surfaces


def _peaks_on_surface(image, threshold):
    """Return the peaks of clusters, one each."""
    flat = {name: values for name, values, _ in hemispheres(image)}
    image = type(image)(mesh=image.mesh, data=flat)
    table = _clusters(image, threshold, LEAST_VERTICES)
    return [
        {
            "name": row["Hemisphere"],
            "z": float(row["Peak Stat"]),
            "place": _vertex_with(image, row["Hemisphere"], row["Peak Stat"]),
            "size": int(row["Cluster Size (vertices)"]),
        }
        for row in table.to_dict("records")
    ]


def _vertex_with(image, hemisphere, value):
    """Return where on a hemisphere a value is, which nilearn's table does not tell."""
    values = image.data.parts[hemisphere]
    vertex = np.argmin(np.abs(values - value))
    return _as_place(image.mesh.parts[hemisphere].coordinates[vertex])


def _middle_vertex(region):
    """Return the place of the vertex in the middle of a region, None if it is empty."""
    best = max(hemispheres(region), key=lambda part: np.count_nonzero(part[1]))
    inside = best[2][best[1] > 0]
    if not len(inside):
        return None
    distances = np.linalg.norm(inside - inside.mean(axis=0), axis=1)
    return _as_place(inside[distances.argmin()])


def _where_highest(image):
    """Return where in mm an image of one map is highest."""
    return _as_place(HIGHEST[kind_of(image)](image))


def _highest_voxel(image):
    """Return the place of the highest voxel in mm."""
    data = volume_data(image)
    voxel = np.unravel_index(data.argmax(), data.shape)
    return image.affine[:3, :3] @ voxel + image.affine[:3, 3]


def _highest_vertex(image):
    """Return the place of the highest vertex in mm."""
    _, values, coordinates = max(hemispheres(image), key=lambda part: part[1].max())
    return coordinates[values.argmax()]


def _as_place(coordinates):
    """Return coordinates as a tuple of three numbers in mm."""
    return tuple(round(float(value), 2) for value in coordinates)


PEAKS = {
    VOLUME: _peaks_in_volume,
    SURFACE: _peaks_on_surface,
    GRAYORDINATES: _peaks_of_grayordinates,
}
"""What finds the peaks of a map, by the kind of its image."""

HIGHEST = {VOLUME: _highest_voxel, SURFACE: _highest_vertex}
"""What finds where a map is highest."""
