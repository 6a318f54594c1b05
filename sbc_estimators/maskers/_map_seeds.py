"""`MapSeeds`: probabilistic maps, with names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .._arrays.spatial import fitted_map
from ._base import PlacedSeeds
from ._places import names_of_seeds
from ._region_seeds import name_of_file
from ._stills import read_maps, read_mask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._images.annotations import ImageLike


class MapSeeds(PlacedSeeds):
    """Signals of probabilistic maps, such as components or an atlas of probabilities.

    Parameters
    ----------
    maps_img : str, path, nibabel image or SurfaceImage
        A 4D image of one map or several, or a 3D one of a single map; on a surface of
        shape (n_vertices, n_maps). "run": each run brings its own, as
        ``Run(img, seed_places=...)``.
    names : sequence of str or None, default=None
        A name for each map. None means map0, map1, ..., and of a single map its file's.
    mask_img : str, path, nibabel image, SurfaceImage or None, default=None
        Voxels (vertices) where it is 0 are left out of all maps. A volume may be on
        any grid.

    Attributes
    ----------
    n_maps_ : int
    seed_names_ : list of str
        As in `names`, else numbers, or a single map's file without its endings.
    grid_ : VolumeGrid, SurfaceGrid or None
        That of the image passed to `fit`, or of the maps.

    See Also
    --------
    nilearn.maskers.NiftiMapsMasker, nilearn.maskers.SurfaceMapsMasker : The same
        signals, with a cleaning of their own and without names.
    RegionSeeds : Regions of an atlas.

    Notes
    -----
    The signals are those that fit the scans best, as sums of the maps, by least
    squares: of a single map, its weighted mean but for a factor. Maps on another grid
    are brought to that of the run by nearest neighbours. What is not finite is 0.

    Examples
    --------
    >>> import nibabel
    >>> import numpy as np
    >>> from sbc_estimators.datasets import load_sample_run
    >>> from sbc_estimators.maskers import MapSeeds
    >>> sample = load_sample_run()
    >>> mask_img = nibabel.load(sample.mask_img)
    >>> y = np.indices(mask_img.shape)[1] - 19.0
    >>> back = np.exp(-((y + 10) ** 2) / 50) * mask_img.get_fdata()
    >>> front = np.exp(-((y - 10) ** 2) / 50) * mask_img.get_fdata()
    >>> maps = np.stack([back, front], axis=-1)
    >>> maps_img = nibabel.Nifti1Image(maps, mask_img.affine)
    >>> seeds = MapSeeds(maps_img, names=["back", "front"])
    >>> seeds.fit_transform(sample.func).shape
    (200, 2)
    """

    _where = "maps_img"

    _element = "map"

    def __init__(
        self,
        maps_img: ImageLike,
        names: Sequence[str] | None = None,
        *,
        mask_img: ImageLike | None = None,
    ) -> None:
        self.maps_img = maps_img
        self.names = names
        self.mask_img = mask_img

    def _settle(self, grid):
        """Read the maps, and set what they are called."""
        self._mask = None if self.mask_img is None else read_mask(self.mask_img)
        self._maps = read_maps(self.maps_img)
        self.n_maps_ = self._maps.values.shape[1]
        defaults = [f"map{i}" for i in range(self.n_maps_)]
        if self.n_maps_ == 1:
            defaults = [name_of_file(self.maps_img) or "map0"]
        self.seed_names_ = names_of_seeds(self.names, defaults)
        return self._maps.grid

    def _on(self, grid):
        """Return the maps on a grid, `(n_positions, n_maps)`."""
        grid.check_holds(self._maps, "maps_img")
        values = grid.values_of(self._maps)
        if self._mask is None:
            return values
        grid.check_holds(self._mask, "mask_img")
        return np.where(grid.values_of(self._mask)[:, np.newaxis] != 0, values, 0)

    def _lay(self, grid):
        """Return the maps, fitted by least squares, on a grid."""
        values = self._on(grid)
        for name, is_there in zip(self.seed_names_, values.any(axis=0), strict=True):
            if not is_there:
                inside = "" if self._mask is None else ", within mask_img"
                raise ValueError(
                    f"nothing is left of map {name!r} on the grid of the image{inside}."
                    " Leave it out, or check that both are in the same space."
                )
        return fitted_map(values)

    def _spread(self, rows):
        """Return sums of the maps, weighted by rows, at the positions of the grid."""
        return self._on(self.grid_) @ rows.T
