"""Pictures of the time series of seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..runs._opened import as_run, kept_scans
from ..runs._times import used_time
from ._checks import check_place, check_text
from ._colours import with_minus_signs
from ._saving import check_output_file, closing, write

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from numpy.typing import ArrayLike

    from .._images.annotations import PathLike
    from ..runs._annotations import RunLike

INK = "#1f3b5c"
"""The one hue of lines."""

LINE_SPACING = 6
"""Standard deviations between the lines of two seeds, so that few of them cross."""


def plot_signals(
    estimator: Any,
    run: RunLike,
    *,
    signals: ArrayLike | None = None,
    names: Sequence[str] | None = None,
    title: str | None = None,
    figure: Figure | None = None,
    axes: Axes | None = None,
    output_file: PathLike | None = None,
) -> Figure | SubFigure:
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
    TypeError, ValueError
        If `names` does not have one name per seed, `signals` one column, or another
        argument is not what it must be.
    FileNotFoundError, IsADirectoryError
        If the folder of `output_file` does not exist, or it is a folder itself.

    Notes
    -----
    Time is in seconds where the run, the brain masker, the seed masker or the image
    knows the repetition time, in this order, otherwise in scans. Lines break where
    scans are left out. Each line has unit variance; those of several seeds are stacked,
    first seed on top.
    """
    check_is_fitted(estimator)
    names = _checked_names(names, estimator.seed_names_)
    check_text(title, "title")
    check_place(figure, axes)
    check_output_file(output_file)
    if signals is None:
        signals = estimator.seed_signals(run)
    else:
        signals = _checked_signals(signals, len(names))
    run = as_run(run)
    scans, signals = _with_gaps(signals, run)
    t_r = used_time(run, (estimator.brain_masker_, estimator.seed_masker_))
    with closing(keep=output_file is None):
        axes = _axes_for_signals(figure, axes, len(names))
        _draw_lines(axes, scans * (1 if t_r is None else t_r), signals, names)
        axes.set_xlabel("scan" if t_r is None else "time (s)")
        if title is not None:
            axes.set_title(title, loc="left")
        if output_file is not None:
            write(axes.figure, output_file)
    return axes.figure


def _checked_names(names, seed_names):
    """Return the names of the seeds as a list, if there is one for each."""
    if names is None:
        return list(seed_names)
    is_list = not isinstance(names, str) and hasattr(names, "__iter__")
    if not is_list or not all(isinstance(name, str) for name in names):
        raise TypeError(
            f"names must be a sequence of texts, one a seed, or None, got {names!r}."
        )
    names = list(names)
    if len(names) != len(seed_names):
        raise ValueError(
            f"names must have one name a seed, {len(seed_names)}, got {len(names)}: "
            f"{names!r}."
        )
    return names


def _checked_signals(signals, n_seeds):
    """Return the time series of seeds as an array, `(n_kept_scans, n_seeds)`."""
    signals = np.asarray(signals)
    is_matrix = signals.ndim == 2 and signals.shape[1] == n_seeds
    if not is_matrix or signals.dtype.kind not in "biuf":
        raise ValueError(
            f"signals must be real numbers of shape (n_kept_scans, {n_seeds}), got "
            f"shape {signals.shape} and dtype {signals.dtype}. Pass what seed_signals "
            "returns for the run."
        )
    return signals


def _with_gaps(signals, run):
    """Return scan numbers, and the signals with NaN where scans were left out."""
    _, kept = kept_scans(run)
    if len(kept) != len(signals):
        raise ValueError(
            f"signals must have a row for each of {len(kept)} kept scans of the run, "
            f"got {len(signals)}. Pass what seed_signals returns for the run."
        )
    scans = np.arange(kept[0], kept[-1] + 1)
    with_gaps = np.full((len(scans), signals.shape[1]), np.nan)
    with_gaps[kept - kept[0]] = signals
    return scans, with_gaps


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
