"""Which voxels (vertices) a masker's seeds are made of, on the grid of a run."""

import numpy as np
from nilearn.maskers import (
    NiftiLabelsMasker,
    NiftiMapsMasker,
    NiftiMasker,
    NiftiSpheresMasker,
    SurfaceLabelsMasker,
    SurfaceMapsMasker,
    SurfaceMasker,
)

from .._arrays.regions import label_regions, map_regions, voxel_regions
from .._images.grids import (
    is_inside,
    is_surface,
    n_vertices,
    places_in,
    same_grid,
    vertices,
)
from ..maskers._placed import Spheres, with_smoothing
from .sources import OWN_MASKERS


def seed_regions(source, image, where):
    """Return what seeds are made of where they are sums of voxels known beforehand.

    Parameters
    ----------
    source : SignalSource
        With a fitted masker.
    image : nibabel image or SurfaceImage
        Its grid (mesh) counts, its scans are not read.
    where : str
        Names the run in errors.

    Returns
    -------
    regions : SeedRegions, or str
        A str says why there are none: the masker's seeds are no such sums, or the run
        is not on their grid.

    Raises
    ------
    ValueError
        If a seed lies outside the run, or seeds overlap that must not.
    """
    regions = unsmoothed_regions(source, image, where)
    if isinstance(regions, str):
        return regions
    return with_smoothing(regions, _smoothing_of(source.masker), image)


def unsmoothed_regions(source, image, where):
    """Return the same for a run that is smoothed already as the masker would."""
    masker = source.masker
    if type(masker) in OWN_MASKERS:
        return masker.regions_on(image, where, source.name)
    if is_surface(image):
        for kind, build in SURFACE_KINDS.items():
            if isinstance(masker, kind):
                return build(masker, image)
    elif isinstance(masker, NiftiSpheresMasker):
        return _of_spheres(source, image, where)
    else:
        for kind, build in VOLUME_KINDS.items():
            if isinstance(masker, kind):
                return build(masker, image)
    return f"{type(masker).__name__} is not a linear map that is known beforehand"


def _smoothing_of(masker):
    """Return the width that a masker smooths with in mm, or None."""
    return getattr(masker, "smoothing_fwhm", None)


# Volumes


def _numbers(img):
    """Return a volume's data, 0 where they are not finite, as nilearn takes them."""
    data = np.asarray(img.dataobj)
    if data.dtype.kind != "f":
        return data
    return np.where(np.isfinite(data), data, data.dtype.type(0))


def _why_not_on_grid(masker, image, seeds_img, name):
    """Return why seeds or mask don't lie on the grid of a run, or None."""
    if not same_grid(seeds_img, image):
        return f"the run is not on the grid of the {name}"
    if masker.mask_img_ is not None and not same_grid(masker.mask_img_, image):
        return "the run is not on the grid of the mask"
    return None


def _of_mask(masker, image):
    """Return each voxel of a mask as a seed."""
    if not same_grid(masker.mask_img_, image):
        return "the run is not on the grid of the mask and has to be resampled"
    return voxel_regions(np.flatnonzero(np.asarray(masker.mask_img_.dataobj)))


def _of_labels(masker, image):
    """Return labelled regions, those that the mask leaves, ascending."""
    if masker.strategy != "mean":
        return f"strategy={masker.strategy!r} is no mean"
    reason = _why_not_on_grid(masker, image, masker.labels_img_, "labels")
    if reason is not None:
        return reason
    labels, background = _numbers(masker.labels_img_), masker.background_label
    wanted = np.unique(labels)
    if masker.mask_img_ is not None:
        labels = np.where(_numbers(masker.mask_img_), labels, background)
        if not masker.keep_masked_labels:
            wanted = np.unique(labels)
    return _means_over(labels, wanted[wanted != background])


def _means_over(labels, wanted):
    """Return labelled regions, or why there are none."""
    if not len(wanted):
        return "no label is left"
    return label_regions(labels.ravel(), wanted)


def _of_maps(masker, image):
    """Return maps, those that the mask leaves anything of."""
    if not masker.allow_overlap:
        return "allow_overlap=False changes maps as nilearn looks for overlaps"
    reason = _why_not_on_grid(masker, image, masker.maps_img_, "maps")
    if reason is not None:
        return reason
    maps = _numbers(masker.maps_img_).reshape(-1, masker.maps_img_.shape[3])
    if masker.mask_img_ is not None:
        inside = _numbers(masker.mask_img_).ravel() != 0
        maps = np.where(inside[:, np.newaxis], maps, 0)
        if not masker.keep_masked_maps:
            maps = maps[:, maps.any(axis=0)]
    return map_regions(maps) if maps.any() else "no map is left"


VOLUME_KINDS = {
    NiftiMasker: _of_mask,
    NiftiLabelsMasker: _of_labels,
    NiftiMapsMasker: _of_maps,
}


# Surfaces


def _why_not_on_mesh(seeds_img, image):
    """Return why seeds don't lie on the mesh of a run, or None.

    As in nilearn, vertices are the same if they are as many.
    """
    if n_vertices(seeds_img.mesh) == n_vertices(image.mesh):
        return None
    return "the run is on another mesh"


def _of_surface_mask(masker, image):
    """Return each vertex of a mask as a seed."""
    reason = _why_not_on_mesh(masker.mask_img_, image)
    if reason is not None:
        return reason
    return voxel_regions(np.flatnonzero(vertices(masker.mask_img_)))


def _of_surface_labels(masker, image):
    """Return labelled regions; the mask is in the labels of the fitted masker."""
    if masker.strategy != "mean":
        return f"strategy={masker.strategy!r} is no mean"
    reason = _why_not_on_mesh(masker.labels_img_, image)
    if reason is not None:
        return reason
    labels = vertices(masker.labels_img_)
    wanted = np.unique(labels)
    return _means_over(labels, wanted[wanted != masker.background_label])


def _of_surface_maps(masker, image):
    """Return maps; one that the mask leaves nothing of stays, and has no signal."""
    if not masker.allow_overlap:
        return "allow_overlap=False looks for overlaps"
    reason = _why_not_on_mesh(masker.maps_img_, image)
    if reason is not None:
        return reason
    maps = vertices(masker.maps_img_)
    if masker.mask_img_ is not None:
        maps = np.where(vertices(masker.mask_img_) != 0, maps, 0)
    return map_regions(maps)


SURFACE_KINDS = {
    SurfaceMasker: _of_surface_mask,
    SurfaceLabelsMasker: _of_surface_labels,
    SurfaceMapsMasker: _of_surface_maps,
}


# Spheres


def _of_spheres(source, image, where):
    """Return spheres."""
    masker = source.masker
    spheres = Spheres(
        masker.seeds_,
        masker.radius,
        masker.mask_img_,
        masker.allow_overlap,
        source.name,
    )
    return spheres.on(image, where)


# The brain


def members_in_brain(regions, brain, opened):
    """Return which members of seeds lie within the brain mask, bool `(n_members,)`.

    Where the brain masker has no mask, or it is of another kind than the seeds'
    image, all count as within.
    """
    image = opened.as_seen_by("seed_masker").image
    mask_img = getattr(brain.masker, "mask_img_", None)
    everywhere = np.ones(len(regions.members), bool)
    if mask_img is None or is_surface(mask_img) != is_surface(image):
        return everywhere
    if is_surface(image):
        mask = np.concatenate([np.ravel(p) for p in mask_img.data.parts.values()])
        return mask[regions.members] != 0 if len(mask) == image.shape[0] else everywhere
    mask = np.asarray(mask_img.dataobj) != 0
    if same_grid(mask_img, image):
        return mask.ravel()[regions.members]
    voxels = np.transpose(np.unravel_index(regions.members, image.shape[:3]))
    inside = is_inside(voxels, image.affine, mask_img)
    places = places_in(voxels[inside], image.affine, mask_img)
    inside[inside] = mask[tuple(places.T)]
    return inside
