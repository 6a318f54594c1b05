"""From a fitted masker and a run to raw signals, in whichever way is fastest."""

import copy
import inspect

import numpy as np
from joblib import Memory
from nilearn.maskers import SurfaceMasker

from ._images import is_inside, is_surface, places_in, same_grid, scaling
from ._placed_seeds import series_of_regions
from ._seed_regions import unsmoothed_regions
from ._seeds import RawSeeds
from ._smoothing import smoothed_from, smoothing_matrices
from ._sources import NEUTRAL, VOXELWISE_MASKERS
from ._streaming import SeedStream, VoxelStream

PART_BYTES = 2**29
"""About how large the projected volumes of a part of the brain may become."""

# Streamed: while the scans are read


def seed_stream(regions, opened):
    """Return what takes in a run's scans and gives the voxels of seeds."""
    return SeedStream(regions.inputs, opened.image.shape[:3])


def brain_mask(source):
    """Return the brain masker's mask, bool of shape `(n_x, n_y, n_z)`."""
    return np.asarray(source.masker.mask_img_.dataobj) != 0


def brain_smoothing(source, opened):
    """Return the smoothing matrices of a brain masker on a run's grid, or None."""
    image = opened.image
    return smoothing_matrices(
        source.masker.smoothing_fwhm, image.affine, image.shape[:3]
    )


def brain_parts(mask, smoothing, rank):
    """Return a mask in as few parts as fit into memory when projected.

    Returns
    -------
    masks : list of ndarray of bool of shape (n_x, n_y, n_z)
        Of disjoint ranges of z; one for all but the largest runs.
    """
    used = np.flatnonzero(mask.any(axis=(0, 1)))
    inputs = mask if smoothing is None else smoothed_from(mask, smoothing)
    n_voxels = np.count_nonzero(inputs)
    n_parts = int(np.ceil(n_voxels * rank * np.dtype(np.float32).itemsize / PART_BYTES))
    if n_parts < 2:
        return [mask]
    masks = []
    for layers in np.array_split(used, min(n_parts, len(used))):
        part = np.zeros_like(mask)
        part[:, :, layers] = mask[:, :, layers]
        masks.append(part)
    return masks


def voxel_stream(operator, mask, smoothing, opened):
    """Return what takes in a run's scans and gives cleaned signals in a mask."""
    return VoxelStream(operator, mask, smoothing, scaling(opened.image))


# Compiled: from scans in memory


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


def given_seeds(source, opened):
    """Return the signals that a run brings for its seeds as `RawSeeds`."""
    signals = source.masker.read(
        opened.run.seed_signals,
        opened.n_scans,
        opened.kept,
        f"{opened.where}, seed_signals",
    )
    return RawSeeds(signals[opened.kept])


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


# Reference: the masker does all


def own_signals(source, opened):
    """Return what a third-party masker gives for a run, cleaned by itself.

    Parameters
    ----------
    source : SignalSource
    opened : OpenedRun

    Returns
    -------
    signals : ndarray of shape (n_kept_scans, n_signals)

    Raises
    ------
    ValueError
        If the run has confounds or a sample mask and `transform` takes none, or what
        it returns is not a matrix of signals.
    """
    masker, run, where = source.masker, opened.run, opened.where
    if opened.t_r is not None and "t_r" in masker.get_params(deep=False):
        masker = copy.copy(masker).set_params(t_r=opened.t_r)
    arguments = {}
    if opened.confounds is not None:
        arguments["confounds"] = opened.confounds
    if run.sample_mask is not None:
        arguments["sample_mask"] = opened.kept
    _check_accepts(source, arguments, where)
    signals = np.asarray(masker.transform(run.img, **arguments), dtype=np.float64)
    if signals.ndim != 2:
        raise ValueError(
            f"{where}: transform of {source.name} ({type(masker).__name__}) must "
            f"return shape (n_scans, n_signals), got shape {signals.shape}."
        )
    return signals


def _check_accepts(source, arguments, where):
    """Raise ValueError where a masker's `transform` has no place for an argument."""
    parameters = inspect.signature(source.masker.transform).parameters
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return
    for name in arguments:
        if name not in parameters:
            raise ValueError(
                f"{where} has {name}, but transform of {source.name} "
                f"({type(source.masker).__name__}) takes no {name}: they would be "
                "lost. Use a masker that takes them, or a run without."
            )


# Where seeds are


def members_in_brain(regions, brain, opened):
    """Return which members of seeds lie within the brain mask, bool `(n_members,)`.

    Where the brain masker has no mask, or it is of another kind than the seeds'
    image, all count as within.
    """
    image = opened.as_seen_by("seed_masker").image
    mask_img = getattr(brain.masker, "mask_img_", None)
    everywhere = np.ones(len(regions.members), bool)
    if mask_img is None or is_surface(mask_img) != is_surface(image):
        return everywhere
    if is_surface(image):
        mask = np.concatenate([np.ravel(p) for p in mask_img.data.parts.values()])
        return mask[regions.members] != 0 if len(mask) == image.shape[0] else everywhere
    mask = np.asarray(mask_img.dataobj) != 0
    if same_grid(mask_img, image):
        return mask.ravel()[regions.members]
    voxels = np.transpose(np.unravel_index(regions.members, image.shape[:3]))
    inside = is_inside(voxels, image.affine, mask_img)
    places = places_in(voxels[inside], image.affine, mask_img)
    inside[inside] = mask[tuple(places.T)]
    return inside
