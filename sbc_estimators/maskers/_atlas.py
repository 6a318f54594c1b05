"""An atlas of labels, in a volume or on a surface: on a run's grid, and by name."""

import os
from dataclasses import dataclass
from typing import Any

import nibabel
import numpy as np
import pandas as pd

from .._arrays.regions import label_regions, mean_regions
from .._images.grids import (
    check_vertices,
    is_surface,
    mask_on_grid,
    on_grid,
    parts_of_vertices,
    vertices,
)
from .._images.images import read_mask_volume, read_volume
from .._support.checks import check_file
from .._support.messages import close_matches


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


# Names

BACKGROUND = "background"
"""What nilearn calls the background in lists of names, in lower case."""


def names_of_labels(lut, labels, name):
    """Return the name of each label that has one, in a dict.

    Parameters
    ----------
    lut : DataFrame, str, path, dict, list of str, or None
        A table with the columns index and name (as DataFrame or file), a dict of
        names, or a list of names of all labels, ascending.
    labels : sequence of int
        The labels in the image but for the background, ascending.
    name : str
        Names the masker in errors.

    Raises
    ------
    TypeError, ValueError, FileNotFoundError
        If it is no such table, or a list that is too short or too long.
    """
    if lut is None:
        return {}
    if isinstance(lut, str | os.PathLike):
        check_file(lut, f"{name}: lut")
        lut = pd.read_csv(lut, sep=None, engine="python")
    if isinstance(lut, pd.DataFrame):
        return _of_table(lut, name)
    if isinstance(lut, dict):
        return _of_pairs(lut.items(), name)
    if isinstance(lut, list | tuple | np.ndarray | pd.Series):
        return _of_list(list(lut), labels, name)
    raise TypeError(
        f"{name}: lut must be a DataFrame or a table with the columns index and name, "
        f"a dict of label to name or a list of names, got {type(lut).__name__}."
    )


def _of_table(lut, name):
    """Return the names in a table."""
    missing = {"index", "name"} - set(lut.columns)
    if missing:
        raise ValueError(
            f"{name}: lut must have the columns index and name, it lacks "
            f"{' and '.join(sorted(missing))} and has {list(lut.columns)}."
        )
    return _of_pairs(zip(lut["index"], lut["name"], strict=True), name)


def _of_pairs(pairs, name):
    """Return labels and names as int and str."""
    try:
        return {int(label): _text(text) for label, text in pairs}
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name}: lut must give a name to each label, an integer: {error}."
        ) from error


def _of_list(texts, labels, name):
    """Return the names in a list, whether or not the background is among them."""
    texts = [_text(text) for text in texts]
    if texts and texts[0].lower() == BACKGROUND:
        texts = texts[1:]
    if len(texts) != len(labels):
        raise ValueError(
            f"{name}: lut lists {len(texts)} names for {len(labels)} labels in the "
            "image. Pass a table with the columns index and name (atlases that nilearn "
            "fetches have one as .lut), or a dict of label to name."
        )
    return dict(zip(map(int, labels), texts, strict=True))


def _text(value):
    """Return a name as str; some atlases have bytes."""
    return value.decode() if isinstance(value, bytes) else str(value)


def chosen_labels(regions, names, labels, name):
    """Return the labels that a user means, in the order given.

    Parameters
    ----------
    regions : sequence of str or int, one of these, or None
        None means all labels.
    names : dict of int to str
        As `names_of_labels` returns it.
    labels : sequence of int
        The labels in the image but for the background, ascending.
    name : str
        Names the masker in errors.

    Raises
    ------
    TypeError, ValueError
        If there is no such region, or more than one of that name.
    """
    if regions is None:
        return [int(label) for label in labels]
    if isinstance(regions, str | int | np.integer):
        regions = [regions]
    chosen = [_label_of(region, names, labels, name) for region in regions]
    if not chosen:
        raise ValueError(f"{name}: regions must hold at least one region, got none.")
    return chosen


def _label_of(region, names, labels, name):
    """Return the label of one region."""
    if isinstance(region, str):
        found = [label for label, text in names.items() if text == region]
        if len(found) > 1:
            raise ValueError(
                f"{name}: the name {region!r} stands for the labels {found}. Choose "
                "one by its number."
            )
        if not found:
            cure = close_matches(region, list(names.values()))
            cure = cure if names else "There are no names: pass lut."
            raise ValueError(f"{name}: there is no region {region!r}. {cure}")
        region = found[0]
    elif isinstance(region, bool) or not isinstance(region, int | np.integer):
        raise TypeError(
            f"{name}: a region must be a name or an integer, got {region!r}."
        )
    if region not in labels:
        shown = ", ".join(str(label) for label in labels[:10])
        raise ValueError(
            f"{name}: no voxel of labels_img has the label {int(region)}; there are "
            f"{shown}{', ...' if len(labels) > 10 else ''}."
        )
    return int(region)
