"""What users pass to nilearn's maskers as files, read by us and handed on in memory.

Libraries read what they need and no more: they miss damage behind it, take a table for
another one, or fetch what they are told.
"""

import os
from dataclasses import replace

import numpy as np

from .._images.headers import storable
from .._images.opening import grid_of, image_of, read_given
from .._support.messages import naming, with_file
from .._support.tables import read_table
from ..maskers._region_names import names_of_labels
from ..maskers._stills import without_rounding
from .extraction import IMAGES


def read_images(parameters, grid):
    """Return the images among a masker's parameters.

    Parameters
    ----------
    parameters : dict
    grid : VolumeGrid or SurfaceGrid
        Of a run: what is on it but for rounding is put on its very places.

    Returns
    -------
    stills : dict of str to Still
    images : dict of str to image
        In memory, whole.

    Raises
    ------
    TypeError, ValueError, FileNotFoundError, OSError
        If one cannot be read, a mask is empty, or labels are no integers.
    """
    stills, images = {}, {}
    for name in IMAGES:
        img = parameters.get(name)
        if img is None:
            continue
        missing = parameters["background_label"] if name == "labels_img" else 0
        still = read_given(img, name, missing)
        with naming(with_file(name, img)):
            still = _checked(still, name)
        stills[name], images[name] = still, image_of(still, img, grid)
    return stills, images


def _checked(still, name):
    """Return an image of the kind that a parameter must be."""
    if name == "maps_img":
        n_positions = still.grid.n_positions
        return replace(still, values=still.values.reshape(n_positions, -1))
    if still.values.ndim > 1:
        raise ValueError(
            "it must be a 3D image, or a SurfaceImage of one number a vertex, got "
            f"{still.values.shape[1]} volumes. Pass one of them."
        )
    if name == "mask_img" and not still.values.any():
        raise ValueError(
            "it is empty, it holds no voxel that is not 0. Pass a mask of the brain."
        )
    if name == "labels_img":
        return replace(still, values=_labels(still.values))
    return still


def _labels(values):
    """Return labels as integers; a file with a scale factor rounds them."""
    whole = without_rounding(values)
    return whole.astype(np.int64) if whole.dtype.kind == "f" else whole


def read_names(parameters):
    """Return the table of names of labels in a dict, if it is a file."""
    lut = parameters.get("lut")
    if lut is None or hasattr(lut, "columns"):
        return {}
    if not isinstance(lut, str | os.PathLike):
        raise TypeError(f"lut must be a DataFrame, a path or None, got {lut!r}.")
    table = read_table(lut, "lut")
    names_of_labels(table, [])  # raises what is wrong with it
    return {"lut": table.astype({"index": np.int64})}


def on_places_of(image, stills):
    """Return images of a fitted masker that are on a grid but for rounding, there.

    Parameters
    ----------
    image : Nifti1Image or SurfaceImage
    stills : dict of str to Still or None
        By the parameter.

    Returns
    -------
    images : dict of str to Nifti1Image
        By the masker's attribute; none on a surface, which has no such places.
    """
    grid = grid_of(image)
    if grid.affine is None:
        return {}
    return {
        f"{name}_": grid.image_of(storable(still.values))
        for name, still in stills.items()
        if still is not None and grid.same_as(still.grid)
    }


def check_no_overlap(maps):
    """Raise ValueError where two maps `(n_positions, n_maps)` share a position.

    Whatever the sign and the unit of weights: what is rounding beside the largest
    weight of a map is none.
    """
    maps = maps.reshape(len(maps), -1)
    least = np.finfo(np.float32).eps * np.abs(maps).max(axis=0, initial=0.0)
    shared = (np.abs(maps) > least).sum(axis=1) > 1
    if shared.any():
        first, second, *_ = np.flatnonzero((np.abs(maps) > least)[np.argmax(shared)])
        raise ValueError(
            f"maps {first} and {second} of maps_img overlap, in {shared.sum()} "
            "positions in all. Pass others, or allow_overlap=True."
        )
