"""An atlas of labels, in a volume or on a surface, laid on the grid of a run."""

from dataclasses import dataclass
from typing import Any

import nibabel
import numpy as np

from ._images import is_surface
from ._placed_seeds import (
    check_vertices,
    mask_on_grid,
    on_grid,
    parts_of_vertices,
    read_mask_volume,
    read_volume,
    vertices,
)
from ._regions import label_regions, mean_regions


@dataclass(frozen=True)
class VolumeAtlas:
    """Labels of voxels.

    Attributes
    ----------
    labels_img : Nifti1Image
        In memory, int32.
    mask_img : Nifti1Image or None
        In memory; labels outside of it count as background.
    background : int
    """

    labels_img: Any
    mask_img: Any
    background: int

    kind = "a volume"
    element = "voxel"

    def labels(self, side=None):
        """Return the labels that occur, ascending."""
        return _labels(self.labels_img.dataobj, self.background)

    def regions(self, chosen, image, where):
        """Return the `SeedRegions` of chosen labels, some of which may be empty.

        Parameters
        ----------
        chosen : list of (int, None)
            None twice.
        image : nibabel image
            Its grid counts.
        where : str
            Names the image in errors.
        """
        labels = on_grid(self.labels_img, image)
        mask = mask_on_grid(self.mask_img, image)
        if mask is not None:
            labels = np.where(mask, labels, self.background)
        return label_regions(labels.ravel(), [label for label, _ in chosen])


@dataclass(frozen=True)
class SurfaceAtlas:
    """Labels of vertices; see `VolumeAtlas`."""

    labels_img: Any
    mask_img: Any
    background: int

    kind = "a surface"
    element = "vertex"

    def labels(self, side=None):
        """Return the labels that occur on a side, or at all, ascending."""
        labels = vertices(self.labels_img)
        if side is not None:
            labels = labels[parts_of_vertices(self.labels_img.mesh) == side]
        return _labels(labels, self.background)

    def regions(self, chosen, image, where):
        """Return the `SeedRegions` of chosen labels and sides (None for both)."""
        check_vertices(self.labels_img.mesh, image.mesh, where, "labels_img")
        labels = vertices(self.labels_img).ravel()
        if self.mask_img is not None:
            inside = vertices(self.mask_img).ravel() != 0
            labels = np.where(inside, labels, self.background)
        part = parts_of_vertices(image.mesh)
        return mean_regions(
            [
                np.flatnonzero((labels == label) & ((side is None) | (part == side)))
                for label, side in chosen
            ]
        )


def read_atlas(labels_img, mask_img, background, name):
    """Return an atlas in memory.

    Parameters
    ----------
    labels_img, mask_img : str, path, nibabel image, SurfaceImage, or None
        The mask may be None; else both of a volume, or both of a surface.
    background : int
    name : str
        Names the masker in errors.

    Raises
    ------
    TypeError, ValueError, FileNotFoundError
        If they are no such images, or labels are not integers.
    """
    where = f"{name}: labels_img"
    if not is_surface(labels_img):
        data, affine = read_volume(labels_img, where)
        _check_whole(data, where)
        labels_img = nibabel.Nifti1Image(data.astype(np.int32), affine)
        mask_img = read_mask_volume(mask_img, name)
        return VolumeAtlas(labels_img, mask_img, background)
    _check_whole(vertices(labels_img), where)
    if mask_img is not None:
        if not is_surface(mask_img):
            raise TypeError(
                f"{name}: mask_img must be a SurfaceImage, as labels_img is, got "
                f"{type(mask_img).__name__}."
            )
        check_vertices(mask_img.mesh, labels_img.mesh, where, "mask_img")
    return SurfaceAtlas(labels_img, mask_img, background)


def _labels(data, background):
    """Return the labels that occur but for the background, as a list of int."""
    labels = np.unique(np.asarray(data))
    return [int(label) for label in labels if label != background]


def _check_whole(data, where):
    """Raise ValueError unless labels are integers, of whatever type."""
    if data.dtype.kind == "f" and (data != np.rint(data)).any():
        raise ValueError(
            f"{where} must hold an integer for each region, got values such as "
            f"{data[data != np.rint(data)][0]:g}. Use nilearn's NiftiMapsMasker or "
            "SurfaceMapsMasker for probabilistic maps."
        )
