"""Maskers cloned, given the shared parameters, and fitted to runs."""

import os

import nibabel
import numpy as np
from nilearn.image import check_niimg, mean_img
from nilearn.maskers import (
    MultiNiftiMasker,
    NiftiLabelsMasker,
    NiftiMapsMasker,
    NiftiMasker,
    NiftiSpheresMasker,
    SurfaceMasker,
)
from sklearn.base import clone

from ._checks import check_file, check_masker
from ._images import is_surface, read_scans
from ._signals import (
    SURFACE_MASKERS,
    VOXELWISE_MASKERS,
    SignalSource,
    is_nilearn_masker,
)


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
    TypeError, ValueError, FileNotFoundError
        If the mask is missing, empty, or anything else nilearn does not accept.
    """
    mask_img = masker.get_params(deep=False).get("mask_img")
    _check_mask(mask_img, name)
    try:
        if isinstance(masker, NiftiMasker) and mask_img is None:
            masker.set_params(mask_img=_computed_mask(masker, images, kept))
        masker.fit(*_what_fit_needs(masker, images))
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name} could not be fitted: {error}") from error
    return SignalSource(name, masker)


def _check_mask(mask_img, name):
    """Raise an error where a mask image is missing or empty."""
    if mask_img is None:
        return
    if isinstance(mask_img, str | os.PathLike):
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
    if isinstance(masker, NiftiLabelsMasker | NiftiMapsMasker) and is_nilearn_masker(
        masker
    ):
        # Regions are laid on the grid of the run; its scans are not looked at.
        grid = np.ones(images[0].shape[:3], dtype=np.uint8)
        return [nibabel.Nifti1Image(grid, images[0].affine)]
    return [images[0]]
