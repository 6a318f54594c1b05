"""The door: what an image is, is asked here and nowhere else."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Real
from typing import Any

import nibabel
import numpy as np

from .._support.messages import naming, warn, with_file
from .cifti import (
    CiftiScans,
    check_cifti_run,
    cifti_like,
    named_maps,
    read_cifti,
)
from .headers import are_one_grid, image_like
from .meshes import key_of_mesh
from .surface import SurfaceScans, read_surface, surface_like
from .volume import VolumeScans, read_volume

MIN_SCANS = 3
"""Fewest scans that can be correlated: the r of two scans is always 1 or -1."""


@dataclass(frozen=True)
class Format:
    """How images of one kind are opened.

    Attributes
    ----------
    is_one : callable
        Tells whether an object is an image of this kind.
    scans : callable
        Makes the `Scans` of a run of it.
    still : callable
        Makes the `Still` of a mask or an atlas of it.
    check_run : callable
        Raises ValueError unless an image of it is one of scans.
    maps : callable
        Makes of an image of maps, and their names, one that files will hold in float32.
    like : callable
        Makes an image like another one of other values.
    """

    is_one: Any
    scans: Any
    still: Any
    check_run: Any
    maps: Any
    like: Any


def _is_cifti(img):
    """Whether an object is an image as nibabel has them of CIFTI files."""
    return isinstance(img, nibabel.Cifti2Image)


def _is_surface(img):
    """Whether an image is a SurfaceImage (or is made like one)."""
    return hasattr(img, "mesh") and hasattr(img, "data")


def _is_volume(img):
    """Whether an object is an image as nibabel has them."""
    return hasattr(img, "dataobj") and hasattr(img, "affine")


def _check_volume_run(image):
    """Raise ValueError unless an image has four dimensions."""
    if len(image.shape) > 5 and tuple(image.shape[:4]) == (1, 1, 1, 1):
        raise ValueError(
            "a run must be a 4D image, got what is a CIFTI file, but for the ending of "
            f"its name: shape {tuple(image.shape)}. CIFTI files end in .dtseries.nii "
            "and are never compressed: unpack it, or rename it."
        )
    _check_dimensions(image.shape, 4)


def _check_surface_run(image):
    """Raise ValueError unless a SurfaceImage has two dimensions."""
    _check_dimensions(image.shape, 2)


def _volume_maps(img, names):
    """Return a volume as files will hold it.

    Some versions of nilearn leave a mask's integer type in the header.
    """
    img.set_data_dtype(np.float32)
    return img


def _surface_maps(img, names):
    """Return a SurfaceImage as it is: it has no place for names."""
    return img


FORMATS = [
    Format(_is_cifti, CiftiScans, read_cifti, check_cifti_run, named_maps, cifti_like),
    Format(
        _is_surface,
        SurfaceScans,
        read_surface,
        _check_surface_run,
        _surface_maps,
        surface_like,
    ),
    Format(
        _is_volume,
        VolumeScans,
        read_volume,
        _check_volume_run,
        _volume_maps,
        image_like,
    ),
]
"""All kinds of images, the first that knows one opens it."""


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
    scans = form.scans(image)
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
    forms = [form for form in FORMATS if form.is_one(value)]
    return forms[0].scans(value).grid if forms else None


def is_image(value):
    """Whether an object is an image in memory."""
    return any(form.is_one(value) for form in FORMATS)


def as_maps(img, names):
    """Return an image of maps as files will hold it: in float32, with their names.

    What is no image is returned as it is, and so are names where it has none.
    """
    for form in FORMATS:
        if form.is_one(img):
            return form.maps(img, names)
    return img


def in_space(img, space):
    """Return an image on the grid of another with what that says of its space."""
    if space is None or not _is_volume(img):
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
    if _is_volume(img):
        return img.slicer[..., 0] if len(img.shape) == 4 else img
    if _is_surface(img):
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


def _format_of(image, name, expected):
    """Return the first format that knows an image."""
    for form in FORMATS:
        if form.is_one(image):
            return form
    cure = CURES.get(type(image), "")
    raise TypeError(f"{name} must be {expected}, got {type(image).__name__}.{cure}")


def _check_dimensions(shape, ndim):
    """Raise ValueError unless a run has as many dimensions as its kind of image."""
    names = {4: "a 4D image (x, y, z, scans)", 2: "of shape (vertices, scans)"}
    if len(shape) != ndim:
        cure = ""
        if ndim == 4 and len(shape) < 4:
            cure = " Join 3D volumes of one acquisition with nilearn.image.concat_imgs."
        elif ndim == 4:
            cure = _cure_of_many_dimensions(shape)
        raise ValueError(
            f"a run must be {names[ndim]}, got {len(shape)}D with shape "
            f"{tuple(shape)}.{cure}"
        )


def _cure_of_many_dimensions(shape):
    """Return how to take one 4D image out of one of more dimensions."""
    axes = [axis for axis in range(3, len(shape)) if shape[axis] > 1]
    time = axes[-1] if axes else len(shape) - 1
    picks = [":" if axis < 3 or axis == time else "0" for axis in range(len(shape))]
    return f" Take one 4D image out of it, such as img.slicer[{', '.join(picks)}]."


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
