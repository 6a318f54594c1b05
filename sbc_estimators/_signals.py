"""From a masker and a run to raw signals: the only room that looks inside a masker."""

import copy
import inspect
from dataclasses import dataclass

import nibabel
import numpy as np
from joblib import Memory
from nilearn.image import check_niimg, mean_img, resample_img, smooth_img
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
from sklearn.base import clone

from ._checks import check_file, check_masker
from ._cleaning import CleaningParameters
from ._images import is_surface, read_scans
from ._spheres import overlapping_pair, sphere_means, sphere_voxels

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
REGION_MASKERS = (NiftiLabelsMasker, NiftiMapsMasker)

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
    "reports": False,
    "verbose": 0,
}
"""Parameters under which a nilearn masker extracts and does nothing else."""


@dataclass(frozen=True)
class SignalSource:
    """A fitted masker, with the way in which its signals are had.

    Attributes
    ----------
    name : str
        "seed_masker" or "brain_masker", as messages call it.
    masker : masker
        Fitted.
    path : str
        "compiled" (the masker extracts, a matrix cleans) or "reference" (the
        masker's own transform does all).
    reason : str
        Why not another path.
    """

    name: str
    masker: object
    path: str
    reason: str

    @property
    def cleaning(self):
        """What the masker's parameters do to signals over time."""
        return CleaningParameters.from_masker(self.masker)


def signal_source(name, masker):
    """Return the source of a fitted masker's signals, its path chosen."""
    if is_nilearn_masker(masker):
        return SignalSource(name, masker, "compiled", "a nilearn masker")
    reason = f"{type(masker).__name__} is not one of nilearn's maskers"
    return SignalSource(name, masker, "reference", reason)


def is_nilearn_masker(masker):
    """Whether a masker's class is nilearn's own: a subclass may do anything."""
    is_own = type(masker).__module__.partition(".")[0] == "nilearn"
    return is_own and isinstance(masker, VOLUME_MASKERS + SURFACE_MASKERS)


# Fitting


def clone_masker(masker, name, overrides):
    """Return an unfitted clone of a masker with the estimator's own values set.

    Parameters
    ----------
    masker : masker
    name : str
        Names the masker in errors.
    overrides : dict
        Values of low_pass, high_pass and t_r that hold for both maskers.
    """
    check_masker(masker, name)
    masker = clone(masker)
    known = masker.get_params(deep=False)
    missing = [parameter for parameter in overrides if parameter not in known]
    if missing:
        raise ValueError(
            f"{missing[0]}={overrides[missing[0]]!r} is set for both maskers, but "
            f"{name} ({type(masker).__name__}) has no parameter {missing[0]}. Set it "
            "on the other masker alone."
        )
    # A masker that reports keeps the last image it saw.
    quiet = {"reports": False} if "reports" in known else {}
    return masker.set_params(**overrides, **quiet)


def default_brain_masker(seed_masker):
    """Return a masker of all voxels (vertices), cleaned as the seed masker's signals.

    Smoothing is no cleaning: the voxels are not smoothed.
    """
    masker = SurfaceMasker() if isinstance(seed_masker, SURFACE_MASKERS) else None
    masker = NiftiMasker() if masker is None else masker
    given = seed_masker.get_params(deep=False)
    names = ("standardize_confounds", "high_variance_confounds", "detrend")
    names += ("low_pass", "high_pass", "t_r", "clean_args")
    cleaning = {name: given[name] for name in names if name in given}
    return masker.set_params(standardize=None, **cleaning)


def fit_masker(masker, name, images, kept):
    """Fit a masker to the runs, reading no more of them than it needs.

    Parameters
    ----------
    masker : masker
        Changed in place: fitted, and given the mask where one is computed.
    name : str
        Names the masker in errors.
    images : list
        The opened images of all runs.
    kept : list of ndarray
        The scans to keep of each.

    Returns
    -------
    source : SignalSource

    Raises
    ------
    ValueError, FileNotFoundError
        If the mask is missing, empty, or anything else nilearn does not accept.
    """
    mask_img = masker.get_params(deep=False).get("mask_img")
    _check_mask(mask_img, name)
    try:
        if isinstance(masker, NiftiMasker) and mask_img is None:
            masker.set_params(mask_img=_computed_mask(masker, images, kept))
        masker.fit(*_what_fit_needs(masker, images))
    except ValueError as error:
        raise ValueError(f"{name} could not be fitted: {error}") from error
    return signal_source(name, masker)


def _check_mask(mask_img, name):
    """Raise an error where a mask image is missing or empty."""
    if mask_img is None:
        return
    if isinstance(mask_img, str):
        check_file(mask_img, f"{name}: mask_img")
    if is_surface(mask_img):
        has_any = any(np.any(part) for part in mask_img.data.parts.values())
    else:
        has_any = np.any(np.asarray(check_niimg(mask_img).dataobj))
    if not has_any:
        raise ValueError(
            f"{name}: mask_img is empty, it holds no voxel that is not 0. Pass a mask "
            "of the brain."
        )


def _computed_mask(masker, images, kept):
    """Return the mask that nilearn computes over all runs."""
    images = [
        _mean_of_kept(image, scans) if len(scans) < image.shape[-1] else image
        for image, scans in zip(images, kept, strict=True)
    ]
    if len(images) == 1:
        return clone(masker).fit(images[0]).mask_img_
    names = ("mask_strategy", "mask_args", "target_affine", "target_shape")
    given = masker.get_params(deep=False)
    many = MultiNiftiMasker(**{key: given[key] for key in names}, reports=False)
    return many.fit(images).mask_img_


def _mean_of_kept(image, scans):
    """Return the mean of the kept scans: a censored scan has no say in the mask."""
    image, _ = read_scans(image, scans, "the mask")
    return mean_img(image, copy_header=False)


def _what_fit_needs(masker, images):
    """Return the arguments for the masker's `fit`."""
    if isinstance(masker, NiftiSpheresMasker):
        return []
    if isinstance(masker, VOXELWISE_MASKERS) and masker.mask_img is not None:
        return []
    if isinstance(masker, MultiNiftiMasker):
        return [images]
    if isinstance(masker, REGION_MASKERS) and is_nilearn_masker(masker):
        # Regions are laid on the grid of the run; its scans are not looked at.
        grid = np.ones(images[0].shape[:3], dtype=np.uint8)
        return [nibabel.Nifti1Image(grid, images[0].affine)]
    return [images[0]]


# Checks of a run against a source, before its scans are read


def check_run_fits(source, image, t_r, where):
    """Raise an error where a run cannot give signals, as far as its header tells."""
    if source.path == "reference":
        return
    masker = source.masker
    _check_kind(source, image, where)
    source.cleaning.with_t_r(t_r).check(f"{where}, {source.name}")
    if isinstance(masker, NiftiSpheresMasker):
        _spheres(source, image, where)
    mask_img = getattr(masker, "mask_img_", None)
    if mask_img is not None and not is_surface(image):
        _check_overlap(mask_img, image, f"{where}, {source.name}")


def _check_kind(source, image, where):
    """Raise TypeError where a volume masker meets a surface image or the reverse."""
    wants_surface = isinstance(source.masker, SURFACE_MASKERS)
    if wants_surface != is_surface(image):
        kinds = {True: "a SurfaceImage", False: "a volume (4D image)"}
        raise TypeError(
            f"{where}: {source.name} is a {type(source.masker).__name__}, which needs "
            f"{kinds[wants_surface]}, but the run is {kinds[not wants_surface]}. Use a "
            "masker of the run's kind."
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


# Extraction


def raw_signals(source, image, where):
    """Return what a nilearn masker extracts from a run, without any cleaning.

    Parameters
    ----------
    source : SignalSource
        With path "compiled".
    image : Nifti1Image or SurfaceImage
        The kept scans, as `read_scans` returns them.
    where : str
        Names the run in errors.

    Returns
    -------
    signals : ndarray of shape (n_kept_scans, n_signals)
    """
    if isinstance(source.masker, NiftiSpheresMasker):
        spheres = _spheres(source, image, where)
        if source.masker.smoothing_fwhm is not None:
            image = smooth_img(image, source.masker.smoothing_fwhm)
        return sphere_means(np.asarray(image.dataobj), spheres)
    return np.asarray(_extractor(source.masker).transform(image))


def _extractor(masker):
    """Return a copy of a fitted nilearn masker that extracts and does not clean."""
    extractor = copy.copy(masker)
    for name in NEUTRAL.keys() & masker.get_params(deep=False).keys():
        setattr(extractor, name, NEUTRAL[name])
    extractor.clean_args_ = {}
    extractor.memory, extractor.memory_ = None, Memory(location=None)
    return extractor


def signals_without_data(source, not_finite):
    """Return which voxels had a scan that was not finite, bool `(n_voxels,)`.

    Only smoothing hides them: without it such voxels are constant.
    """
    masker = source.masker
    if not_finite is None or not isinstance(masker, VOXELWISE_MASKERS):
        return None
    if masker.smoothing_fwhm is None:
        return None
    extractor = _extractor(masker)
    extractor.smoothing_fwhm = None
    return np.asarray(extractor.transform(not_finite)).ravel() > 0.5


def own_signals(source, run, kept, where):
    """Return what a masker of another make gives for a run, cleaned by itself.

    Parameters
    ----------
    source : SignalSource
        With path "reference".
    run : Run
        With confounds loaded and its t_r set.
    kept : ndarray or None
        The scans to keep, None for all.
    where : str
        Names the run in errors.

    Returns
    -------
    signals : ndarray of shape (n_kept_scans, n_signals)

    Raises
    ------
    ValueError
        If the run has confounds or a sample mask and `transform` takes none, or what
        it returns is no matrix of signals.
    """
    masker = source.masker
    if run.t_r is not None and "t_r" in masker.get_params(deep=False):
        masker = copy.copy(masker).set_params(t_r=run.t_r)
    arguments = {"confounds": run.confounds, "sample_mask": kept}
    arguments = {name: value for name, value in arguments.items() if value is not None}
    _check_accepts(source, arguments, where)
    signals = np.asarray(masker.transform(run.img, **arguments), dtype=np.float64)
    if signals.ndim != 2:
        raise ValueError(
            f"{where}: transform of {source.name} ({type(masker).__name__}) must return "
            f"an array of shape (n_scans, n_signals), got shape {signals.shape}."
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


# Spheres


def _spheres(source, image, where):
    """Return the voxels of every sphere on the grid of a run."""
    masker = source.masker
    mask = _mask_on_grid(masker.mask_img_, image)
    shape = image.shape[:3]
    spheres = sphere_voxels(masker.seeds_, masker.radius, image.affine, shape, mask)
    for position, voxels in enumerate(spheres):
        if not len(voxels):
            _raise_seed_outside(source, position, image, where)
    pair = None if masker.allow_overlap else overlapping_pair(spheres)
    if pair is not None:
        first, second = (_coordinates(masker.seeds_[i]) for i in pair)
        raise ValueError(
            f"{where}: the spheres of seeds {pair[0]} {first} and {pair[1]} {second} "
            f"overlap at radius={masker.radius!r} mm. Use a smaller radius, or "
            f"{source.name}.allow_overlap=True."
        )
    return spheres


def _raise_seed_outside(source, position, image, where):
    """Raise the error of a sphere without voxels."""
    masker = source.masker
    seed = _coordinates(masker.seeds_[position])
    shape = image.shape[:3]
    in_image = sphere_voxels([masker.seeds_[position]], masker.radius, image.affine, shape)
    what = "its mask_img" if len(in_image[0]) else "the image"
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in shape])).reshape(3, -1)
    corners = image.affine[:3, :3] @ corners + image.affine[:3, 3:]
    low, high = corners.min(axis=1).round(1), corners.max(axis=1).round(1)
    raise ValueError(
        f"{where}: seed {position} at {seed} mm of {source.name} lies outside {what}; "
        f"the image spans {low.tolist()} to {high.tolist()} mm. Move the seed, or "
        "check that seeds and image are in the same space."
    )


def _mask_on_grid(mask_img, image):
    """Return a mask on the grid of a run, nearest neighbours, or None."""
    if mask_img is None:
        return None
    if mask_img.shape != image.shape[:3] or not np.allclose(
        mask_img.affine, image.affine
    ):
        mask_img = resample_img(
            mask_img,
            target_affine=image.affine,
            target_shape=image.shape[:3],
            interpolation="nearest",
            force_resample=True,
            copy_header=True,
        )
    return np.asarray(mask_img.dataobj) != 0


def _coordinates(seed):
    """Return coordinates in mm as people write them."""
    return f"({', '.join(f'{float(x):g}' for x in seed)})"


# Names


def signal_names(source, n_signals, prefix):
    """Return a name for each signal: coordinates, names of regions, or numbers."""
    masker = source.masker
    names = None
    if isinstance(masker, NiftiSpheresMasker):
        names = [_coordinates(seed) for seed in masker.seeds_]
    elif isinstance(masker, NiftiLabelsMasker | SurfaceLabelsMasker):
        names = _region_names(masker)
    if names is None or len(names) != n_signals or len(set(names)) < n_signals:
        names = [f"{prefix}{i}" for i in range(n_signals)]
    return names


def _region_names(masker):
    """Return the names of a labels masker's regions, in the order of its signals."""
    names = getattr(masker, "region_names_", None) or getattr(masker, "label_names_", {})
    names = list(names.values()) if isinstance(names, dict) else list(names)
    return [str(name) for name in names]
