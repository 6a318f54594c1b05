"""Signals that a masker extracts from scans in memory, cleaned afterwards."""

import copy
from dataclasses import replace

import numpy as np
from joblib import Memory
from nilearn.maskers import SurfaceMasker

from .._arrays.operator import BrainPart
from .._images.images import read_scans
from ..maskers._placed import series_of_regions
from .regions_of_maskers import unsmoothed_regions
from .seeds import RawSeeds
from .sources import NEUTRAL, VOXELWISE_MASKERS, compiled_operator, high_variance_of


def compiled(task, opened, names):
    """Return what maskers extract from scans in memory, the voxels cleaned."""
    scans, not_finite = read_scans(opened.image, opened.kept, opened.where)
    results = {}
    for name in names:
        source = task.sources[name]
        high_variance = high_variance_of(source, scans)
        if name == "seed_masker":
            seeds = raw_seeds(source, scans, opened.where)
            results[name] = replace(seeds, high_variance=high_variance)
            continue
        operator = compiled_operator(source, opened, high_variance, task.tolerance)
        cleaned = operator.clean(raw_signals(source, scans, opened.where))
        bad = signals_not_finite(source, not_finite)
        if bad is not None:
            cleaned.norms[bad] = 0.0
        results[name] = BrainPart(cleaned, operator)
    return results


def raw_signals(source, image, where):
    """Return what a nilearn masker extracts from a run, without any cleaning.

    Parameters
    ----------
    source : SignalSource
        With one of nilearn's own maskers.
    image : Nifti1Image or SurfaceImage
        The kept scans, as `read_scans` returns them.
    where : str
        Names the run in errors.

    Returns
    -------
    signals : ndarray of shape (n_kept_scans, n_signals)

    Raises
    ------
    ValueError
        If there is no signal, as none of the masker's regions lies in the image.
    """
    masker = source.masker
    if not isinstance(masker, VOXELWISE_MASKERS):
        return raw_seeds(source, image, where).seeds()
    if isinstance(masker, SurfaceMasker) and masker.smoothing_fwhm is None:
        # Each vertex by itself: nilearn takes seconds to put them side by side.
        return raw_seeds(source, image, where).values
    return _extracted(source, image, where)


def raw_seeds(source, image, where):
    """Return the same as `RawSeeds`, with their voxels where these are known."""
    regions = unsmoothed_regions(source, image, where)
    if isinstance(regions, str):
        return RawSeeds(_extracted(source, image, where))
    fwhm = getattr(source.masker, "smoothing_fwhm", None)
    regions, series = series_of_regions(regions, fwhm, image)
    return RawSeeds(series.T, regions=regions)


def _extracted(source, image, where):
    """Return what the masker itself extracts."""
    signals = np.asarray(_extractor(source.masker).transform(image))
    if not signals.shape[1]:
        raise ValueError(
            f"{where}: nothing of {source.name} ({type(source.masker).__name__}) lies "
            "within the image. Are both in the same space?"
        )
    return signals


def _extractor(masker):
    """Return a copy of a fitted nilearn masker that extracts and does not clean."""
    # A copy to the last attribute: maskers note the image they see for their report.
    extractor = copy.deepcopy(masker)
    for name in NEUTRAL.keys() & masker.get_params(deep=False).keys():
        setattr(extractor, name, NEUTRAL[name])
    extractor.clean_args_ = {}
    extractor.memory, extractor.memory_ = None, Memory(location=None)
    return extractor


def signals_not_finite(source, not_finite):
    """Return which voxels had a scan that was not finite, bool `(n_voxels,)`.

    Only smoothing hides them, without it they are constant; None where it cannot.
    """
    masker = source.masker
    if not_finite is None or not isinstance(masker, VOXELWISE_MASKERS):
        return None
    if masker.smoothing_fwhm is None:
        return None
    extractor = _extractor(masker)
    extractor.smoothing_fwhm = None
    return np.asarray(extractor.transform(not_finite)).ravel() > 0.5
