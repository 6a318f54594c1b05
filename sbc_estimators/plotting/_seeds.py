"""Where a seed lies in a picture."""

import nibabel
import numpy as np
from nilearn.image import reorder_img

from .._images.grids import Still
from .._images.opening import grid_of, read_still
from .._signals.kinds import adapter_of
from ._nilearn import middle_of


class SeedInImage:
    """Where a seed of a fitted estimator lies in images of a grid.

    Parameters
    ----------
    estimator : SeedCorrelationMap
    position : int
        Of the seed.
    grid : grid
    whole : grid or None, default=None
        That of which `grid` is a part.
    """

    def __init__(self, estimator, position, grid, whole=None):
        self.whole = grid if whole is None else whole
        self.adapter = adapter_of(estimator.seed_masker_, "seed_masker")
        self.position, self.grid = position, grid
        self.n_seeds = len(estimator.seed_names_)

    def region(self):
        """Return an image in which the seed is 1, None where it is in no such one."""
        if self.adapter.grid_kind not in (None, self.grid.kind):
            return None
        img = self.adapter.image_of(self.position, self.n_seeds)
        own = grid_of(img)
        if own is None or own.kind not in (self.grid.kind, self.whole.kind):
            return None
        if own.kind == self.grid.kind:
            return img
        values = self.whole.values_of(read_still(img, "img"))
        part = Still(self.whole, values).part(self.grid.kind)
        is_there = part is not None and part.values.any()
        return self.grid.image_of(part.values) if is_there else None

    def sphere(self):
        """Return the centre and the radius of the seed in mm.

        The centre is None where the seed is in no volume, the radius 0 for one voxel,
        or where the seed is no sphere.
        """
        sphere = self.adapter.sphere(self.position)
        if sphere is not None:
            return sphere
        region = self.region()
        if region is None:
            return None, 0
        return middle_of(region), 0

    def voxels(self):
        """Return an image of 0 and 1 of a seed of several voxels that is no sphere.

        Its axes lie along those of space, ascending. Of a seed with weights it shows
        those above half of the largest. None for other seeds.
        """
        region = None
        if self.adapter.sphere(self.position) is None:
            region = self.region()
        if region is None:
            return None
        weights = np.abs(np.asarray(region.dataobj))
        weights = weights.reshape(weights.shape[:3])
        is_in = (weights > weights.max() / 2).astype(np.int8)
        if is_in.sum() < 2:
            return None
        return reorder_img(nibabel.Nifti1Image(is_in, region.affine), "nearest")
