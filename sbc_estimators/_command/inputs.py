"""What `sbc-map` reads before any work: headers, confounds, repetition times."""

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from nilearn.surface import PolyMesh

from .._images.opening import open_scans
from .._images.scans import SECONDS_PER_UNIT
from .._reporting.images import VOLUME
from .._support.messages import naming, some_of
from ..runs._opened import check_sample_mask
from ..runs._run import Run
from ..runs._times import told_times
from .confounds import given_runs, read_sample_mask
from .together import DEFAULT_SMOOTHING, option

SECONDS = SECONDS_PER_UNIT | {"unknown": 1.0}
"""What NIfTI's units of time are in seconds; files often leave the unit out."""

LONGEST_T_R = 100.0
"""Seconds above which a repetition time must be meant in milliseconds."""

NO_CONFOUNDS = "none (nuisance signals stay in the data; see --confounds)"


@dataclass(frozen=True)
class Source:
    """A run on disk, and what belongs to it.

    Attributes
    ----------
    func, mask, confounds_file : Path or None
    confounds : DataFrame or None
        The columns that are used.
    sample_mask : ndarray of int or None
        The scans that are kept, None for all.
    shape : tuple of int
        Of the image.
    grid : Grid
        Of the image.
    smoothing : float
        Full width at half maximum in mm, 0 for none.
    mesh : PolyMesh or None
        Along which cortex is smoothed, and on which it is drawn.
    t_r : float or None
        In seconds.
    t_r_source : str
        Where it was found.
    """

    func: Path
    mask: Path | None
    confounds_file: Path | None
    confounds: Any
    sample_mask: Any
    shape: tuple
    grid: Any
    smoothing: float
    mesh: Any
    t_r: float | None
    t_r_source: str

    @property
    def run(self):
        """The `Run`, whose repetition time is left to the maskers."""
        return Run(self.func, self.confounds, self.sample_mask)

    @property
    def kind(self):
        """Of the image, as its grid names it."""
        return self.grid.kind

    @property
    def is_drawn(self):
        """Whether maps can be drawn: cortex alone cannot, without a mesh."""
        return self.mesh is not None or self.grid.part(VOLUME) is not None


def find_sources(options):
    """Return the runs that are asked for, with all that is known without their data.

    Parameters
    ----------
    options : argparse.Namespace
        As `__main__` parses them.

    Returns
    -------
    sources : list of Source

    Raises
    ------
    ValueError, FileNotFoundError
        If a file, a column or a header cannot be used.
    """
    if options.mask is not None:
        _check_mask(options.mask)
    mesh = _read_mesh(options.mesh)
    given = given_runs(options)
    sources = []
    for own in given:
        with naming(f"FUNC ({str(own.func)!r})") if len(given) > 1 else nullcontext():
            sources.append(_checked(options, own, mesh))
    return sources


def _checked(options, given, mesh):
    """Return the `Source` of a run that was found."""
    scans = _opened(given.func, "FUNC")
    _check_kind(options, scans.grid.kind)
    smoothing = _smoothing(options, scans.grid.kind)
    kept = _kept_scans(given, scans.n_scans)
    if given.confounds is not None:
        _check_confounds(given.confounds, scans.n_scans, kept, given.confounds_file)
    t_r, t_r_source = _repetition_time(options, given.func, scans)
    if t_r is not None:
        _check_band(*options.band, t_r)
    return Source(
        given.func,
        given.mask,
        given.confounds_file,
        given.confounds,
        kept,
        scans.shape,
        scans.grid,
        smoothing,
        mesh,
        t_r,
        t_r_source,
    )


def _read_mesh(paths):
    """Return the mesh of both hemispheres in two files, None without any."""
    if paths is None:
        return None
    with naming(f"--mesh ({' '.join(map(repr, map(str, paths)))})"):
        try:
            return PolyMesh(*map(str, paths))
        # Each format has a parser of its own, which fails in its own way.
        except Exception as error:
            raise ValueError(
                "not two surfaces that nilearn can open, left and right: "
                f"{type(error).__name__}: {error}"
            ) from error


def _check_kind(options, kind):
    """Raise ValueError where an option is for images of another kind."""
    if kind == VOLUME:
        if options.mesh is not None:
            raise ValueError(
                f"--mesh is for grayordinates (.dtseries.nii), this is {kind}"
            )
        return
    for name in ("mask", "mask_seeds"):
        if getattr(options, name):
            raise ValueError(f"{option(name)} is for volumes, this is {kind}")
    if options.mesh is None and options.smoothing:
        raise ValueError(
            "--smoothing needs --mesh, along which cortex is smoothed; give both, "
            "or --smoothing 0"
        )


def _smoothing(options, kind):
    """Return the width of smoothing in mm, 0 for none."""
    if options.smoothing is not None:
        return options.smoothing
    return DEFAULT_SMOOTHING if kind == VOLUME or options.mesh else 0.0


def _kept_scans(given, n_scans):
    """Return the scans that a run keeps by its strategy and by --sample-mask."""
    kept = [] if given.sample_mask is None else [given.sample_mask]
    if given.sample_mask_file is not None:
        mask = read_sample_mask(given.sample_mask_file, n_scans)
        with naming(f"--sample-mask ({str(given.sample_mask_file)!r})"):
            kept.append(check_sample_mask(mask, n_scans))
    if not kept:
        return None
    return check_sample_mask(np.intersect1d(kept[0], kept[-1]), n_scans)


def _check_confounds(table, n_scans, kept, path):
    """Raise ValueError unless a table has a finite number in each scan and column.

    Of scans that are not kept, it may have anything.
    """
    where = "--confounds" if path is None else f"--confounds {str(path)!r}"
    if len(table) != n_scans:
        raise ValueError(
            f"{where} has {len(table)} rows, but FUNC has {n_scans} scans. Give the "
            "table of this run, with a row for each scan"
        )
    table = table if kept is None else table.iloc[kept]
    bad = {name: _bad_scans(column) for name, column in table.items()}
    complete = [name for name, (_, scans) in bad.items() if not scans]
    for name, (what, scans) in bad.items():
        if scans:
            plural = "s" if len(scans) > 1 else ""
            raise ValueError(
                f"{where}: column {name!r} {what} in scan{plural} "
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
    return what, [str(scan) for scan in column.index[is_bad]]


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
    shape = _opened(path, "--mask", is_run=False).shape
    if np.prod(shape[3:]) != 1:
        raise ValueError(
            f"--mask ({str(path)!r}) must be a 3D image, got {len(shape)}D: {shape}"
        )


def _opened(path, name, is_run=True):
    """Return the `Scans` of a file, checked as the estimator does."""
    with naming(f"{name} ({str(path)!r})"):
        return open_scans(path, is_run)


def _repetition_time(options, path, scans):
    """Return the repetition time in seconds, its source, and all that files tell.

    Where it is not said, it is that of a sidecar, or the fourth zoom of the header in
    the header's unit. It is None if nobody knows it, and no band needs it.
    """
    if options.t_r is not None and options.t_r > LONGEST_T_R:
        raise ValueError(
            f"--t-r is in seconds; {options.t_r:g} looks like milliseconds, which is "
            f"{options.t_r / 1000:g} s"
        )
    if options.t_r is not None:
        return options.t_r, "--t-r"
    times, (step, unit) = _told_times(path, scans), scans.time_step
    if times:
        source = times[0].source
        note = ", which has no unit of time" if unit == "unknown" else ""
        return times[0].t_r, f"{source}{note if source == 'header' else ''}"
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
    times = told_times(path, in_header if is_told else None)
    if times and times[0].t_r > LONGEST_T_R:
        raise ValueError(
            f"the sidecar of {str(path)!r} has a RepetitionTime of {times[0].t_r:g}, "
            f"which BIDS takes as seconds. If milliseconds are meant, write "
            f"{times[0].t_r / 1000:g} there."
        )
    return times
