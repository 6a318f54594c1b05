"""What nilearn's maskers extract by themselves: from scans in memory, not cleaned."""

import copy

import numpy as np
from joblib import Memory

from .._images.headers import storable
from .._images.opening import grid_of

NEUTRAL = {
    "detrend": False,
    "standardize": None,
    "standardize_confounds": True,
    "high_variance_confounds": False,
    "low_pass": None,
    "high_pass": None,
    "t_r": None,
    "runs": None,
    "clean_args": None,
    "dtype": None,
    "verbose": 0,
}
"""Parameters under which a nilearn masker extracts and does nothing else."""

IRRELEVANT = {
    *NEUTRAL,
    *("memory", "memory_level", "n_jobs", "reports", "cmap"),
    *("mask_strategy", "mask_args"),
}
"""Parameters that don't change what a fitted masker extracts."""


def on_places_of(image, stills):
    """Return images of a fitted masker that are on a grid but for rounding, there.

    Parameters
    ----------
    image : Nifti1Image or SurfaceImage
    stills : dict of str to Still or None
        By the parameter.

    Returns
    -------
    images : dict of str to Nifti1Image
        By the masker's attribute; none on a surface, which has no such places.
    """
    grid = grid_of(image)
    if grid.affine is None:
        return {}
    return {
        f"{name}_": grid.image_of(storable(still.values))
        for name, still in stills.items()
        if still is not None and grid.same_as(still.grid)
    }


def extracted(masker, image, own):
    """Return what a fitted masker extracts, `(n_kept_scans, n_signals)`.

    Parameters
    ----------
    masker : masker
    image : Nifti1Image or SurfaceImage
    own : dict
        Attributes in the place of the masker's, by name.

    Raises
    ------
    ValueError
        If there is no signal, as none of the masker's regions lies in the image.
    """
    extractor = _extractor(masker)
    vars(extractor).update(own)
    signals = np.asarray(extractor.transform(image))
    if not signals.shape[1]:
        raise ValueError(
            f"nothing of the {type(masker).__name__} lies within the image. Are both "
            "in the same space?"
        )
    return signals


def spoilt(masker, not_finite):
    """Return which voxels had a scan that was not finite, bool `(n_voxels,)`."""
    extractor = _extractor(masker)
    extractor.smoothing_fwhm = None
    flags = not_finite.values.astype(np.float64)[:, np.newaxis]
    return extractor.transform(not_finite.grid.image_of(flags)).ravel() > 0.5


def _extractor(masker):
    """Return a copy of a fitted masker that extracts and does not clean."""
    # A copy to the last attribute: maskers note the image they see for their report.
    extractor = copy.deepcopy(masker)
    for name in NEUTRAL.keys() & masker.get_params(deep=False).keys():
        setattr(extractor, name, NEUTRAL[name])
    extractor.clean_args_ = {}
    extractor.memory, extractor.memory_ = None, Memory(location=None)
    return extractor
