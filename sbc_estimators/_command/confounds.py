"""Which runs are asked for, with the files and confounds that belong to them."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from nilearn.interfaces.bids import parse_bids_filename

from .._support.messages import naming
from .._support.tables import numbers_of, read_table
from ..datasets import load_sample_run
from ..runs._bids import BoldImage, brain_mask
from ..runs._fmriprep import find_preprocessed
from ..runs._strategies import Strategy, check_tables, load, table_of_image

DERIVATIVE = "_derivative1"
"""Within the names of fMRIPrep's changes from scan to scan, which the first has not."""


@dataclass(frozen=True)
class Given:
    """A run as it was asked for, unopened.

    Attributes
    ----------
    func, mask, confounds_file, sample_mask_file : Path or None
    confounds : DataFrame or None
        The columns that are used.
    sample_mask : ndarray of int or None
        By a strategy.
    """

    func: Path
    mask: Path | None = None
    confounds_file: Path | None = None
    confounds: Any = None
    sample_mask: Any = None
    sample_mask_file: Path | None = None


def given_runs(options):
    """Return the runs that are asked for, a list of `Given`.

    Parameters
    ----------
    options : argparse.Namespace
        As `__main__` parses them.

    Raises
    ------
    ValueError, FileNotFoundError
        If a folder has no such runs, or a table lacks what is asked for.
    """
    masks = options.sample_mask or [None]
    if not options.func:
        return [_sample(options, masks[0])]
    if options.is_folder or options.strategy is not None:
        return [_of_fmriprep(options, *own) for own in _images(options)]
    n_runs = len(options.func)
    masks = masks * n_runs if len(masks) == 1 else masks
    tables = options.confounds or [None] * n_runs
    return [
        Given(func, options.mask, table, _columns(table, options.columns), None, mask)
        for func, table, mask in zip(options.func, tables, masks, strict=True)
    ]


def _sample(options, sample_mask):
    """Return the run that ships with the package."""
    sample = load_sample_run()
    columns = options.columns or list(sample.run.confounds.columns)
    table = sample.confounds_file
    confounds = _columns(table, columns)
    return Given(sample.func, sample.mask_img, table, confounds, None, sample_mask)


def _columns(path, patterns):
    """Return the chosen columns of a table of confounds, or None without a table.

    Changes from scan to scan, as fMRIPrep writes them, also get a first value: that of
    the second scan, as nilearn does it.
    """
    if path is None:
        return None
    table = read_table(path, "--confounds")
    # The columns of a table without a header are numbers.
    table.columns = [str(name) for name in table.columns]
    if patterns is not None:
        table = table[_matching(table, patterns, path)].copy()
    for name in table.columns:
        if DERIVATIVE in name and pd.isna(table.loc[0, name]):
            table.loc[0, name] = table.loc[1, name]
    return table


def _matching(table, patterns, path):
    """Return the names of the columns that are meant, each once."""
    found = {}  # as a set that keeps the order
    for pattern in patterns:
        names = [
            name
            for name in table.columns
            if name == pattern or fnmatchcase(name, pattern)
        ]
        if not names:
            raise ValueError(
                f"--columns: {str(path)!r} has no column {pattern!r}; it has "
                f"{', '.join(table.columns)}"
            )
        found.update(dict.fromkeys(names))
    return list(found)


# fMRIPrep


def _images(options):
    """Yield each image in folders, or of files, with its words and its sample mask."""
    masks = options.sample_mask or [None]
    if options.is_folder:
        strategy = Strategy.checked(options.strategy or "simple", None)
        filters = {"task": options.task, "space": options.space}
        images = []
        for folder in options.func:
            with naming(f"FUNC ({str(folder)!r})"):
                images += find_preprocessed(folder, strategy, **filters)
    else:
        images = [
            BoldImage(str(path), parse_bids_filename(path)["entities"])
            for path in options.func
        ]
    masks = masks * len(images) if len(masks) == 1 else masks
    names = [f"FUNC ({image.file!r})" for image in images]
    if options.strategy is not None:
        check_tables(images, names, Strategy.checked(options.strategy, None))
    return zip(images, names, masks, strict=True)


def _of_fmriprep(options, image, where, sample_mask_file):
    """Return a run that fMRIPrep wrote, with what lies beside it."""
    mask = brain_mask(image) if options.mask is None else options.mask
    table, kept = table_of_image(image), None
    with naming(where):
        if options.strategy is not None:
            strategy = Strategy.checked(options.strategy, None)
            confounds, kept = load(image.file, strategy, where)
        elif table is None:
            raise FileNotFoundError(
                "no table of confounds beside the image, of which --columns could be "
                "taken. fMRIPrep calls it *_desc-confounds_timeseries.tsv."
            )
        else:
            confounds = _columns(table, options.columns)
    return Given(Path(image.file), mask, table, confounds, kept, sample_mask_file)


# Scans


def read_sample_mask(path, n_scans):
    """Return the scans that a file says to keep, as indices or booleans.

    Parameters
    ----------
    path : Path
        Of one column: the numbers of the scans that are kept, from 0 on; or a 0 or 1
        for each scan.
    n_scans : int

    Raises
    ------
    ValueError
        If it holds anything else.
    """
    numbers, _ = numbers_of(path, "--sample-mask")
    if numbers.shape[1] != 1 or not (numbers == np.floor(numbers)).all():
        raise ValueError(
            f"--sample-mask ({str(path)!r}) must have one column of whole numbers: the "
            f"scans to keep, from 0 on, or a 0 or 1 for each scan. It has "
            f"{numbers.shape[1]} columns."
        )
    values = numbers[:, 0].astype(int)
    is_switch = len(values) == n_scans and np.isin(values, (0, 1)).all()
    return values == 1 if is_switch else values
