"""What the parameters of pictures must be, before anything is drawn."""

import re
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .._support.checks import check_count, check_number

DIRECTIONS = {
    "ortho": "xyz",
    "tiled": "xyz",
    "mosaic": "xyz",
    "x": "x",
    "y": "y",
    "z": "z",
    "xz": "xz",
    "yx": "xy",
    "yz": "yz",
}
"""nilearn's ways to cut a volume, and the directions of each as it takes them."""

DisplayMode = Literal["ortho", "tiled", "mosaic", "x", "y", "z", "xz", "yx", "yz"]
"""Their names for annotations."""


def check_seed(seed, names):
    """Return the position of a seed given by position or name."""
    names = list(names)
    if isinstance(seed, str) and seed in names:
        return names.index(seed)
    is_position = isinstance(seed, int | np.integer) and not isinstance(seed, bool)
    if is_position and 0 <= seed < len(names):
        return int(seed)
    raise ValueError(
        f"seed must be a position from 0 to {len(names) - 1} or a name in "
        f"seed_names_, got {seed!r}. The names are {', '.join(names)}."
    )


def check_map(z, position, n_seeds, n_voxels):
    """Return the map of one seed, `(n_voxels,)`, from its own or those of all seeds.

    What is masked becomes NaN.
    """
    if isinstance(z, np.ma.MaskedArray) and z.dtype.kind in "biuf":
        z = z.astype(np.float64).filled(np.nan)
    values = np.asarray(z)
    if values.dtype.kind not in "biuf":
        raise TypeError(
            f"z must hold real numbers, got dtype {values.dtype}. Pass one row of "
            "transform."
        )
    if values.size == n_voxels:
        return values.reshape(n_voxels)
    if values.size == n_seeds * n_voxels:
        return values.reshape(n_seeds, n_voxels)[position]
    raise ValueError(
        f"z must hold {n_voxels} values for one map or {n_seeds * n_voxels} for those "
        f"of {n_seeds} seeds, got shape {values.shape}. Pass one row of transform."
    )


def check_threshold(threshold, values):
    """Return a threshold as float or None; "90%" is a percentile of absolute values."""
    if isinstance(threshold, str):
        part = re.fullmatch(r"\s*(\d+(?:\.\d*)?)\s*%\s*", threshold)
        if part is not None and float(part[1]) <= 100:
            finite = np.abs(values[np.isfinite(values)])
            return float(np.percentile(finite, float(part[1]))) if len(finite) else 0.0
    else:
        try:
            return check_number(threshold, "threshold", 0, or_none=True)
        except ValueError:
            pass
    raise ValueError(
        "threshold must be a number of at least 0, a percentage of voxels such as "
        f'"90%", or None, got {threshold!r}. Negative values are shown by the same '
        "threshold as positive ones."
    )


def check_limit(vmax, threshold):
    """Return where colours end as float, or None."""
    limit = check_number(vmax, "vmax", 0, or_none=True)
    if limit is not None and limit <= (threshold or 0):
        raise ValueError(
            f"vmax must be larger than the threshold, {threshold or 0:g}, got "
            f"{vmax!r}. Colours go from one to the other."
        )
    return limit


def check_text(text, name):
    """Raise TypeError unless it is a text or None."""
    if not (text is None or isinstance(text, str)):
        raise TypeError(
            f'{name} must be a text or None, got {text!r}. Pass "" for none at all.'
        )


def check_place(figure, axes):
    """Raise an error where a figure or axes are none that can be drawn in."""
    if figure is not None and not isinstance(figure, Figure):
        raise TypeError(
            f"figure must be a matplotlib Figure or None, got {figure!r}. Of a "
            "SubFigure pass axes."
        )
    if axes is None:
        return
    if not isinstance(axes, Axes) or axes.name == "3d":
        raise TypeError(
            f"axes must be flat matplotlib Axes or None, got {axes!r}. Pass one of "
            "those that plt.subplots returns."
        )
    if figure is not None and axes.figure is not figure:
        raise ValueError(
            f"axes must lie in figure, got axes of {axes.figure!r} and {figure!r}. "
            "Pass one of both."
        )


def check_cuts(cut_coords, display_mode, grid):
    """Return where to cut as nilearn wants it, or None.

    Raises
    ------
    ValueError
        If it does not go with the display mode, or no cut goes through the grid.
    """
    if cut_coords is None:
        return None
    directions = DIRECTIONS[display_mode]
    if np.ndim(cut_coords) == 0 and not isinstance(cut_coords, dict):
        return _checked_number_of_cuts(cut_coords, display_mode)
    if display_mode == "mosaic":
        if not isinstance(cut_coords, dict) or set(cut_coords) != set(directions):
            raise _wrong_cuts(cut_coords, display_mode)
        coords = {d: _finite(own, display_mode) for d, own in cut_coords.items()}
        pairs = [(d, value) for d in coords for value in coords[d]]
    else:
        coords = _finite(cut_coords, display_mode)
        if len(directions) == 1:
            directions *= len(coords)
        if not coords or len(coords) != len(directions):
            raise _wrong_cuts(cut_coords, display_mode)
        pairs = [*zip(directions, coords, strict=True)]
    _check_one_inside(pairs, grid)
    return coords


CUTS = {
    "ortho": "three coordinates (x, y, z) in mm",
    "tiled": "three coordinates (x, y, z) in mm",
    "mosaic": 'a number of cuts, or a dict of coordinates in mm for "x", "y" and "z"',
    "x": "coordinates in mm, or a number of cuts",
    "y": "coordinates in mm, or a number of cuts",
    "z": "coordinates in mm, or a number of cuts",
    "xz": "two coordinates (x, z) in mm",
    "yx": "two coordinates (x, y) in mm",
    "yz": "two coordinates (y, z) in mm",
}
"""What `cut_coords` is in each display mode, in words."""


def _checked_number_of_cuts(cut_coords, display_mode):
    """Return a number of cuts, where the display mode has one."""
    if display_mode in ("x", "y", "z", "mosaic"):
        try:
            return check_count(cut_coords, "cut_coords")
        except ValueError:
            pass
    raise _wrong_cuts(cut_coords, display_mode)


def _finite(values, display_mode):
    """Return coordinates as a list of float."""
    try:
        return [check_number(value, "cut_coords") for value in values]
    except (TypeError, ValueError):
        raise _wrong_cuts(values, display_mode) from None


def _wrong_cuts(cut_coords, display_mode):
    """Return the error for cuts that do not go with the display mode."""
    return ValueError(
        f"cut_coords must be {CUTS[display_mode]} for display_mode={display_mode!r}, "
        f"got {cut_coords!r}. None is the centre of the seed."
    )


def _check_one_inside(pairs, grid):
    """Raise ValueError where none of some cuts goes through a grid."""
    low, high = grid.reach
    if not any(low[i] <= v <= high[i] for d, v in pairs for i in ["xyz".index(d)]):
        words = ", ".join(f"{direction}={value:g}" for direction, value in pairs)
        raise ValueError(
            f"cut_coords must go through the map, which spans {grid.span()}, got "
            f"{words}. Coordinates are in mm."
        )
