"""`GrayordinateMasker`: the grayordinates of a CIFTI image as voxels."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
from nilearn.signal import standardize_signal
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from .._arrays.cleaning import CleaningParameters, clean_kept
from .._arrays.spatial import SpatialMap
from .._images.grayordinates import GrayordinateGrid
from .._images.opening import open_scans
from .._support.checks import check_dict, check_length, check_switch
from .._support.tables import table_of
from ..runs._opened import check_sample_mask, checked_confounds
from ._places import is_sequence

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from nibabel import Cifti2Image
    from nilearn.surface import PolyMesh
    from numpy.typing import ArrayLike

Own = TypeVar("Own", bound="GrayordinateMasker")
"""The class of a masker."""


class GrayordinateMasker(TransformerMixin, BaseEstimator):
    """The signals of grayordinates, of all structures of a CIFTI image or of some.

    The brain of a `SeedCorrelationMap` for CIFTI runs (``.dtseries.nii``), and by
    itself what :class:`~nilearn.maskers.NiftiMasker` is for volumes.

    Parameters
    ----------
    structures : str, sequence of str or None, default=None
        The structures to take, in any order: "left hippocampus", "hippocampus" for both
        sides, "cortex" for both hemispheres, "subcortex" for all voxels, or CIFTI's own
        names, such as "CIFTI_STRUCTURE_CORTEX_LEFT". None means all.
    smoothing_fwhm : float or None, default=None
        Full width at half maximum in mm of a Gaussian, within each structure. Cortex is
        smoothed along `mesh`.
    mesh : PolyMesh or None, default=None
        The surfaces along which cortex is smoothed, in mm; CIFTI files hold none.
    detrend : bool, default=False
    standardize : {"zscore_sample", "psc", True, False} or None, default=None
    standardize_confounds : bool, default=True
    high_variance_confounds : bool, default=False
    low_pass, high_pass : float or None, default=None
        In Hz.
    t_r : float or None, default=None
        Repetition time in seconds. None means that of the file.
    runs : array-like of shape (n_scans,) or None, default=None
        Labels of blocks of scans that are cleaned by themselves.
    clean_args : dict or None, default=None
        Each as in :class:`~nilearn.maskers.NiftiMasker`. A `SeedCorrelationMap` ignores
        `standardize`.

    Attributes
    ----------
    structures_ : list of str
        CIFTI's names of the structures that are taken, in the order of the file.
    n_elements_ : int
        Number of their grayordinates.
    grid_ : GrayordinateGrid
        All grayordinates of the image passed to `fit`.

    See Also
    --------
    nilearn.maskers.NiftiMasker : The voxels of a volume.
    nilearn.maskers.SurfaceMasker : The vertices of a surface.

    Notes
    -----
    *Smoothing.* Voxels are smoothed by nilearn's Gaussian, vertices by one of the
    distance along the edges of the mesh, weighted by area. Both take values from the
    same structure alone, and weights are divided by their sum over it.

    *Cleaning* is that of :func:`nilearn.signal.clean`, with censored scans interpolated
    as `SeedCorrelationMap` does it.

    Examples
    --------
    >>> from sbc_estimators.datasets import make_grayordinate_runs
    >>> from sbc_estimators.maskers import GrayordinateMasker
    >>> img = make_grayordinate_runs(1, n_scans=50, random_state=0).runs[0].img
    >>> masker = GrayordinateMasker("cortex", detrend=True)
    >>> signals = masker.fit_transform(img)
    >>> signals.shape == (50, masker.n_elements_)
    True
    >>> masker.structures_
    ['CIFTI_STRUCTURE_CORTEX_LEFT', 'CIFTI_STRUCTURE_CORTEX_RIGHT']
    """

    def __init__(
        self,
        structures: str | Sequence[str] | None = None,
        smoothing_fwhm: float | None = None,
        *,
        mesh: PolyMesh | None = None,
        detrend: bool = False,
        standardize: Literal["zscore_sample", "psc"] | bool | None = None,
        standardize_confounds: bool = True,
        high_variance_confounds: bool = False,
        low_pass: float | None = None,
        high_pass: float | None = None,
        t_r: float | None = None,
        runs: ArrayLike | None = None,
        clean_args: dict[str, Any] | None = None,
    ) -> None:
        self.structures = structures
        self.smoothing_fwhm = smoothing_fwhm
        self.mesh = mesh
        self.detrend = detrend
        self.standardize = standardize
        self.standardize_confounds = standardize_confounds
        self.high_variance_confounds = high_variance_confounds
        self.low_pass = low_pass
        self.high_pass = high_pass
        self.t_r = t_r
        self.runs = runs
        self.clean_args = clean_args

    def fit(self: Own, X: str | os.PathLike[str] | Cifti2Image, y: None = None) -> Own:
        """Find the structures in an image.

        Parameters
        ----------
        X : str, path or Cifti2Image
            An image of grayordinates, whose scans or maps are not read.
        y : None
            Ignored.

        Returns
        -------
        self : GrayordinateMasker

        Raises
        ------
        TypeError, ValueError
            If a parameter is not what it must be, X is no such image, or has no such
            structure.
        FileNotFoundError, OSError
            If there is no such file, or it cannot be read.
        """
        return self.fit_on(open_scans(X, is_run=False).grid)

    def fit_on(self: Own, grid: GrayordinateGrid) -> Own:
        """Find the structures on a grid; raises as `fit`.

        Parameters
        ----------
        grid : GrayordinateGrid

        Returns
        -------
        self : GrayordinateMasker
        """
        _check_grid(grid)
        self._check_parameters()
        self.structures_ = [own.name for own in grid.chosen(self.structures)]
        self._laid: Any = (grid.key, self._lay(grid))
        self.n_elements_ = self._laid[1].n_outputs
        self.grid_ = grid
        return self

    def on(self, grid: GrayordinateGrid) -> SpatialMap:
        """Return the chosen grayordinates of a grid, smoothed.

        Parameters
        ----------
        grid : GrayordinateGrid

        Returns
        -------
        spatial_map : SpatialMap

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If they are not those of `fit`.
        """
        check_is_fitted(self)
        if self._laid is None:
            self._laid = self.grid_.key, self._lay(self.grid_)
        if self._laid[0] == grid.key:
            return self._laid[1]
        self._check_same(grid)
        return self._lay(grid)

    def is_taken(self) -> np.ndarray:
        """Return which grayordinates of the image of `fit` are taken, as bool."""
        is_taken = np.zeros(self.grid_.n_positions, bool)
        is_taken[self.on(self.grid_).members] = True
        return is_taken

    def transform(
        self,
        X: str | os.PathLike[str] | Cifti2Image,
        confounds: Any = None,
        sample_mask: ArrayLike | None = None,
    ) -> np.ndarray:
        """Return the cleaned signals of an image.

        Parameters
        ----------
        X : str, path or Cifti2Image
            Of scans, or of maps, which are not cleaned.
        confounds : array-like of shape (n_scans, n_confounds), DataFrame, path or \
                None, default=None
            Regressed out.
        sample_mask : array-like of int or bool or None, default=None
            The scans to keep: ascending indices, or one boolean per scan.

        Returns
        -------
        signals : ndarray of shape (n_kept_scans, n_elements_)
            A grayordinate with a value that is not finite is 0 in all scans.

        Raises
        ------
        NotFittedError
            Before `fit`.
        TypeError, ValueError
            If X has other grayordinates than the image of `fit`, or confounds or sample
            mask do not fit it.
        FileNotFoundError, OSError
            If there is no such file, or it cannot be read.
        """
        check_is_fitted(self)
        scans = open_scans(X, is_run=False)
        _check_grid(scans.grid)
        spatial = self.on(scans.grid)
        kept = check_sample_mask(sample_mask, scans.n_scans)
        if confounds is not None:
            table = table_of(confounds, "confounds")
            confounds = checked_confounds(table, scans.n_scans, kept)
        signals = _smoothed(spatial, scans.series(spatial.inputs, kept))
        if scans.are_maps:
            return signals
        return self._cleaned(signals, scans, kept, confounds)

    def fit_transform(
        self,
        X: str | os.PathLike[str] | Cifti2Image,
        y: None = None,
        confounds: Any = None,
        sample_mask: ArrayLike | None = None,
    ) -> np.ndarray:
        """Fit to an image and return its cleaned signals.

        Parameters
        ----------
        X, y
            As in `fit`.
        confounds, sample_mask
            As in `transform`.

        Returns
        -------
        signals : ndarray of shape (n_kept_scans, n_elements_)
        """
        return self.fit(X).transform(X, confounds, sample_mask)

    def inverse_transform(self, X: ArrayLike) -> Cifti2Image:
        """Return values of grayordinates as maps in a CIFTI image.

        Parameters
        ----------
        X : array-like of shape (n_maps, n_elements_) or (n_elements_,)

        Returns
        -------
        img : Cifti2Image
            With an axis of scalars, as in a ``.dscalar.nii``, and the structures that
            the masker takes.

        Raises
        ------
        NotFittedError
            Before `fit`.
        TypeError
            If X does not hold real numbers.
        ValueError
            If X has another number of columns.
        """
        check_is_fitted(self)
        maps = np.asarray(X)
        if maps.ndim not in (1, 2) or maps.shape[-1] != self.n_elements_:
            raise ValueError(
                f"X must have a column for each of {self.n_elements_} grayordinates, "
                f"got shape {maps.shape}. Pass rows as transform returns them."
            )
        if maps.dtype.kind not in "biuf":
            raise TypeError(f"X must hold real numbers, got dtype {maps.dtype}.")
        if maps.dtype.kind == "b":
            maps = maps.astype(np.uint8)
        return self.grid_.of(self._chosen(self.grid_)).image_of(maps.T)

    def __getstate__(self):
        # Weights of smoothing are large, and made again where they are needed.
        state = super().__getstate__()
        return {**state, "_laid": None} if "_laid" in state else state

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.no_validation = True
        return tags

    def _check_parameters(self):
        """Raise an error unless all parameters are what they must be."""
        names = self.structures
        names = [names] if isinstance(names, str) or names is None else names
        is_one = is_sequence(names) and all(isinstance(n, str) for n in names if n)
        if not is_one or not len(names):
            raise TypeError(
                "structures must be the name of a structure, a list of these or None, "
                f"got {self.structures!r}. Write structures='left hippocampus'."
            )
        check_length(self.smoothing_fwhm, "smoothing_fwhm", or_none=True)
        for name in ("detrend", "standardize_confounds", "high_variance_confounds"):
            check_switch(getattr(self, name), name)
        check_dict(self.clean_args, "clean_args", or_none=True)
        if self.mesh is not None and not hasattr(self.mesh, "parts"):
            raise TypeError(
                f"mesh must be a PolyMesh, got {type(self.mesh).__name__}. Pass "
                "PolyMesh(left=..., right=...)."
            )

    def _chosen(self, grid):
        """Return the structures of a grid that `fit` found."""
        return [own for own in grid.structures if own.name in self.structures_]

    def _lay(self, grid):
        """Return the `SpatialMap` of the chosen grayordinates of a grid."""
        chosen = self._chosen(grid)
        members = np.concatenate([own.positions for own in chosen])
        return SpatialMap(
            members, smoothing=grid.smoothing(self.smoothing_fwhm, chosen, self.mesh)
        )

    def _check_same(self, grid):
        """Raise ValueError unless a grid has the chosen grayordinates of `fit`."""
        own, theirs = (one.of(self._chosen(one)) for one in (grid, self.grid_))
        difference = own.difference(theirs)
        if difference is not None:
            raise ValueError(
                f"the image has {difference.format(other='that of fit')}. All images "
                "must have the same grayordinates: bring them to one set with "
                "wb_command -cifti-create-dense-from-template, or choose structures "
                "that are alike."
            )

    def _cleaned(self, signals, scans, kept, confounds):
        """Return raw signals cleaned as the parameters say."""
        cleaning = CleaningParameters.of(self.get_params(deep=False))
        if cleaning.t_r is None:
            cleaning = replace(cleaning, t_r=scans.t_r)
        cleaning.check()
        if self.high_variance_confounds:
            confounds = scans.with_high_variance(confounds, kept)
        cleaned = clean_kept(cleaning, signals, scans.n_scans, kept, confounds)
        if self.standardize in (None, False):
            return cleaned
        if self.standardize == "psc":
            # Percent are of the mean, which cleaning may have taken out, as in nilearn.
            means = signals.mean(axis=0)
            if np.abs(cleaned.mean(axis=0)).mean() < 0.1 * np.abs(means).mean():
                cleaned = cleaned + means
        return standardize_signal(cleaned, False, self.standardize)


def _check_grid(grid):
    """Raise TypeError unless a grid is that of a CIFTI image."""
    if grid.kind != GrayordinateGrid.kind:
        raise TypeError(
            f"a GrayordinateMasker needs {GrayordinateGrid.kind}, got {grid.kind}. Use "
            "a masker of its kind."
        )


def _smoothed(spatial, series):
    """Return the members' signals from those of the inputs of a map."""
    if spatial.smoothing is None:
        return series
    smooth = spatial.smoothing.between(spatial.inputs, spatial.members)
    return np.stack([smooth(scan) for scan in series])
