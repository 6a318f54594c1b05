"""What the tables of `fit` say, as rows of plain numbers and texts."""

import re

import numpy as np
import pandas as pd
from nilearn.interfaces.bids import parse_bids_filename

from .._maps.reports import LEAST_COVERAGE, LEAST_DOF
from .._support.messages import describe_run

QUALITIES = ("n_voxels", "coverage", "homogeneity", "tsnr")
"""What is said of each seed, as `seed_report_` names it."""

WITHIN_NAMES = ("sub", "ses", "task", "acq", "run")
"""What of a BIDS name tells people's runs apart at a glance."""


def known(value):
    """Return a number as Python has it, None if it is missing or infinite."""
    if value is None or pd.isna(value) or np.isinf(value):
        return None
    return value.item() if isinstance(value, np.generic) else value


# Runs


def run_files(report):
    """Return for each run of `run_report_` the name of its file, "" without one."""
    return ["" if pd.isna(file) else file for file in report["img"]]


def run_labels(files):
    """Return a short name for each run, no two of them alike.

    Examples
    --------
    >>> run_labels(["a/sub-01_task-rest_bold.nii.gz", "a/sub-02_task-rest_bold.nii.gz"])
    ['sub-01 task-rest', 'sub-02 task-rest']
    >>> run_labels(["", "rest.nii.gz"])
    ['run 0', 'rest.nii.gz']
    """
    labels = [short_name(file) or f"run {i}" for i, file in enumerate(files)]
    if len(set(labels)) == len(labels):
        return labels
    return [f"run {i}: {label}" for i, label in enumerate(labels)]


def short_name(file):
    """Return what the name of a file says of its run, without the folders."""
    name = re.split(r"[/\\]", file)[-1]
    if not name.startswith("sub-"):
        return name
    entities = parse_bids_filename(name)["entities"]
    return " ".join(f"{key}-{entities[key]}" for key in WITHIN_NAMES if key in entities)


def mapped_runs(sbc):
    """Return the rows of `run_report_` of runs that were not left out."""
    report = sbc.run_report_
    return report[report["error"].isna()].reset_index(drop=True)


def run_rows(report, labels, n_confounds=None):
    """Return a dict for each run, from `run_report_`.

    Parameters
    ----------
    report : DataFrame
    labels : list of str
        What to call the runs.
    n_confounds : list of int or None, default=None
        None where it is not known.
    """
    counts = ("n_scans", "n_kept_scans", "n_without_signal", "n_explained")
    rows = []
    for i, row in enumerate(report.to_dict("records")):
        numbers = {name: known(row[name]) for name in counts}
        numbers["effective_dof"] = known(row["effective_dof"])
        numbers["n_confounds"] = None if n_confounds is None else n_confounds[i]
        rows.append({"label": labels[i], **numbers})
    return rows


# Seeds


def seed_rows(report, names):
    """Return a dict for each seed: its qualities in `seed_report_`, mean over runs."""
    by_run = _by_run_and_seed(report, len(names))
    with np.errstate(invalid="ignore"):
        means = {name: _mean_over_runs(by_run[name]) for name in QUALITIES}
    return [
        {"name": name, **{key: known(means[key][i]) for key in QUALITIES}}
        for i, name in enumerate(names)
    ]


def seed_rows_of_runs(report, position, n_seeds):
    """Return a dict for each run with the qualities of one seed in it."""
    by_run = _by_run_and_seed(report, n_seeds)
    columns = [by_run[name][:, position] for name in (*QUALITIES, "homogeneity_sd")]
    return [
        dict(zip((*QUALITIES, "homogeneity_sd"), map(known, values), strict=True))
        for values in zip(*columns, strict=True)
    ]


def _by_run_and_seed(report, n_seeds):
    """Return each quality as an array `(n_runs, n_seeds)`, NaN where it is missing."""
    return {
        name: report[name].to_numpy(float, na_value=np.nan).reshape(-1, n_seeds)
        for name in (*QUALITIES, "homogeneity_sd")
    }


def _mean_over_runs(values):
    """Return the mean over the runs that have a value, NaN where none has."""
    there = np.isfinite(values)
    total = np.where(there, values, 0.0).sum(axis=0)
    return total / np.where(there.any(axis=0), there.sum(axis=0), np.nan)


def lowest_quality(rows, most):
    """Return positions of at most so many seeds, those of lowest quality, ascending.

    All seeds if there are no more. Quality is the mean of three ranks: coverage,
    homogeneity and temporal signal-to-noise ratio.
    """
    if len(rows) <= most:
        return list(range(len(rows)))
    table = pd.DataFrame(rows)[["coverage", "homogeneity", "tsnr"]].astype(float)
    order = table.rank(pct=True).mean(axis=1).sort_values(kind="stable").index
    return sorted(int(position) for position in order[:most])


# What is not as it should be


def warnings_of_tables(sbc):
    """Return what the tables of `fit` have to warn of, as sentences."""
    return [*_of_runs(mapped_runs(sbc), sbc.n_voxels_), *_of_seeds(sbc.seed_report_)]


def _of_runs(report, n_voxels):
    """Return a sentence for each thing that is amiss in a run."""
    found = []
    for row in report.to_dict("records"):
        if row["n_without_signal"]:
            found.append(
                f"{_named(row)}: {row['n_without_signal']:,} of {n_voxels:,} voxels "
                "have no signal (constant, not finite, or nothing left after "
                "cleaning). Their r and z are 0."
            )
        if row["n_explained"]:
            found.append(
                f"{_named(row)}: the other seeds leave nothing of "
                f"{row['n_explained']:,} of {n_voxels:,} voxels. There partial r and "
                "z are 0."
            )
        dof = known(row["effective_dof"])
        if dof is not None and dof < LEAST_DOF:
            found.append(
                f"{_named(row)}: cleaning leaves only {dof:.1f} effective degrees of "
                "freedom."
            )
    return found


def _of_seeds(report):
    """Return a sentence for each run in which seeds are covered by less than half."""
    low = report[report["coverage"] < LEAST_COVERAGE]
    found = []
    for _, rows in low.groupby("run", sort=False):
        pairs = zip(rows["seed"], rows["coverage"], strict=True)
        seeds = [f"{seed} ({coverage:.0%})" for seed, coverage in pairs]
        more = f" and {len(seeds) - 5} more" if len(seeds) > 5 else ""
        found.append(
            f"{_named(rows.iloc[0])}: the coverage of these seeds is below one half: "
            f"{', '.join(seeds[:5])}{more}."
        )
    return found


def _named(row):
    """Return the words for the run of a row."""
    return describe_run(row["run"], row["img"])
