"""What lies under a map in a volume: a template only where the run is in its space."""

import re
from pathlib import Path

import numpy as np
from scipy import ndimage

from .._images.grids import Still
from .._images.opening import open_scans
from .._images.volume import is_in_mni
from .._support.messages import naming, with_file

AUTO, TEMPLATE = "auto", "MNI152"
"""What `bg_img` is by default, and the name of nilearn's template."""

FEW_SCANS = 10
"""Over how many scans a run is averaged: its first, so that no more are read."""

AIR = 0.15
"""Part of the brightness of the brain below which what surrounds the head is air."""

BRIGHTEST = 99.0
"""Percentile beyond which a mean image is white: vessels and eyes."""


def background_of(estimator, run_img=None):
    """Return what is drawn under maps in a volume.

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
        The template where the run is in MNI152 space, as the BIDS name of its file
        says, or, where that says no space, the sform or qform code of its header, or
        of the brain mask where there is no file. Otherwise the mean of its first scans;
        None where there is no run to be had.
    """
    if run_img is None:
        run_img = _file_of(estimator)
    scans = None if run_img is None else open_scans(run_img, is_run=False)
    if _says_mni(estimator, run_img, scans):
        return TEMPLATE
    return None if scans is None else _mean_of_first_scans(scans)


def read_background(bg_img, grid):
    """Return an image that a user passed, as it is drawn under a map on a grid.

    Raises
    ------
    TypeError, ValueError, FileNotFoundError, OSError
        If it is no volume, or lies elsewhere.
    """
    with naming(with_file("bg_img", bg_img)):
        scans = open_scans(bg_img, is_run=False)
        if scans.grid.kind != grid.kind:
            raise TypeError(
                f"it must be {grid.kind} as the map is, got {scans.grid.kind}. Pass an "
                'image in the space of the run, "auto", "MNI152" or None.'
            )
        img = _mean_of_first_scans(scans)
        values = np.asarray(img.dataobj)
        if not grid.covers(Still(scans.grid, values.ravel())):
            raise ValueError(
                "nothing of it lies where the map is. Pass an image in the space of "
                "the run."
            )
    return img


def _file_of(estimator):
    """Return the file of the first run of `fit` that has one, None if it is gone."""
    files = re.findall(r"\('(.*)'\)$", "\n".join(estimator.run_report_["run"]), re.M)
    return files[0] if files and Path(files[0]).is_file() else None


def _says_mni(estimator, run_img, scans):
    """Whether a run says that it is in MNI152 space."""
    name = Path(getattr(run_img, "get_filename", lambda: run_img)() or "").name
    space = re.search(r"(?:^|_)space-([^_.]+)", name)
    if space:
        return space[1].startswith("MNI152")
    if scans is not None:
        return is_in_mni(scans.image)
    mask_img = getattr(estimator.brain_masker_, "mask_img_", None)
    return mask_img is not None and is_in_mni(mask_img)


def _mean_of_first_scans(scans):
    """Return the mean of the first scans of a volume, without the air around a head."""
    few = np.asarray(scans.image.dataobj[..., :FEW_SCANS], dtype=np.float64)
    values = few.reshape(*scans.grid.shape, -1).mean(axis=-1)
    return scans.grid.image_of(without_air(np.nan_to_num(values)).ravel())


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
