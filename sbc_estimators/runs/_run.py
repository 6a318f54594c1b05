"""`Run`, and the ways to write one run or many."""

import os
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pandas as pd

from .._support.checks import check_same_length
from .._support.messages import describe_run


@dataclass(frozen=True, eq=False)
class Run:
    """One acquisition: a 4D image with its confounds and all else that belongs to it.

    A run that carries its own confounds, sample mask and repetition time cannot lose
    them: scikit-learn's cross-validation splits, copies and passes on whole runs, while
    arguments beside X reach `fit` but not always `transform`.

    Parameters
    ----------
    img : str, path, nibabel image or SurfaceImage
        The 4D image (x, y, z, scans), or nilearn's SurfaceImage (vertices, scans).
    confounds : array-like of shape (n_scans, n_confounds), DataFrame, path or None, \
            default=None
        Regressed out of all signals. A path is that of a table, with or without a
        header: .tsv, .csv, or separated by white space. All its columns are used.
    sample_mask : array-like of int or bool or None, default=None
        The scans to keep: ascending indices, or one boolean per scan.
    t_r : float or None, default=None
        Repetition time in seconds. It takes precedence over that of the maskers.
    seed_img : str, path, nibabel image, SurfaceImage or None, default=None
        The same acquisition in the form that the seed masker takes, if that is not
        `img`: a volume for subcortical seeds of a map on the surface, or the reverse.
        Both must have the same scans, so that confounds, sample mask and repetition
        time hold for both.
    seed_signals : array-like of shape (n_scans, n_signals), DataFrame, path or None, \
            default=None
        The signals that :class:`sbc_estimators.maskers.GivenSignals` uses as seeds,
        such as physiology or a model's prediction. A path is as for `confounds`.

    Examples
    --------
    >>> from sbc_estimators import Run
    >>> Run("sub-01_bold.nii.gz", confounds="sub-01_confounds.tsv", t_r=2.0)
    Run('sub-01_bold.nii.gz', confounds='sub-01_confounds.tsv', t_r=2.0)
    """

    img: Any
    confounds: Any = None
    sample_mask: Any = None
    t_r: float | None = None
    seed_img: Any = None
    seed_signals: Any = None

    def __repr__(self):
        parts = [_summary(self.img)]
        for field in fields(self)[1:]:
            value = getattr(self, field.name)
            if value is not None:
                parts.append(f"{field.name}={_summary(value)}")
        return f"Run({', '.join(parts)})"


def _summary(value):
    """Return a short text of an image, table, path or number."""
    if isinstance(value, str | os.PathLike):
        return repr(os.fspath(value))
    shape = getattr(value, "shape", None)
    if shape is not None:
        return f"<{type(value).__name__} of shape {tuple(shape)}>"
    text = repr(value)
    return text if len(text) < 60 else f"<{type(value).__name__}>"


def as_runs(X, confounds=None, sample_mask=None):
    """Return X, with what was passed beside it, as a list of `Run`.

    Parameters
    ----------
    X : run or sequence of runs
        A run is a path, a nibabel image, a SurfaceImage or a `Run`; a sequence is a
        list, a tuple, an object array or a pandas Series.
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
            check_same_length(values, len(runs), name)
            beside[name] = list(values)
    return [_joined(run, i, beside) for i, run in enumerate(runs)]


def is_bare(X):
    """Return which runs in X are images alone, as a list of bool."""
    return [not isinstance(run, Run) for run in ([X] if _is_run(X) else X)]


def _is_run(X):
    """Tell one run from a sequence of runs."""
    if isinstance(X, Run | str | os.PathLike):
        return True
    return hasattr(X, "shape") and (hasattr(X, "dataobj") or hasattr(X, "mesh"))


def _sequence_of_runs(X):
    """Return X as a list, if it is a sequence of runs that is not empty."""
    is_sequence = isinstance(X, list | tuple | np.ndarray | pd.Series | pd.Index)
    if not is_sequence or getattr(X, "ndim", 1) == 0:
        raise TypeError(
            "X must be one run or a sequence of runs (list, tuple, object array, "
            f"Series), got {type(X).__name__}. A run is a path, a 4D nibabel image, a "
            "SurfaceImage or a Run."
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
