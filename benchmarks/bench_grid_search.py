"""What a grid search, a second look and many runs cost, with a cache and without.

The grid crosses 4 radii with 3 filters in 3 folds over 8 simulated runs. It is searched
with `SeedCorrelationMap` without a cache, with an empty one and with a full one, and
beside that with a plain transformer, nilearn's published recipe. The plain one is timed
on single runs; its grid is that time times the number of runs that the search asks it
to transform, which is counted. All take turns in one process.

    python benchmarks/bench_grid_search.py
"""

import argparse
import itertools
import tempfile
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
from _measure import (
    Timings,
    describe_setting,
    folder_size,
    peak_memory,
    time_in_turn,
)
from _plain_maps import MadeUpMaps, PlainMaps
from joblib.externals.loky import get_reusable_executor
from nilearn.maskers import NiftiMasker, NiftiSpheresMasker
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from sbc_estimators import Run, SeedCorrelationMap
from sbc_estimators.datasets import make_runs

RADII = (4.0, 5.0, 7.0, 10.0)
LOW_PASS = (0.08, 0.1, 0.12)
CLEANING = {"detrend": True, "high_pass": 0.01}
FWHM = 6.0
N_FOLDS = 3


@dataclass(frozen=True)
class Size:
    """How large simulated runs are, and what is done with them."""

    n_runs: int
    n_voxels: int
    n_scans: int
    n_confounds: int = 6
    shape: tuple | None = None
    radii: tuple = RADII
    low_pass: tuple = LOW_PASS
    n_jobs: tuple = (1, 2)


GRID, SECOND, MANY = (
    Size(8, 20_000, 150),
    Size(2, 69_765, 176, 11, (61, 73, 61)),
    Size(200, 5_000, 100),
)
FAST_GRID, FAST_SECOND, FAST_MANY = (
    Size(6, 400, 60, radii=RADII[:2], low_pass=LOW_PASS[:2]),
    Size(2, 2_000, 80, 11),
    Size(8, 300, 60, n_jobs=(1,)),
)


@dataclass(frozen=True)
class Runs:
    """Runs in files, and what belongs to them."""

    size: Size
    runs: list
    y: np.ndarray
    mask: str
    seed: tuple


def write_runs(size, folder):
    """Simulate runs of a size and write them and their mask."""
    simulated = make_runs(
        size.n_runs,
        size.n_scans,
        size.n_voxels,
        n_confounds=size.n_confounds,
        group_effect=1.0,
        shape=size.shape,
        voxel_size=3.0,
        dtype="int16",
        directory=folder,
        random_state=0,
    )
    mask = str(Path(folder, "mask.nii.gz"))
    nibabel.save(simulated.mask_img, mask)
    return Runs(size, simulated.runs, simulated.y, mask, simulated.seeds[0])


def estimator(data, cache=None, **options):
    """Return our estimator, with a cache in a folder if there is one."""
    seed = NiftiSpheresMasker([data.seed], radius=RADII[0], **CLEANING)
    brain = NiftiMasker(mask_img=data.mask, smoothing_fwhm=FWHM, **CLEANING)
    if cache is not None:
        options |= {"memory": str(cache), "memory_level": 2}
    return SeedCorrelationMap(seed, brain, low_pass=LOW_PASS[0], **options)


# The grid


def search(transformer, data, radius):
    """Search the grid; `radius` is what the transformer calls that parameter."""
    steps = Pipeline([("map", transformer), ("classify", NearestCentroid())])
    grid = {f"map__{radius}": data.size.radii, "map__low_pass": data.size.low_pass}
    folds = StratifiedKFold(N_FOLDS)
    options = {"scoring": "accuracy", "error_score": "raise"}
    return GridSearchCV(steps, grid, cv=folds, **options).fit(data.runs, data.y)


def plain(data, kind=PlainMaps, **parameters):
    """Return nilearn's recipe as a transformer."""
    return kind(data.mask, data.seed, CLEANING, FWHM, **parameters)


def search_alone(data):
    """Search the grid over maps that cost nothing; return how many were asked for."""
    MadeUpMaps.n_asked = 0
    row = np.random.default_rng(0).standard_normal(data.size.n_voxels)
    MadeUpMaps.row = row.astype(np.float32)
    search(plain(data, MadeUpMaps), data, "radius")
    return MadeUpMaps.n_asked


def fresh_folders(folder):
    """Yield one new folder after the other."""
    return (Path(tempfile.mkdtemp(dir=folder)) for _ in itertools.count())


def plain_part(data):
    """Map one run with each filter, and so with as many radii, the plain way."""
    for radius, low_pass in zip(RADII, data.size.low_pass, strict=False):
        plain(data, radius=radius, low_pass=low_pass).transform(data.runs[:1])


def time_grid(data, caches, rounds):
    """Return the timings of searching the grid, the plain one extrapolated."""
    full = next(caches)
    radius = "seed_masker__radius"
    contestants = {
        "ours, no cache": lambda: search(estimator(data), data, radius),
        "ours, empty cache": lambda: search(
            estimator(data, next(caches)), data, radius
        ),
        "ours, full cache": lambda: search(estimator(data, full), data, radius),
        "search alone": lambda: search_alone(data),
        "plain": lambda: plain_part(data),
    }
    # The classifier's threads would wait for those of whoever shares the machine.
    with threadpool_limits(1, "openmp"):
        seconds = time_in_turn(contestants, rounds).seconds
    n_asked = search_alone(data)
    n_part = len(data.size.low_pass)
    part = [s / n_part for s in seconds["plain"]]
    print(
        f"plain: {np.median(part):.3f} s a run (median of {rounds} rounds, each of "
        f"{n_part} runs), times {n_asked} runs that the search asks for; classifier "
        "and search come on top, as they do in ours"
    )
    seconds["plain"] = [
        s * n_asked + own for s, own in zip(part, seconds["search alone"], strict=True)
    ]
    return Timings(seconds), full


def largest_difference(data):
    """Return how far r is from nilearn's, of float64 scans, at the grid's edges."""
    run, worst = data.runs[0], 0.0
    image = nibabel.load(run.img)
    scans = nibabel.Nifti1Image(image.get_fdata(), image.affine)
    radii = data.size.radii
    ends = (radii[0], radii[-1])
    for radius, low_pass in itertools.product(ends, data.size.low_pass):
        theirs = plain(data, radius=radius, low_pass=low_pass)
        ours = estimator(data).set_params(low_pass=low_pass, seed_masker__radius=radius)
        r = ours.fit(run).correlations_[0]
        worst = max(worst, np.abs(r - theirs.correlate(scans, run)).max())
    return worst


def report_grid(size, folder, rounds):
    """Measure and print the search of the grid."""
    data, caches = write_runs(size, folder), fresh_folders(folder)
    print(
        f"\ngrid: {len(size.radii)} radii x {len(size.low_pass)} low-pass, {N_FOLDS} "
        f"folds, NearestCentroid; {size.n_runs} runs of {size.n_voxels} voxels x "
        f"{size.n_scans} scans, .nii.gz, {size.n_confounds} confounds, fwhm {FWHM} mm"
    )
    timings, full = time_grid(data, caches, rounds)
    print_times(timings)
    for name in ("ours, no cache", "ours, empty cache", "ours, full cache"):
        print_ratio(timings, "plain", name)
    print_ratio(timings, "ours, no cache", "ours, empty cache")
    print("transformers alone, without classifier and search:")
    for name in ("ours, no cache", "ours, empty cache", "ours, full cache"):
        print_ratio(timings.less("search alone"), "plain", name)
    print(f"size of the cache: {folder_size(full):.1f} MiB")
    print(f"largest difference in r from plain nilearn: {largest_difference(data):.1e}")


# A second look, and many runs


def report_second(size, folder, rounds):
    """Measure and print an identical call on a cache that the first one filled."""
    data, caches = write_runs(size, folder), fresh_folders(folder)
    used = []

    def first():
        used.append(next(caches))
        estimator(data, used[-1]).fit_transform(data.runs)

    contestants = {
        "no cache": lambda: estimator(data).fit_transform(data.runs),
        "first call": first,
        "second call": lambda: estimator(data, used[-1]).fit_transform(data.runs),
    }
    print(
        f"\nsecond call: fit_transform of {size.n_runs} runs of {size.n_voxels} voxels "
        f"x {size.n_scans} scans, .nii.gz, {size.n_confounds} confounds"
    )
    timings = time_in_turn(contestants, rounds)
    print_times(timings)
    print_ratio(timings, "first call", "second call")
    print_ratio(timings, "first call", "no cache")
    print(f"size of the cache: {folder_size(used[-1]):.1f} MiB")


def map_many(files, mask, seed, n_jobs):
    """Map many runs, in this process or in several."""
    data = Runs(None, [Run(file, t_r=2.0) for file in files], None, mask, seed)
    return estimator(data, n_jobs=n_jobs).fit_transform(data.runs)


def map_many_and_end(*args):
    """Map many runs, and end the worker processes, for this one to end at all."""
    map_many(*args)
    get_reusable_executor().shutdown()


def report_many(size, folder, rounds):
    """Measure and print one process against two, and the memory of few and many."""
    data = write_runs(size, folder)
    files, few = [str(run.img) for run in data.runs], max(size.n_runs // 10, 2)
    shared = (data.mask, data.seed)
    contestants = {
        f"n_jobs={n_jobs}": lambda n_jobs=n_jobs: map_many(files, *shared, n_jobs)
        for n_jobs in (1, 2)
    }
    print(
        f"\nmany runs: {size.n_runs} runs of {size.n_voxels} voxels x {size.n_scans} "
        "scans, .nii.gz; worker processes are started before the first round"
    )
    timings = time_in_turn(contestants, rounds)
    print_times(timings)
    print_ratio(timings, "n_jobs=1", "n_jobs=2")
    for n_jobs in size.n_jobs:
        peaks = [
            peak_memory(map_many_and_end, f, *shared, n_jobs)
            for f in (files[:few], files)
        ]
        grown = (size.n_runs - few) * size.n_voxels * 4 / 2**20
        print(
            f"n_jobs={n_jobs}: peak of the main process {peaks[0]:.1f} MiB after {few} "
            f"runs, {peaks[1]:.1f} MiB after {size.n_runs}, of whose difference the "
            f"longer output is {grown:.1f} MiB"
        )


# Printing


def print_times(timings):
    """Print a line for each contestant."""
    for name, seconds in timings.seconds.items():
        spread = f"({min(seconds):.3f} to {max(seconds):.3f})"
        print(f"{name:20s} {timings.median(name):9.3f} s {spread}")


def print_ratio(timings, name, peer):
    """Print how many times as long one contestant takes as another."""
    median, low, high = timings.ratio(name, peer)
    print(f"{name} / {peer}: {median:.1f} ({low:.1f} to {high:.1f})")


def main(argv=None):
    """Read the command line and report."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=["grid", "second", "many"], help="one part")
    parser.add_argument("--fast", action="store_true", help="small, for a smoke test")
    options = parser.parse_args(argv)
    print(describe_setting())
    parts = {
        "grid": (report_grid, FAST_GRID if options.fast else GRID),
        "second": (report_second, FAST_SECOND if options.fast else SECOND),
        "many": (report_many, FAST_MANY if options.fast else MANY),
    }
    if options.fast and options.only is None:
        del parts["many"]  # starting worker processes takes longer than all else
    for name, (report, size) in parts.items():
        if options.only in (None, name):
            with tempfile.TemporaryDirectory() as folder:
                report(size, folder, 1 if options.fast else options.rounds)


if __name__ == "__main__":
    main()
