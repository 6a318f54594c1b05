"""What the seed maskers of this package have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from .._images.opening import open_scans
from .._support.messages import naming
from .._support.tables import whole_array
from ._places import checked_names

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from .._arrays.spatial import SpatialMap
    from .._images.annotations import Grid, Image, ImageLike


Own = TypeVar("Own", bound="PlacedSeeds")
"""A masker of some kind."""


class Masker(Protocol):
    """What every masker has, whoever made it."""

    def fit(self, *args: Any, **kwargs: Any) -> Any:
        """Fit to an image, or to none."""

    def transform(self, *args: Any, **kwargs: Any) -> Any:
        """Return the signals of an image."""

    def inverse_transform(self, *args: Any, **kwargs: Any) -> Any:
        """Return values of signals as an image."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters."""

    def set_params(self, **params: Any) -> Any:
        """Set parameters."""


class NamedSeeds(TransformerMixin, BaseEstimator):
    """A masker whose `fit` sets `seed_names_`; its input is no matrix of features."""

    def get_feature_names_out(self, input_features: None = None) -> np.ndarray:
        """Return the names of the seeds.

        Parameters
        ----------
        input_features : None
            Ignored: what seeds are made of has no names.

        Returns
        -------
        names : ndarray of str objects of shape (n_seeds,)

        Raises
        ------
        NotFittedError
            Before `fit`.
        """
        check_is_fitted(self)
        return np.asarray(self.seed_names_, dtype=object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.no_validation = True
        return tags

    def _rows(self, X):
        """Return values of seeds as an array whose last axis is seeds."""
        rows = whole_array(X, "X")
        n_seeds = len(self.seed_names_)
        if rows.ndim not in (1, 2) or rows.shape[-1] != n_seeds:
            raise ValueError(
                f"X must have a column for each of {n_seeds} seeds, got shape "
                f"{rows.shape}. Pass rows as transform returns them."
            )
        if rows.dtype.kind not in "biuf":
            raise TypeError(f"X must hold real numbers, got dtype {rows.dtype}.")
        return rows


class PlacedSeeds(NamedSeeds):
    """A masker whose seeds are means over places in a volume or on a surface.

    A masker of this kind has the parameter that `_where` names, which is "run" for
    places that come with each run; ``_settle(grid)``, which checks the parameters, sets
    `seed_names_`, and returns the grid that the seeds have of their own, or None; and
    ``_lay(grid)``, which returns the seeds as a `SpatialMap`.
    """

    _where = "seeds"

    @property
    def takes_places(self) -> bool:
        """Whether places come with each run, as `Run.seed_places`."""
        places = getattr(self, self._where)
        return isinstance(places, str) and places == "run"

    def fit(self: Own, X: Any = None, y: None = None) -> Own:
        """Check the seeds, and that they can be laid on the grid of an image if given.

        Parameters
        ----------
        X : str, path, nibabel image, SurfaceImage, Cifti2Image or None, default=None
            An image of any number of scans, which are not read. `inverse_transform`
            makes images like it. Where places come with each run, those of a run: they
            tell the names.
        y : None
            Ignored.

        Returns
        -------
        self : object
            The fitted masker.

        Raises
        ------
        TypeError, ValueError
            If a parameter is not what it must be, or a seed lies outside the image or
            overlaps another that it must not.
        FileNotFoundError
            If a file does not exist.
        OSError
            If a file cannot be read.
        """
        if self.takes_places:
            self._fit_to_places(X)
            return self
        return self.fit_on(None if X is None else open_scans(X, is_run=False).grid)

    def fit_on(self: Own, grid: Grid | None) -> Own:
        """Check the seeds as `fit` does, with the grid of an image.

        Parameters
        ----------
        grid : VolumeGrid, SurfaceGrid or None

        Returns
        -------
        self : object
            The fitted masker.

        Raises
        ------
        TypeError, ValueError, FileNotFoundError, OSError
            As `fit`.
        """
        own_grid = self._settle(grid)
        self.grid_ = own_grid if grid is None else grid
        self._laid = None if grid is None else (grid.key, self._lay(grid))
        return self

    def on(self, grid: Grid) -> SpatialMap:
        """Return the seeds as weighted sums of a grid's voxels (vertices).

        Parameters
        ----------
        grid : VolumeGrid or SurfaceGrid

        Returns
        -------
        spatial_map : SpatialMap
            Not smoothed.

        Raises
        ------
        NotFittedError
            Before `fit`.
        TypeError, ValueError
            If the grid is of another kind than the seeds, a seed lies outside it, or
            seeds overlap that must not.
        """
        self._check_has_places()
        if self._laid is not None and self._laid[0] == grid.key:
            return self._laid[1]
        return self._lay(grid)

    def transform(self, X: ImageLike) -> np.ndarray:
        """Return the raw signals of the seeds in an image, not cleaned or smoothed.

        Parameters
        ----------
        X : str, path, nibabel image, SurfaceImage or Cifti2Image
            An image of one scan or more. A voxel (vertex) with a value that is not
            finite counts as 0 in all of them.

        Returns
        -------
        signals : ndarray of shape (n_scans, n_seeds)

        Raises
        ------
        NotFittedError
            Before `fit`.
        TypeError, ValueError
            If X is no image of the seeds' kind, a seed lies outside it, or seeds
            overlap that must not.
        FileNotFoundError
            If the file does not exist.
        OSError
            If the file is truncated or corrupt.
        """
        self._check_has_places()
        scans = open_scans(X, is_run=False)
        return scans.signals(self.on(scans.grid))

    def inverse_transform(self, X: ArrayLike) -> Image:
        """Return values of seeds as an image.

        It is like the image passed to `fit`; without one, regions of an atlas are put
        on the grid of the atlas.

        Parameters
        ----------
        X : array-like of shape (n_images, n_seeds) or (n_seeds,)

        Returns
        -------
        img : Nifti1Image, SurfaceImage or Cifti2Image
            One volume per row; of a single row of shape (n_seeds,), without an axis
            for volumes. Each voxel (vertex) has the value of its seed, or the mean over
            the seeds that share it (of maps, their sum as they weigh there); outside
            all seeds it is 0.

        Raises
        ------
        NotFittedError
            Before `fit`.
        TypeError
            If X does not hold real numbers.
        ValueError
            If X has another number of columns, or there is no grid to put it on.
        """
        self._check_has_places()
        if self.grid_ is None:
            raise ValueError(
                f"{type(self).__name__} was fitted without an image, so its seeds have "
                "no grid to be put on. Pass an image to fit."
            )
        rows = self._rows(X).astype(np.float64)
        return self.grid_.image_of(self._spread(rows))

    def _spread(self, rows):
        """Return values of seeds at the positions of the grid, means where they meet.

        Of shape (n_positions, ...), from rows of shape (..., n_seeds).
        """
        laid = self.on(self.grid_)
        is_member = laid.weights != 0
        values = np.zeros((self.grid_.n_positions, *rows.shape[:-1]))
        values[laid.members] = ((is_member @ rows.T).T / is_member.sum(axis=1)).T
        return values

    def with_places(self: Own, places: Any) -> Own:
        """Return a fitted masker of the same kind with the places of one run.

        Parameters
        ----------
        places : object
            What this masker takes in the place of "run".

        Returns
        -------
        masker : object

        Raises
        ------
        TypeError, ValueError, FileNotFoundError, OSError
            If this masker has places of its own, the run has none or not such as the
            masker takes, or their names are not those of `fit`.
        """
        if not self.takes_places:
            raise ValueError(
                f"seed_places are for a {type(self).__name__} that takes the places of "
                f'each run. Write {type(self).__name__}("run").'
            )
        if places is None:
            raise ValueError(
                f"{type(self).__name__} takes the places of each run, but the run "
                "brings none. Pass Run(img, seed_places=...)."
            )
        masker = self._at(places)
        expected = getattr(self, "seed_names_", masker.seed_names_)
        if masker.seed_names_ != expected:
            raise ValueError(
                f"seed_places are called {masker.seed_names_}, in fit they were "
                f"{expected}. All runs must have the same seeds in the same order: "
                "pass names, or tables with a column name."
            )
        return masker

    def _at(self, places):
        """Return a fitted masker of the same kind with other places."""
        parameters = {**self.get_params(deep=False), self._where: places}
        with naming("seed_places"):
            return type(self)(**parameters).fit()

    def _fit_to_places(self, places):
        """Set the names of places that come with each run."""
        if places is not None:
            self.seed_names_ = self._at(places).seed_names_
        elif self.names is not None:
            self.seed_names_ = checked_names(self.names)
        else:
            raise ValueError(
                f'{self._where}="run": the names of the seeds are known from the '
                "places of a run alone. Pass these to fit, or names."
            )
        self.grid_ = None

    def _check_has_places(self):
        """Raise an error where it is not known where seeds lie."""
        check_is_fitted(self)
        if self.takes_places:
            raise ValueError(
                f'{self._where}="run": the places come with each run. Pass Run(img, '
                "seed_places=...), or use with_places(places) by itself."
            )
