"""What `sbc-map` reads before any work: headers, confounds, the repetition time."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .._images.opening import open_scans
from .._images.scans import SECONDS_PER_UNIT
from .._support.messages import naming, some_of
from .._support.tables import read_table
from ..datasets import load_sample_run
from ..runs._times import told_times

SECONDS = SECONDS_PER_UNIT | {"unknown": 1.0}
"""What NIfTI's units of time are in seconds; files often leave the unit out."""

LONGEST_T_R = 100.0
"""Seconds above which a repetition time must be meant in milliseconds."""


@dataclass(frozen=True)
class Source:
    """A run on disk, and what belongs to it.

    Attributes
    ----------
    func, mask, confounds_file : Path or None
    confounds : DataFrame or None
        The columns that are used.
    shape : tuple of int
        Of the 4D image.
    t_r : float or None
        In seconds.
    t_r_source : str
        Where it was found.
    """

    func: Path
    mask: Path | None
    confounds_file: Path | None
    confounds: Any
    shape: tuple
    t_r: float | None
    t_r_source: str


def find_source(options):
    """Return the run that is asked for, with all that can be known without its data.

    Parameters
    ----------
    options : argparse.Namespace
        As `__main__` parses them.

    Returns
    -------
    source : Source

    Raises
    ------
    ValueError, FileNotFoundError
        If a file, a column or the header cannot be used.
    """
    if options.func is None:
        sample = load_sample_run()
        columns = options.columns or list(sample.run.confounds.columns)
        func, mask, confounds_file = sample.func, sample.mask_img, sample.confounds_file
    else:
        func, mask, confounds_file = options.func, options.mask, options.confounds
        columns = options.columns
    scans = _open_volume(func, "FUNC")
    if mask is not None:
        _check_mask(mask)
    confounds = _read_confounds(confounds_file, columns)
    if confounds is not None:
        _check_confounds(confounds, scans.n_scans, confounds_file)
    t_r, t_r_source = _repetition_time(options, func, scans)
    if t_r is not None:
        _check_band(*options.band, t_r)
    return Source(func, mask, confounds_file, confounds, scans.shape, t_r, t_r_source)


def _read_confounds(path, columns):
    """Return the chosen columns of a table of confounds, or None without a table."""
    if path is None:
        return None
    table = read_table(path, "--confounds")
    # The columns of a table without a header are numbers.
    table.columns = [str(name) for name in table.columns]
    missing = [name for name in columns or () if name not in table.columns]
    if missing:
        raise ValueError(
            f"--columns: {str(path)!r} has no column {missing[0]!r}; it has "
            f"{', '.join(table.columns)}"
        )
    return table if columns is None else table[columns]


def _check_confounds(table, n_scans, path):
    """Raise ValueError unless a table has a finite number in each scan and column."""
    if len(table) != n_scans:
        raise ValueError(f"--confounds has {len(table)} rows, FUNC has {n_scans} scans")
    bad = {name: _bad_scans(column) for name, column in table.items()}
    complete = [name for name, (_, scans) in bad.items() if not scans]
    for name, (what, scans) in bad.items():
        if scans:
            plural = "s" if len(scans) > 1 else ""
            raise ValueError(
                f"--confounds {str(path)!r}: column {name!r} {what} in scan{plural} "
                f"{some_of(scans, most=3)}; leave it out with --columns NAME,... "
                f"(complete: {some_of(complete) or 'none'})"
            )


def _bad_scans(column):
    """Return what is wrong with a column of confounds, and in which scans, as words."""
    numbers = pd.to_numeric(column, errors="coerce")
    what, is_bad = "has no finite number", ~np.isfinite(numbers)
    if column.isna().any():
        what, is_bad = "is empty", column.isna()
    elif numbers.isna().any():
        what, is_bad = "has no number", numbers.isna()
    return what, [str(scan) for scan in np.flatnonzero(is_bad)]


def _check_band(low, high, t_r):
    """Raise ValueError where a side of a band is not below the Nyquist frequency."""
    nyquist = 0.5 / t_r
    for side, value, cure in (("LOW", low, ""), ("HIGH", high, ", or inf")):
        if nyquist <= value < np.inf:
            raise ValueError(
                f"--band: {side} must be below {nyquist:.6g} Hz, half of 1 / {t_r:g} s"
                f"{cure}, got {value:g}"
            )


def _check_mask(path):
    """Raise ValueError unless a file holds one volume."""
    shape = _open_volume(path, "--mask", is_run=False).shape
    if np.prod(shape[3:]) != 1:
        raise ValueError(
            f"--mask ({str(path)!r}) must be a 3D image, got {len(shape)}D: {shape}"
        )


def _open_volume(path, option, is_run=True):
    """Return the `Scans` of a file, checked as the estimator does."""
    with naming(f"{option} ({str(path)!r})"):
        return open_scans(path, is_run)


def _repetition_time(options, path, scans):
    """Return the repetition time in seconds, or None if no band needs it; its source.

    Where it is not said, it is that of a sidecar, or the fourth zoom of the header in
    the header's unit.
    """
    if options.t_r is not None:
        if options.t_r > LONGEST_T_R:
            raise ValueError(
                f"--t-r is in seconds; {options.t_r:g} looks like milliseconds, which "
                f"is {options.t_r / 1000:g} s"
            )
        return options.t_r, "--t-r"
    step, unit = scans.time_step
    times = _told_times(path, scans)
    if times:
        t_r, source = times[0].t_r, times[0].source
        note = ", which has no unit of time" if unit == "unknown" else ""
        return t_r, f"{source}{note if source == 'header' else ''}"
    if options.band != (0, np.inf):
        raise ValueError(
            f"--t-r: a band needs the repetition time, and the header of {str(path)!r} "
            f"says {step:g} (unit: {unit}); give --t-r in seconds, or --band 0 inf"
        )
    return None, "unknown"


def _told_times(path, scans):
    """Return what sidecar and header tell of the repetition time."""
    step, unit = scans.time_step
    in_header = step * SECONDS.get(unit, 0.0)
    is_told = 0 < in_header <= LONGEST_T_R
    return told_times(path, in_header if is_told else None)
