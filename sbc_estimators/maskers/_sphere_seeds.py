"""`SphereSeeds`: spheres, each with its own radius."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pandas as pd

from .._support.checks import check_switch, is_integer
from .._support.tables import read_table
from ._base import PlacedSeeds
from ._places import (
    coordinates,
    described,
    flat,
    is_sequence,
    names_of_seeds,
    places_of_seeds,
    point,
    radii_of_seeds,
)
from ._stills import read_mask

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from .._images.annotations import ImageLike, PathLike

DEFAULT_RADIUS = 8.0
"""Millimetres."""


class SphereSeeds(PlacedSeeds):
    """Mean signals of spheres, each with its own radius.

    Parameters
    ----------
    seeds : sequence, DataFrame, str or path
        - A sequence with the coordinates (x, y, z) of each seed in mm; a list of such
          triplets is one seed of several spheres, the mean over all their voxels.
        - A table with a row for each seed, or the path of one (.tsv or .csv): columns
          x, y and z in mm, a column name unless `names` tells them, and if wanted a
          column radius in mm, which then takes the place of `radius`. Other columns
          are kept in `seed_table_`.
        - "run": each run brings its own, any of the above, as
          ``Run(img, seed_places=...)``.
    radius : float, None, or a sequence with one of these per seed, default=8.0
        In mm; None means only the voxel that contains the centre.
    names : sequence of str or None, default=None
        A name for each seed. None means those in the table, or the coordinates.
    mask_img : str, path, nibabel image or None, default=None
        Voxels where it is 0 are left out of all spheres. It may be on any grid. The
        centre of a sphere may lie outside the mask if the sphere reaches in: its
        coverage in `SeedCorrelationMap.seed_report_` is then the fraction of the sphere
        that the mask keeps.
    allow_overlap : bool, default=False
        Whether the spheres of different seeds may share voxels. Those of one seed may,
        and a voxel that they share counts once.

    Attributes
    ----------
    places_ : list of list of tuple of 3 float
        The centres of each seed's spheres in mm.
    radii_ : list of float
        In mm, 0 for a voxel alone.
    seed_names_ : list of str
        As in `names` or the table, else the coordinates, such as "(0, -52, 18)".
    seed_table_ : DataFrame of n_seeds rows, or None
        The columns of the table that are none of name, x, y, z and radius.
    grid_ : VolumeGrid or None
        That of the image passed to `fit`.

    See Also
    --------
    nilearn.maskers.NiftiSpheresMasker : One radius for all seeds.

    Notes
    -----
    In a CIFTI run spheres lie in its voxels; those that are in none of its structures
    hold no data, and count as lost in the seed's coverage.

    A sphere contains the voxels whose centres lie within its radius, and always the
    voxel that contains its own centre, which must lie in the image. Integer images are
    averaged in float64.

    Examples
    --------
    >>> from sbc_estimators.datasets import load_sample_run
    >>> from sbc_estimators.maskers import SphereSeeds
    >>> sample = load_sample_run()
    >>> hippocampi = [(-26, -22, -16), (26, -22, -16)]
    >>> seeds = SphereSeeds([(0, -52, 18), hippocampi], radius=[8, 6])
    >>> seeds.set_params(names=["PCC", "hippocampi"]).fit_transform(sample.func).shape
    (200, 2)
    >>> seeds.seed_names_
    ['PCC', 'hippocampi']

    From a table:

    >>> import pandas as pd
    >>> table = pd.DataFrame({"name": ["PCC", "left IPL"], "x": [0, -44]})
    >>> table = table.assign(y=[-52, -62], z=[18, 36], network="default mode")
    >>> SphereSeeds(table, radius=6).fit().get_feature_names_out()
    array(['PCC', 'left IPL'], dtype=object)
    """

    _element = "sphere"

    def __init__(
        self,
        seeds: Sequence[Any] | np.ndarray | pd.DataFrame | PathLike,
        radius: float | Sequence[float | None] | np.ndarray | None = DEFAULT_RADIUS,
        *,
        names: Sequence[str] | None = None,
        mask_img: ImageLike | None = None,
        allow_overlap: bool = False,
    ) -> None:
        self.seeds = seeds
        self.radius = radius
        self.names = names
        self.mask_img = mask_img
        self.allow_overlap = allow_overlap

    def _settle(self, grid):
        """Set what the parameters say of the spheres."""
        check_switch(self.allow_overlap, "allow_overlap")
        seeds, radius, names = self.seeds, self.radius, self.names
        self.seed_table_ = None
        if isinstance(seeds, str | os.PathLike):
            seeds = read_table(seeds, "seeds")
        if isinstance(seeds, pd.DataFrame):
            seeds, radius, names, self.seed_table_ = self._of_table(seeds)
        what = "triplets of coordinates in mm"
        self.places_ = places_of_seeds(seeds, point, "seeds", what)
        self.radii_ = radii_of_seeds(radius, len(self.places_))
        defaults = [" + ".join(map(coordinates, places)) for places in self.places_]
        self.seed_names_ = names_of_seeds(names, defaults)
        mask = self.mask_img
        self._mask = None if mask is None else read_mask(mask)

    def _of_table(self, table):
        """Return coordinates, radii, names and what else is in a table of seeds."""
        columns = table.columns.tolist()
        missing = [axis for axis in "xyz" if columns.count(axis) != 1]
        if missing or len(set(columns)) < len(columns):
            raise ValueError(
                "seeds: a table must have the columns x, y and z, and each column "
                f"once, got {columns}."
            )
        if "name" in columns and self.names is not None:
            raise ValueError(
                "names: the table of seeds has a column name. Leave out one of them."
            )
        is_set = is_sequence(self.radius) or self.radius != DEFAULT_RADIUS
        if "radius" in columns and is_set:
            raise ValueError(
                f"radius={self.radius!r}: the table of seeds has a column radius. "
                "Leave out one of them."
            )
        names = self.names
        if "name" in columns:
            names = [str(n) if is_integer(n) else n for n in table["name"]]
        radius = table["radius"] if "radius" in columns else self.radius
        others = [c for c in columns if c not in ("name", "x", "y", "z", "radius")]
        others = table[others].reset_index(drop=True) if others else None
        return table[["x", "y", "z"]].to_numpy(), radius, names, others

    def _lay(self, grid):
        """Return the means over spheres on a grid."""
        centres, seeds = flat(self.places_)
        radii = [self.radii_[seed] for seed in seeds]
        words = [
            described(self.seed_names_[seed], coordinates(centre), " mm")
            for centre, seed in zip(centres, seeds, strict=True)
        ]
        return grid.lay_spheres(
            words, centres, radii, self._mask, self.allow_overlap, seeds
        )
