"""Surfaces: the scans of nilearn's SurfaceImage, which are in memory."""

from functools import cached_property
from itertools import pairwise

import numpy as np

from .._support.digests import digest
from .grids import Still
from .meshes import SurfaceGrid, key_of_mesh
from .scans import Block, Scaling, Scans, finite
from .volume import check_plain_numbers, check_real, without_missing

SLAB_VERTICES = 1024
"""How many vertices are worked on at a time."""


class SurfaceScans(Scans):
    """The scans of a SurfaceImage.

    Parameters
    ----------
    image : SurfaceImage
        Of shape (vertices,) or (vertices, scans).
    """

    scaling = Scaling()
    doubts = ()
    time_step = (0.0, "that of the format")

    marks = ("mesh", "data")

    @staticmethod
    def check_run(image):
        """Raise ValueError unless an image has two dimensions."""
        shape = tuple(image.shape)
        if len(shape) != 2:
            raise ValueError(
                f"a run must be of shape (vertices, scans), got {len(shape)}D with "
                f"shape {shape}."
            )

    @staticmethod
    def still(image, missing):
        """Return the `Still` of an image of one scan, or of maps.

        Labels stored as a column, (n, 1), are values like any others.
        """
        parts = [np.asarray(part) for part in image.data.parts.values()]
        values = np.concatenate([part.reshape(len(part), -1) for part in parts])
        check_real(values.dtype)
        values = without_missing(values, missing)
        values = values[:, 0] if values.shape[1] == 1 else values
        return Still(SurfaceGrid(image.mesh), values)

    def __init__(self, image):
        self.image = image
        self.grid = SurfaceGrid(image.mesh)
        self.parts = [_numbers_in(part) for part in image.data.parts.values()]
        for part in self.parts:
            check_plain_numbers(part)
        if self.parts[0].ndim == 1:
            self.parts = [part[:, np.newaxis] for part in self.parts]

    @property
    def shape(self):
        """The image's own shape."""
        return tuple(self.image.shape)

    @property
    def n_scans(self):
        """Number of scans: one of an image without a dimension for them."""
        return int(self.parts[0].shape[1])

    @cached_property
    def fingerprint(self):
        """A text that changes when the numbers or the mesh do."""
        return digest(list(map(digest, self.parts)), key_of_mesh(self.image.mesh))

    def blocks(self, kept):
        """Yield all scans as one block, as they lie in memory."""
        yield Block(self.parts, kept, slice(0, len(kept)))

    def slabs(self, positions):
        """Return positions cut into those of each part, not too many at a time."""
        starts = [*self.grid.starts.values(), self.grid.n_positions]
        edges, slabs = np.searchsorted(positions, starts).tolist(), []
        for part, (begin, stop) in enumerate(pairwise(edges)):
            for first in range(begin, stop, SLAB_VERTICES):
                places = np.arange(first, min(first + SLAB_VERTICES, stop))
                slabs.append(((part, positions[places] - starts[part]), places))
        return slabs

    def take(self, block, slab):
        """Return the kept numbers of a slab in a block."""
        part, places = slab
        numbers = block.numbers[part]
        is_run = len(places) == places[-1] - places[0] + 1
        numbers = numbers[places[0] : places[-1] + 1] if is_run else numbers[places]
        is_all = len(block.rows) == numbers.shape[1]
        return (numbers if is_all else numbers[:, block.rows]).T

    def image_of(self, kept):
        """Return the kept scans in float64, and what is not finite, as of a volume."""
        data = np.concatenate(self.parts)
        data = data if len(kept) == data.shape[1] else data[:, kept]
        data, bad = finite(np.asarray(data, dtype=np.float64))
        flags = Still(self.grid, bad) if bad.any() else None
        return self.grid.image_of(data), flags


def _numbers_in(part):
    """Return the numbers of a part, which nilearn 0.13 may leave as objects."""
    part = np.asarray(part)
    return part.astype(np.float64) if part.dtype == object else part
