"""What maskers of other packages do by themselves: extract signals, and fail.

From scans in memory, and without any cleaning.
"""

import copy
from contextlib import contextmanager

import numpy as np
from joblib import Memory

from .._support.messages import is_said_by_us
from ..maskers._places import point, radii_of_seeds

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


IMAGES = ("mask_img", "labels_img", "maps_img")
"""Parameters that are images; they count by what `fit` makes of them."""


@contextmanager
def saying_what_failed(masker, where):
    """Let an error that a masker raises in `fit` say so, and what may help."""
    try:
        yield
    # A labels file that is no image fails in the way of its format's parser.
    except Exception as error:
        if is_said_by_us(error):
            raise
        kinds = TypeError, FileNotFoundError, OSError
        # Its own class may want other arguments, or more of them.
        kind = next((kind for kind in kinds if isinstance(error, kind)), ValueError)
        regions = [name for name in IMAGES[1:] if hasattr(masker, name)]
        cure = "".join(
            f" Check its {name}, and that it lies in the space of the run."
            for name in regions
        )
        raise kind(
            f"it could not be fitted to {where}: {_said(error)}{cure}"
        ) from error


def _said(error):
    """Return what an error says, with its class where this is all that it says."""
    is_plain = isinstance(error, TypeError | ValueError | OSError)
    return f"{error}" if is_plain else f"{type(error).__name__}: {error}"


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


def check_spheres(seeds, radius):
    """Raise ValueError unless seeds are coordinates in mm, and the radius a length."""
    if not len(seeds) or any(point(seed) is None for seed in seeds):
        raise ValueError(
            f"seeds must be at least one triplet of coordinates in mm, got {seeds!r}."
        )
    radii_of_seeds(radius, len(seeds))
