"""What lies under maps in a volume: a template, where it is known to be right."""

import re

import nibabel
import numpy as np
from nilearn.datasets import load_mni152_brain_mask, load_mni152_template
from nilearn.image import mean_img

from .._images.opening import read_still
from .images import VOLUME, loaded, volume_data

TEMPLATE = "MNI152"
"""How `plot_seed_map` is asked for the template."""

RESOLUTION = 2
"""Of the template in the viewer, in mm."""

SAME_SPACE = 0.85
"""Dice coefficient of what is mapped and the brain of MNI152 from which it is in MNI.

0.91 for the sample run; brains in scanner coordinates rarely reach 0.8.
"""

FEW_SCANS = 10
"""Over how many scans the image of a run itself is averaged."""

WHITEST = 99.5
"""The percentile of an image's values, of those above 0, from which it is white."""


def background_of(maps, runs, files):
    """Return what is drawn under maps.

    The MNI152 template where `is_in_mni` says so; otherwise the mean of the first scans
    of the first run, and nothing without runs, or on a surface.

    Parameters
    ----------
    maps : Maps
    runs : list of Run or None
    files : list of str
        Of the runs, "" where there is none.

    Returns
    -------
    background : "MNI152", image or None
    """
    if maps.kind != VOLUME:
        return None
    image = maps.image(0)
    voxels = np.argwhere(volume_data(image) != 0)
    points = nibabel.affines.apply_affine(image.affine, voxels)
    if is_in_mni(files, points, image.affine):
        return TEMPLATE
    return None if runs is None else mean_of_first_scans(runs[0].img)


def as_image(background):
    """Return what is drawn under maps as an image, or None."""
    if isinstance(background, str):
        return load_mni152_template(resolution=RESOLUTION)
    return background


def is_in_mni(files, points, affine):
    """Whether runs are in MNI space: as their names say, else where their voxels lie.

    Parameters
    ----------
    files : list of str
        Of the runs, "" where there is none.
    points : ndarray of shape (n_voxels, 3)
        Coordinates of all that is mapped, in mm.
    affine : ndarray of shape (4, 4)
        Of the grid of these voxels.
    """
    names = [re.split(r"[/\\]", file)[-1] for file in files]
    spaces = [re.search(r"_space-([^_]+)", name) for name in names if "sub-" in name]
    if spaces:
        return all(space and space[1].startswith("MNI") for space in spaces)
    brain = read_still(load_mni152_brain_mask(resolution=RESOLUTION), "brain mask")
    inside = np.append(brain.values != 0, False)
    own = len(points) * abs(np.linalg.det(affine))
    theirs = np.count_nonzero(inside) * abs(np.linalg.det(brain.grid.affine))
    common = own * inside[brain.grid.holding(points)].mean()
    return 2 * common / (own + theirs) >= SAME_SPACE


def mean_of_first_scans(img):
    """Return the mean of the first scans of a run, of which no others are read."""
    return mean_img(loaded(img).slicer[..., :FEW_SCANS], copy_header=True)


def greys(values):
    """Return values as levels of grey, uint8: black at 0, few of them all white."""
    positive = values[values > 0]
    top = np.percentile(positive, WHITEST) if len(positive) else 1.0
    return np.rint(255 * np.clip(values / top, 0, 1)).astype(np.uint8)
