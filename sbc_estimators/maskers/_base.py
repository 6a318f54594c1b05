"""What the seed maskers of this package have in common."""

import numpy as np
from nilearn.image import high_variance_confounds
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from .._arrays.cleaning import CleaningParameters, clean_kept
from .._images.grids import SurfaceGrid, VolumeGrid, is_surface
from .._images.images import open_image, read_scans
from .._support.checks import check_confounds, check_rows, check_sample_mask
from .._support.tables import load_confounds
from ._placed import signals_of_regions


def grid_of(img, where):
    """Return the grid of an image; its scans are not read.

    Parameters
    ----------
    img : str, path, nibabel image or SurfaceImage
        Of one scan or more.
    where : str
        Names the image in errors.
    """
    if is_surface(img):
        return SurfaceGrid(img.mesh)
    if not hasattr(img, "affine"):
        img = open_image(img, where)
    return VolumeGrid(tuple(img.shape[:3]), np.asarray(img.affine))


class SeedMasker(TransformerMixin, BaseEstimator):
    """A masker whose seeds are means over regions of a grid or mesh.

    A masker of this kind has `is_on_surface`; `fit`, which sets `seed_names_` and calls
    `_keep_grid`; and ``_regions(image, where, name)``, which does what `regions_on`
    says for an image of its kind.
    """

    def regions_on(self, image, where, name):
        """Return the voxels (vertices) of the seeds on the grid (mesh) of an image.

        Parameters
        ----------
        image : nibabel image, SurfaceImage, VolumeGrid or SurfaceGrid
            Its scans are not read.
        where, name : str
            Name the image and the masker in errors.

        Returns
        -------
        regions : SeedRegions
            Not smoothed.

        Raises
        ------
        TypeError, ValueError
            If the image is of another kind, a seed lies outside it, or seeds overlap
            that must not.
        """
        self._check_kind(image, where, name)
        return self._regions(image, where, name)

    def _check_kind(self, image, where, name):
        """Raise TypeError unless an image is a surface or a volume as the seeds are."""
        if is_surface(image) != self.is_on_surface:
            kinds = {True: "a surface", False: "a volume"}
            others = {
                True: "SurfaceSeeds, or RegionSeeds of a SurfaceImage",
                False: "SphereSeeds, or RegionSeeds of a volume",
            }
            raise TypeError(
                f"{where} is {kinds[not self.is_on_surface]}, but the seeds of {name} "
                f"lie in {kinds[self.is_on_surface]}. Use "
                f"{others[not self.is_on_surface]}."
            )

    def transform(self, X, confounds=None, sample_mask=None):
        """Return the cleaned signals of the seeds in one run.

        Parameters
        ----------
        X : str, path, nibabel image or SurfaceImage
            The 4D image (x, y, z, scans), or (vertices, scans).
        confounds : array-like, DataFrame, path, list of these or None, default=None
            Regressed out, as :func:`nilearn.signal.clean` does it.
        sample_mask : array-like of int or bool, or None, default=None
            The scans to keep; the values of others have no say in anything.

        Returns
        -------
        signals : ndarray of shape (n_kept_scans, n_seeds)

        Raises
        ------
        NotFittedError
            Before `fit`.
        TypeError, ValueError
            If X is not a 4D image of the seeds' kind, a seed lies outside it, confounds
            or sample mask do not fit its scans, or its signals cannot be cleaned.
        FileNotFoundError
            If a file does not exist.
        OSError
            If the image is truncated or corrupt.
        """
        check_is_fitted(self)
        name = type(self).__name__
        image = open_image(X, "X")
        regions = self.regions_on(image, "X", name)
        kept = check_sample_mask(sample_mask, image.shape[-1], "X")
        scans, _ = read_scans(image, kept, "X")
        signals = signals_of_regions(
            regions, getattr(self, "smoothing_fwhm", None), scans
        )
        if self.high_variance_confounds:
            given = confounds if isinstance(confounds, list) else [confounds]
            # From the kept scans, so that a censored one has no say.
            computed = high_variance_confounds(scans)
            full = np.zeros((image.shape[-1], computed.shape[1]))
            full[kept] = computed
            confounds = [full, *given]
        return cleaned(self, signals, confounds, image.shape[-1], kept)

    def fit_transform(self, X, y=None, confounds=None, sample_mask=None):
        """Fit to a run and return the cleaned signals of the seeds in it.

        Parameters
        ----------
        X, confounds, sample_mask
            As in `transform`.
        y : None
            Ignored.

        Returns
        -------
        signals : ndarray of shape (n_kept_scans, n_seeds)

        Raises
        ------
        TypeError, ValueError, FileNotFoundError, OSError
            As in `fit` and `transform`.
        """
        return self.fit(X).transform(X, confounds, sample_mask)

    def inverse_transform(self, X):
        """Return values of seeds as an image on the grid of `fit`.

        Parameters
        ----------
        X : array-like of shape (n_images, n_seeds) or (n_seeds,)

        Returns
        -------
        img : Nifti1Image or SurfaceImage
            One volume per row. Each voxel (vertex) has the value of its seed, or the
            mean over the seeds that share it; outside all seeds it is 0.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If `fit` was given no image, or X has another number of columns.
        """
        check_is_fitted(self)
        name = type(self).__name__
        if self.grid_ is None:
            raise ValueError(
                f"{name} was fitted without an image, so its seeds have no grid to be "
                "put on. Pass an image to fit."
            )
        rows = check_rows(X, len(self.seed_names_), name).astype(np.float64)
        regions = self.regions_on(self.grid_, "the image passed to fit", name)
        is_member = regions.membership != 0
        values = np.zeros((int(np.prod(self.grid_.shape)), len(rows)))
        values[regions.members] = is_member @ rows.T
        values[regions.members] /= is_member.sum(axis=1)[:, np.newaxis]
        return self.grid_.image_of(values)

    def get_feature_names_out(self, input_features=None):
        """Return the names of the seeds.

        Parameters
        ----------
        input_features : None
            Ignored: images have no features.

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

    def _grid_of(self, img):
        """Return the grid of an image passed to `fit`, or None."""
        if img is None:
            return None
        grid = grid_of(img, "X")
        self._check_kind(grid, "X", type(self).__name__)
        return grid

    def _keep_grid(self, grid):
        """Set `grid_`, after checking that the seeds can be laid on it."""
        if grid is not None:
            self.regions_on(grid, "X", type(self).__name__)
        self.grid_ = grid

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.no_validation = True
        return tags


def cleaned(masker, signals, confounds, n_scans, kept):
    """Return signals as a masker's parameters say that they shall be cleaned.

    Parameters
    ----------
    masker : masker
        One of ours.
    signals : ndarray of shape (n_kept_scans, n_signals)
    confounds : array-like, DataFrame, path, list of these or None
    n_scans : int
        Number of scans of the run, censored ones included.
    kept : ndarray of shape (n_kept_scans,)
        Indices of the scans that are not censored, ascending.
    """
    name = type(masker).__name__
    parameters = CleaningParameters.from_masker(masker)
    parameters.check(name)
    tables = confounds if isinstance(confounds, list) else [confounds]
    tables = [
        check_confounds(load_confounds(table, name), n_scans, kept, name)
        for table in tables
    ]
    tables = [table for table in tables if table is not None]
    confounds = np.hstack(tables) if tables else None
    return clean_kept(
        parameters, signals, n_scans, kept, confounds, name, masker.standardize
    )
