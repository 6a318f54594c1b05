"""Seeds in cuts of a volume: circles, outlines of regions, crosses."""

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.patches import Circle
from nilearn.image import reorder_img

STROKES = ((2.4, "black"), (1.1, "white"))
"""Widths in points and colours of lines, seen on every colour of a map."""

THIN_STROKE = (0.6, "0.3")
"""The same of what is mapped, where that is not the whole brain."""

LARGEST_PART = 500_000.0
"""Cubic millimetres below which what is mapped is outlined: a brain has more."""

ON_TOP = 1000
"""The order in which marks are drawn: after all else."""


def mark_seed(display, seed):
    """Draw a seed in each cut: a sphere's circle, a region's outline, or a cross.

    Returns
    -------
    marks : list of list of tuple of 4 float
        For each cut, boxes of what is drawn in it: left, right, bottom, top in mm.
    """
    cuts = display.axes.values()
    centre, radius = seed.sphere()
    if centre is None:
        return [[] for _ in cuts]
    if radius:
        return [_draw_circle(cut, centre, radius) for cut in cuts]
    region = seed.voxels()
    if region is not None:
        return [_draw_outline(cut, region) for cut in cuts]
    # A single voxel, too small for an outline.
    cross = {"marker": "P", "edgecolors": "black", "linewidths": 0.8}
    display.add_markers([centre], marker_color="white", marker_size=45, **cross)
    return [[] for _ in cuts]


def _draw_circle(cut, centre, radius):
    """Draw the circle that a cut makes of a sphere; return its boxes."""
    axis = "xyz".index(cut.direction)
    square = radius**2 - (centre[axis] - float(cut.coord)) ** 2
    if square <= 0:
        return []
    (x, y), own = (v for i, v in enumerate(centre) if i != axis), square**0.5
    for width, colour in STROKES:
        style = {"edgecolor": colour, "linewidth": width, "zorder": ON_TOP}
        cut.ax.add_patch(Circle((x, y), own, facecolor="none", **style))
    return [(x - own, x + own, y - own, y + own)]


def outline_part(display, brain):
    """Draw a thin line around the voxels of a map that is one of a part of the brain.

    Parameters
    ----------
    display : nilearn display
    brain : Nifti1Image
        1 where the map has values.
    """
    volume = np.count_nonzero(brain.dataobj) * abs(np.linalg.det(brain.affine[:3, :3]))
    if volume < LARGEST_PART:
        brain = reorder_img(brain, resample="nearest")
        for cut in display.axes.values():
            _draw_outline(cut, brain, [THIN_STROKE])


def _draw_outline(cut, region, strokes=STROKES):
    """Draw the outline of a region's voxels in a cut; return its boxes."""
    lines = outline_in_cut(region, cut.direction, float(cut.coord))
    if not len(lines):
        return []
    for width, colour in strokes:
        style = {"colors": colour, "linewidths": width, "capstyle": "projecting"}
        cut.ax.add_collection(
            LineCollection(lines, zorder=ON_TOP, **style), autolim=False
        )
    low, high = lines.min(axis=(0, 1)), lines.max(axis=(0, 1))
    return [(low[0], high[0], low[1], high[1])]


def outline_in_cut(region, direction, coord):
    """Return the edges of a region's voxels in a cut.

    Parameters
    ----------
    region : Nifti1Image
        Its axes along those of space, ascending.
    direction : {"x", "y", "z"}
    coord : float
        In mm.

    Returns
    -------
    lines : ndarray of shape (n_edges, 2, 2)
        From where to where each goes, in mm of the cut's two axes.
    """
    axis = "xyz".index(direction)
    steps, origin = region.affine.diagonal()[:3], region.affine[:3, 3]
    number = int(np.round((coord - origin[axis]) / steps[axis]))
    if not 0 <= number < region.shape[axis]:
        return np.empty((0, 2, 2))
    lines = edges(np.take(np.asarray(region.dataobj) != 0, number, axis=axis))
    others = [i for i in range(3) if i != axis]
    return lines * steps[others] + origin[others]


def edges(mask):
    """Return the lines between what is in a mask and what is not.

    Parameters
    ----------
    mask : ndarray of bool of shape (n_x, n_y)

    Returns
    -------
    lines : ndarray of shape (n_edges, 2, 2)
        From where to where each goes; the middle of the first field is (0, 0).
    """
    padded = np.pad(mask, 1)
    upright = np.argwhere(padded[1:] != padded[:-1])[:, np.newaxis] - [0.5, 1]
    level = np.argwhere(padded[:, 1:] != padded[:, :-1])[:, np.newaxis] - [1, 0.5]
    return np.concatenate(
        [upright + [[0, -0.5], [0, 0.5]], level + [[-0.5, 0], [0.5, 0]]]
    )
