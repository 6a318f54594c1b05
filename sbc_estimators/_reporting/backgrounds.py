"""What lies under maps in a volume, for pictures and for viewers."""

import numpy as np
from nilearn.datasets import load_mni152_template

from ..plotting import _backgrounds
from .images import GRAYORDINATES, VOLUME

RESOLUTION = 2
"""Of the template in the viewer, in mm."""

WHITEST = 99.5
"""The percentile of an image's values, of those above 0, from which it is white."""


def background_of(maps, runs):
    """Return what is drawn under maps in voxels, as in pictures; None on a surface.

    Parameters
    ----------
    maps : Maps
    runs : list of Run or None

    Returns
    -------
    background : "MNI152", image or None
    """
    if maps.kind == GRAYORDINATES and _backgrounds.are_in_fslr(maps.sbc):
        return _backgrounds.TEMPLATE
    if maps.kind != VOLUME:
        return None
    return _backgrounds.background_of(maps.sbc, None if runs is None else runs[0].img)


def as_image(background):
    """Return what is drawn under maps as an image, or None."""
    if isinstance(background, str):
        return load_mni152_template(resolution=RESOLUTION)
    return background


def greys(values):
    """Return values as levels of grey, uint8: black at 0, few of them all white."""
    positive = values[values > 0]
    top = np.percentile(positive, WHITEST) if len(positive) else 1.0
    return np.rint(255 * np.clip(values / top, 0, 1)).astype(np.uint8)
