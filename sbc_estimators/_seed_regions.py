"""Where a masker's seeds lie on the grid of a run."""

import numpy as np
from nilearn.image import resample_img
from nilearn.maskers import NiftiLabelsMasker, NiftiMasker
from scipy import sparse

from ._images import same_grid
from ._smoothing import smoothed_weights, smoothing_matrices
from ._spheres import overlapping_pair, sphere_voxels


def seed_weights(source, image, where):
    """Return the voxels that seeds are made of and their weights, a column a seed."""
    masker = source.masker
    if isinstance(masker, NiftiMasker):
        voxels = np.flatnonzero(np.asarray(masker.mask_img_.dataobj))
        return voxels, sparse.eye_array(len(voxels), format="csc")
    if isinstance(masker, NiftiLabelsMasker):
        return _label_weights(masker)
    return _sphere_weights(source, image, where)


def _label_weights(masker):
    """Return the voxels of all labelled regions, and a mean over each region."""
    labels = np.asarray(masker.labels_img_.dataobj).ravel()
    voxels = np.flatnonzero(labels != masker.background_label)
    _, regions, sizes = np.unique(
        labels[voxels], return_inverse=True, return_counts=True
    )
    places = (np.arange(len(voxels)), regions)
    return voxels, sparse.csc_array((1 / sizes[regions], places))


def why_no_label_weights(masker, image):
    """Return why regions are not means of labelled voxels as they lie, or None."""
    if masker.strategy != "mean":
        return f"strategy={masker.strategy!r} is no mean"
    if masker.smoothing_fwhm is not None or masker.mask_img_ is not None:
        return "regions that are smoothed or masked are left to nilearn"
    if not same_grid(masker.labels_img_, image):
        return "the run is not on the grid of the labels"
    background = {masker.background_label}
    labels = set(np.unique(np.asarray(masker.labels_img_.dataobj)).tolist())
    if labels - background != set(masker.lut_["index"]) - background:
        return "labels and their look-up table differ"
    return None


def _sphere_weights(source, image, where):
    """Return the voxels of all spheres, smoothed or not, and a mean over each."""
    masker = source.masker
    shape = image.shape[:3]
    spheres = spheres_of(source, image, where)
    parts = [(voxels, np.full(len(voxels), 1 / len(voxels))) for voxels in spheres]
    matrices = smoothing_matrices(masker.smoothing_fwhm, image.affine, shape)
    if matrices is not None:
        parts = [smoothed_weights(*part, matrices, shape) for part in parts]
    seeds = np.repeat(np.arange(len(parts)), [len(voxels) for voxels, _ in parts])
    voxels, rows = np.unique(np.concatenate([p[0] for p in parts]), return_inverse=True)
    weights = np.concatenate([p[1] for p in parts])
    shape = (len(voxels), len(parts))
    return voxels, sparse.csc_array((weights, (rows, seeds)), shape=shape)


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
