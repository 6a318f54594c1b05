"""Masks and atlases that the user passes, read and checked."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from .._images.grids import Still
from .._images.opening import read_given
from .._support.messages import naming, with_file

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


def read_atlas(labels_img, background):
    """Return the `Atlas` in an image.

    Parameters
    ----------
    labels_img : str, path, nibabel image or SurfaceImage
        Whole numbers, up to rounding; what is not finite is background.
    background : int
        The label outside of all regions.

    Raises
    ------
    TypeError, ValueError, FileNotFoundError, OSError
        If it is no such image.
    """
    still = _read(labels_img, "labels_img", background)
    with naming(with_file("labels_img", labels_img)):
        whole = without_rounding(still.values)
    is_region = whole != background
    labels, places = np.unique(whole[is_region], return_inverse=True)
    codes = np.zeros(len(whole), np.int32)
    codes[is_region] = places + 1
    labels = [int(label) for label in labels]
    return Atlas(Still(still.grid, codes), labels, still.names)


def read_mask(mask_img):
    """Return a mask as a `Still` of 0 and 1; raises as `read_atlas` does."""
    still = _read(mask_img, "mask_img", 0)
    inside = (still.values != 0).astype(np.uint8)
    if not inside.any():
        where = with_file("mask_img", mask_img)
        raise ValueError(f"{where} is empty: it is 0 everywhere.")
    return Still(still.grid, inside)


def read_maps(maps_img):
    """Return maps as a `Still` of shape (n_positions, n_maps); raises as others do."""
    still = _read(maps_img, "maps_img", 0, is_single=False)
    values = still.values.reshape(len(still.values), -1).astype(np.float64)
    return Still(still.grid, values)


def _read(img, name, missing, is_single=True):
    """Return an image of real numbers, of one volume unless told, as a `Still`."""
    still = read_given(img, name, missing)
    with naming(with_file(name, img)):
        if is_single and still.values.ndim > 1:
            raise ValueError(
                "it must be a 3D image, a SurfaceImage of one number a vertex, or a "
                "CIFTI image of one map, got "
                f"{still.values.shape[1]} volumes. Pass one of them."
            )
    return still


def without_rounding(values):
    """Return labels as whole numbers."""
    if values.dtype.kind != "f":
        return values
    whole = np.rint(values)
    off = np.abs(values - whole) > ROUNDING
    if off.any():
        raise ValueError(
            "an atlas must hold an integer for each region, got values such as "
            f"{values[off][0]:g}. Use MapSeeds for probabilistic "
            "maps."
        )
    return whole
