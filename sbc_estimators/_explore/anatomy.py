"""What lies under a map: an image of the brain, and a cortex to colour."""

from dataclasses import dataclass, field

import nibabel
import numpy as np
from nilearn import datasets

from .._images.grids import VolumeGrid
from .._images.meshes import SurfaceGrid
from .._images.opening import read_still
from .._reporting.backgrounds import greys
from .._support.messages import file_of
from ..plotting._backgrounds import mean_of_first_scans, says_fslr, says_mni
from .spaces import SurfaceSpace, differences

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

PLAIN_SHADE = 150
"""Of 255: the grey of a cortex whose folds nothing tells, and of voxels alone."""

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
        ``place_of_vertex`` (-1 for none; steps from one to the next), as far as there
        are such.
    config : dict
        What the page must know of them, as JSON has it.
    places : dict of str to tuple of 3 float
        Well-known places in mm.
    """

    parts: dict
    config: dict
    places: dict = field(default_factory=dict)


def anatomy_of(space, background, runs):
    """Return the anatomy under the maps of a space.

    Parameters
    ----------
    space : Space
    background : image, path or None
    runs : list of Run
        The first is averaged where nothing else is known of its brain.

    Returns
    -------
    anatomy : Anatomy

    Raises
    ------
    TypeError, ValueError, FileNotFoundError
        If the background is no image of the space.
    """
    below = {} if background is None else _stills(space, background)
    parts, config, in_mni = {}, {}, False
    if space.volume is not None:
        in_mni = _are_in_mni(space, runs)
        still = below.get("volume") or _usual_background(space, runs, in_mni)
        parts, config = _under(space, still)
    if space.cortex is not None:
        cortex = _of_run(space.cortex, below.get("cortex"))
    else:
        cortex = _fsaverage(space.volume) if in_mni else ({}, {})
    places = PLACES if in_mni else {}
    return Anatomy(parts | cortex[0], config | cortex[1], places)


def _stills(space, background):
    """Return the parts of a background that go with those of a space, by name."""
    still = read_still(background, "background")
    found = {part.name: still.part(part.grid.kind) for part in space.parts}
    found = {name: own for name, own in found.items() if own is not None}
    if not found:
        raise TypeError(
            f"background is {still.grid.kind}, but the run is {space.grid.kind}. Pass "
            "an image of the run's kind, or None."
        )
    if "cortex" in found:
        space.cortex.grid.check_same(found["cortex"].grid, "background")
    if still.values.ndim > 1 and still.values.shape[1] > 1:
        raise ValueError(
            f"background must be one image, got {still.values.shape[1]}. Pass one of "
            "them, or None."
        )
    return found


def _are_in_mni(space, runs):
    """Whether runs say that their voxels are in MNI152 space."""
    files = [file_of(run.img) for run in runs]
    if space.grid is not space.volume.grid:
        return says_fslr([file or "" for file in files])
    return says_mni(files, runs[0].img)


def _usual_background(space, runs, in_mni):
    """Return what is under a map in voxels where no background is given."""
    if in_mni:
        return read_still(datasets.load_mni152_template(resolution=1), "template")
    if space.grid is not space.volume.grid:
        # What lies around voxels of grayordinates is not in their file.
        return None
    return read_still(mean_of_first_scans(runs[0].img), "background")


# Volumes


def _under(space, still):
    """Return the part and the config of a background near the brain."""
    if still is None:
        grid = space.volume.grid
        grey = PLAIN_SHADE * space.volume.mask.astype(np.uint8)
    else:
        grid, first, last = _around_brain(space, still.grid)
        values = still.values.reshape(still.grid.shape)
        grey = greys(values[tuple(map(slice, first, last))].astype(np.float32))
    extent = _shown(space, grey, grid.affine)
    return {"background": grey}, {"background": _told(grid), "extent": extent}


def _around_brain(space, grid):
    """Return the part of a grid around the brain, its first and its last voxel."""
    ends = space.points.min(axis=0) - AROUND, space.points.max(axis=0) + AROUND
    corners = _corners(zip(*ends, strict=True))
    voxels = nibabel.affines.apply_affine(np.linalg.inv(grid.affine), corners)
    last_of_all = np.subtract(grid.shape, 1)
    first = np.clip(np.floor(voxels.min(axis=0)), 0, last_of_all).astype(int)
    last = np.clip(np.ceil(voxels.max(axis=0)) + 1, first + 1, grid.shape).astype(int)
    affine = np.array(grid.affine, dtype=float)
    affine[:3, 3] += affine[:3, :3] @ first
    return VolumeGrid(tuple((last - first).tolist()), affine), first, last


def _corners(ends):
    """Return the corners of a box, `(8, 3)`, from both ends along each axis."""
    return np.array(np.meshgrid(*ends)).reshape(3, -1).T


def _shown(space, grey, affine):
    """Return least and largest coordinates in mm, for each axis, of what there is."""
    points = [space.points]
    bright = [np.flatnonzero(grey.max(axis=axes) >= BRIGHT) for axes in OTHER_AXES]
    if all(map(len, bright)):
        corners = _corners((along[0], along[-1]) for along in bright)
        points.append(nibabel.affines.apply_affine(affine, corners))
    points = np.concatenate(points)
    return np.stack([points.min(axis=0), points.max(axis=0)], axis=1).tolist()


def _told(grid):
    """Return shape and affine as JSON has them."""
    return {"shape": list(grid.shape), "affine": grid.affine[:3].tolist()}


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
        anatomy.config | {"background": _told(VolumeGrid(coarse.shape, affine))},
        anatomy.places,
    )


def _fsaverage(volume):
    """Return parts and config of the cortex that a volume in MNI space colours."""
    mesh = datasets.load_fsaverage("fsaverage5")
    depth = datasets.load_fsaverage_data(mesh="fsaverage5", data_type="sulcal")
    pial, white = (
        SurfaceSpace(SurfaceGrid(mesh[name]), None) for name in ("pial", "white_matter")
    )
    middle = (pial.coordinates + white.coordinates) / 2
    shade = _shade(-read_still(depth, "sulcal depth").values.ravel())
    return _cortex(pial, shade, volume.places_at(middle).astype(np.int32))


# Surfaces


def _of_run(cortex, still):
    """Return parts and config of the mesh of a run, shaded by its background."""
    if still is None:
        shade = np.full(len(cortex.coordinates), PLAIN_SHADE, np.uint8)
    else:
        shade = _shade(still.values.ravel())
    return _cortex(cortex, shade, cortex.places)


def _cortex(own, shade, places):
    """Return parts and config of a cortex."""
    shifts, shown = _shifts(own), own.coordinates.copy()
    shown[:, 0] += np.repeat(shifts, list(own.grid.sizes.values()))
    parts = {
        "vertices": shown,
        "faces": own.faces,
        "shade": shade,
        "place_of_vertex": differences(places),
    }
    return parts, {"cortex": {**own.config(), "shifts": shifts}}


def _shifts(own):
    """Return by how many mm each part is moved along x, so that none is in another."""
    starts = list(own.grid.starts.values())
    if len(starts) != 2:
        return [0.0] * len(starts)
    left, right = np.split(own.coordinates[:, 0], starts[1:])
    overlap = float(left.max() - right.min()) + HEMISPHERE_GAP
    # Pial surfaces touch each other, inflated ones lie half within each other.
    if overlap < 4 * HEMISPHERE_GAP:
        return [0.0, 0.0]
    return [-overlap / 2, overlap / 2]


def _shade(depth):
    """Return greys of a map of the folds: bright on gyri, dark in sulci."""
    low, high = np.percentile(depth, (2, 98))
    level = np.clip((depth - low) / max(high - low, 1e-9), 0, 1)
    return np.rint(105 + 105 * level).astype(np.uint8)
