"""Pictures of a fitted `SeedCorrelationMap`: its maps and its seeds' time series."""

from contextlib import contextmanager

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Circle
from sklearn.utils.validation import check_is_fitted

from .._arrays.correlation import fisher_z
from .._images.opening import grid_of
from .._support.files import SAVING, whole
from ._seeds import SeedInImage
from ._surface_views import (
    check_background,
    check_none_on_surface,
    draw_surface,
    label_bar,
    nilearn_plotting,
    with_minus_signs,
)
from ._targets import drawn_map

INK = "#1f3b5c"
"""The one hue of lines."""

LINE_SPACING = 6
"""Standard deviations between the lines of two seeds, so that few of them cross."""

MAP_SIZE = (7.3, 2.6)
"""Inches of nilearn's three cuts with a colour bar."""


def plot_seed_map(
    estimator,
    z=None,
    *,
    seed=0,
    threshold=0.4,
    vmax=None,
    title=None,
    label=None,
    bg_img="MNI152",
    cut_coords=None,
    figure=None,
    axes=None,
    output_file=None,
    **kwargs,
):
    """Plot the correlation map of one seed, cut through the seed.

    Parameters
    ----------
    estimator : SeedCorrelationMap
        Fitted.
    z : array-like of shape (n_voxels,) or (n_seeds * n_voxels,) or None, default=None
        Fisher z: one map, or the maps of all seeds as in a row of `transform`. None
        is the Fisher z of `correlations_`.
    seed : int or str, default=0
        The position of the seed, or its name in `seed_names_`.
    threshold : float, default=0.4
        Where abs(z) is lower, nothing is drawn. 0.4 is an r of 0.38.
    vmax : float or None, default=None
        Where the colours end. None is the 99.5th percentile of abs(z), so that the
        seed's own voxels, with r near 1, do not set the scale, and no less than twice
        the threshold, rounded up to a tenth.
    title : str or None, default=None
        None is the seed's name and what is shown, "" no title.
    label : str or None, default=None
        What stands above the colour bar. None is Fisher z and the threshold, ""
        nothing.
    bg_img : image or None, default="MNI152"
        What is under the map: nilearn's MNI152 template, an image or its path in the
        space of the run, or None. On a surface: a SurfaceImage of the map's mesh, such
        as the sulcal depth, or None; the default is nothing there.
    cut_coords : tuple of float or None, default=None
        In mm, as nilearn expects it for the display mode; not on a surface. None is the
        seed's centre.
    figure : matplotlib Figure or None, default=None
        Where to draw. None is a new figure.
    axes : matplotlib Axes or None, default=None
        The part of a figure to draw in; not on a surface.
    output_file : str, path or None, default=None
        Also write the picture to this file, whole or not at all; its suffix is the
        format, of 300 dpi where it has pixels. A figure made for it is closed.
    **kwargs : dict
        Passed to `nilearn.plotting.plot_stat_map`, or `plot_surf_stat_map`.

    Returns
    -------
    display : nilearn display or matplotlib Figure
        What nilearn returns for a map in a volume; the Figure, with lateral and medial
        views of each hemisphere, for one on a surface.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If `bg_img` is no SurfaceImage for a map on a surface.
    ValueError
        If there is no such `seed`, `z` is not as wide as the map, or `bg_img` is on
        another mesh than the map.
    FileNotFoundError
        If the folder of `output_file` does not exist.

    Notes
    -----
    A sphere is drawn as the circle that each cut makes of it. Maskers of other seeds
    put the seed alone back into an image, where nilearn finds the centre of its largest
    part, and a small cross marks it. On a surface the seed's outline is drawn. Seeds
    that are not in an image of the map's kind, such as given signals or a volume's
    seeds for a surface, are not drawn, and nilearn chooses the cuts.

    Of a map of regions, such as those of an atlas, the seed's own is left out, and does
    not set the scale: one that at least half of the seed lies in, or that lies for at
    least half in the seed.
    """
    check_is_fitted(estimator)
    position = _seed_position(estimator, seed)
    values = _map_of_seed(estimator, z, position)
    values, img = drawn_map(estimator, position, values)
    if title is None:
        shown = (label or "Fisher z").splitlines()[0]
        title = f"{estimator.seed_names_[position]}: {shown}"
    options = {"threshold": threshold, "vmax": vmax, "title": title}
    # Not nilearn's "auto", which shows a low positive z in the colours of negative ones
    # where a map has none.
    options |= {"symmetric_cbar": True, **kwargs}
    if vmax is None:
        options["vmax"] = colour_limit(values, threshold)
    if label is None:
        label = _label_of_colours(threshold)
    with _closing(keep=output_file is None):
        options |= {"cut_coords": cut_coords, "figure": figure, "axes": axes}
        seed = SeedInImage(estimator, position, grid_of(img))
        drawn = DRAWN[seed.grid.kind](img, seed, bg_img, label, options)
        if output_file is not None:
            _write(drawn, output_file)
    return drawn


def plot_signals(
    estimator,
    run,
    *,
    signals=None,
    names=None,
    title=None,
    figure=None,
    axes=None,
    output_file=None,
):
    """Plot the cleaned time series of the seeds over time, one line per seed.

    Parameters
    ----------
    estimator : SeedCorrelationMap
        Fitted.
    run : Run, path or image
        The run to take the signals from.
    signals : array-like of shape (n_kept_scans, n_seeds) or None, default=None
        The result of `seed_signals` for the run, if it has been called already.
    names : sequence of str or None, default=None
        What to call the seeds. None is `seed_names_`.
    title : str or None, default=None
        None is no title.
    figure : matplotlib Figure or None, default=None
        Where to draw. None is a new figure.
    axes : matplotlib Axes or None, default=None
        Where to draw. None is new axes over the whole figure.
    output_file : str, path or None, default=None
        Also write the picture to this file, whole or not at all; its suffix is the
        format, of 300 dpi where it has pixels. A figure made for it is closed.

    Returns
    -------
    figure : matplotlib Figure
        The figure drawn in.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    ValueError
        If `names` does not have one name per seed.
    FileNotFoundError
        If the folder of `output_file` does not exist.

    Notes
    -----
    Time is in seconds where the run, the estimator, the seed masker or the brain masker
    knows the repetition time, in this order, otherwise in scans. Lines break where
    scans are left out. Each line has unit variance; those of several seeds are stacked,
    first seed on top.
    """
    check_is_fitted(estimator)
    names = _checked_names(names, estimator.seed_names_)
    signals = estimator.seed_signals(run) if signals is None else np.asarray(signals)
    scans, signals = _with_gaps(signals, getattr(run, "sample_mask", None))
    t_r = _repetition_time(estimator, run)
    with _closing(keep=output_file is None):
        axes = _axes_for_signals(figure, axes, len(names))
        _draw_lines(axes, scans * (1 if t_r is None else t_r), signals, names)
        axes.set_xlabel("scan" if t_r is None else "time (s)")
        if title is not None:
            axes.set_title(title, loc="left")
        if output_file is not None:
            _write(axes.figure, output_file)
    return axes.figure


def _write(drawn, output_file):
    """Write a figure or nilearn display to a file, whole or not at all."""
    with whole(output_file, "output_file") as path, plt.rc_context(SAVING):
        drawn.savefig(path)


@contextmanager
def _closing(keep):
    """Close the figures pyplot gains in here after an error, and unless kept."""
    before = set(plt.get_fignums())
    try:
        yield
    except BaseException:
        keep = False
        raise
    finally:
        for number in () if keep else set(plt.get_fignums()) - before:
            plt.close(number)


def _seed_position(estimator, seed):
    """Return the position of a seed given by position or name."""
    names = list(estimator.seed_names_)
    if isinstance(seed, str) and seed in names:
        return names.index(seed)
    is_position = isinstance(seed, int | np.integer) and not isinstance(seed, bool)
    if is_position and 0 <= seed < len(names):
        return int(seed)
    raise ValueError(
        f"seed must be a position from 0 to {len(names) - 1} or a name in "
        f"seed_names_, got {seed!r}. The names are {', '.join(names)}."
    )


def _map_of_seed(estimator, z, position):
    """Return the Fisher z of one seed, `(n_voxels,)`."""
    n_seeds, n_voxels = estimator.correlations_.shape
    if z is None:
        return fisher_z(estimator.correlations_[position])
    values = np.asarray(z)
    if values.size == n_voxels:
        return values.reshape(n_voxels)
    if values.size == n_seeds * n_voxels:
        return values.reshape(n_seeds, n_voxels)[position]
    raise ValueError(
        f"z must hold {n_voxels} values for one map or {n_seeds * n_voxels} for those "
        f"of {n_seeds} seeds, got shape {values.shape}. Pass one row of transform."
    )


def colour_limit(values, threshold):
    """Return where the colours end: a high quantile, and twice a numeric threshold.

    Rounded up: to a tenth, or to one digit if it is smaller.
    """
    floor = 2 * threshold if isinstance(threshold, int | float) else 0
    limit = float(max(np.quantile(np.abs(values), 0.995), floor, 1e-3))
    digits = max(1, -int(np.floor(np.log10(limit))))
    # Less a trifle, so that 1.2000000000000002 is not 1.3.
    return round(float(np.ceil(limit * 10**digits - 1e-6)) / 10**digits, digits)


def _label_of_colours(threshold):
    """Return what stands above the colour bar of Fisher z."""
    if isinstance(threshold, str) or not threshold:
        return "Fisher z"
    return f"Fisher z\n|z| > {threshold:g}"


def _draw_volume(img, seed, bg_img, label, options):
    """Draw cuts of a volume, by default through the seed; return the display."""
    centre, radius = seed.sphere()
    if options["cut_coords"] is None and centre is not None:
        mode = options.get("display_mode", "ortho")
        options["cut_coords"] = _cuts_through(centre, mode)
    if not (isinstance(bg_img, str) and bg_img == "MNI152"):
        options["bg_img"] = bg_img
    title = options.pop("title")
    options = {"draw_cross": False, **options}
    owner = getattr(options["axes"], "figure", options["figure"])
    before = set(getattr(owner, "axes", ()))
    display = nilearn_plotting().plot_stat_map(img, **options)
    is_tidy = "cbar_tick_format" not in options
    for axes in set(display.frame_axes.figure.axes) - before:
        # Of nilearn's axes only the colour bar's have numbers beside them.
        if axes.axison:
            label_bar(axes, label, options["threshold"], is_tidy=is_tidy)
    for cut in display.axes.values():
        _annotate(cut)
    if centre is not None:
        _mark_seed(display, centre, radius)
    if title:
        on_black = options.get("black_bg") is True
        ink, paper = ("white", "black") if on_black else ("black", "white")
        display.title(with_minus_signs(title), size=11, color=ink, bgcolor=paper)
    return display


def _draw_surface(img, seed, bg_img, label, options):
    """Draw views of a surface; return the figure."""
    places = {name: options.pop(name) for name in ("axes", "cut_coords")}
    check_none_on_surface(**places)
    check_background(bg_img, seed.grid)
    region = seed.region()
    if not seed.grid.same_as(grid_of(region)):
        region = None
    figure = options.pop("figure")
    return draw_surface(img, region, bg_img, figure, label, options)


DRAWN = {"a volume": _draw_volume, "a surface": _draw_surface}
"""What draws a map, by the kind of its grid."""


def _annotate(cut):
    """Move a cut's coordinate in from the edge, and give it a minus sign."""
    for text in cut.ax.texts:
        if text.get_text().startswith(f"{cut.direction}="):
            text.set_text(with_minus_signs(text.get_text()))
            text.set_position((0.015, 0))


def _mark_seed(display, centre, radius):
    """Draw a seed: the circle that each cut makes of a sphere, else a small cross."""
    # White on black is seen on every colour of the map and of the background.
    if not radius:
        cross = {"marker": "P", "edgecolors": "black", "linewidths": 0.8}
        display.add_markers([centre], marker_color="white", marker_size=45, **cross)
        return
    for cut in display.axes.values():
        axis = "xyz".index(cut.direction)
        square = radius**2 - (centre[axis] - float(cut.coord)) ** 2
        if square <= 0:
            continue
        middle = [value for i, value in enumerate(centre) if i != axis]
        for width, colour in ((2.6, "black"), (1.2, "white")):
            style = {"edgecolor": colour, "linewidth": width, "zorder": 1000}
            circle = Circle(middle, square**0.5, facecolor="none", **style)
            cut.ax.add_patch(circle)


def _cuts_through(centre, display_mode):
    """Return cut coordinates through a point in the form that a display mode wants."""
    if display_mode in ("ortho", "tiled"):
        return centre
    if display_mode == "mosaic":
        return None
    return [centre["xyz".index(direction)] for direction in display_mode]


def _checked_names(names, seed_names):
    """Return the names of the seeds as a list, if there is one for each."""
    names = list(seed_names if names is None else names)
    if len(names) != len(seed_names):
        raise ValueError(
            f"names must have one name a seed, {len(seed_names)}, got {len(names)}: "
            f"{names!r}."
        )
    return names


def _with_gaps(signals, sample_mask):
    """Return scan numbers, and the signals with NaN where scans were left out."""
    if sample_mask is None:
        return np.arange(len(signals)), signals
    kept = np.asarray(sample_mask)
    kept = np.flatnonzero(kept) if kept.dtype == bool else kept
    scans = np.arange(kept[0], kept[-1] + 1)
    with_gaps = np.full((len(scans), signals.shape[1]), np.nan)
    with_gaps[kept - kept[0]] = signals
    return scans, with_gaps


def _repetition_time(estimator, run):
    """Return the repetition time in seconds of the run, or None if nobody knows it."""
    if getattr(run, "t_r", None) is not None:
        return run.t_r
    if not isinstance(estimator.t_r, str):
        return estimator.t_r
    maskers = estimator.seed_masker_, estimator.brain_masker_
    known = [getattr(masker, "t_r", None) for masker in maskers]
    return known[1] if known[0] is None else known[0]


def _axes_for_signals(figure, axes, n_seeds):
    """Return the axes to draw in: those given, or new ones."""
    if axes is not None:
        return axes
    if figure is None:
        figure = plt.figure(figsize=signals_size(n_seeds), layout="constrained")
    return figure.add_subplot()


def signals_size(n_seeds):
    """Return width and height in inches of the picture of `n_seeds` time series."""
    return 7.3, min(1.6 + 0.7 * n_seeds, 14)


def _draw_lines(axes, times, signals, names):
    """Draw one line a seed, stacked; a single one has an axis of its own."""
    names = [with_minus_signs(name) for name in names]
    offsets = -LINE_SPACING * np.arange(len(names))
    marker = "." if np.isnan(signals).any() else None
    for offset, line in zip(offsets, signals.T, strict=True):
        axes.axhline(offset, color="0.8", linewidth=0.6, zorder=0)
        axes.plot(times, line + offset, color=INK, linewidth=1, marker=marker, ms=3)
    if len(names) == 1:
        axes.set_ylabel(f"{names[0]} signal (SD)")
    else:
        axes.set_yticks(offsets, names)
        _draw_scale(axes)
    axes.margins(x=0.01)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_scale(axes):
    """Draw how long 2 SD are, right of the first line."""
    place = {"transform": axes.get_yaxis_transform(), "clip_on": False}
    axes.plot([1.01, 1.01], [-1, 1], color="black", linewidth=1.5, **place)
    axes.text(1.02, 0, "2 SD", rotation=90, va="center", **place)
