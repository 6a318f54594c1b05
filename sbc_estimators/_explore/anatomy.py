"""What lies under a map: an image of the brain, and a cortex to colour."""

import os
from dataclasses import dataclass, field

import nibabel
import numpy as np
from nilearn import datasets

from .._images.grids import check_vertices, is_surface, n_vertices, vertices
from .._images.images import load_image

SAME_SPACE = 0.85
"""Dice coefficient of a brain mask and that of MNI152 from which it is in its space.

0.91 for the sample run; brains in scanner coordinates rarely reach 0.8.
"""

FIRST_SCANS = 10
"""How many scans are averaged to a background: the first, which are read at once."""

AROUND = 25.0
"""Millimetres around the brain mask within which a background is shown."""

FINE = 1.5
"""Millimetres below which voxels of a background are joined in a file."""

BRIGHT = 25
"""Of 255: what a background must be to be more than its noise."""

OTHER_AXES = ((1, 2), (0, 2), (0, 1))
"""Of a volume, beside each of its axes."""

HEMISPHERE_GAP = 4.0
"""Millimetres between hemispheres that are moved apart."""

PLACES = {
    "PCC": (0, -52, 18),
    "mPFC": (0, 52, -6),
    "M1 hand": (-38, -22, 56),
    "V1": (8, -84, 4),
    "Insula": (38, 18, -2),
    "IPS": (26, -62, 53),
    "Auditory": (-52, -20, 8),
    "Thalamus": (-10, -20, 8),
}
"""Coordinates in mm of MNI space: one in each of some well-known networks."""


@dataclass(frozen=True, eq=False)
class Anatomy:
    """What a page shows beside the map.

    Attributes
    ----------
    parts : dict of str to ndarray
        ``background`` (0 to 255), ``vertices``, ``faces``, ``shade`` (0 to 255) and
        ``place_of_vertex`` (-1 for none), as far as there are such.
    config : dict
        What the page must know of them, as JSON has it.
    places : dict of str to tuple of 3 float
        Well-known places in mm.
    """

    parts: dict
    config: dict
    places: dict = field(default_factory=dict)


def anatomy_of(space, background, image):
    """Return the anatomy under the maps of a space.

    Parameters
    ----------
    space : VolumeSpace or SurfaceSpace
    background : image, path or None
    image : nibabel image or SurfaceImage
        Of a run, averaged where nothing else is known of its brain.

    Returns
    -------
    anatomy : Anatomy

    Raises
    ------
    TypeError, ValueError, FileNotFoundError
        If the background is no image of the space.
    """
    if space.kind == "surface":
        return _surface(space, background)
    template = datasets.load_mni152_template(resolution=1)
    in_mni = _overlap_with_mni(space, template) >= SAME_SPACE
    if background is None:
        background = template if in_mni else _mean_of_first_scans(image)
    under = _under(space, _volume(background))
    if not in_mni:
        return Anatomy(*under)
    parts, config = _fsaverage(space)
    return Anatomy(under[0] | parts, under[1] | config, PLACES)


# Volumes


def _volume(background):
    """Return a background as an image of one volume."""
    if is_surface(background):
        raise TypeError(
            "background must be a volume, as the run is one, got a SurfaceImage. Pass "
            "a 3D image in the space of the run, or None."
        )
    is_path = isinstance(background, str | os.PathLike)
    img = load_image(background, "background") if is_path else background
    if not hasattr(img, "dataobj"):
        raise TypeError(
            "background must be a 3D image, its path or None, got "
            f"{type(background).__name__}. Pass an image in the space of the run."
        )
    if len(img.shape) != 3:
        raise ValueError(
            f"background must be one volume, got an image of shape {img.shape}. Pass "
            "a 3D image in the space of the run."
        )
    return img


def _mean_of_first_scans(image):
    """Return the mean of the first scans of a run as an image."""
    scans = np.asarray(image.dataobj[..., :FIRST_SCANS], dtype=np.float32)
    return nibabel.Nifti1Image(scans.mean(axis=3), image.affine)


def _under(space, img):
    """Return the part and the config of a background near the brain."""
    first, last = _box_of_brain(space, img.affine, img.shape)
    near = tuple(map(slice, first, last))
    values = np.nan_to_num(np.asarray(img.dataobj[near], dtype=np.float32))
    some = values.ravel()[:: max(1, values.size // 10**5)]
    top = np.percentile(some[some > 0], 99.8) if (some > 0).any() else 1.0
    grey = np.rint(255 * np.clip(values / top, 0, 1)).astype(np.uint8)
    affine = np.array(img.affine, dtype=float)
    affine[:3, 3] += affine[:3, :3] @ first
    config = {"background": _grid(grey, affine), "extent": _shown(space, grey, affine)}
    return {"background": grey}, config


def _box_of_brain(space, affine, shape):
    """Return the first and last voxels of an image around the brain."""
    corners = np.array(np.meshgrid(*zip(*_extent(space), strict=True))).reshape(3, -1).T
    voxels = nibabel.affines.apply_affine(np.linalg.inv(affine), corners)
    first = np.clip(np.floor(voxels.min(axis=0)), 0, np.array(shape) - 1).astype(int)
    last = np.clip(np.ceil(voxels.max(axis=0)) + 1, first + 1, shape).astype(int)
    return first, last


def _shown(space, grey, affine):
    """Return least and largest coordinates in mm, for each axis, of what there is."""
    points = [space.points]
    bright = [np.flatnonzero(grey.max(axis=axes) >= BRIGHT) for axes in OTHER_AXES]
    if all(map(len, bright)):
        ends = [(along[0], along[-1]) for along in bright]
        corners = np.array(np.meshgrid(*ends)).reshape(3, -1).T
        points.append(nibabel.affines.apply_affine(affine, corners))
    points = np.concatenate(points)
    return np.stack([points.min(axis=0), points.max(axis=0)], axis=1).tolist()


def _extent(space):
    """Return the least and largest coordinates in mm of what may be shown."""
    points = space.points
    return points.min(axis=0) - AROUND, points.max(axis=0) + AROUND


def _grid(values, affine):
    """Return shape and affine as JSON has them."""
    return {"shape": list(values.shape), "affine": affine[:3].tolist()}


def halved(anatomy):
    """Return an anatomy whose background is coarser, where it is very fine.

    Half the resolution is an eighth of a file.
    """
    if "background" not in anatomy.parts:
        return anatomy
    grey = anatomy.parts["background"]
    affine = np.vstack([anatomy.config["background"]["affine"], [0, 0, 0, 1]])
    if nibabel.affines.voxel_sizes(affine).min() >= FINE:
        return anatomy
    even = grey[tuple(slice(n - n % 2) for n in grey.shape)]
    blocks = even.reshape([n // 2 if i == 0 else 2 for n in even.shape for i in (0, 1)])
    coarse = np.rint(blocks.mean(axis=(1, 3, 5))).astype(np.uint8)
    affine[:3, 3] += affine[:3, :3] @ [0.5, 0.5, 0.5]
    affine[:3, :3] *= 2
    return Anatomy(
        anatomy.parts | {"background": coarse},
        anatomy.config | {"background": _grid(coarse, affine)},
        anatomy.places,
    )


def _overlap_with_mni(space, template):
    """Return the Dice coefficient of the brain mask and the brain of the template."""
    inside = np.asarray(template.dataobj) > 0
    voxels = nibabel.affines.apply_affine(np.linalg.inv(template.affine), space.points)
    voxels = np.rint(voxels).astype(int)
    held = ((voxels >= 0) & (voxels < inside.shape)).all(axis=1)
    common = inside[tuple(voxels[held].T)].sum() / len(voxels)
    own = len(voxels) * abs(np.linalg.det(space.affine[:3, :3]))
    theirs = np.count_nonzero(inside) * abs(np.linalg.det(template.affine))
    return 2 * common * own / (own + theirs)


def _fsaverage(space):
    """Return parts and config of the cortex that a volume in MNI space colours."""
    mesh = datasets.load_fsaverage("fsaverage5")
    depth = datasets.load_fsaverage_data(mesh="fsaverage5", data_type="sulcal")
    pial, white = (_coordinates(mesh[name]) for name in ("pial", "white_matter"))
    parts = {
        "vertices": pial.astype(np.float32),
        "faces": _faces(mesh["pial"]),
        "shade": _shade(-vertices(depth).ravel()),
        "place_of_vertex": space.places_at((pial + white) / 2).astype(np.int32),
    }
    return parts, {"cortex": "fsaverage5"}


# Surfaces


def _surface(space, background):
    """Return the mesh of a run, shaded by its background."""
    if background is None:
        shade = np.full(len(space.coordinates), 150, np.uint8)
    elif not is_surface(background):
        raise TypeError(
            "background must be a SurfaceImage, as the run is on a surface, got "
            f"{type(background).__name__}. Pass the sulcal depth on the run's mesh, or "
            "None."
        )
    else:
        check_vertices(background.mesh, space.mesh, "the run", "background")
        shade = _shade(vertices(background)[:, 0])
    place_of_vertex = np.full(len(shade), -1, np.int32)
    place_of_vertex[space.vertex_of_place] = np.arange(space.n_places)
    shifts, shown = _shifts(space), space.coordinates.copy()
    shown[:, 0] += np.repeat(shifts, list(n_vertices(space.mesh).values()))
    parts = {
        "vertices": shown,
        "faces": space.faces.astype(np.int32),
        "shade": shade,
        "place_of_vertex": place_of_vertex,
    }
    return Anatomy(parts, {"cortex": "the mesh of the run", "shifts": shifts})


def _shifts(space):
    """Return by how many mm each part is moved along x, so that none is in another."""
    if len(space.starts) != 2:
        return [0.0] * len(space.starts)
    (_, start) = space.starts.values()
    x = space.coordinates[:, 0]
    overlap = float(x[:start].max() - x[start:].min()) + HEMISPHERE_GAP
    # Pial surfaces touch each other, inflated ones lie half within each other.
    if overlap < 4 * HEMISPHERE_GAP:
        return [0.0, 0.0]
    return [-overlap / 2, overlap / 2]


def _coordinates(mesh):
    """Return the coordinates of all vertices of a mesh, `(n_vertices, 3)`."""
    return np.concatenate([part.coordinates for part in mesh.parts.values()])


def _faces(mesh):
    """Return the faces of a mesh, counted through its parts."""
    starts = np.cumsum([0, *n_vertices(mesh).values()])
    parts = zip(mesh.parts.values(), starts, strict=False)
    faces = [part.faces + start for part, start in parts]
    return np.concatenate(faces).astype(np.int32)


def _shade(depth):
    """Return greys of a map of the folds: bright on gyri, dark in sulci."""
    low, high = np.percentile(depth, (2, 98))
    level = np.clip((depth - low) / max(high - low, 1e-9), 0, 1)
    return np.rint(105 + 105 * level).astype(np.uint8)
