"""Simulated grayordinates: two small cortices with their meshes, and voxels below."""

from dataclasses import dataclass

import nibabel as nib
import numpy as np
from nilearn.surface import InMemoryMesh, PolyMesh
from scipy.spatial import ConvexHull

from .._images.grayordinates import GrayordinateGrid
from .._images.grids import VolumeGrid
from .._images.structures import PREFIX, Structure
from ._simulation import make_brain

RADII = (30.0, 75.0, 55.0)
"""Half axes in mm of the ellipsoid that a hemisphere is, along x, y and z."""

MIDDLE = (36.0, -15.0, 10.0)
"""The middle of the right one in mm; the left one is its mirror image."""

MEDIAL_WALL = 0.08
"""Part of a hemisphere's vertices that holds no data."""

VOXEL_SIZE = 4.0
"""Millimetres."""

SUBCORTEX = ("THALAMUS_LEFT", "THALAMUS_RIGHT", "HIPPOCAMPUS_LEFT", "HIPPOCAMPUS_RIGHT")
"""The upper and the lower voxels of either side; the middle is the brain stem."""


@dataclass(frozen=True, eq=False)
class Grayordinates:
    """Where simulated grayordinates lie.

    Attributes
    ----------
    grid : GrayordinateGrid
    mesh : PolyMesh
    points : ndarray of shape (n_grayordinates, 3)
        In mm.
    """

    grid: GrayordinateGrid
    mesh: PolyMesh
    points: np.ndarray


def make_grayordinates(n_vertices, n_voxels):
    """Return two hemispheres of `n_vertices` each, and `n_voxels` below them."""
    meshes = {"left": _hemisphere(n_vertices, -1), "right": _hemisphere(n_vertices, 1)}
    structures, points, start = [], [], 0
    for side, mesh in meshes.items():
        places = _without_medial_wall(mesh.coordinates)
        name = f"{PREFIX}CORTEX_{side.upper()}"
        structures.append(Structure(name, start, places, n_vertices))
        points.append(mesh.coordinates[places])
        start += len(places)
    brain = make_brain(n_voxels, None, VOXEL_SIZE)
    for name, is_own in _subcortex(brain.points):
        places = brain.indices[is_own]
        structures.append(Structure(PREFIX + name, start, places))
        points.append(brain.points[is_own])
        start += len(places)
    volume = VolumeGrid(tuple(map(int, brain.shape)), brain.affine)
    grid = GrayordinateGrid(tuple(structures), volume)
    return Grayordinates(grid, PolyMesh(**meshes), np.concatenate(points))


def _hemisphere(n_vertices, side):
    """Return the mesh of one hemisphere: points spread evenly over an ellipsoid."""
    steps = np.arange(n_vertices) + 0.5
    heights, turns = 1 - 2 * steps / n_vertices, np.pi * (1 + 5**0.5) * steps
    widths = np.sqrt(1 - heights**2)
    sphere = np.stack([widths * np.cos(turns), widths * np.sin(turns), heights], axis=1)
    faces = _turned_outwards(sphere * [side, 1, 1], ConvexHull(sphere).simplices)
    return InMemoryMesh((sphere * RADII + MIDDLE) * [side, 1, 1], faces)


def _turned_outwards(sphere, faces):
    """Return the faces of a ball, each counter-clockwise to who looks from outside."""
    a, b, c = sphere[faces.T]
    is_outward = np.einsum("ij,ij->i", np.cross(b - a, c - a), a) > 0
    return np.where(is_outward[:, np.newaxis], faces, faces[:, ::-1])


def _without_medial_wall(coordinates):
    """Return the vertices of a hemisphere but for those nearest to the other one."""
    order = np.argsort(np.abs(coordinates[:, 0]), kind="stable")
    return np.sort(order[round(MEDIAL_WALL * len(order)) :])


def _subcortex(points):
    """Yield the name of each structure of voxels, and which are its own."""
    x, _, z = points.T
    for name in SUBCORTEX:
        sign = -1 if name.endswith("LEFT") else 1
        is_high = z >= 0 if name.startswith("THALAMUS") else z < 0
        yield name, (sign * x > VOXEL_SIZE / 2) & is_high
    yield "BRAIN_STEM", np.abs(x) <= VOXEL_SIZE / 2


def centres_of_networks(grayordinates, n_networks):
    """Return a grayordinate for each network, by turns of left cortex and voxels.

    The first is the hindmost, each next the farthest from those before; voxels are
    taken from the inner half.
    """
    first = grayordinates.grid.structures[0]
    positions = np.arange(len(grayordinates.points))
    is_cortex = positions < len(first.places)
    away = np.linalg.norm(grayordinates.points, axis=1)
    first_voxel = grayordinates.grid.structures[2].start
    is_voxel = (positions >= first_voxel) & (away <= np.median(away[first_voxel:]))
    points, gaps, centres = grayordinates.points, -grayordinates.points[:, 1], []
    for network in range(n_networks):
        allowed = is_voxel if network % 2 else is_cortex
        latest = int(np.argmax(np.where(allowed, gaps, -np.inf)))
        centres.append(latest)
        apart = np.linalg.norm(points - points[latest], axis=1)
        gaps = apart if network == 0 else np.minimum(gaps, apart)
    return np.array(centres)


def places_of_seeds(grayordinates, centres):
    """Return a vertex number for each centre in cortex, a voxel's place in mm else."""
    first = grayordinates.grid.structures[0]
    return [
        int(first.places[centre])
        if centre < len(first.places)
        else tuple(grayordinates.points[centre].tolist())
        for centre in centres
    ]


def cifti_image(scans, grid, t_r, n_scans):
    """Return scans of grayordinates, float32, as an image of a time series."""
    data = np.empty((n_scans, grid.n_positions), np.float32)
    for row, scan in zip(data, scans, strict=True):
        row[:] = scan
    series = nib.cifti2.SeriesAxis(0, t_r, n_scans)
    img = nib.Cifti2Image(data, (series, grid.axis))
    img.nifti_header.set_intent("NIFTI_INTENT_CONNECTIVITY_DENSE_SERIES")
    return img
