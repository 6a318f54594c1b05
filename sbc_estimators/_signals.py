"""From a fitted masker and a run to raw signals, in whichever way is fastest.

This room, `_fitting` and `_seed_regions` are the only ones that look inside a masker.
"""

import copy
import inspect
from dataclasses import dataclass

import numpy as np
from joblib import Memory
from nilearn.maskers import (
    MultiNiftiLabelsMasker,
    MultiNiftiMapsMasker,
    MultiNiftiMasker,
    NiftiLabelsMasker,
    NiftiMapsMasker,
    NiftiMasker,
    NiftiSpheresMasker,
    SurfaceLabelsMasker,
    SurfaceMapsMasker,
    SurfaceMasker,
)

from ._cleaning import CleaningParameters, check_cleaning
from ._images import is_surface, same_grid, scaling, why_not_in_blocks
from ._placed_seeds import coordinates, signals_of_regions
from ._regions import SeedRegions
from ._seed_regions import OWN_MASKERS, seed_regions, unsmoothed_regions
from ._smoothing import is_separable, smoothing_matrices
from ._streaming import MaskStream, SeedStream, SmoothStream

VOLUME_MASKERS = (
    NiftiMasker,
    NiftiLabelsMasker,
    NiftiMapsMasker,
    NiftiSpheresMasker,
    MultiNiftiMasker,
    MultiNiftiLabelsMasker,
    MultiNiftiMapsMasker,
)
SURFACE_MASKERS = (SurfaceMasker, SurfaceLabelsMasker, SurfaceMapsMasker)
VOXELWISE_MASKERS = (NiftiMasker, MultiNiftiMasker, SurfaceMasker)

PART_BYTES = 2**29
"""About how large the projected volumes of a part of the brain may become."""

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


@dataclass(frozen=True)
class SignalSource:
    """A fitted masker, under the name that messages call it by.

    Attributes
    ----------
    name : str
        "seed_masker" or "brain_masker".
    masker : masker
    """

    name: str
    masker: object

    @property
    def cleaning(self):
        """What the masker's parameters do to signals over time."""
        return CleaningParameters.from_masker(self.masker)


def is_known_masker(masker):
    """Whether a masker's class is nilearn's own or ours: a subclass may do anything."""
    if type(masker) in OWN_MASKERS:
        return True
    is_nilearn = type(masker).__module__.partition(".")[0] == "nilearn"
    return is_nilearn and isinstance(masker, VOLUME_MASKERS + SURFACE_MASKERS)


def wants_surface(masker):
    """Whether a masker that is known is one of a surface."""
    if type(masker) in OWN_MASKERS:
        return masker.is_on_surface
    return isinstance(masker, SURFACE_MASKERS)


# Three ways to signals, chosen here


def choose_paths(sources, image):
    """Return how each source's signals are had from a run, and why not faster.

    Parameters
    ----------
    sources : list of SignalSource
    image : nibabel image or SurfaceImage

    Returns
    -------
    paths : dict of str to str
        For each source's name "streamed", or "compiled" or "reference" with the
        reason behind a colon.
    """
    paths = {}
    # Voxels first: where their scans are in memory anyway, the seeds take them there.
    for source in sorted(sources, key=lambda source: source.name == "seed_masker"):
        if not is_known_masker(source.masker):
            kind = type(source.masker).__name__
            paths[source.name] = f"reference: {kind} is none of nilearn's own maskers"
            continue
        reason = _why_not_streamed(source, image)
        if reason is None and paths.get("brain_masker", "").startswith("compiled"):
            reason = "the scans are in memory for brain_masker"
        paths[source.name] = "streamed" if reason is None else f"compiled: {reason}"
    return paths


def _why_not_streamed(source, image):
    """Return why a source's signals cannot be had while reading, or None."""
    masker = source.masker
    if is_surface(image):
        return "the run is on a surface"
    if masker.high_variance_confounds:
        return "high_variance_confounds are computed from all voxels first"
    if source.name == "seed_masker":
        regions = seed_regions(source, image, "the run")
        reason = regions if isinstance(regions, str) else None
    else:
        reason = _why_no_voxel_stream(masker, image)
    return why_not_in_blocks(image) if reason is None else reason


def _why_no_voxel_stream(masker, image):
    """Return why the voxels of a brain masker are not to be streamed, or None."""
    if not isinstance(masker, NiftiMasker):
        return f"{type(masker).__name__} is not a linear map that is known beforehand"
    if not is_separable(masker.smoothing_fwhm):
        return f"smoothing_fwhm={masker.smoothing_fwhm!r} is not one matrix an axis"
    if not same_grid(masker.mask_img_, image):
        return "the run is not on the grid of the mask and has to be resampled"
    return None


# Checks of a run against a source, before its scans are read


def check_before_fit(source, opened):
    """Raise an error where a run and the parameters of a masker do not go together."""
    if not is_known_masker(source.masker):
        return
    _check_kind(source, opened)
    where = f"{opened.where}, {source.name}"
    cleaning = source.cleaning.with_t_r(opened.t_r)
    cleaning.check(where)
    check_cleaning(cleaning, opened.n_scans, opened.kept, opened.confounds, where)


def check_regions(source, opened):
    """Raise an error where a fitted masker's seeds or mask miss the run."""
    masker, image = source.masker, opened.image
    if not is_known_masker(masker):
        return
    if isinstance(masker, (NiftiSpheresMasker, *OWN_MASKERS)):
        unsmoothed_regions(source, image, opened.where)
    if is_surface(image):
        return
    mask_img = getattr(masker, "mask_img_", None)
    if mask_img is not None:
        _check_overlap(mask_img, image, f"{opened.where}, {source.name}")


def _check_kind(source, opened):
    """Raise TypeError where a volume masker meets a surface image or the reverse."""
    on_surface = wants_surface(source.masker)
    if on_surface != is_surface(opened.image):
        kinds = {True: "a SurfaceImage", False: "a volume (4D image)"}
        raise TypeError(
            f"{opened.where}: {source.name} is a {type(source.masker).__name__}, which "
            f"needs {kinds[on_surface]}, but the run is {kinds[not on_surface]}. "
            "Use a masker of the run's kind."
        )


def _check_overlap(mask_img, image, where):
    """Raise ValueError where no voxel of a mask lies within the image."""
    voxels = np.argwhere(np.asarray(mask_img.dataobj) != 0)
    to_image = np.linalg.inv(image.affine) @ mask_img.affine
    voxels = voxels @ to_image[:3, :3].T + to_image[:3, 3]
    is_inside = (voxels > -0.5) & (voxels < np.array(image.shape[:3]) - 0.5)
    if not is_inside.all(axis=1).any():
        raise ValueError(
            f"{where}: mask_img and the image do not overlap. Are both in the same "
            f"space? Affine of the mask:\n{mask_img.affine}\nof the image:\n"
            f"{image.affine}"
        )


# Streamed: while the scans are read


def seed_stream(source, opened):
    """Return what takes in a run's scans and gives raw seed signals."""
    image = opened.image
    regions = seed_regions(source, image, opened.where)
    return SeedStream(regions.inputs, regions.weights, image.shape[:3], scaling(image))


def brain_mask(source):
    """Return the brain masker's mask, bool of shape `(n_x, n_y, n_z)`."""
    return np.asarray(source.masker.mask_img_.dataobj) != 0


def brain_parts(source, opened, rank):
    """Return the mask in as few parts as fit into memory when projected.

    Returns
    -------
    masks : list of ndarray of bool of shape (n_x, n_y, n_z)
        Of disjoint ranges of z; one for all but the largest runs.
    """
    mask = brain_mask(source)
    used = np.flatnonzero(mask.any(axis=(0, 1)))
    smoothed = _smoothing_of(source, opened, mask) is not None
    n_voxels = mask.size if smoothed else np.count_nonzero(mask)
    n_parts = int(np.ceil(n_voxels * rank * np.dtype(np.float32).itemsize / PART_BYTES))
    masks = []
    for layers in np.array_split(used, min(n_parts, len(used))):
        part = np.zeros_like(mask)
        part[:, :, layers] = mask[:, :, layers]
        masks.append(part)
    return masks


def voxel_stream(source, opened, operator, mask):
    """Return what takes in a run's scans and gives cleaned signals in a mask."""
    matrices = _smoothing_of(source, opened, mask)
    if matrices is None:
        return MaskStream(operator, mask, scaling(opened.image))
    return SmoothStream(operator, mask, matrices, scaling(opened.image))


def _smoothing_of(source, opened, mask):
    """Return the smoothing matrices of a brain masker on a run's grid, or None."""
    fwhm = source.masker.smoothing_fwhm
    return smoothing_matrices(fwhm, opened.image.affine, mask.shape)


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
        regions = unsmoothed_regions(source, image, where)
        if isinstance(regions, SeedRegions):
            fwhm = getattr(masker, "smoothing_fwhm", None)
            return signals_of_regions(regions, fwhm, image)
    signals = np.asarray(_extractor(masker).transform(image))
    if not signals.shape[1]:
        raise ValueError(
            f"{where}: nothing of {source.name} ({type(masker).__name__}) lies within "
            "the image. Are both in the same space?"
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
    """Return what a masker of another make gives for a run, cleaned by itself.

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
        it returns is no matrix of signals.
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


# Names


def signal_names(source, n_signals, prefix):
    """Return a name for each signal: coordinates, names of regions, or numbers."""
    masker = source.masker
    names = None
    if type(masker) in OWN_MASKERS:
        names = masker.seed_names_
    elif isinstance(masker, NiftiSpheresMasker):
        names = [coordinates(seed) for seed in masker.seeds_]
    elif isinstance(masker, NiftiLabelsMasker | SurfaceLabelsMasker):
        names = _region_names(masker)
    if names is None or len(names) != n_signals or len(set(names)) < n_signals:
        names = [f"{prefix}{i}" for i in range(n_signals)]
    return names


def _region_names(masker):
    """Return the names of a labels masker's regions, in the order of its signals."""
    names = getattr(masker, "region_names_", None)
    names = getattr(masker, "label_names_", {}) if names is None else names
    names = names.values() if isinstance(names, dict) else names
    return [str(name) for name in names]
