"""From a fitted masker and a run to raw signals, in whichever way is fastest.

This room, `_fitting` and `_seed_regions` are the only ones that look inside a masker.
"""

import copy
import inspect
from dataclasses import dataclass

import numpy as np
from joblib import Memory
from nilearn.image import smooth_img
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
from ._images import grid, is_surface, same_grid, scaling, why_not_in_blocks
from ._regions import SeedRegions
from ._seed_regions import (
    coordinates,
    seed_regions,
    spheres_of,
    unsmoothed_regions,
)
from ._seeds import RawSeeds
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


def is_nilearn_masker(masker):
    """Whether a masker's class is nilearn's own: a subclass may do anything."""
    is_own = type(masker).__module__.partition(".")[0] == "nilearn"
    return is_own and isinstance(masker, VOLUME_MASKERS + SURFACE_MASKERS)


# Three ways to signals, chosen here


@dataclass(frozen=True, eq=False)
class Plan:
    """How a source's signals are had from a run.

    Attributes
    ----------
    path : str
        "streamed", "compiled" or "reference".
    reason : str
        Why not in a faster way.
    regions : SeedRegions or None
        What seeds are made of, where that is known beforehand.
    """

    path: str
    reason: str = ""
    regions: SeedRegions | None = None

    def __str__(self):
        return f"{self.path}: {self.reason}" if self.reason else self.path


def plan_sources(sources, opened):
    """Return a `Plan` for each source, by its name.

    Parameters
    ----------
    sources : list of SignalSource
        With fitted maskers.
    opened : OpenedRun

    Raises
    ------
    ValueError
        If a seed lies outside the run, or seeds overlap that must not.
    """
    by_name = {source.name: source for source in sources}
    plans = {}
    # Voxels first: where their scans are in memory anyway, the seeds take them there.
    if "brain_masker" in by_name:
        plans["brain_masker"] = _plan_voxels(by_name["brain_masker"], opened.image)
    if "seed_masker" in by_name:
        plans["seed_masker"] = _plan_seeds(
            by_name["seed_masker"], opened, plans.get("brain_masker")
        )
    return plans


def _plan_voxels(source, image):
    """Return how the voxels of the brain are had."""
    if not is_nilearn_masker(source.masker):
        return _reference(source)
    reason = _why_no_voxel_stream(source.masker, image) or _why_no_stream(source, image)
    return Plan("compiled", reason) if reason else Plan("streamed")


def _plan_seeds(source, opened, brain):
    """Return how the seeds are had, given how the brain is."""
    if not is_nilearn_masker(source.masker):
        return _reference(source)
    image = opened.as_seen_by(source.name).image
    regions = seed_regions(source, image, opened.where)
    if isinstance(regions, str):
        return Plan("compiled", regions)
    reason = _why_no_stream(source, image)
    if not reason and image is opened.image and brain and brain.path == "compiled":
        reason = "the scans are in memory for brain_masker"
    return Plan("compiled" if reason else "streamed", reason, regions)


def _reference(source):
    """Return the plan for a masker that does all by itself."""
    kind = type(source.masker).__name__
    return Plan("reference", f"{kind} is none of nilearn's own maskers")


def _why_no_stream(source, image):
    """Return why signals that are sums of voxels cannot be had while reading, or ''."""
    if is_surface(image):
        return "the run is on a surface"
    if source.masker.high_variance_confounds:
        return "high_variance_confounds are computed from all voxels first"
    return why_not_in_blocks(image) or ""


def _why_no_voxel_stream(masker, image):
    """Return why the voxels of a brain masker are not to be streamed, or ''."""
    if is_surface(image):
        return "the run is on a surface"
    if not isinstance(masker, NiftiMasker):
        return f"{type(masker).__name__} is not a linear map that is known beforehand"
    if not is_separable(masker.smoothing_fwhm):
        return f"smoothing_fwhm={masker.smoothing_fwhm!r} is not one matrix an axis"
    if not same_grid(masker.mask_img_, image):
        return "the run is not on the grid of the mask and has to be resampled"
    return ""


# Checks of a run against a source, before its scans are read


def check_before_fit(source, opened):
    """Raise an error where a run and the parameters of a masker do not go together."""
    if not is_nilearn_masker(source.masker):
        return
    _check_kind(source, opened)
    source.cleaning.with_t_r(opened.t_r).check(f"{opened.where}, {source.name}")


def check_left_after_cleaning(source, opened):
    """Raise ValueError where cleaning a run leaves nothing to correlate."""
    if not is_nilearn_masker(source.masker):
        return
    cleaning = source.cleaning.with_t_r(opened.t_r)
    where = f"{opened.where}, {source.name}"
    check_cleaning(cleaning, opened.n_scans, opened.kept, opened.confounds, where)


def check_regions_of_runs(source, opened):
    """Raise an error where a fitted masker's seeds or mask miss one of the runs."""
    grids = set()
    for run in opened:
        where = grid(run.as_seen_by(source.name).image)
        if where not in grids:
            _check_regions(source, run)
            grids.add(where)


def _check_regions(source, opened):
    """Raise an error where seeds or mask miss a run."""
    masker, image = source.masker, opened.as_seen_by(source.name).image
    if not is_nilearn_masker(masker) or is_surface(image):
        return
    if isinstance(masker, NiftiSpheresMasker):
        spheres_of(source, image, opened.where)
    mask_img = getattr(masker, "mask_img_", None)
    if mask_img is not None:
        _check_overlap(mask_img, image, f"{opened.where}, {source.name}")


def _check_kind(source, opened):
    """Raise TypeError where a volume masker meets a surface image or the reverse."""
    wants_surface = isinstance(source.masker, SURFACE_MASKERS)
    image = opened.as_seen_by(source.name).image
    if wants_surface != is_surface(image):
        kinds = {True: "a SurfaceImage", False: "a volume (4D image)"}
        raise TypeError(
            f"{opened.where}: {source.name} is a {type(source.masker).__name__}, which "
            f"needs {kinds[wants_surface]}, but the run is {kinds[not wants_surface]}. "
            "Use a masker of the run's kind, or Run(img, seed_img=...) where seeds "
            "and voxels are in images of their own."
        )


def _check_overlap(mask_img, image, where):
    """Raise ValueError where no voxel of a mask lies within the image."""
    mask = np.asarray(mask_img.dataobj) != 0
    if same_grid(mask_img, image):
        return  # no mask of nilearn's is empty
    voxels = np.argwhere(mask)
    if not _inside(voxels, mask_img.affine, image).any():
        raise ValueError(
            f"{where}: mask_img and the image do not overlap. Are both in the same "
            f"space? Affine of the mask:\n{mask_img.affine}\nof the image:\n"
            f"{image.affine}"
        )


def _inside(voxels, affine, image):
    """Return which voxels of one grid have their centre within an image."""
    places = _places_in(voxels, affine, image)
    return ((places >= 0) & (places < image.shape[:3])).all(axis=1)


def _places_in(voxels, affine, image):
    """Return the nearest voxels of an image to those of another grid."""
    to_image = np.linalg.inv(image.affine) @ affine
    places = voxels @ to_image[:3, :3].T + to_image[:3, 3]
    return np.floor(places + 0.5).astype(np.intp)


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
    inside = _inside(voxels, image.affine, mask_img)
    places = _places_in(voxels[inside], image.affine, mask_img)
    inside[inside] = mask[tuple(places.T)]
    return inside


# Streamed: while the scans are read


def seed_stream(regions, opened):
    """Return what takes in a run's scans and gives the voxels of seeds."""
    return SeedStream(regions.inputs, opened.image.shape[:3])


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
    if not isinstance(source.masker, VOXELWISE_MASKERS):
        return raw_seeds(source, image, where).seeds()
    return _extracted(source, image, where)


def raw_seeds(source, image, where):
    """Return the same as `RawSeeds`, with their voxels where these are known."""
    regions = seed_regions(source, image, where)
    if isinstance(regions, str):
        regions = unsmoothed_regions(source, image, where)
        if isinstance(regions, str):
            return RawSeeds(_extracted(source, image, where))
        image = smooth_img(image, source.masker.smoothing_fwhm)
    return RawSeeds(_series(image, regions.inputs).T, regions=regions)


def _extracted(source, image, where):
    """Return what the masker itself extracts."""
    signals = np.asarray(_extractor(source.masker).transform(image))
    if not signals.shape[1]:
        raise ValueError(
            f"{where}: nothing of {source.name} ({type(source.masker).__name__}) lies "
            "within the image. Are both in the same space?"
        )
    return signals


def _series(image, places):
    """Return the scans of some voxels (vertices) in memory, `(n_places, n_scans)`."""
    if not is_surface(image):
        data = np.asarray(image.dataobj)
        return data[np.unravel_index(places, data.shape[:3])]
    parts = [np.asarray(part) for part in image.data.parts.values()]
    starts = np.cumsum([0, *(len(part) for part in parts)])
    edges = np.searchsorted(places, starts)
    pieces = [
        part[places[first:last] - start]
        for part, start, first, last in zip(
            parts, starts, edges[:-1], edges[1:], strict=False
        )
    ]
    return np.concatenate(pieces)


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
    if isinstance(masker, NiftiSpheresMasker):
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
