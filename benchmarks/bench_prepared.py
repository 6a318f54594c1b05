"""What another seed costs once a run is prepared.

A run is prepared, in memory and in files that are mapped into memory, and then mapped
with one seed and with 100, each time others. Beside that, many runs that a cache of
level 2 holds are mapped anew with a seed that none of them was mapped with before: what
`fit_transform` does then is all but read scans. All contestants run in this process and
take turns.

    python benchmarks/bench_prepared.py                  # a simulated run
    python benchmarks/bench_prepared.py --func FILE --mask FILE --t-r SECONDS
"""

import argparse
import itertools
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
from _measure import (
    describe_setting,
    folder_size,
    reference_run,
    seeds_inside,
    time_in_turn,
)
from nilearn.maskers import NiftiMasker

from sbc_estimators import Run, SeedCorrelationMap
from sbc_estimators.maskers import SphereSeeds

CLEANING = {"detrend": True, "low_pass": 0.1, "high_pass": 0.01}
RADIUS, FWHM, N_SEEDS, N_PARTIAL = 8.0, 6.0, 100, 10


@dataclass(frozen=True)
class Data:
    """Copies of a run on disk, and seeds within its mask."""

    runs: list
    mask: str
    seeds: tuple

    def estimator(self, seeds, **options):
        """Return an unfitted estimator of some seeds."""
        brain = NiftiMasker(self.mask, smoothing_fwhm=FWHM, **CLEANING)
        return SeedCorrelationMap(spheres(seeds), brain, **options)


def spheres(seeds):
    """Return a masker of spheres, which may overlap."""
    return SphereSeeds(list(seeds), radius=RADIUS, allow_overlap=True)


def copies(run, mask, n_runs, folder):
    """Return as many copies of a run, each a file of its own, and seeds."""
    ending = "".join(Path(run.img).suffixes[-2:])
    paths = [Path(folder, f"copy-{i}{ending}") for i in range(n_runs)]
    for path in paths:
        shutil.copyfile(run.img, path)
    runs = [Run(path, run.confounds, t_r=run.t_r) for path in paths]
    return Data(runs, mask, seeds_inside(mask, N_SEEDS))


# What is timed


def contestants(data, fitted, held, prepared):
    """Return what is timed of prepared runs, by name.

    Parameters
    ----------
    data : Data
    fitted : SeedCorrelationMap
        Keeps nothing.
    held, prepared : PreparedRun
        In memory and in files.
    """
    one = itertools.cycle([spheres([seed]) for seed in data.seeds])
    half = len(data.seeds) // 2
    many = itertools.cycle(
        [spheres(data.seeds), spheres(data.seeds[half:] + data.seeds[:half])]
    )
    name = f"{len(data.seeds)} seeds"
    return {
        "one seed": lambda: prepared.map(next(one)),
        "one seed, in memory": lambda: held.map(next(one)),
        "one seed, median of its voxels": lambda: prepared.map(next(one), "median"),
        name: lambda: prepared.map(next(many)),
        f"{name}, in memory": lambda: held.map(next(many)),
        f"{N_PARTIAL} seeds, partial": lambda: prepared.map(
            spheres(data.seeds[:N_PARTIAL]), measure="partial"
        ),
        "fit_transform from the file": lambda: fitted.fit_transform(data.runs[0]),
    }


def many_runs(data, cache):
    """Return what maps all runs with a seed that they were not mapped with, by name."""
    seeds = iter(data.seeds[1:])

    def anew(scale):
        sbc = data.estimator([next(seeds)], memory=cache, memory_level=2, scale=scale)
        return sbc.fit_transform(data.runs)

    return {
        f"fit_transform of {len(data.runs)} runs, {scale}": lambda scale=scale: anew(
            scale
        )
        for scale in ("fisher_z", "z_score")
    }


def largest_difference(data, prepared):
    """Return how far r is from that of `fit_transform`, of one seed and of many."""
    differences = []
    kinds = {1: "correlation", N_PARTIAL: "partial", N_SEEDS: "correlation"}
    for n, measure in kinds.items():
        seeds = data.seeds[:n]
        sbc = data.estimator(seeds, measure=measure, scale="r")
        r = sbc.fit_transform(data.runs[0]).reshape(len(seeds), -1)
        found = prepared.map(spheres(seeds), measure=measure)
        differences.append(np.abs(found - r).max())
    return max(differences)


# Printing


def report(data, rounds, folder):
    """Measure and print everything."""
    print(describe_setting())
    cache = Path(folder, "cache")
    fitted = data.estimator(data.seeds[:1]).fit(data.runs[0])
    start = time.perf_counter()
    kept = data.estimator(data.seeds[:1], memory=cache, memory_level=2).fit(data.runs)
    seconds = time.perf_counter() - start
    shape = nibabel.load(data.runs[0].img).shape
    with fitted.prepare(data.runs[0]) as held, kept.prepare(data.runs[0]) as prepared:
        print(
            f"\nrun {shape}, {fitted.n_voxels_} voxels in the mask, rank "
            f"{prepared.rank}; fwhm {FWHM} mm, {CLEANING}, spheres of {RADIUS} mm"
        )
        timings = time_in_turn(contestants(data, fitted, held, prepared), rounds)
        difference = largest_difference(data, prepared)
    print(
        f"{len(data.runs)} runs prepared and mapped once: {seconds:.2f} s, "
        f"{folder_size(cache):.0f} MiB in the cache"
    )
    n_left = (len(data.seeds) - 1) // 2 - 1
    runs = time_in_turn(many_runs(data, cache), min(rounds, n_left))
    print(f"\n{'':34s} {'median ms':>10s} {'smallest':>9s} {'largest':>9s}")
    for name, seconds in (timings.seconds | runs.seconds).items():
        ms = 1000 * np.array([np.median(seconds), min(seconds), max(seconds)])
        print(f"{name:34s} {ms[0]:10.2f} {ms[1]:9.2f} {ms[2]:9.2f}")
    print(f"\nlargest difference in r from fit_transform: {difference:.1e}")


def main(argv=None):
    """Read the command line and report."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--func", help="4D run; default: a simulated one")
    parser.add_argument("--mask", help="brain mask on the run's grid")
    parser.add_argument("--confounds", help="TSV, all of its columns are used")
    parser.add_argument("--t-r", type=float, help="repetition time in s")
    parser.add_argument("--runs", type=int, default=20, help="copies of the run")
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--fast", action="store_true", help="small, for a smoke test")
    options = parser.parse_args(argv)
    if options.func and not (options.mask and options.t_r):
        parser.error("--func needs --mask and --t-r")
    n_runs, rounds = (2, 2) if options.fast else (options.runs, options.rounds)
    with tempfile.TemporaryDirectory() as folder:
        if options.func:
            table = options.confounds and pd.read_csv(options.confounds, sep="\t")
            run, mask = Run(options.func, table, t_r=options.t_r), options.mask
        else:
            run, mask = reference_run(folder, options.fast)
        report(copies(run, mask, n_runs, folder), rounds, folder)


if __name__ == "__main__":
    main()
