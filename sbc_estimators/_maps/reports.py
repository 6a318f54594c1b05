"""What there is to say of maps: tables of runs and seeds, and warnings."""

from dataclasses import asdict

import pandas as pd

from .._signals.sources import signal_names
from .._support.messages import warn

LEAST_COVERAGE = 0.5
"""Part of a seed's voxels within the brain and with signal below which we warn."""


def run_report(maps):
    """Return a table with a row for each run, from `SeedMap` of all."""
    names = ("n_scans", "n_kept_scans", "rank", "n_without_signal", "n_explained")
    return pd.DataFrame(
        [
            {"run": seed_map.where, **{name: getattr(seed_map, name) for name in names}}
            for seed_map in maps
        ]
    )


def seed_report(maps, names):
    """Return a table with a row for each run and seed."""
    report = pd.DataFrame(
        [
            {"run": seed_map.where, "seed": name, **asdict(quality)}
            for seed_map in maps
            for name, quality in zip(names, seed_map.qualities, strict=True)
        ]
    )
    # Integers, some of which may be missing.
    return report.astype({"n_voxels": "Int64"})


def paths_taken(maps):
    """Return how the signals of each masker were obtained, over all runs."""
    return {
        name: "; ".join(dict.fromkeys(seed_map.paths[name] for seed_map in maps))
        for name in ("seed_masker", "brain_masker")
    }


def warn_of_map(seed_map, seeds):
    """Warn once per run of each thing that is not as it was asked for."""
    n_voxels = seed_map.r.shape[1]
    if seed_map.n_without_signal:
        warn(
            f"{seed_map.where}: {seed_map.n_without_signal} of {n_voxels} voxels have "
            "no signal (constant, not finite, or nothing left after cleaning). Their r "
            "and z are 0."
        )
    if seed_map.n_explained:
        warn(
            f"{seed_map.where}: the other seeds leave nothing of "
            f"{seed_map.n_explained} of {n_voxels} voxels (each is a seed by itself, "
            "or a sum of seeds). There partial r and z are 0."
        )
    low = _of_low_coverage(seed_map, seeds)
    if low:
        more = " and more" if len(low) > 5 else ""
        count = "1 seed" if len(low) == 1 else f"{len(low)} seeds"
        warn(
            f"{seed_map.where}: less than half of the voxels of {count} lie within "
            f"the brain mask and have a signal: {', '.join(low[:5])}{more}. "
            "Move them, make them smaller, or look at seed_report_."
        )


def _of_low_coverage(seed_map, seeds):
    """Return the names of seeds that lie for the most part outside, with how much."""
    names = signal_names(seeds, len(seed_map.qualities), "seed")
    return [
        f"{name} ({quality.coverage:.0%})"
        for name, quality in zip(names, seed_map.qualities, strict=True)
        if quality.coverage < LEAST_COVERAGE
    ]
