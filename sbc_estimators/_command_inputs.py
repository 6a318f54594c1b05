"""What `sbc-map` reads before any work: headers, confounds, the repetition time."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from nibabel.spatialimages import SpatialImage

from ._checks import check_four_dimensional
from ._images import load_image
from ._tables import load_confounds
from .datasets import load_sample_run

SECONDS = {"sec": 1.0, "msec": 1e-3, "usec": 1e-6, "unknown": 1.0}
"""What NIfTI's units of time are in seconds; files often leave the unit out."""


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
    img = _open_run(func)
    if mask is not None:
        _check_mask(mask)
    confounds = _read_confounds(confounds_file, columns)
    t_r, t_r_source = _repetition_time(options, func, img.header)
    return Source(func, mask, confounds_file, confounds, img.shape, t_r, t_r_source)


def _read_confounds(path, columns):
    """Return the chosen columns of a table of confounds, or None without a table."""
    if path is None:
        return None
    table = load_confounds(path, "--confounds")
    # The columns of a table without a header are numbers.
    table.columns = [str(name) for name in table.columns]
    missing = [name for name in columns or () if name not in table.columns]
    if missing:
        raise ValueError(
            f"--columns: {str(path)!r} has no column {missing[0]!r}; it has "
            f"{', '.join(table.columns)}"
        )
    return table if columns is None else table[columns]


def _open_run(path):
    """Return the 4D image in a file, with its data not read."""
    where = f"FUNC ({str(path)!r})"
    img = _open_volume(path, where)
    check_four_dimensional(img.shape, where)
    return img


def _check_mask(path):
    """Raise ValueError unless a file holds one volume."""
    where = f"--mask ({str(path)!r})"
    shape = _open_volume(path, where).shape
    if len(shape) != 3:
        raise ValueError(f"{where} must be a 3D image, got {len(shape)}D: {shape}")


def _open_volume(path, where):
    """Return the image in a file, with its data not read."""
    img = load_image(path, where)
    if not isinstance(img, SpatialImage):
        raise ValueError(
            f"{where} must be a volume, such as NIfTI, got {type(img).__name__}; for "
            "runs on a surface, use SeedCorrelationMap in Python"
        )
    return img


def _repetition_time(options, path, header):
    """Return the repetition time in seconds, or None if no band needs it; its source.

    Where it is not said, it is the fourth zoom of the header in the header's unit.
    """
    if options.t_r is not None:
        return options.t_r, "--t-r"
    # As text, because a float32 of 0.72 is 0.7200000286 as float.
    step = float(str(header.get_zooms()[3]))
    has_units = hasattr(header, "get_xyzt_units")
    unit = header.get_xyzt_units()[1] if has_units else "that of the format"
    if unit in SECONDS and np.isfinite(step) and step > 0:
        note = ", which has no unit of time" if unit == "unknown" else ""
        return step * SECONDS[unit], f"header{note}"
    if options.band != (0, np.inf):
        raise ValueError(
            f"--t-r: a band needs the repetition time, and the header of {str(path)!r} "
            f"says {step:g} (unit: {unit}); say --t-r in seconds, or --band 0 inf"
        )
    return None, "unknown"
