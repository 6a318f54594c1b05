"""The door: of what format an image is, the classes of `Scans` are asked here."""

import os
from collections.abc import Iterable
from numbers import Real

import nibabel
import numpy as np

from .._support.messages import naming, warn, with_file
from .cifti import CiftiScans
from .headers import are_one_grid
from .meshes import key_of_mesh
from .surface import SurfaceScans
from .volume import VolumeScans

MIN_SCANS = 3
"""Fewest scans that can be correlated: the r of two scans is always 1 or -1."""

FORMATS = (CiftiScans, SurfaceScans, VolumeScans)
"""The classes of all kinds of images; the first that knows one opens it."""

CURES = {
    nibabel.GiftiImage: " A .gii file holds one hemisphere and no mesh. Join both in "
    'nilearn.surface.SurfaceImage({"left": "L.surf.gii", "right": "R.surf.gii"}, '
    '{"left": "L.func.gii", "right": "R.func.gii"}), the meshes first.',
}
"""What helps with an image of another kind."""


def open_scans(img, is_run=True):
    """Return the `Scans` of an image, with its header read and its numbers not.

    Parameters
    ----------
    img : str, path, nibabel image, SurfaceImage or Cifti2Image
    is_run : bool, default=True
        Whether it must have scans enough to be correlated.

    Raises
    ------
    FileNotFoundError, TypeError, ValueError
        If there is no such file, it is no image, not of a run's dimensions, or it does
        not hold plain numbers in places that it tells.
    OSError
        If a file is shorter than its header says.
    """
    image = _loaded(img)
    form = _format_of(image, "img", "a path, a 4D nibabel image or a SurfaceImage")
    if is_run:
        form.check_run(image)
    scans = form(image)
    if is_run:
        check_enough_scans(scans.n_scans)
    return scans


def sure_t_r(img):
    """Return the repetition time in seconds that holds where nobody tells another.

    None where an image's header is no sure source of it.
    """
    scans = open_scans(img, is_run=False)
    return scans.t_r if scans.is_t_r_sure else None


def read_still(img, name, missing=0, checked=None):
    """Return the `Still` of a mask or atlas, in memory; `name` names it in errors.

    What is not finite becomes `missing`. What it must be beside an image is told by a
    function of it that returns it, or raises.
    """
    with naming(name, img):
        image = _loaded(img)
        form = _format_of(image, name, "a 3D image, its path, or a SurfaceImage")
        still = form.still(image, missing)
        return still if checked is None else checked(still)


def read_given(img, name, missing=0, checked=None):
    """Return the `Still` of an image that a user passes, as `read_still` does.

    A warning says what its header leaves open of where it lies.
    """
    still = read_still(img, name, missing, checked)
    for doubt in still.doubts:
        warn(f"{with_file(name, img)}: {doubt}")
    return still


def image_of(still, img, grid=None):
    """Return a `Still` as an image like the one that it was read from.

    On the very places of a grid where this is given and the same but for rounding, by
    which other packages take it for another one.
    """
    image = _loaded(img)
    form = _format_of(image, "img", "an image")
    is_same = grid is not None and grid.same_as(still.grid)
    return form.like(image, still.values, grid.affine if is_same else None)


def grid_of(value):
    """Return the grid of an image in memory, None of what is no image."""
    form = _known(value)
    return None if form is None else form(value).grid


def is_image(value):
    """Whether an object is an image in memory."""
    return _known(value) is not None


def as_maps(img, names):
    """Return an image of maps as files will hold it: in float32, with their names.

    What is no image is returned as it is, and so are names where it has none.
    """
    form = _known(img)
    return img if form is None else form.as_maps(img, names)


def in_space(img, space):
    """Return an image on the grid of another with what that says of its space."""
    if space is None or _known(img) is not VolumeScans:
        return img
    if are_one_grid(img.affine, space.affine):
        # Not updated: headers round to float32.
        sform = img.affine if space.sform_code else None
        img.set_sform(sform, space.sform_code, update_affine=False)
        img.set_qform(space.qform, space.qform_code, update_affine=False)
    return img


def the_only(img):
    """Return an image of one volume without the axis of volumes.

    Of a SurfaceImage, without the axis of scans; of anything else, as it is.
    """
    if _known(img) is VolumeScans:
        return img.slicer[..., 0] if len(img.shape) == 4 else img
    if _known(img) is SurfaceScans:
        parts = img.data.parts.items()
        return type(img)(img.mesh, {name: part.reshape(-1) for name, part in parts})
    return img


def check_enough_scans(n_scans, what="scans"):
    """Raise ValueError where a correlation over `n_scans` would mean nothing."""
    if n_scans < MIN_SCANS:
        raise ValueError(
            f"{n_scans} {what}, at least {MIN_SCANS} are needed for a correlation."
        )


def _loaded(img):
    """Return a path's image with its header read; an image as it is."""
    if not isinstance(img, str | os.PathLike):
        return img
    return _load(img)


def _known(value):
    """Return the first format that knows an object, None if it is no image."""
    for form in FORMATS:
        if all(hasattr(value, name) for name in form.marks):
            return form
    return None


def _format_of(image, name, expected):
    """Return the first format that knows an image; raise TypeError if none does."""
    form = _known(image)
    if form is not None:
        return form
    cure = CURES.get(type(image), "")
    raise TypeError(f"{name} must be {expected}, got {type(image).__name__}.{cure}")


def key_of(value):
    """Return what of a parameter counts in a key, the same whatever holds it.

    Images and meshes count by their content, numbers by their value.
    """
    if value is None or isinstance(value, str | bytes | bool):
        return value
    if isinstance(value, Real):
        return float(value)
    if is_image(value):
        return read_still(value, "img").key
    if hasattr(value, "parts"):
        return key_of_mesh(value)
    if isinstance(value, np.ndarray | np.generic):
        return key_of(value.tolist())
    if isinstance(value, dict):
        return [(str(name), key_of(own)) for name, own in sorted(value.items())]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return [key_of(own) for own in value] if isinstance(value, Iterable) else value


def _load(path):
    """Return a file's image with its header read and its data not.

    Raises FileNotFoundError without a file, and ValueError where it is no image.
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(
            f"there is no file {os.fspath(path)!r}. Check the path; patterns such as "
            "'*' are not expanded."
        )
    try:
        return nibabel.load(path)
    # Each format has a parser of its own, and a spoilt file makes it fail in any way.
    except Exception as error:
        raise ValueError(
            f"not an image that nibabel can open: {type(error).__name__}: {error}"
        ) from error
