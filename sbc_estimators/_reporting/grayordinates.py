"""What a report says of maps of grayordinates: of their voxels and of their cortex."""

import numpy as np

from .._images.meshes import SurfaceGrid
from .._images.opening import read_still
from ..plotting._grayordinate_views import hemispheres_of
from .images import SURFACE, VOLUME


def parts_of(image, mesh):
    """Return a map's cortex and its voxels as images, by kind, as far as it has them.

    Without a mesh there is no image of the cortex.
    """
    still, parts = read_still(image, "map"), {}
    cortex, volume = still.grid.cortex, still.grid.volume
    if cortex is not None and mesh is not None:
        own = hemispheres_of(mesh, cortex, "mesh")
        parts[SURFACE] = own.image_of(still.part(SurfaceGrid.kind).values)
    if volume is not None:
        parts[VOLUME] = volume.image_of(still.part(volume.kind).values)
    return parts


def has_cortex(image):
    """Whether a map has grayordinates of cortex."""
    return read_still(image, "map").grid.cortex is not None


def highest_vertices(image, threshold):
    """Return the strongest vertex of each hemisphere, if it is beyond a threshold.

    For cortex without a mesh, which clusters would need, and where a vertex lies too.
    """
    still, peaks = read_still(image, "map"), []
    for own in still.grid.structures:
        if not own.is_surface:
            continue
        values = still.values[own.positions]
        strongest = int(np.argmax(np.abs(values)))
        if abs(values[strongest]) > threshold:
            name = f"{own.told}, vertex {own.places[strongest]}"
            peak = {"name": name, "z": float(values[strongest]), "place": None}
            peaks.append({**peak, "size": None, "unit": None})
    return peaks
