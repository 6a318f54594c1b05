"""Checks of parameters, tables and shapes that the user passes, and their wording.

Each message names the parameter or the run, the value, what was expected and the
cure. Nothing here reads image data, so that all of it can run before long work.
"""

import inspect
import os
from numbers import Integral, Real
from pathlib import Path

import numpy as np

MIN_SCANS = 3
"""Fewest scans that can be correlated: the r of two scans is always 1 or -1."""

MEASURES = ("correlation", "partial", "semipartial")
"""What r may be, in the words of `SeedCorrelationMap`."""


def check_masker(masker, name):
    """Raise TypeError unless `masker` is an instance with a masker's methods."""
    if inspect.isclass(masker):
        raise TypeError(
            f"{name} must be a masker instance, got the class {masker.__name__}. "
            f"Pass {masker.__name__}(...)."
        )
    methods = ("fit", "transform", "inverse_transform", "get_params", "set_params")
    missing = [method for method in methods if not hasattr(masker, method)]
    if missing:
        raise TypeError(
            f"{name} must have the methods of a nilearn masker, got {masker!r}, "
            f"which lacks {', '.join(missing)}. Pass a nilearn masker, or an object "
            "that derives from sklearn.base.BaseEstimator and has fit, transform and "
            "inverse_transform."
        )


def check_same_length(values, n_runs, name):
    """Raise ValueError unless the sequence `values` has one entry per run."""
    is_sequence = hasattr(values, "__len__") and not isinstance(values, str | dict)
    if not is_sequence or getattr(values, "ndim", 1) != 1:
        raise ValueError(
            f"{name} must be a sequence with one entry per run, for {n_runs} runs, got "
            f"{type(values).__name__}. Pass a list, with None for a run without."
        )
    if len(values) != n_runs:
        raise ValueError(
            f"X and {name} must each have one entry per run, got {n_runs} runs in X "
            f"and {len(values)} entries in {name}."
        )


def check_file(path, name):
    """Raise FileNotFoundError unless `path` is a file that exists."""
    if not Path(path).is_file():
        raise FileNotFoundError(
            f"{name}: there is no file {os.fspath(path)!r}. Check the path; patterns "
            "such as '*' are not expanded."
        )


def check_folder(path, name):
    """Return the path of a folder that exists, or raise the error that says why not."""
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"{name} must be the path of a folder, got {path!r}.")
    folder = Path(path)
    if not folder.exists():
        raise FileNotFoundError(
            f"{name}: there is no folder {os.fspath(path)!r}. Check the path."
        )
    if not folder.is_dir():
        raise NotADirectoryError(
            f"{name} must be a folder, got the file {os.fspath(path)!r}."
        )
    return folder


def check_four_dimensional(shape, where):
    """Raise ValueError unless `shape` is that of a 4D image with enough scans."""
    if len(shape) != 4:
        cures = {
            True: "Join 3D volumes of one acquisition with nilearn.image.concat_imgs.",
            False: "Take one 4D image out of it, such as img.slicer[..., 0], whose "
            "fourth axis is time.",
        }
        raise ValueError(
            f"{where}: a run must be a 4D image (x, y, z, scans), got {len(shape)}D "
            f"with shape {tuple(shape)}. {cures[len(shape) < 4]}"
        )
    check_enough_scans(shape[3], where)


def check_affine(affine, where):
    """Raise ValueError where an image does not say where its voxels lie."""
    says_where = affine is not None and np.isfinite(affine).all()
    if not says_where or np.linalg.matrix_rank(affine) < 4:
        raise ValueError(
            f"{where}: the affine of the image must give each voxel a place of its own "
            f"in mm, got {np.array2string(np.asarray(affine))}. Check sform and qform "
            "in its header."
        )


def check_plain_numbers(dataobj, where):
    """Raise ValueError where an image's data are complex, colours or the like."""
    dtype = getattr(dataobj, "dtype", np.dtype(float))
    if dtype.kind not in "biuf":
        raise ValueError(
            f"{where}: a run must be an image of real numbers, got dtype {dtype}. Take "
            "the magnitude of complex data first."
        )


def check_enough_scans(n_scans, where, what="scans"):
    """Raise ValueError where a correlation over `n_scans` would mean nothing."""
    if n_scans < MIN_SCANS:
        raise ValueError(
            f"{where}: {n_scans} {what}, at least {MIN_SCANS} are needed for a "
            "correlation."
        )


def check_confounds(confounds, n_scans, kept, where):
    """Return confounds as float64 `(n_scans, n_confounds)`, or None if there are none.

    Only the scans in `kept` must be finite; what is not finite in others becomes 0.
    """
    if confounds is None:
        return None
    names = getattr(confounds, "columns", None)
    try:
        array = np.array(confounds, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{where}: confounds must be numbers of shape (n_scans, n_confounds), "
            f"could not convert {_first_column_of_words(confounds)}: {error}. Choose "
            "other columns."
        ) from error
    array = array[:, np.newaxis] if array.ndim == 1 else array
    if array.ndim != 2 or len(array) != n_scans:
        raise ValueError(
            f"{where}: confounds must have one row per scan, shape ({n_scans}, "
            f"n_confounds), got shape {array.shape}. Censored scans stay in "
            "confounds: sample_mask takes them out of both."
        )
    _check_finite_confounds(array[kept], kept, names, where)
    array[~np.isfinite(array)] = 0.0
    return array if array.shape[1] else None


def _first_column_of_words(confounds):
    """Return the words that name the first column of a DataFrame without numbers."""
    for name, dtype in getattr(confounds, "dtypes", {}).items():
        if dtype.kind not in "biuf":
            return f"column {name!r}"
    return "them"


def _check_finite_confounds(array, scans, names, where):
    """Raise ValueError naming the first column of confounds that is not finite."""
    bad = ~np.isfinite(array)
    if not bad.any():
        return
    column = int(np.flatnonzero(bad.any(axis=0))[0])
    name = f"column {column}" if names is None else f"column {str(names[column])!r}"
    rows = [int(scan) for scan in np.asarray(scans)[bad[:, column]]]
    shown = f"{rows[:5]}{' and more' if len(rows) > 5 else ''}"
    raise ValueError(
        f"{where}: confounds must be finite, {name} has NaN or infinite values at "
        f"scans {shown}. Choose other columns, fill the values (fMRIPrep leaves the "
        "first scan of derivatives empty), or leave the scans out with sample_mask."
    )


def check_sample_mask(sample_mask, n_scans, where):
    """Return the indices of the kept scans, `(n_kept_scans,)`, ascending."""
    if sample_mask is None:
        return np.arange(n_scans)
    mask = np.asarray(sample_mask)
    if mask.ndim != 1 or mask.dtype.kind not in "biu":
        raise ValueError(
            f"{where}: sample_mask must be a 1D array of scan indices or of booleans, "
            f"got shape {mask.shape} and dtype {mask.dtype}."
        )
    if mask.dtype.kind == "b":
        mask = _indices_of_boolean_mask(mask, n_scans, where)
    elif len(mask) == n_scans and np.isin(mask, (0, 1)).all():
        raise ValueError(
            f"{where}: sample_mask has a 0 or 1 for each of {n_scans} scans, which as "
            "indices would be the first two alone. Make it boolean, with "
            "np.asarray(sample_mask).astype(bool)."
        )
    mask = mask.astype(np.intp)
    check_enough_scans(len(mask), where, "scans kept by sample_mask")
    if mask.min() < 0 or mask.max() >= n_scans:
        raise ValueError(
            f"{where}: sample_mask must hold indices from 0 to {n_scans - 1}, got "
            f"{mask.min()} to {mask.max()}. It counts scans of the whole run, from 0."
        )
    if (np.diff(mask) <= 0).any():
        raise ValueError(
            f"{where}: sample_mask must be ascending without repeats, got "
            f"{_shorten(mask)}. Sort it with np.unique."
        )
    return mask


def _indices_of_boolean_mask(mask, n_scans, where):
    """Return the indices where a boolean sample mask is True."""
    if len(mask) != n_scans:
        raise ValueError(
            f"{where}: a boolean sample_mask must have one value per scan, {n_scans}, "
            f"got {len(mask)}."
        )
    return np.flatnonzero(mask)


def _shorten(array):
    """Return a short text of a long 1D array."""
    return np.array2string(np.asarray(array), threshold=8, edgeitems=3)


def check_band(low_pass, high_pass, t_r, filter_name, where, t_r_in_header=None):
    """Raise ValueError unless the filter's frequencies (Hz) and `t_r` (s) make sense.

    `filter_name` is nilearn's: "butterworth", "cosine" or False. What the header says
    of the repetition time is only told.
    """
    for name, value in (("low_pass", low_pass), ("high_pass", high_pass), ("t_r", t_r)):
        check_positive_or_none(value, name, where)
    if filter_name is False or (low_pass is None and high_pass is None):
        return
    if t_r is None:
        hint = "" if t_r_in_header is None else f" The header says {t_r_in_header:g} s."
        raise ValueError(
            f"{where}: low_pass={low_pass!r} and high_pass={high_pass!r} need the "
            "repetition time, got t_r=None. Pass t_r in seconds to the masker, to "
            f"SeedCorrelationMap, or to Run.{hint}"
        )
    nyquist = 0.5 / t_r
    for name, value in (("low_pass", low_pass), ("high_pass", high_pass)):
        if value is not None and value >= nyquist:
            raise ValueError(
                f"{where}: {name} must be below the Nyquist frequency {nyquist:.6g} "
                f"Hz (t_r={t_r!r} s), got {name}={value!r}. Lower it, or pass None."
            )
    if low_pass is not None and high_pass is not None and high_pass >= low_pass:
        raise ValueError(
            f"{where}: high_pass must be below low_pass, got high_pass={high_pass!r} "
            f"and low_pass={low_pass!r} Hz. Have they been swapped?"
        )


def check_clean_args(clean_args, where):
    """Raise ValueError where `clean_args` says what maskers and runs say themselves."""
    own = ("detrend", "standardize", "standardize_confounds", "low_pass", "high_pass")
    own += ("t_r", "confounds", "sample_mask")
    for name in own:
        if name in (clean_args or {}):
            raise ValueError(
                f"{where}: clean_args must not hold {name!r}, which is set by the "
                "masker's own parameters, or comes with the run. Take it out of "
                "clean_args."
            )


def check_switch(value, name, where):
    """Raise ValueError unless `value` is True or False."""
    if not isinstance(value, bool):
        raise ValueError(f"{where}: {name} must be True or False, got {value!r}.")


def check_positive_or_none(value, name, where):
    """Raise ValueError unless `value` is None or a positive finite number."""
    if value is None:
        return
    is_number = isinstance(value, int | float | np.number)
    if not is_number or isinstance(value, bool) or not np.isfinite(value) or value <= 0:
        raise ValueError(
            f"{where}: {name} must be a positive number or None, got {value!r}."
        )


def check_same_scans(n_scans, n_seed_scans, where):
    """Raise ValueError where the two images of a run have other numbers of scans."""
    if n_scans != n_seed_scans:
        raise ValueError(
            f"{where}: img has {n_scans} scans and seed_img {n_seed_scans}. Both must "
            "show the same acquisition, scan by scan."
        )


def check_has_signals(signals, where, name):
    """Raise ValueError where a run lacks the signals that are to be its seeds."""
    if signals is None:
        raise ValueError(
            f"{where}: {name} is a GivenSignals, but the run brings no signals. Pass "
            "Run(img, seed_signals=...)."
        )


def check_kept_from_fit(name, in_fit, missing, descriptions):
    """Raise ValueError where `transform` lacks what runs had in `fit`.

    Parameters
    ----------
    name : str
        "confounds", "sample_mask" or "seed_img".
    in_fit : str
        Which runs had them in `fit`.
    missing : list of bool
        Which runs lack them now.
    descriptions : list of str
        Names the runs.
    """
    cure = "Pass Run(img, seed_img=...)."
    if name != "seed_img":
        cure = (
            f"scikit-learn does not hand {name} to transform in cross-validation: pass "
            "Run(img, confounds=..., sample_mask=...), which carries its own."
        )
    for is_missing, where in zip(missing, descriptions, strict=True):
        if is_missing:
            raise ValueError(
                f"{where}: {in_fit} had {name} in fit, this one has none, so its map "
                f"would be of another kind. {cure}"
            )


def check_summary_applies(summary, regions, where):
    """Raise ValueError where seeds are not made of voxels that a summary can take."""
    if summary == "mean":
        return
    if regions is None:
        problem = "the voxels of these seeds are not known"
    elif not regions.equal_weights():
        problem = "the voxels of these seeds have different weights"
    else:
        return
    raise ValueError(
        f"{where}: seed_summary={summary!r} needs seeds that are regions of voxels, "
        f'but {problem}. Use seed_summary="mean", or a masker of spheres or labels.'
    )


def check_map_shape(shape, expected, where, others):
    """Raise ValueError where a run has other seeds or voxels than runs before it.

    Parameters
    ----------
    shape, expected : tuple of 2 int
        Numbers of seeds and of voxels.
    where, others : str
        Name the run, and those before it.
    """
    if shape == expected:
        return
    raise ValueError(
        f"{where}: the maskers give {shape[0]} seeds and {shape[1]} voxels, for "
        f"{others} they gave {expected[0]} and {expected[1]}. Maps are compared voxel "
        "by voxel, so all runs must give the same: bring them to one grid, or leave "
        "out regions that some runs do not cover."
    )


def check_memory_level(value):
    """Raise ValueError unless `value` is an integer of at least 0."""
    is_integer = isinstance(value, Integral) and not isinstance(value, bool)
    if not is_integer or value < 0:
        raise ValueError(
            f"memory_level must be an integer: 0 (keep nothing), 1 (maps and raw "
            f"seeds) or 2 (also cleaned voxels), got {value!r}."
        )


def check_n_jobs(value):
    """Raise ValueError unless `value` is None or an integer but 0, as joblib wants."""
    is_integer = isinstance(value, Integral) and not isinstance(value, bool)
    if value is not None and not (is_integer and value != 0):
        raise ValueError(
            "n_jobs must be None, a positive integer, or a negative one to count from "
            f"all cores down (-1: all), got {value!r}."
        )


def check_option(value, options, name):
    """Raise ValueError unless `value` is one of some words."""
    if not isinstance(value, str) or value not in options:
        words = ", ".join(map(repr, options[:-1]))
        raise ValueError(f"{name} must be {words} or {options[-1]!r}, got {value!r}.")


def check_rows(X, n_seeds, name):
    """Return values of seeds as rows `(n_rows, n_seeds)`, of one row or of several."""
    rows = np.atleast_2d(np.asarray(X))
    if rows.ndim != 2 or rows.shape[1] != n_seeds:
        raise ValueError(
            f"{name}: X must have a column for each of {n_seeds} seeds, got shape "
            f"{np.shape(X)}. Pass rows as transform returns them."
        )
    return rows


def check_spheres(seeds, radius, name):
    """Raise ValueError unless seeds are coordinates in mm and radii are lengths."""
    try:
        array = np.array(seeds, dtype=np.float64)
    except (TypeError, ValueError):
        array = np.empty(0)
    if array.ndim != 2 or array.shape[1] != 3 or not np.isfinite(array).all():
        raise ValueError(
            f"{name}: seeds must be at least one triplet of coordinates in mm, got "
            f"{seeds!r}."
        )
    check_radius(radius, len(array), name)


def check_radius(radius, n_seeds, name):
    """Raise ValueError unless `radius` is a length in mm or None, or one per seed.

    A radius of 0 is a single voxel, as None is.
    """
    radii = [radius]
    if isinstance(radius, list | tuple | np.ndarray) and np.ndim(radius) > 0:
        radii = list(radius)
        if len(radii) != n_seeds:
            raise ValueError(
                f"{name}: radius must be one length in mm or one for each seed, got "
                f"{len(radii)} for {n_seeds} seeds."
            )
    for own in radii:
        is_number = isinstance(own, Real) and not isinstance(own, bool)
        if own is not None and not (is_number and 0 <= own < np.inf):
            raise ValueError(
                f"{name}: radius must be a length of at least 0 mm or None, got "
                f"{own!r}."
            )


def check_hemispheres(hemisphere, n_seeds, name):
    """Return "left", "right" or None for each seed, of one for all or one each."""
    each = [hemisphere] * n_seeds
    if isinstance(hemisphere, list | tuple | np.ndarray):
        each = list(hemisphere)
        if len(each) != n_seeds:
            raise ValueError(
                f"{name}: hemisphere must be one for all seeds or one for each, got "
                f"{len(each)} for {n_seeds} seeds."
            )
    for side in each:
        if side is not None and side not in ("left", "right"):
            raise ValueError(
                f'{name}: hemisphere must be "left", "right" or None, got {side!r}.'
            )
    return each


def check_independent_seeds(dependent, names, measure, where):
    """Raise ValueError where seeds are sums of others, given which and all names."""
    if not len(dependent):
        return
    shown = [f"{i} {names[i]}" if names[i] != f"seed{i}" else f"{i}" for i in dependent]
    more = f" and {len(shown) - 5} more" if len(shown) > 5 else ""
    raise ValueError(
        f"{where}: measure={measure!r} takes the other seeds out of each, but nothing "
        f"is left of seeds {', '.join(shown[:5])}{more} of seed_masker: of its "
        f"{len(names)} seeds these are copies or sums of one another. Leave out seeds "
        "until each has a signal of its own (there can be no more of them than "
        'directions of time that cleaning keeps), or use measure="correlation".'
    )


def check_seeds_leave_something(n_seeds, n_left, where):
    """Raise ValueError where seeds take up all of time, and r could only be +-1."""
    if n_left < 1:
        raise ValueError(
            f"{where}: measure='partial' takes the other seeds out of voxels, but "
            f"{n_seeds} seeds take up all directions of time that cleaning keeps, so "
            "that r would be 1 or -1 everywhere. Use fewer seeds, a wider band or "
            'more scans, or measure="semipartial".'
        )
