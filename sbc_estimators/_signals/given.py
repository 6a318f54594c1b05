"""What users pass to nilearn's maskers as files, read by us and handed on in memory.

Libraries read what they need and no more: they miss damage behind it, take a table for
another one, or fetch what they are told.
"""

import os
from dataclasses import replace

import numpy as np

from .._images.opening import image_of, read_given
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
