"""Maskers cloned, given the shared parameters, and fitted to runs."""

import warnings
from contextlib import contextmanager

import nibabel
import numpy as np
from nilearn.maskers import (
    MultiNiftiMasker,
    NiftiMasker,
    NiftiSpheresMasker,
    SurfaceMasker,
)
from sklearn.base import clone

from .._arrays.cleaning import CleaningParameters
from .._images.grids import is_surface, same_grid
from .._images.images import first_scan, mean_scan, read_mask
from .._support.checks import check_masker, check_spheres
from .._support.messages import some_of, warn, with_file
from .run_checks import check_regions_of_runs, check_seeds_in_brain
from .sources import OWN_MASKERS, VOXELWISE_MASKERS, is_given, is_known_masker


def clone_masker(masker, name, overrides):
    """Return an unfitted clone of a masker with the estimator's own values set.

    Parameters
    ----------
    masker : masker
    name : str
        Names the masker in errors.
    overrides : dict
        Values of low_pass, high_pass and t_r that hold for both maskers.

    Raises
    ------
    TypeError
        If it is no masker, or cannot be one of the brain.
    ValueError
        If it lacks one of these parameters.
    """
    check_masker(masker, name)
    if name == "brain_masker" and is_given(masker):
        raise TypeError(
            f"{name} must give signals of the run's voxels, got GivenSignals. Pass it "
            "as seed_masker."
        )
    masker = clone(masker)
    known = masker.get_params(deep=False)
    missing = [parameter for parameter in overrides if parameter not in known]
    if missing:
        raise ValueError(
            f"{missing[0]}={overrides[missing[0]]!r} is set for both maskers, but "
            f"{name} ({type(masker).__name__}) has no parameter {missing[0]}. Set it "
            "on the other masker alone."
        )
    return masker.set_params(**overrides)


def default_brain_masker(seed_masker, img):
    """Return a masker of all voxels (vertices), cleaned as the seed masker's signals.

    Its kind is that of a run's image: seeds may be in another. Smoothing is no
    cleaning: the voxels are not smoothed.

    Raises
    ------
    ValueError
        If the seed masker cleans as no masker of that kind can.
    """
    masker = SurfaceMasker() if is_surface(img) else NiftiMasker()
    given = vars(CleaningParameters.from_masker(seed_masker))
    known = masker.get_params(deep=False)
    if "runs" not in known and given["runs"] is not None:
        raise ValueError(
            "seed_masker cleans blocks of scans by themselves (runs), but the brain "
            f"masker of a run on a surface ({type(masker).__name__}) cannot. Pass "
            "each block as a run of its own, or a brain_masker."
        )
    cleaning = {name: given[name] for name in given.keys() & known.keys()}
    return masker.set_params(standardize=None, **cleaning)


def fit_masker(source, opened):
    """Fit a masker to the runs, reading no more of them than it needs.

    A masker keeps what it was fitted to for its report, so nilearn's own are given
    grids, mean scans or first scans, but never a run.

    Parameters
    ----------
    source : SignalSource
        Its masker is fitted in place, and given the mask where one is computed.
    opened : list of OpenedRun

    Raises
    ------
    TypeError, ValueError, OSError
        If the mask is missing, unreadable, empty, or anything else nilearn does not
        accept.
    """
    masker, opened = source.masker, [run.as_seen_by(source.name) for run in opened]
    mask_img = masker.get_params(deep=False).get("mask_img")
    if mask_img is not None:
        _check_mask(mask_img, with_file(f"{source.name}: mask_img", mask_img))
    elif isinstance(masker, NiftiMasker):
        masker.set_params(mask_img=_computed_mask(source, opened))
    with _naming_both(source, opened[0]):
        masker.fit(*_what_fit_needs(masker, opened))
    if isinstance(masker, NiftiSpheresMasker):
        check_spheres(masker.seeds_, masker.radius, source.name)


@contextmanager
def _naming_both(source, run):
    """Let an error that nilearn raises say which masker did not go with which run."""
    try:
        yield
    # A labels file that is no image fails in the way of its format's parser.
    except Exception as error:
        kinds = TypeError, FileNotFoundError, OSError
        # Its own class may want other arguments, or more of them.
        kind = next((kind for kind in kinds if isinstance(error, kind)), ValueError)
        is_own = isinstance(source.masker, OWN_MASKERS)
        if is_own and not str(error).startswith("X: "):
            raise kind(f"{source.name}, {error}") from error
        cure = "" if is_own else _cure_of_regions(source.masker)
        raise kind(
            f"{source.name} could not be fitted to {run.where}: {_said(error)}{cure}"
        ) from error


def _cure_of_regions(masker):
    """Return what may help where nilearn could not fit regions to a run."""
    regions = [name for name in ("labels_img", "maps_img") if hasattr(masker, name)]
    return "".join(
        f" Check its {name}, and that it lies in the space of the run."
        for name in regions
    )


def _said(error):
    """Return what an error says, with its class where this is all that it says."""
    is_plain = isinstance(error, TypeError | ValueError | OSError)
    return f"{error}" if is_plain else f"{type(error).__name__}: {error}"


def _check_mask(mask_img, where):
    """Raise an error where a mask image is missing, unreadable or empty."""
    if not any(np.any(part) for part in read_mask(mask_img, where)):
        raise ValueError(
            f"{where} is empty, it holds no voxel that is not 0. Pass a mask of the "
            "brain."
        )


def _check_same_grid(source, opened):
    """Raise ValueError where runs that shall share a mask have different grids."""
    if source.masker.target_affine is not None:
        return
    first = opened[0]
    for run in opened[1:]:
        if not same_grid(run.image, first.image):
            raise ValueError(
                f"{run.where} is not on the grid of {first.where}, so {source.name} "
                "cannot compute one mask for both. Pass a mask as its mask_img, or "
                "set its target_affine."
            )


def _computed_mask(source, opened):
    """Return the mask that nilearn computes over all runs, whose grids must be one."""
    _check_same_grid(source, opened)
    means = [mean_scan(run.image, run.kept, run.where) for run in opened]
    with _naming_both(source, opened[0]):
        mask = _mask_of(source.masker, means)
    if mask is None:
        raise ValueError(_why_no_mask(source, opened, means))
    return mask


def _why_no_mask(source, opened, means):
    """Return the words that say in which of the runs there is no brain to be found."""
    strategy = f"nilearn's mask_strategy={source.masker.mask_strategy!r}"
    cure = f"Pass mask_img to {source.name}, or another mask_strategy."
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the same once more
        for run, mean in zip(opened, means, strict=True):
            if _mask_of(source.masker, [mean]) is None:
                return f"{run.where}: {strategy} finds no brain in it. {cure}"
    return f"{strategy} finds no brain that the {len(opened)} runs share. {cure}"


def _mask_of(masker, means):
    """Return the mask that nilearn computes over mean scans, None if it is empty."""
    names = ("mask_strategy", "mask_args", "target_affine", "target_shape")
    try:
        if len(means) == 1:
            mask_img = clone(masker).fit(means[0]).mask_img_
        else:
            given = {name: masker.get_params(deep=False)[name] for name in names}
            mask_img = MultiNiftiMasker(**given).fit(means).mask_img_
    except ValueError as error:
        if "empty" not in str(error):
            raise
        return None
    return mask_img if np.any(np.asarray(mask_img.dataobj)) else None


def _what_fit_needs(masker, opened):
    """Return the arguments for the masker's `fit`."""
    first = opened[0]
    image = first.image
    if isinstance(masker, NiftiSpheresMasker):
        return []
    if is_given(masker):
        return [opened[0].run.seed_signals]
    if isinstance(masker, VOXELWISE_MASKERS) and masker.mask_img is not None:
        return []
    if not is_known_masker(masker):
        return [first.run.img]
    if is_surface(image):
        return [first_scan(image)]
    # Regions are laid on the grid of the run; its scans are not looked at.
    grid = np.ones(image.shape[:3], dtype=np.uint8)
    return [nibabel.Nifti1Image(grid, image.affine)]


def warn_of_different_cleaning(seeds, brain):
    """Warn where the sources of seeds and of voxels are not cleaned alike.

    Of a third-party masker only the parameters that it has say what it does.
    """
    ours, theirs = seeds.cleaning, brain.cleaning
    unsaid = {
        name
        for source in (seeds, brain)
        if not is_known_masker(source.masker)
        for name in vars(ours).keys() - source.masker.get_params(deep=False).keys()
    }
    pairs = [
        f"{name} ({getattr(ours, name)!r} and {getattr(theirs, name)!r})"
        for name in ours.differences(theirs)
        if name not in unsaid
    ]
    if pairs:
        is_shared = {"low_pass", "high_pass", "t_r"} >= set(ours.differences(theirs))
        cure = "Set both alike"
        cure += ", or those of SeedCorrelationMap." if is_shared else "."
        warn(
            f"seed_masker and brain_masker clean differently, in {', '.join(pairs)}. "
            f"{cure}"
        )


def warn_of_drifts_removed_twice(source, opened):
    """Warn where cosines are among the confounds and a filter removes drifts too."""
    cleaning = source.cleaning
    if cleaning.filter_name != "butterworth" or cleaning.high_pass is None:
        return
    concerned = [run for run in opened if run.cosines]
    if concerned:
        where = some_of([run.where for run in concerned], 3)
        warn(
            f"{where}: confounds hold cosines against slow drifts "
            f"({some_of(concerned[0].cosines, 3)}), and {source.name} has "
            f"high_pass={cleaning.high_pass!r} Hz, so drifts are removed twice. "
            "Set high_pass=None, or leave the cosines out, as "
            'runs_from_fmriprep does with strategy=("motion", "wm_csf").'
        )


def fit_maskers(seeds, brain, opened):
    """Fit both maskers to all runs, and check that all runs go with them.

    Parameters
    ----------
    seeds, brain : SignalSource
        Their maskers are fitted in place.
    opened : list of OpenedRun
    """
    fit_masker(seeds, opened)
    # Before a mask is computed, for which runs are read.
    placed = check_regions_of_runs(seeds, opened)
    fit_masker(brain, opened)
    check_regions_of_runs(brain, opened)
    check_seeds_in_brain(seeds, brain, placed)
    warn_of_different_cleaning(seeds, brain)
    warn_of_drifts_removed_twice(seeds, opened)
