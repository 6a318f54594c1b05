"""What the fitted estimator tells of its maps: tables of runs and seeds, warnings."""

import pandas as pd

from .._signals.nilearn_own import RESAMPLED
from .._support.messages import warn
from ..runs._bids import acquisition

LEAST_DOF = 10
"""Effective degrees of freedom below which we warn."""

LEAST_COVERAGE = 0.5
"""Part of a seed's voxels with a signal below which we warn."""


NUMBERS = {
    "n_scans": "Int64",
    "n_kept_scans": "Int64",
    "effective_dof": "float64",
    "n_without_signal": "Int64",
    "n_explained": "Int64",
}
"""What is told of each run, as `SeedMap` calls it, and in which type."""


def told_of(maps, failed=(), index=None):
    """Return what the fitted estimator tells of its maps, as names and values.

    Parameters
    ----------
    maps : list of SeedMap
    failed : list of FailedRun, default=()
        Runs of which there is no map.
    index : pandas Index or None, default=None
        That of the runs, which their rows keep.
    """
    maps = sorted(maps, key=lambda own: own.position)
    run_report, seed_report = _run_report(maps, failed), _seed_report(maps)
    if index is not None:
        run_report.index = index
        seed_report.index = index.take(seed_report["run"])
    return {
        "paths_": _paths(maps),
        "run_report_": run_report,
        "seed_report_": seed_report,
    }


def _run_report(maps, failed):
    """Return a table with a row for each run, of one that failed without numbers."""
    told = sorted([*maps, *failed], key=lambda own: own.position)
    report = pd.DataFrame(list(map(_acquired, told)))
    # Column by column, which takes a tenth of the time of one table in other types.
    for name, kind in NUMBERS.items():
        report[name] = pd.Series([getattr(own, name, None) for own in told], dtype=kind)
    errors = [str(own.error) if own in failed else None for own in told]
    report["error"] = pd.Series(errors, dtype=object)
    return report


def _seed_report(maps):
    """Return a table with a row for each run and seed."""
    report = pd.DataFrame(
        [
            {**_acquired(own), "seed": name, **vars(quality)}
            for own in maps
            for name, quality in zip(own.names, own.qualities, strict=True)
        ]
    )
    if any(own.seed_table is not None for own in maps):
        beside = pd.concat(map(_table_of_seeds, maps), ignore_index=True)
        known = {name: f"seed_{name}" for name in beside if name in report}
        report = report.join(beside.rename(columns=known))
    # Integers, some of which may be missing.
    report["n_voxels"] = report["n_voxels"].astype("Int64")
    return report


def _table_of_seeds(seed_map):
    """Return what a table tells of each seed, an empty one where there is none."""
    if seed_map.seed_table is None:
        return pd.DataFrame(index=range(len(seed_map.names)))
    return seed_map.seed_table


def _acquired(seed_map):
    """Return the position of a run, its file, and what the file's name tells of it."""
    # The file not at either end, so that pandas shows what is short where all is not.
    img = seed_map.img
    return {"run": seed_map.position, **acquisition(img), "img": img}


def _paths(maps):
    """Return how the signals of each masker were obtained, over all runs."""
    return {
        "seed_masker": "; ".join(dict.fromkeys(own.seed_path for own in maps)),
        "brain_masker": "; ".join(dict.fromkeys(own.brain_path for own in maps)),
    }


def warn_of_map(seed_map):
    """Warn once per run of each thing that is not as it was asked for."""
    for words in _doubts(seed_map):
        warn(f"{seed_map.named}: {words}")


def _doubts(seed_map):
    """Yield the words for each thing that is not as it was asked for.

    Without numbers that change from one fit to the next, so that Python can tell what
    it has shown already.
    """
    if seed_map.n_without_signal:
        yield (
            f"some voxels have no signal ({_why_without_signal(seed_map)}). Their r "
            "and z are 0; run_report_ counts them, and valid_voxels_ leaves them out."
        )
    if seed_map.n_explained:
        yield (
            "the other seeds leave nothing of some voxels (each is a seed by itself, "
            "or a sum of seeds). There partial r and z are 0; run_report_ counts them."
        )
    if seed_map.effective_dof < LEAST_DOF:
        yield (
            f"cleaning leaves fewer than {LEAST_DOF} effective degrees of freedom, too "
            "few for a map to tell much. Use fewer confounds, a wider band, or keep "
            "more scans."
        )
    low = _of_low_coverage(seed_map)
    if low:
        more = " and more" if len(low) > 5 else ""
        yield (
            f"less than half of the voxels of seed{'s' * (len(low) > 1)} "
            f"{', '.join(low[:5])}{more} have a signal. Move them, make them smaller, "
            "or look at seed_report_."
        )


def _why_without_signal(seed_map):
    """Return the words for why voxels may have no signal."""
    causes = "constant, not finite, or nothing left after cleaning"
    if RESAMPLED in seed_map.brain_path:
        causes += f"; or beyond the image, as {RESAMPLED}"
    return causes


def _of_low_coverage(seed_map):
    """Return the names of seeds that lie for the most part outside."""
    return [
        repr(name)
        for name, quality in zip(seed_map.names, seed_map.qualities, strict=True)
        if quality.coverage < LEAST_COVERAGE
    ]
