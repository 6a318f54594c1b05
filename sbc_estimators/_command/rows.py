"""What the estimator tells of a run and its seeds, as rows of tables of many runs."""

import numpy as np
import pandas as pd

LEFT_OUT = ("run", "img", "error")
"""What is said of each run anew, as an estimator that knows one run cannot."""


def run_row(estimator):
    """Return what a fitted estimator tells of its only run, as JSON has it."""
    return _plain(estimator.run_report_.iloc[0].to_dict())


def quality_rows(estimator):
    """Return what a fitted estimator tells of each seed in its only run."""
    return [_plain(row) for row in estimator.seed_report_.to_dict("records")]


def in_short(own, unknown):
    """Return the rows of a run that is mapped, and two numbers of them as text.

    Parameters
    ----------
    own : MapsInBids or MapsInFolder
    unknown : str
        Stands for what is not known.

    Returns
    -------
    run : dict
    seeds : list of dict
    dof, coverage : str
        Effective degrees of freedom, and the least coverage of a seed.
    """
    run, seeds = own.rows()
    known = [row["coverage"] for row in seeds if row["coverage"] is not None]
    dof = unknown if run["effective_dof"] is None else f"{run['effective_dof']:.0f}"
    return run, seeds, dof, f"{min(known):.0%}" if known else unknown


def _plain(row):
    """Return a row as JSON has it: None for what is missing or infinite."""
    return {k: _value(v) for k, v in row.items() if k not in LEFT_OUT}


def _value(value):
    """Return a value of a table in terms of JSON."""
    if value is None or value is pd.NA:
        return None
    if isinstance(value, str):
        return value
    value = value.item() if isinstance(value, np.generic) else value
    return value if np.isfinite(value) else None
