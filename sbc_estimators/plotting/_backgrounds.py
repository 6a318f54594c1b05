"""What lies under a map in a volume: a template only where the run is in its space."""

import re
from pathlib import Path

import numpy as np
from scipy import ndimage

from .._images.grids import Still
from .._images.headers import is_in_mni
from .._images.opening import grid_of, open_scans
from .._support.messages import naming

AUTO, TEMPLATE = "auto", "MNI152"
"""What `bg_img` is by default, and the name of nilearn's template."""

FEW_SCANS = 10
"""Over how many scans a run is averaged: its first, so that no more are read."""

AIR = 0.15
"""Part of the brightness of the brain below which what surrounds the head is air."""

BRIGHTEST = 99.0
"""Percentile beyond which a mean image is white: vessels and eyes."""


def background_of(estimator, run_img=None):
    """Return what lies under maps in a volume.

    Parameters
    ----------
    estimator : SeedCorrelationMap
        Fitted.
    run_img : str, path, image or None, default=None
        A run of the maps. None is the first of `fit` that is a file which is still
        there.

    Returns
    -------
    background : "MNI152", Nifti1Image or None
        The template where runs say that they are in its space, or, where there are
        none, the brain mask does; otherwise the mean of the first scans of the run;
        None where there is no run to be had.
    """
    files = files_of(estimator)
    if run_img is None:
        run_img = next((file for file in files if Path(file).is_file()), None)
    mask_img = getattr(estimator.brain_masker_, "mask_img_", None)
    if says_mni(files, mask_img if run_img is None else run_img):
        return TEMPLATE
    return None if run_img is None else mean_of_first_scans(run_img)


def says_mni(files, img):
    """Whether runs say that they are in MNI152 space.

    Parameters
    ----------
    files : list of str
        Of the runs: the space that BIDS names say decides.
    img : str, path, image or None
        Where they say none, the sform or qform code of its header does.
    """
    spaces = [re.search(r"_space-([^_.]+)", Path(file).name) for file in files]
    spaces = [space[1] for space in spaces if space]
    if spaces:
        return all(space.startswith(TEMPLATE) for space in spaces)
    return img is not None and is_in_mni(open_scans(img, is_run=False).image)


def mean_of_first_scans(img):
    """Return the mean of the first scans of a volume, of which no others are read.

    One of three dimensions is one scan.
    """
    scans = open_scans(img, is_run=False)
    few = scans.image.dataobj[:, :, :, :FEW_SCANS] if scans.shape[3:] else None
    few = np.asarray(scans.image.dataobj if few is None else few, dtype=np.float64)
    few = few.reshape(scans.grid.n_positions, -1)
    return scans.grid.image_of(np.nan_to_num(few.mean(axis=-1)))


def read_background(bg_img, grid):
    """Return an image that a user passed, to be drawn under a map on a grid.

    Raises
    ------
    TypeError, ValueError, FileNotFoundError, OSError
        If it is no volume, or lies elsewhere.
    """
    with naming("bg_img", bg_img):
        own = open_scans(bg_img, is_run=False).grid
        if own.kind != grid.kind:
            raise TypeError(
                f"it must be {grid.kind} as the map is, got {own.kind}. Pass an image "
                'in the space of the run, "auto", "MNI152" or None.'
            )
        img = mean_of_first_scans(bg_img)
        if not grid.covers(Still(own, np.asarray(img.dataobj).ravel())):
            raise ValueError(
                "nothing of it lies where the map is. Pass an image in the space of "
                "the run."
            )
    return img


def on_white(img):
    """Return an image as it is drawn: what surrounds a head is 0."""
    values = without_air(np.asarray(img.dataobj))
    return grid_of(img).image_of(values.ravel())


def are_in_fslr(estimator):
    """Whether the runs of `fit` say that they are in fs_LR; see `says_fslr`."""
    return says_fslr(files_of(estimator))


def says_fslr(files):
    """Whether runs of grayordinates say that they are fs_LR's, with voxels in MNI152.

    As in the names that fMRIPrep gives them.
    """
    spaces = [re.search(r"_space-fsLR(_|\.|$)", Path(file).name) for file in files]
    return bool(spaces) and all(spaces)


def files_of(estimator):
    """Return the files of the runs of `fit` that have one, and were not left out."""
    report = estimator.run_report_
    files = report["img"][report["error"].isna()]
    return [file for file in files if isinstance(file, str)]


def without_air(values):
    """Return a mean image that is 0 around the head, and nowhere in it.

    Parameters
    ----------
    values : ndarray of shape (n_x, n_y, n_z)
        Where some are negative it is no mean image, and stays as it is.
    """
    bright = np.percentile(values[values > 0], BRIGHTEST) if values.any() else 0
    if values.min() < 0 or not bright:
        return values
    head = ndimage.binary_fill_holes(values > AIR * bright)
    pieces, n_pieces = ndimage.label(head)
    if n_pieces > 1:
        head = pieces == 1 + np.bincount(pieces[head])[1:].argmax()
    # Nothing in the head may be 0, which nilearn takes for outside.
    return np.where(head, np.clip(values, 1e-3 * bright, bright), 0)
