"""What kind of image a map is, and what is in it: asked here alone of this folder."""

import os

import nibabel
import numpy as np

VOLUME, SURFACE, GRAYORDINATES = "volume", "surface", "grayordinates"
"""Kinds of images."""


def kind_of(value):
    """Return the kind of an image in memory, None of what is no image."""
    if isinstance(value, nibabel.Cifti2Image):
        return GRAYORDINATES
    if hasattr(value, "mesh") and hasattr(value, "data"):
        return SURFACE
    return VOLUME if hasattr(value, "dataobj") and hasattr(value, "affine") else None


def loaded(img):
    """Return the image in a file, with its numbers not read; an image as it is."""
    return nibabel.load(img) if isinstance(img, str | os.PathLike) else img


def volume_data(image):
    """Return the values of one map in a volume, `(x, y, z)`."""
    data = np.asarray(image.dataobj)
    return data[..., 0] if data.ndim == 4 else data


def hemispheres(image):
    """Return for each hemisphere its name, its values and its coordinates in mm."""
    return [
        (name, np.ravel(data), image.mesh.parts[name].coordinates)
        for name, data in image.data.parts.items()
    ]
