"""Masks and atlases that the user passes, read and checked."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .._images.grids import Still
from .._images.opening import read_given

ROUNDING = 1e-3
"""How far a label in a file with a scale factor may lie from the integer it means."""


@dataclass(frozen=True, eq=False)
class Atlas:
    """Which labels there are, and where.

    Attributes
    ----------
    codes : Still of int
        0 in the background, and outside of the image wherever it is laid; the place in
        `labels`, counted from 1, in each region.
    labels : list of int
        Ascending.
    names : dict of int to str, or None
        What its file calls the labels.
    """

    codes: Still
    labels: list
    names: Any = None

    @property
    def grid(self):
        """The atlas' own grid."""
        return self.codes.grid

    def places(self, grid, mask=None):
        """Return the positions of each label on a grid, ascending, in a dict.

        Labels that are nowhere, or nowhere where the mask (a `Still`) is not 0, are
        left out.
        """
        grid.check_holds(self.codes, "labels_img")
        codes = grid.values_of(self.codes)
        if mask is not None:
            grid.check_holds(mask, "mask_img")
            codes = np.where(grid.values_of(mask) != 0, codes, 0)
        positions = np.flatnonzero(codes)
        positions = positions[np.argsort(codes[positions], kind="stable")]
        found, firsts = np.unique(codes[positions], return_index=True)
        labels = [self.labels[code - 1] for code in found]
        pieces = np.split(positions, firsts[1:])  # one at least, though none be found
        return dict(zip(labels, pieces, strict=False))


def read_image(img, name, missing=0):
    """Return an image that a user passes as a masker's parameter, as a `Still`.

    Parameters
    ----------
    img : str, path, nibabel image or SurfaceImage
    name : {"mask_img", "labels_img", "maps_img"}
        The parameter: a mask is not empty, labels are whole numbers up to rounding, and
        maps have the shape (n_positions, n_maps).
    missing : number, default=0
        What is not finite becomes it.

    Raises
    ------
    TypeError, ValueError, FileNotFoundError, OSError
        If it is no such image.
    """
    return read_given(img, name, missing, CHECKS[name])


def _mask(still):
    """Return the `Still` of a mask, or raise what is wrong with it."""
    _check_single(still)
    if not still.values.any():
        raise ValueError(
            "it is empty, it holds no voxel that is not 0. Pass a mask of the brain."
        )
    return still


def _labels(still):
    """Return the `Still` of an atlas; a file with a scale factor rounds its labels."""
    _check_single(still)
    values = still.values
    if values.dtype.kind != "f":
        return still
    whole = np.rint(values)
    off = np.abs(values - whole) > ROUNDING
    if off.any():
        raise ValueError(
            "an atlas must hold an integer for each region, got values such as "
            f"{values[off][0]:g}. Use MapSeeds for probabilistic maps."
        )
    return replace(still, values=whole.astype(np.int64))


def _maps(still):
    """Return the `Still` of maps, of which there may be one."""
    return replace(still, values=still.values.reshape(still.grid.n_positions, -1))


CHECKS = {"mask_img": _mask, "labels_img": _labels, "maps_img": _maps}
"""What makes of an image what its parameter must be, or raises."""


def _check_single(still):
    """Raise ValueError unless an image is of one volume."""
    if still.values.ndim > 1:
        raise ValueError(
            "it must be a 3D image, a SurfaceImage of one number a vertex, or a CIFTI "
            f"image of one map, got {still.values.shape[1]} volumes. Pass one of them."
        )


def read_atlas(labels_img, background):
    """Return the `Atlas` in an image; raises as `read_image`.

    Parameters
    ----------
    labels_img : str, path, nibabel image or SurfaceImage
        What is not finite is background.
    background : int
        The label outside of all regions.
    """
    still = read_image(labels_img, "labels_img", background)
    is_region = still.values != background
    labels, places = np.unique(still.values[is_region], return_inverse=True)
    codes = np.zeros(len(is_region), np.int32)
    codes[is_region] = places + 1
    labels = [int(label) for label in labels]
    return Atlas(Still(still.grid, codes), labels, still.names)


def read_mask(mask_img):
    """Return a mask as a `Still` of 0 and 1; raises as `read_image`."""
    still = read_image(mask_img, "mask_img")
    return Still(still.grid, (still.values != 0).astype(np.uint8))


def read_maps(maps_img):
    """Return maps as a `Still` in float64; raises as `read_image`."""
    still = read_image(maps_img, "maps_img")
    return Still(still.grid, still.values.astype(np.float64))
