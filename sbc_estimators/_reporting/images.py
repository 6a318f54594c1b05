"""What kind of image a map is, and what is in it."""

import numpy as np

from .._images.grayordinates import GrayordinateGrid
from .._images.grids import VolumeGrid
from .._images.meshes import SurfaceGrid
from .._images.opening import grid_of

VOLUME, SURFACE = VolumeGrid.kind, SurfaceGrid.kind
GRAYORDINATES = GrayordinateGrid.kind
"""Kinds of images, as grids name them."""


def kind_of(value):
    """Return the kind of an image in memory, None of what is no image."""
    grid = grid_of(value)
    return None if grid is None else grid.kind


def volume_data(image):
    """Return the values of one map in a volume, `(x, y, z)`."""
    data = np.asarray(image.dataobj)
    return data[..., 0] if data.ndim == 4 else data


def hemispheres(image):
    """Return for each hemisphere its name, its values and its coordinates in mm."""
    return [
        (name, np.ravel(data), image.mesh.parts[name].coordinates)
        for name, data in image.data.parts.items()
    ]
