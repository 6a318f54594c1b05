"""Which voxels (vertices) a masker's seeds are made of, on the grid of a run."""

import numpy as np
from nilearn.image import resample_img
from nilearn.maskers import (
    NiftiLabelsMasker,
    NiftiMapsMasker,
    NiftiMasker,
    NiftiSpheresMasker,
    SurfaceLabelsMasker,
    SurfaceMapsMasker,
    SurfaceMasker,
)

from ._images import is_surface, same_grid
from ._regions import (
    label_regions,
    map_regions,
    mean_regions,
    smoothed_regions,
    voxel_regions,
)
from ._smoothing import is_separable, smoothing_matrices
from ._spheres import overlapping_pair, sphere_voxels


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
    if is_surface(image):
        for kind, build in SURFACE_KINDS.items():
            if isinstance(masker, kind):
                return build(masker, image)
    elif isinstance(masker, NiftiSpheresMasker):
        return mean_regions(spheres_of(source, image, where))
    else:
        for kind, build in VOLUME_KINDS.items():
            if isinstance(masker, kind):
                return build(masker, image)
    return f"{type(masker).__name__} is not a linear map that is known beforehand"


def _smoothing_of(masker):
    """Return the width that a masker smooths with in mm, or None."""
    return getattr(masker, "smoothing_fwhm", None)


def with_smoothing(regions, fwhm, image):
    """Return regions of smoothed voxels, or a str that says why there are none."""
    if fwhm is None:
        return regions
    if is_surface(image):
        return "surfaces are smoothed by nilearn"
    if not is_separable(fwhm):
        return f"smoothing_fwhm={fwhm!r} is not one matrix an axis"
    shape = image.shape[:3]
    matrices = smoothing_matrices(fwhm, image.affine, shape)
    if matrices is None:
        return regions
    smoothed = smoothed_regions(regions, matrices, shape)
    if smoothed is None:
        return f"{len(regions.members)} voxels are too many to smooth by one matrix"
    return smoothed


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


def _vertices(img):
    """Return what a SurfaceImage has at each vertex, counted through its parts."""
    parts = [np.asarray(part) for part in img.data.parts.values()]
    return np.concatenate([part.reshape(len(part), -1) for part in parts])


def _why_not_on_mesh(seeds_img, image):
    """Return why seeds don't lie on the mesh of a run, or None.

    As in nilearn, vertices are the same if they are as many.
    """
    ours, theirs = (
        {name: part.n_vertices for name, part in img.mesh.parts.items()}
        for img in (seeds_img, image)
    )
    return None if ours == theirs else "the run is on another mesh"


def _of_surface_mask(masker, image):
    """Return each vertex of a mask as a seed."""
    reason = _why_not_on_mesh(masker.mask_img_, image)
    if reason is not None:
        return reason
    return voxel_regions(np.flatnonzero(_vertices(masker.mask_img_)))


def _of_surface_labels(masker, image):
    """Return labelled regions; the mask is in the labels of the fitted masker."""
    if masker.strategy != "mean":
        return f"strategy={masker.strategy!r} is no mean"
    reason = _why_not_on_mesh(masker.labels_img_, image)
    if reason is not None:
        return reason
    labels = _vertices(masker.labels_img_)
    wanted = np.unique(labels)
    return _means_over(labels, wanted[wanted != masker.background_label])


def _of_surface_maps(masker, image):
    """Return maps; one that the mask leaves nothing of stays, and has no signal."""
    if not masker.allow_overlap:
        return "allow_overlap=False looks for overlaps"
    reason = _why_not_on_mesh(masker.maps_img_, image)
    if reason is not None:
        return reason
    maps = _vertices(masker.maps_img_)
    if masker.mask_img_ is not None:
        maps = np.where(_vertices(masker.mask_img_) != 0, maps, 0)
    return map_regions(maps)


SURFACE_KINDS = {
    SurfaceMasker: _of_surface_mask,
    SurfaceLabelsMasker: _of_surface_labels,
    SurfaceMapsMasker: _of_surface_maps,
}


# Spheres


def spheres_of(source, image, where):
    """Return the voxels of every sphere on the grid of a run."""
    masker, shape = source.masker, image.shape[:3]
    mask = _mask_on_grid(masker.mask_img_, image)
    spheres = sphere_voxels(masker.seeds_, masker.radius, image.affine, shape, mask)
    for position, voxels in enumerate(spheres):
        if not len(voxels):
            _raise_seed_outside(source, position, image, where)
    pair = None if masker.allow_overlap else overlapping_pair(spheres)
    if pair is not None:
        first, second = (coordinates(masker.seeds_[i]) for i in pair)
        raise ValueError(
            f"{where}: the spheres of seeds {pair[0]} {first} and {pair[1]} {second} "
            f"overlap at radius={masker.radius!r} mm. Use a smaller radius, or "
            f"{source.name}.allow_overlap=True."
        )
    return spheres


def _raise_seed_outside(source, position, image, where):
    """Raise the error of a sphere without voxels."""
    masker, shape = source.masker, image.shape[:3]
    seed = masker.seeds_[position]
    inside = sphere_voxels([seed], masker.radius, image.affine, shape)[0]
    what = "its mask_img" if len(inside) else "the image"
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in shape])).reshape(3, -1)
    corners = image.affine[:3, :3] @ corners + image.affine[:3, 3:]
    low, high = corners.min(axis=1).round(1), corners.max(axis=1).round(1)
    raise ValueError(
        f"{where}: seed {position} at {coordinates(seed)} mm of {source.name} lies "
        f"outside {what}; the image spans {low.tolist()} to {high.tolist()} mm. Move "
        "the seed, or check that seeds and image are in the same space."
    )


def _mask_on_grid(mask_img, image):
    """Return a mask on the grid of a run, nearest neighbours, or None."""
    if mask_img is None:
        return None
    if not same_grid(mask_img, image):
        mask_img = resample_img(
            mask_img,
            target_affine=image.affine,
            target_shape=image.shape[:3],
            interpolation="nearest",
            force_resample=True,
            copy_header=True,
        )
    return np.asarray(mask_img.dataobj) != 0


def coordinates(seed):
    """Return coordinates in mm as people write them."""
    return f"({', '.join(f'{float(x):g}' for x in seed)})"
