"""What a report says of maps of grayordinates: of their voxels and of their cortex."""

import numpy as np

from .._images.opening import read_still


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
