"""`RegionSeeds`: regions of an atlas, by name or number, and masks."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .._arrays.spatial import mean_map
from .._support.checks import is_integer
from .._support.messages import some_of, warn, with_file
from ._base import PlacedSeeds
from ._places import (
    check_side,
    each_seed,
    flat,
    is_sequence,
    names_of_seeds,
    places_of_seeds,
)
from ._region_names import chosen_labels, names_of_labels
from ._stills import read_atlas, read_mask

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from .._images.annotations import ImageLike, PathLike
    from ._places import Hemisphere


class RegionSeeds(PlacedSeeds):
    """Mean signals of regions of an atlas, all of them or those that you name.

    Parameters
    ----------
    labels_img : str, path, nibabel image, SurfaceImage, or a sequence of these
        - An atlas: an integer label for each voxel (vertex), the same throughout a
          region. A binary mask is an atlas with one region. For a CIFTI run also a
          ``.dlabel.nii``, or an atlas of its volume or of its surface alone.
        - A sequence of binary masks, each a seed, which may share voxels; a list of
          masks is one seed, the mean over all their voxels.
        - "run": each run brings its own, any of the above, as
          ``Run(img, seed_places=...)``.
    regions : sequence of str or int, one of these, or None, default=None
        Names or labels of the regions to use as seeds, in this order; a list of regions
        is one seed, the mean over all their voxels. None means all, each a seed.
    lut : DataFrame, str, path, dict, sequence of str, or None, default=None
        Names of the labels: a table with the columns index and name, such as the
        ``.lut`` of an atlas that nilearn fetches or the path of a BIDS dseg.tsv; a dict
        from label to name; or a list with the names of all labels in the image, in
        ascending order, optionally with "Background" first. A ``.dlabel.nii`` has them
        itself.
    names : sequence of str or None, default=None
        A name for each seed. None means those of its regions, and of a mask its file's.
    hemisphere : "left", "right", None, or a sequence with one of these per seed, \
            default=None
        The hemisphere whose vertices make up a seed, for atlases with the same labels
        in both. None means both, and is the only choice for a volume. In CIFTI images
        voxels of left and right structures count, too.
    background_label : int, default=0
        The label of voxels (vertices) outside all regions.
    mask_img : str, path, nibabel image, SurfaceImage or None, default=None
        Voxels (vertices) where it is 0 are left out of all regions. A volume may be on
        any grid.

    Attributes
    ----------
    labels_ : list of list of int
        The labels of each seed, one or more.
    seed_names_ : list of str
        As in `names`, else the names of the regions, or their labels where they have
        none; a mask's file without its endings.
    hemispheres_ : list of str or None
        The hemisphere of each seed; None means both, or a volume.
    grid_ : VolumeGrid, SurfaceGrid or None
        That of the image passed to `fit`, or of the atlas; None for masks on different
        grids.

    See Also
    --------
    nilearn.maskers.NiftiLabelsMasker, nilearn.maskers.SurfaceLabelsMasker : All
        regions, and summaries other than the mean.
    MapSeeds : Probabilistic maps.

    Notes
    -----
    An atlas on another grid is resampled to the grid of the run by nearest neighbours,
    always from the original atlas. If a region that you named has no voxel left there,
    an error is raised. With ``regions=None``, regions of an atlas that have no voxel
    left on the grid of `fit` are dropped, with a warning.

    Labels count as integers if they are within 0.001 of one, as files with a scale
    factor round them. What is not finite is background.

    Examples
    --------
    >>> import nibabel
    >>> import numpy as np
    >>> from sbc_estimators.datasets import load_sample_run
    >>> from sbc_estimators.maskers import RegionSeeds
    >>> sample = load_sample_run()
    >>> mask_img = nibabel.load(sample.mask_img)
    >>> thirds = 1 + np.indices(mask_img.shape)[1] // 13
    >>> labels = np.where(mask_img.dataobj, thirds, 0).astype("uint8")
    >>> atlas = nibabel.Nifti1Image(labels, mask_img.affine)
    >>> lut = {1: "back", 2: "middle", 3: "front"}
    >>> seeds = RegionSeeds(atlas, ["middle", ["front", "back"]], lut=lut)
    >>> seeds.fit_transform(sample.func).shape
    (200, 2)
    >>> seeds.seed_names_
    ['middle', 'front + back']
    >>> RegionSeeds(sample.mask_img, names=["brain"]).fit().seed_names_
    ['brain']
    """

    _where = "labels_img"

    _element = "region"

    def __init__(
        self,
        labels_img: ImageLike | Sequence[ImageLike | Sequence[ImageLike]],
        regions: str | int | Sequence[str | int | Sequence[str | int]] | None = None,
        *,
        lut: pd.DataFrame | PathLike | dict[int, str] | Sequence[str] | None = None,
        names: Sequence[str] | None = None,
        hemisphere: Hemisphere | Sequence[Hemisphere] = None,
        background_label: int = 0,
        mask_img: ImageLike | None = None,
    ) -> None:
        self.labels_img = labels_img
        self.regions = regions
        self.lut = lut
        self.names = names
        self.hemisphere = hemisphere
        self.background_label = background_label
        self.mask_img = mask_img

    def _settle(self, grid):
        """Read the atlas or masks, and set which regions are seeds."""
        if not is_integer(self.background_label):
            raise TypeError(
                f"background_label must be an integer, got {self.background_label!r}."
            )
        self._mask = None if self.mask_img is None else read_mask(self.mask_img)
        is_several = is_sequence(self.labels_img)
        defaults = self._read_masks() if is_several else self._read_atlas()
        sides = each_seed(self.hemisphere, len(defaults), "hemisphere")
        for side in sides:
            check_side(side)
            if side is not None:
                self._atlases[0].grid.side(side)
        self.hemispheres_ = sides
        pairs = zip(sides, defaults, strict=True)
        defaults = [" ".join(filter(None, pair)) for pair in pairs]
        self.seed_names_ = names_of_seeds(self.names, defaults)
        self._check_differ()
        if self.regions is None and not is_several and grid is not None:
            self._drop_lost(grid)
        self.labels_ = [[label for _, label in regions] for regions in self._regions]
        own, *others = (atlas.grid for atlas in self._atlases)
        return own if all(own.same_as(other) for other in others) else None

    def _read_atlas(self):
        """Read an atlas, choose its regions, and return what they are called."""
        atlas = read_atlas(self.labels_img, self.background_label)
        lut = atlas.names if self.lut is None else self.lut
        names = names_of_labels(lut, atlas.labels)
        present, where = atlas.labels, ""
        if self.regions is None and isinstance(self.hemisphere, str):
            check_side(self.hemisphere)
            is_there = atlas.grid.side(self.hemisphere)
            places = atlas.places(atlas.grid)
            present = [label for label in present if is_there[places[label]].any()]
            where = f" in the {self.hemisphere} hemisphere"
        if not present:
            raise ValueError(
                "labels_img holds nothing but the background label "
                f"{self.background_label!r}{where}."
            )
        chosen = chosen_labels(self.regions, names, present)
        self._atlases = [atlas]
        self._regions = [[(0, label) for label in labels] for labels in chosen]
        if len(atlas.labels) == 1:
            (label,) = atlas.labels
            names.setdefault(label, name_of_file(self.labels_img) or str(label))
        return [" + ".join(names.get(x, str(x)) for x in labels) for labels in chosen]

    def _read_masks(self):
        """Read masks, each a region, and return what they are called."""
        of_atlases = {"regions": self.regions, "lut": self.lut}
        of_atlases["background_label"] = self.background_label or None
        for name, value in of_atlases.items():
            if value is not None:
                raise ValueError(
                    f"{name}={value!r} is for an atlas, but labels_img is a sequence "
                    "of masks. Leave it out; names are for masks, too."
                )
        seeds = places_of_seeds(self.labels_img, _image, "labels_img", "masks")
        masks, owners = flat(seeds)
        self._atlases = [_read_region(mask) for mask in masks]
        self._regions, names = [[] for _ in seeds], [[] for _ in seeds]
        for number, (mask, owner) in enumerate(zip(masks, owners, strict=True)):
            self._regions[owner].append((number, self._atlases[number].labels[0]))
            names[owner].append(name_of_file(mask) or f"mask{number}")
        return [" + ".join(own) for own in names]

    def _check_differ(self):
        """Raise ValueError where two seeds are the same regions of an atlas."""
        seen = set()
        for regions, side in zip(self._regions, self.hemispheres_, strict=True):
            if (frozenset(regions), side) in seen:
                label = " and ".join(str(label) for _, label in regions)
                raise ValueError(
                    f"regions holds label {label} more than once. Name each once."
                )
            seen.add((frozenset(regions), side))

    def _drop_lost(self, grid):
        """Leave out regions that are nowhere on a grid, and warn of that."""
        sizes = [len(places) for (places,) in self._found(grid)]
        pairs = list(zip(self._regions, sizes, strict=True))
        lost = [label for ((_, label),), n in pairs if not n]
        if len(lost) == len(sizes):
            raise ValueError(
                f"none of the {len(sizes)} regions of labels_img has a {grid.element} "
                "on the grid of the image. Are both in the same space?"
            )
        if lost:
            warn(
                f"RegionSeeds: {len(lost)} of {len(sizes)} regions have no "
                f"{grid.element} on the grid of the image and are left out: labels "
                f"{some_of(list(map(str, lost)))}."
            )
        for name in ("_regions", "hemispheres_", "seed_names_"):
            each = zip(getattr(self, name), sizes, strict=True)
            setattr(self, name, [own for own, n in each if n])

    def _found(self, grid):
        """Return the positions of each region of each seed on a grid."""
        laid = [atlas.places(grid, self._mask) for atlas in self._atlases]
        sides = {side: grid.side(side) for side in {*self.hemispheres_} - {None}}
        nowhere, found = np.empty(0, np.intp), []
        for regions, side in zip(self._regions, self.hemispheres_, strict=True):
            places = [laid[k].get(label, nowhere) for k, label in regions]
            if side is not None:
                places = [own[sides[side][own]] for own in places]
            found.append(places)
        return found

    def _lay(self, grid):
        """Return the means over regions on a grid."""
        found = self._found(grid)
        for name, places in zip(self.seed_names_, found, strict=True):
            for number, own in enumerate(places, 1):
                if not len(own):
                    part = f"part {number} of " if len(places) > 1 else ""
                    inside = "" if self._mask is None else ", within mask_img"
                    raise ValueError(
                        f"no {grid.element} is left of {part}region {name!r} on the "
                        f"grid of the image{inside}. Leave it out, or check that both "
                        "are in the same space."
                    )
        return mean_map([np.unique(np.concatenate(places)) for places in found])


def _image(value):
    """Return what may be an image, None for a sequence."""
    return None if is_sequence(value) else value


def _read_region(mask):
    """Return the `Atlas` of a mask, one of several."""
    atlas = read_atlas(mask, 0)
    if len(atlas.labels) != 1:
        raise ValueError(
            f"{with_file('labels_img', mask)}: of several images each must be a mask, "
            f"0 outside and one other number inside, got {len(atlas.labels)} others."
        )
    return atlas


def name_of_file(img):
    """Return the name of an image's file without its endings, None without a file."""
    path = img
    if not isinstance(img, str | os.PathLike):
        path = getattr(img, "get_filename", lambda: None)()
    name = None if path is None else Path(path).name
    return name and re.sub(r"\.\w+(\.(gz|bz2|zst))?$", "", name, flags=re.IGNORECASE)
