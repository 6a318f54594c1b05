"""Where a seed lies in a picture."""

from .._images.opening import grid_of
from .._signals.kinds import adapter_of
from ._surface_views import nilearn_plotting


class SeedInImage:
    """Where a seed of a fitted estimator lies in images of a grid."""

    def __init__(self, estimator, position, grid):
        self.adapter = adapter_of(estimator.seed_masker_, "seed_masker")
        self.position, self.grid = position, grid
        self.n_seeds = len(estimator.seed_names_)

    def region(self):
        """Return an image in which the seed is 1, None where it is in no such one."""
        if self.adapter.grid_kind not in (None, self.grid.kind):
            return None
        img = self.adapter.image_of(self.position, self.n_seeds)
        own = grid_of(img)
        return img if own is not None and own.kind == self.grid.kind else None

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
        return tuple(nilearn_plotting().find_xyz_cut_coords(region)), 0
