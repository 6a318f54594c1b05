"""Opening and reading the images of runs."""

import os
import zlib

import nibabel
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nilearn.image import new_img_like
from nilearn.surface import SurfaceImage

from ._checks import (
    check_enough_scans,
    check_file,
    check_four_dimensional,
)

READ_ERRORS = (OSError, EOFError, ValueError, zlib.error)
"""What nibabel lets through where a file is truncated or corrupt."""


def is_surface(img):
    """Whether an image is a SurfaceImage (or is made like one)."""
    return hasattr(img, "mesh")


def open_image(img, where):
    """Return the image of a run with its header read and its data not.

    Parameters
    ----------
    img : str, path, nibabel image or SurfaceImage
    where : str
        Names the run in errors.

    Returns
    -------
    image : nibabel image or SurfaceImage
        With four dimensions (or two: vertices and scans).

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such file, it is no image, or it is not 4D.
    """
    image = _load(img, where) if isinstance(img, str | os.PathLike) else img
    if is_surface(image):
        _check_surface(image, where)
    else:
        check_four_dimensional(image.shape, where)
    return image


def _load(path, where):
    """Return a file's image, unread."""
    check_file(path, where)
    try:
        return nibabel.load(path)
    except (ImageFileError, *READ_ERRORS) as error:
        raise ValueError(
            f"{where}: not an image that nibabel can open: {error}"
        ) from error


def _check_surface(image, where):
    """Raise ValueError unless a surface image has vertices and enough scans."""
    if len(image.shape) != 2:
        raise ValueError(
            f"{where}: a SurfaceImage must have shape (vertices, scans), got "
            f"{tuple(image.shape)}."
        )
    check_enough_scans(image.shape[1], where)


def read_scans(image, kept, where):
    """Return the kept scans of an opened image in float64, in memory.

    A voxel that is not finite in any of the kept scans becomes 0 in all of them: it
    has no signal, and so cannot spoil its neighbours either.

    Parameters
    ----------
    image : nibabel image or SurfaceImage
        As `open_image` returns it; not changed.
    kept : ndarray of shape (n_kept_scans,)
        Indices of the scans to keep, ascending.
    where : str
        Names the run in errors.

    Returns
    -------
    image : Nifti1Image or SurfaceImage
        Of the kept scans alone.
    not_finite : Nifti1Image or SurfaceImage or None
        1 where a voxel was not finite, one scan; None where all were.
    """
    if is_surface(image):
        parts = {
            name: _finite(_selected(np.asarray(part), kept))
            for name, part in image.data.parts.items()
        }
        data = {name: part for name, (part, _) in parts.items()}
        bad = {name: mask for name, (_, mask) in parts.items()}
        clean, flags = SurfaceImage(image.mesh, data), SurfaceImage(image.mesh, bad)
        return clean, flags if any(mask.any() for mask in bad.values()) else None
    data, bad = _finite(_selected(_volume_data(image, where), kept))
    flags = new_img_like(image, bad) if bad.any() else None
    return nibabel.Nifti1Image(data, image.affine), flags


def _volume_data(image, where):
    """Return all scans in float64, without keeping them in the user's image."""
    try:
        return np.asarray(image.dataobj, dtype=np.float64)
    except READ_ERRORS as error:
        raise OSError(
            f"{where}: the image data cannot be read; the file is truncated or "
            f"corrupt: {error}"
        ) from error


def _selected(data, kept):
    """Return the kept scans in float64, without a copy where they are all of them."""
    data = data if len(kept) == data.shape[-1] else data[..., kept]
    return np.asarray(data, dtype=np.float64)


def _finite(data):
    """Return data with zeros in the voxels that are not finite, and those voxels."""
    bad = ~np.isfinite(data.sum(axis=-1))
    if bad.any():
        bad = ~np.isfinite(data).all(axis=-1)
        data = np.where(bad[..., np.newaxis], 0.0, data)
    return data, bad[..., np.newaxis].astype(np.float64)
