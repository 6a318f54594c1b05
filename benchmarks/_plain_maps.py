"""The peer of a grid search: nilearn's published recipe as a plain transformer."""

import warnings

import numpy as np
from nilearn.maskers import NiftiMasker, NiftiSpheresMasker
from sklearn.base import BaseEstimator, TransformerMixin


class PlainMaps(TransformerMixin, BaseEstimator):
    """Two maskers and a product, with nilearn's filter tuned."""

    def __init__(self, mask, seed, cleaning, fwhm, radius=8.0, low_pass=0.1):
        self.mask = mask
        self.seed = seed
        self.cleaning = cleaning
        self.fwhm = fwhm
        self.radius = radius
        self.low_pass = low_pass

    def fit(self, X, y=None):
        """Learn nothing, as both masks are given."""
        return self

    def transform(self, X):
        """Return the Fisher z map of each run."""
        return np.vstack([self.map_run(run) for run in X])

    def map_run(self, run):
        """Return the Fisher z map of one run."""
        return np.arctanh(self.correlate(run.img, run))

    def correlate(self, img, run):
        """Return r of an image with the confounds and repetition time of a run."""
        shared = {**self.cleaning, "low_pass": self.low_pass, "t_r": run.t_r}
        shared |= {"standardize": "zscore_sample"}
        shared |= {"clean_args": {"butterworth__copy": True}}
        seed_masker = NiftiSpheresMasker([self.seed], radius=self.radius, **shared)
        brain_masker = NiftiMasker(
            mask_img=self.mask, smoothing_fwhm=self.fwhm, **shared
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a mask given and images passed
            seed = seed_masker.fit_transform(img, confounds=run.confounds)
            voxels = brain_masker.fit_transform(img, confounds=run.confounds)
        return (voxels.T @ seed).T[0] / (len(seed) - 1)

    def __sklearn_is_fitted__(self):
        """Whether it can transform: always."""
        return True


class MadeUpMaps(PlainMaps):
    """Counts the runs that it is asked to transform, and makes up their maps."""

    n_asked, row = 0, np.ones(10)

    def map_run(self, run):
        """Return the map, and count."""
        MadeUpMaps.n_asked += 1
        return MadeUpMaps.row * MadeUpMaps.n_asked
