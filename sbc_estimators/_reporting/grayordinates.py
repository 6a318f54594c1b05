"""What a report says of maps of grayordinates: of their voxels and of their cortex."""

import numpy as np

from .._images.opening import read_still


def voxels_of(image):
    """Return the voxels of a map as a volume, None where it has none."""
    still = read_still(image, "map")
    grid = still.grid.volume
    return None if grid is None else grid.image_of(still.part(grid.kind).values)


def highest_vertices(image, threshold):
    """Return the strongest vertex of each hemisphere, if it is beyond a threshold.

    Clusters would need a mesh, and where a vertex lies in mm too: CIFTI files hold
    none.
    """
    still, peaks = read_still(image, "map"), []
    for own in still.grid.structures:
        if not own.is_surface:
            continue
        values = still.values[own.positions]
        strongest = int(np.argmax(np.abs(values)))
        if abs(values[strongest]) > threshold:
            name = f"{own.told}, vertex {own.places[strongest]}"
            z = float(values[strongest])
            peaks.append({"name": name, "z": z, "place": None, "size": None})
    return peaks
