"""Pictures of maps and of a matrix, as texts that a page holds in itself."""

import base64
import io

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from .. import plotting
from .._support.messages import ignoring
from ..plotting._grayordinate_views import size_of_picture
from ..plotting._volume_views import MAP_SIZE
from .images import GRAYORDINATES, SURFACE, VOLUME

DIM = "#52606d"
"""The grey of words that step back."""

MAP_DPI = 170
"""Dots per inch of maps, so that they are sharp on fine screens and in print."""

SURFACE_SIZE = (7.3, 2.4)
"""Inches of the two views of one hemisphere."""

MOST_NUMBERS, MOST_LARGE_NAMES, MOST_NAMES = 12, 24, 40
"""Of how many seeds a matrix shows numbers, and of how many names, large or small."""

REPEATABLE = {"svg.hashsalt": "sbc", "svg.fonttype": "none"}
"""The same figure gives the same file, whose words are words."""


def map_picture(maps, position, bg_img, threshold):
    """Return the picture of a map beyond a threshold, cut through its seed.

    None of cortex alone, without a mesh.
    """
    size = MAP_SIZE
    if maps.kind == SURFACE:
        n_hemispheres = len(maps.image(position).mesh.parts)
        size = (SURFACE_SIZE[0], SURFACE_SIZE[1] * n_hemispheres)
    if maps.kind == GRAYORDINATES:
        size = size_of_picture(maps.sbc)
        if size is None:
            return None
    figure = Figure(figsize=size)
    options = {"title": "", "figure": figure, "threshold": threshold}
    if maps.kind == VOLUME:
        options["bg_img"] = "auto" if bg_img is None else bg_img
    # That nilearn finds no cut through a weak map is no news of the maps.
    with ignoring():
        plotting.plot_seed_map(maps.sbc, seed=position, **options)
    return _as_webp(figure)


def matrix_picture(matrix, names):
    """Return the picture of the correlations among seeds."""
    n_seeds = len(matrix)
    side = max(1.6, min(0.55 * n_seeds, 5.5))
    figure = Figure(figsize=(side + 1.4, side + 1.0), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(matrix, vmin=-1, vmax=1, cmap="RdBu_r")
    _name_matrix(axes, [_text(name, most=24) for name in names])
    if n_seeds <= MOST_NUMBERS:
        _write_numbers(axes, np.asarray(matrix))
    else:
        bar = figure.colorbar(image, shrink=0.5, ticks=[-1, 0, 1])
        bar.outline.set_visible(False)
        bar.ax.tick_params(labelsize=7, colors=DIM, length=0)
    axes.spines[:].set_visible(False)
    axes.tick_params(labelcolor=DIM, length=0)
    return _as_svg(figure) if n_seeds <= MOST_NAMES else _as_blurred_webp(figure)


def _name_matrix(axes, names):
    """Write the names of seeds beside a matrix, unless there are too many."""
    if len(names) > MOST_NAMES:
        axes.set_xticks([])
        axes.set_yticks([])
        return
    places, size = range(len(names)), 8 if len(names) <= MOST_LARGE_NAMES else 6
    axes.set_xticks(places, names, rotation=40, ha="right", size=size)
    axes.set_yticks(places, names, size=size)


def _write_numbers(axes, matrix):
    """Write each number into its field, in a colour that is seen on it."""
    for (row, column), value in np.ndenumerate(matrix):
        colour = "white" if abs(value) > 0.6 else "#1f2933"
        text = f"{value:.2f}".replace("-", "\N{MINUS SIGN}")
        axes.text(column, row, text, ha="center", va="center", size=8, color=colour)


def _text(name, most=80):
    """Return a name as a figure shows it: not too long, and never as a formula."""
    short = name if len(name) <= most else f"{name[: most - 1]}\N{HORIZONTAL ELLIPSIS}"
    return short.replace("$", r"\$")


def _as_svg(figure):
    """Return a figure of few fields and words as a data URI."""
    with rc_context(REPEATABLE):
        return _as_uri(figure, "svg", "svg+xml", metadata={"Date": None})


def _as_webp(figure):
    """Return a figure of pixels as a data URI, at half the size of a PNG."""
    options = {"pil_kwargs": {"lossless": True}, "dpi": MAP_DPI}
    return _as_uri(figure, "webp", "webp", **options)


def _as_blurred_webp(figure):
    """Return a figure of very many fields as a data URI."""
    return _as_uri(figure, "webp", "webp", pil_kwargs={"quality": 70}, dpi=110)


def _as_uri(figure, kind, name, **options):
    """Return a figure as the text that an image in a page has for its address."""
    file = io.BytesIO()
    figure.savefig(file, format=kind, **options)
    return f"data:image/{name};base64,{base64.b64encode(file.getvalue()).decode()}"
