"""Maps on a surface, drawn as views; and what maps of both kinds are labelled with."""

import re
import warnings
from contextlib import suppress

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import Formatter
from nilearn.surface import InMemoryMesh, PolyMesh

from .._images.opening import grid_of

BAR_LABEL_SIZE = 9
"""Points."""

BAR_LABEL_GAP = 9
"""Points from the bar, so that the number beside its end stays clear."""

LEAST_GAP = 0.09
"""Between two numbers beside a colour bar, as a part of it, so that none touch."""


def nilearn_plotting():
    """Return nilearn.plotting, imported without its changes and words on backends."""
    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "You are using the 'agg'", UserWarning)
        import nilearn.plotting
    return nilearn.plotting


def with_minus_signs(text):
    """Return a text with a minus sign, not a hyphen, before each negative number.

    As for the numbers of an axis, unless matplotlib is set to write them in ASCII.
    """
    return re.sub(r"(?<!\w)-(?=[\d.])", Formatter.fix_minus("-"), str(text))


def label_bar(bar, label, threshold, *, is_tidy=True):
    """Write above a colour bar what it shows, and beside it a few round numbers.

    Parameters
    ----------
    bar : Axes
        As nilearn draws it, upright.
    label : str
    threshold : float, str or None
        A number is among those beside the bar.
    is_tidy : bool, default=True
        False leaves nilearn's numbers.
    """
    if is_tidy and not isinstance(threshold, str):
        ticks = _bar_ticks(*bar.get_ylim(), threshold)
        texts = [with_minus_signs(f"{tick:.3g}") for tick in ticks]
        bar.set_yticks(ticks, texts)
    if not label:
        return
    place = bar.get_position()
    points = BAR_LABEL_GAP + 1.25 * BAR_LABEL_SIZE * (label.count("\n") + 1)
    height = points / 72 * bar.figure.dpi / bar.figure.bbox.height
    if place.y1 + height > 1:
        place.y1 = 1 - height
        bar.set_position(place)
    colours = {tick.get_color() for tick in bar.get_yticklabels()}
    bar.annotate(
        label,
        (1, 1),
        xytext=(0, BAR_LABEL_GAP),
        xycoords="axes fraction",
        textcoords="offset points",
        ha="right",
        size=BAR_LABEL_SIZE,
        color=colours.pop() if colours else "black",
    )


def _bar_ticks(low, high, threshold):
    """Return numbers beside a colour bar: its ends, the threshold, zero, what fits."""
    limit = max(abs(low), abs(high))
    ticks = [low, high]
    for value in (threshold or 0, 0, limit / 2):
        pair = {float(value), -float(value)}
        inside = sorted(tick for tick in pair if low < tick < high)
        both = [*ticks, *inside]
        gaps = np.diff(np.sort(both))
        if (gaps >= LEAST_GAP * (high - low)).all():
            ticks = both
    return sorted(ticks)


def check_none_on_surface(**arguments):
    """Raise ValueError where an argument has no meaning for a surface."""
    for name, value in arguments.items():
        if value is not None:
            raise ValueError(
                f"{name} must be None for a map on a surface, which is drawn as four "
                f"views, got {value!r}. Pass figure instead."
            )


def check_background(bg_img, grid):
    """Raise an error unless a map on a mesh can be drawn on a background."""
    if bg_img is None or (isinstance(bg_img, str) and bg_img == "MNI152"):
        return
    own = grid_of(bg_img)
    if own is None or own.kind != grid.kind:
        raise TypeError(
            "bg_img must be a SurfaceImage or None for a map on a surface, got "
            f"{bg_img!r}. Pass SurfaceImage(mesh, ...) with the mesh of the run."
        )
    grid.check_same(own, "bg_img")


def draw_surface(img, region, bg_img, figure, label, options):
    """Draw lateral and medial views of each hemisphere; return the figure."""
    if figure is None:
        figure = plt.figure(figsize=(7.3, 2.4 * len(img.mesh.parts)))
    if not (isinstance(bg_img, str) and bg_img == "MNI152"):
        options["bg_map"] = bg_img
    title, show_bar = options.pop("title"), options.pop("colorbar", True)
    before = set(figure.axes)
    panels = figure.subplots(
        len(img.mesh.parts),
        2,
        squeeze=False,
        subplot_kw={"projection": "3d"},
        gridspec_kw={"left": 0, "right": 0.95, "bottom": 0, "top": 0.95, "hspace": 0},
    )
    for row, hemisphere in zip(panels, img.mesh.parts, strict=True):
        for axes, view in zip(row, ("lateral", "medial"), strict=True):
            place = {"hemi": hemisphere, "view": view, "axes": axes, "figure": figure}
            bar = show_bar and axes is panels[0, 1]
            _draw_view(_flat(img), region, place, {**options, "colorbar": bar})
    is_tidy = "cbar_tick_format" not in options
    for bar in set(figure.axes) - before - set(panels.flat):
        label_bar(bar, label, options["threshold"], is_tidy=is_tidy)
    # Last, because nilearn repeats a title that it finds on every outlined view.
    figure.suptitle(with_minus_signs(title), size=11)
    return figure


def _draw_view(img, region, place, options):
    """Draw one view of one hemisphere, with the outline of the seed."""
    plotting = nilearn_plotting()
    plotting.plot_surf_stat_map(stat_map=img, **place, **options)
    if region is None or not np.any(region.data.parts[place["hemi"]]):
        return
    outline = {key: place[key] for key in ("hemi", "axes", "figure")}
    # nilearn has no outline for a region too small to hold a whole face.
    with suppress(ValueError):
        plotting.plot_surf_contours(
            roi_map=_flat(region, is_mask=True), levels=[1], colors=["white"], **outline
        )


def _flat(img, is_mask=False):
    """Return a SurfaceImage of one map with 1D data, on a mesh of its own."""
    parts = {name: np.ravel(data) for name, data in img.data.parts.items()}
    if is_mask:
        parts = {name: (data > 0).astype(int) for name, data in parts.items()}
    # nilearn 0.14.1 moves the mesh that it draws to the origin, in place.
    mesh = {
        name: InMemoryMesh(np.array(part.coordinates), part.faces)
        for name, part in img.mesh.parts.items()
    }
    return type(img)(mesh=PolyMesh(**mesh), data=parts)
