"""The ways to write one run or many, and a run opened and checked."""

import os
import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from .._images.opening import check_enough_scans, is_image, open_scans
from .._support.messages import describe_run, naming, run_in_warnings, warn, with_file
from .._support.tables import numbers_of, table_of, whole_array
from ._run import Run


def as_runs(X, confounds=None, sample_mask=None):
    """Return X, with what was passed beside it, as a list of `Run`.

    Parameters
    ----------
    X : run or sequence of runs
        A run is a path, a nibabel image, a SurfaceImage or a `Run`; a sequence is a
        list, a tuple, an object array, a pandas Series, or a DataFrame of one column.
    confounds, sample_mask : sequence with one entry per run, or None, default=None
        For a single run also the entry itself.

    Returns
    -------
    runs : list of Run

    Raises
    ------
    TypeError
        If X holds something that is not a run.
    ValueError
        If X is empty, the lengths differ, or a `Run` has the same thing already.

    Examples
    --------
    >>> as_runs("rest.nii.gz", sample_mask=[0, 1, 2])
    [Run('rest.nii.gz', sample_mask=[0, 1, 2])]
    """
    if _is_run(X):
        runs = [X]
        confounds = _entries_of_one_run(confounds, _is_confounds)
        sample_mask = _entries_of_one_run(sample_mask, _is_sample_mask)
    else:
        runs = _sequence_of_runs(X)
    beside = {"confounds": confounds, "sample_mask": sample_mask}
    for name, values in beside.items():
        if values is not None:
            _check_same_length(values, len(runs), name)
            beside[name] = list(values)
    return [_joined(run, i, beside) for i, run in enumerate(runs)]


def as_run(run):
    """Return one run as a `Run`; ValueError where there are more."""
    runs = as_runs(run)
    if len(runs) != 1:
        raise ValueError(f"run must be one run, got a sequence of {len(runs)}.")
    return runs[0]


def is_bare(X):
    """Return which runs in X are images alone, as a list of bool."""
    runs = [X] if _is_run(X) else _sequence_of_runs(X)
    return [not isinstance(run, Run) for run in runs]


def index_of(X):
    """Return the index of a Series or DataFrame of runs, None of anything else."""
    return X.index if isinstance(X, pd.Series | pd.DataFrame) else None


def _is_run(X):
    """Tell one run from a sequence of runs."""
    return isinstance(X, Run | str | os.PathLike) or is_image(X)


def _sequence_of_runs(X):
    """Return X as a list, if it is a sequence of runs that is not empty."""
    if getattr(X, "ndim", 1) == 2 and X.shape[1] == 1:  # as from a ColumnTransformer
        X = np.asarray(X, dtype=object)[:, 0]
    is_sequence = isinstance(X, list | tuple | np.ndarray | pd.Series | pd.Index)
    if not is_sequence or getattr(X, "ndim", 1) != 1:
        shape = f" of shape {X.shape}" if hasattr(X, "shape") else ""
        raise TypeError(
            "X must be one run or a sequence of runs (list, tuple, object array, "
            f"Series, DataFrame of one column), got {type(X).__name__}{shape}. A run "
            "is a path, a 4D nibabel image, a SurfaceImage or a Run."
        )
    runs = list(X)
    if not runs:
        raise ValueError("X must hold at least one run, got an empty sequence.")
    for position, run in enumerate(runs):
        if not _is_run(run):
            raise TypeError(
                f"X[{position}] must be a run (a path, a 4D nibabel image, a "
                f"SurfaceImage or a Run), got {type(run).__name__}."
            )
    return runs


def _entries_of_one_run(values, is_entry):
    """Return what stands beside a single run as a list of one entry."""
    return [values] if values is not None and is_entry(values) else values


def _is_confounds(values):
    """Tell a table of confounds from a list that holds one."""
    if isinstance(values, str | os.PathLike | pd.DataFrame):
        return True
    if isinstance(values, np.ndarray):
        return values.dtype != object
    return not isinstance(values, list | tuple) or _holds_scalars(values)


def _is_sample_mask(values):
    """Tell a sample mask from a list that holds one."""
    if isinstance(values, np.ndarray):
        return values.dtype != object and values.ndim == 1
    return not isinstance(values, list | tuple) or _holds_scalars(values)


def _holds_scalars(values):
    """Whether a list is itself a mask or a column of numbers."""
    return len(values) > 0 and np.isscalar(values[0])


def _joined(run, position, beside):
    """Return a `Run` of an entry of X and what stands beside it."""
    run = run if isinstance(run, Run) else Run(run)
    given = {}
    for name, values in beside.items():
        entry = None if values is None else values[position]
        if entry is not None and getattr(run, name) is not None:
            raise ValueError(
                f"{describe_run(position, run.img)} has {name} of its own and others "
                f"beside X. Pass {name} in one place."
            )
        if entry is not None:
            given[name] = entry
    return replace(run, **given)


def _check_same_length(values, n_runs, name):
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


# Opened


@dataclass(frozen=True)
class OpenedRun:
    """A run whose headers and tables are read and checked, and whose scans are not.

    Attributes
    ----------
    run : Run
        As the user passed it.
    scans : Scans
        Of the image.
    kept : ndarray of shape (n_kept_scans,)
        Indices of the scans that are not censored.
    confounds : ndarray of shape (n_scans, n_confounds) or None
    position : int
        Place of the run in X.
    seed_scans : Scans
        Of the image that the seeds are in: the same, unless the run has another one.
    where : str
        Names the run in messages.
    n_scans : int
        Censored ones included.
    t_r : float or None
        Repetition time of the run itself in seconds.
    cosines : tuple of str
        Names of confounds that are fMRIPrep's cosines against slow drifts.
    part : str
        Names the image in messages where it is not the run's own, but that of its
        seeds.
    """

    run: Run
    scans: Any
    kept: np.ndarray
    confounds: np.ndarray | None
    position: int
    seed_scans: Any
    where: str
    n_scans: int
    t_r: float | None
    cosines: tuple = ()
    part: str = ""

    def seen_by(self, name):
        """Return the run as a masker sees it: seeds may be in an image of their own.

        Parameters
        ----------
        name : {"seed_masker", "brain_masker"}
        """
        if name == "brain_masker" or self.seed_scans is self.scans:
            return self
        run = replace(self.run, img=self.run.seed_img)
        part = with_file("seed_img", run.img)
        return replace(self, run=run, scans=self.seed_scans, part=part)

    @property
    def image(self):
        """Names the image in messages, with the run that it is of."""
        return f"{self.where}, {self.part}" if self.part else self.where

    def here(self):
        """Return it: it is open, as a `SentRun` is not yet."""
        return self

    def __reduce__(self):
        # A nibabel image takes its scans along to another process, a path does not.
        return SentRun, (replace(self.run, confounds=self.confounds), self.position)


@dataclass(frozen=True)
class SentRun:
    """What arrives of an `OpenedRun` in another process: the run, to be opened there.

    Not while it is unpickled, as an error there says neither which run nor why.

    Attributes
    ----------
    run : Run
        With its confounds as an array.
    position : int
    """

    run: Run
    position: int

    def here(self):
        """Return the `OpenedRun`; raises as `open_run` does."""
        return open_run(self.run, self.position)


def open_run(run, position):
    """Read and check everything of a run but its scans.

    Parameters
    ----------
    run : Run
    position : int
        Place of the run in X, for messages.

    Returns
    -------
    opened : OpenedRun

    Raises
    ------
    FileNotFoundError, ValueError
        If a file is missing, an image is not that of a run, or confounds, sample mask
        or the seeds' own image do not fit its scans.
    """
    where = describe_run(position, run.img)
    with naming(where):
        scans = open_scans(run.img)
        n_scans = scans.n_scans
        kept = check_sample_mask(run.sample_mask, n_scans)
        confounds, cosines = None, ()
        if run.confounds is not None:
            table = table_of(run.confounds, "confounds")
            cosines = tuple(filter(_is_cosine, table.columns))
            confounds = checked_confounds(table, n_scans, kept)
        seed_scans = scans
        if run.seed_img is not None:
            seed_scans = _open_seed_image(run.seed_img, n_scans)
    return OpenedRun(
        run,
        scans,
        kept,
        confounds,
        position,
        seed_scans,
        where,
        n_scans,
        run.t_r,
        cosines,
    )


def warn_of_doubts(opened):
    """Warn of what headers leave open of where a run lies."""
    doubts = [("", doubt) for doubt in opened.scans.doubts]
    if opened.seed_scans is not opened.scans:
        name = with_file(", seed_img", opened.run.seed_img)
        doubts += [(name, doubt) for doubt in opened.seed_scans.doubts]
    for name, doubt in doubts:
        about = run_in_warnings(opened.position, opened.run.img)
        warn(f"{about}{name}: {doubt}")


def _is_cosine(name):
    """Whether a column is one of the cosines by which fMRIPrep removes slow drifts."""
    return re.fullmatch(r"cosine\d+", str(name)) is not None


def _open_seed_image(seed_img, n_scans):
    """Return the scans of the image that the seeds are in."""
    with naming("seed_img", seed_img):
        seed_scans = open_scans(seed_img)
        if seed_scans.n_scans != n_scans:
            raise ValueError(
                f"img has {n_scans} scans and seed_img {seed_scans.n_scans}. Both must "
                "show the same acquisition, scan by scan."
            )
    return seed_scans


# Tables


def checked_confounds(table, n_scans, kept):
    """Return confounds as float64 `(n_scans, n_confounds)`, or None if there are none.

    Only the scans in `kept` must be finite; what is not finite in others becomes 0.
    """
    if len(table) != n_scans:
        raise ValueError(
            f"confounds must have one row per scan, shape ({n_scans}, n_confounds), "
            f"got shape {table.shape}. Censored scans stay in confounds: sample_mask "
            "takes them out of both."
        )
    array, names = numbers_of(table, "confounds")
    _check_finite_confounds(array[kept], kept, names)
    array[~np.isfinite(array)] = 0.0
    return array if array.shape[1] else None


def _check_finite_confounds(array, scans, names):
    """Raise ValueError naming the first column of confounds that is not finite."""
    bad = ~np.isfinite(array)
    if not bad.any():
        return
    column = int(np.flatnonzero(bad.any(axis=0))[0])
    name = f"column {column}" if names is None else f"column {names[column]!r}"
    rows = [int(scan) for scan in np.asarray(scans)[bad[:, column]]]
    shown = f"{rows[:5]}{' and more' if len(rows) > 5 else ''}"
    raise ValueError(
        f"confounds must be finite, {name} has NaN or infinite values at "
        f"scans {shown}. Choose other columns, fill the values (fMRIPrep leaves the "
        "first scan of derivatives empty), or leave the scans out with sample_mask."
    )


def kept_scans(run):
    """Return how many scans a run has, and the indices of those that it keeps."""
    n_scans = open_scans(run.img).n_scans
    return n_scans, check_sample_mask(run.sample_mask, n_scans)


def check_sample_mask(sample_mask, n_scans):
    """Return the indices of the kept scans, `(n_kept_scans,)`, ascending."""
    if sample_mask is None:
        return np.arange(n_scans)
    mask = whole_array(sample_mask, "sample_mask")
    if mask.ndim != 1 or mask.dtype.kind not in "biu":
        raise ValueError(
            f"sample_mask must be a 1D array of scan indices or of booleans, "
            f"got shape {mask.shape} and dtype {mask.dtype}."
        )
    if mask.dtype.kind == "b":
        mask = _indices_of_boolean_mask(mask, n_scans)
    elif len(mask) == n_scans and np.isin(mask, (0, 1)).all():
        raise ValueError(
            f"sample_mask has a 0 or 1 for each of {n_scans} scans, which as "
            "indices would be the first two alone. Make it boolean, with "
            "np.asarray(sample_mask).astype(bool)."
        )
    mask = mask.astype(np.intp)
    check_enough_scans(len(mask), "scans kept by sample_mask")
    if mask.min() < 0 or mask.max() >= n_scans:
        raise ValueError(
            f"sample_mask must hold indices from 0 to {n_scans - 1}, got "
            f"{mask.min()} to {mask.max()}. It counts scans of the whole run, from 0."
        )
    if (np.diff(mask) <= 0).any():
        raise ValueError(
            f"sample_mask must be ascending without repeats, got "
            f"{_shorten(mask)}. Sort it with np.unique."
        )
    return mask


def _indices_of_boolean_mask(mask, n_scans):
    """Return the indices where a boolean sample mask is True."""
    if len(mask) != n_scans:
        raise ValueError(
            f"a boolean sample_mask must have one value per scan, {n_scans}, "
            f"got {len(mask)}."
        )
    return np.flatnonzero(mask)


def _shorten(array):
    """Return a short text of a long 1D array."""
    return np.array2string(np.asarray(array), threshold=8, edgeitems=3)
