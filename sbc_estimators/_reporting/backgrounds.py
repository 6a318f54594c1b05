"""What lies under maps in a volume: a template, where it is known to be right."""

import re

import numpy as np
from nibabel.affines import apply_affine
from nilearn.datasets import load_mni152_brain_mask, load_mni152_template
from nilearn.image import mean_img

from .images import VOLUME, loaded, volume_data

TEMPLATE = "MNI152"
"""How `plot_seed_map` is asked for the template."""

RESOLUTION = 2
"""Of the template in the viewer, in mm."""

LEAST_INSIDE = 0.7
"""Part of the mapped voxels in the template's brain from which a run may be in MNI."""

FEW_SCANS = 10
"""Over how many scans the image of a run itself is averaged."""


def background_of(maps, runs, files):
    """Return what is drawn under maps.

    The MNI152 template where the names of files say that runs are in MNI space, or say
    nothing and the voxels lie where its brain is; otherwise the mean of the first scans
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
    if _is_in_mni(maps, files):
        return TEMPLATE
    return None if runs is None else _mean_of_first_scans(runs[0].img)


def as_image(background):
    """Return what is drawn under maps as an image, or None."""
    if isinstance(background, str):
        return load_mni152_template(resolution=RESOLUTION)
    return background


def _is_in_mni(maps, files):
    """Whether the runs are in MNI space, as far as names and places tell."""
    names = [re.split(r"[/\\]", file)[-1] for file in files]
    spaces = [re.search(r"_space-([^_]+)", name) for name in names if "sub-" in name]
    if spaces:
        return all(space and space[1].startswith("MNI") for space in spaces)
    image = maps.image(0)
    brain = load_mni152_brain_mask(resolution=RESOLUTION)
    voxels = np.argwhere(volume_data(image) != 0)
    places = np.linalg.inv(brain.affine) @ image.affine
    inside = np.rint(apply_affine(places, voxels)).astype(int)
    there = ((inside >= 0) & (inside < brain.shape)).all(axis=1)
    data = np.asarray(brain.dataobj)[tuple(inside[there].T)]
    return data.sum() >= LEAST_INSIDE * len(voxels)


def _mean_of_first_scans(img):
    """Return the mean of the first scans of a run, of which no others are read."""
    return mean_img(loaded(img).slicer[..., :FEW_SCANS], copy_header=True)
