"""Grayordinates: a seed map beside reading the file, memory, and Workbench's r.

The run is simulated: 91,282 grayordinates and 1,200 scans of 0.72 s as in the Human
Connectome Project, float32. The seed is a vertex of the left hemisphere. The file is
read before anything is timed.

    python benchmarks/bench_cifti.py
    python benchmarks/bench_cifti.py --func FILE.dtseries.nii --vertex NUMBER
"""

import argparse
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import nibabel
import numpy as np
from _measure import describe_setting, peak_memory, time_in_turn
from nilearn.signal import clean

from sbc_estimators import SeedCorrelationMap
from sbc_estimators.datasets import make_grayordinate_runs
from sbc_estimators.maskers import GrayordinateMasker, SurfaceSeeds

BAND = {"low_pass": 0.1, "high_pass": 0.01, "detrend": True}
HIGH_PASS = {"high_pass": 0.01, "detrend": True}

SIZES = {"n_scans": 1200, "n_vertices": 32492, "n_voxels": 31496}
"""Those of the Human Connectome Project: 91,282 grayordinates."""

FAST = {"n_scans": 120, "n_vertices": 1000, "n_voxels": 800}

N_COMPARED = 2000
"""Grayordinates whose r is compared with nilearn's, evenly spread."""

ASKED_RATIO, ASKED_MEMORY, ASKED_DIFFERENCE = 1.0, 2500, 1e-5
"""Beside nibabel's get_fdata; MiB at the peak; largest error of r."""

WORKBENCH = "wb_command"


def left_cortex(path):
    """Return the number of each vertex of the left hemisphere in a file."""
    axis = nibabel.load(path).header.get_axis(1)
    return axis.vertex[axis.name == "CIFTI_STRUCTURE_CORTEX_LEFT"]


def ours(path, vertex, cleaning):
    """Return the fitted estimator of the seed, made afresh."""
    seed = SurfaceSeeds([vertex], radius=None, hemisphere="left")
    return SeedCorrelationMap(seed, GrayordinateMasker(**cleaning)).fit(path)


def by_nibabel(path):
    """Return all numbers of a file."""
    return nibabel.load(path).get_fdata()


def by_nilearn(path, column, columns, t_r):
    """Return np.corrcoef of a column with some, as nilearn cleans them in float64."""
    img = nibabel.load(path)
    signals = np.asarray(img.dataobj)[:, np.r_[column, columns]].astype(np.float64)
    signals = clean(signals, standardize=None, t_r=t_r, **BAND, butterworth__copy=True)
    signals -= signals.mean(axis=0)
    norms = np.linalg.norm(signals, axis=0)
    return (signals[:, 0] @ signals[:, 1:]) / (norms[0] * norms[1:])


def report(path, vertex, rounds):
    """Measure and print everything."""
    img = nibabel.load(path)
    series = img.header.get_axis(0)
    n_bytes = os.path.getsize(path)
    shape = f"{img.shape[1]:,} grayordinates x {img.shape[0]:,} scans"
    print(f"run: {shape}, {img.dataobj.dtype}, {n_bytes / 2**20:.0f} MiB")
    print(
        f"repetition time {series.step:g} s, seed: vertex {vertex} of the left cortex"
    )
    print(describe_setting())
    print_times(path, vertex, rounds)
    print_memory(path, vertex)
    print_differences(path, vertex, series.step)
    print_workbench(path, vertex)


def print_times(path, vertex, rounds):
    """Print how long a map takes beside reading the file."""
    calls = {
        "nibabel's get_fdata": lambda: by_nibabel(path),
        "0.01 to 0.1 Hz": lambda: ours(path, vertex, BAND),
        "high-pass alone": lambda: ours(path, vertex, HIGH_PASS),
    }
    timings = time_in_turn(calls, rounds)
    load = ", ".join(f"{n:.1f}" for n in os.getloadavg())
    print(f"\nseconds, median and smallest of {rounds}; load of the machine {load}")
    for name, seconds in timings.seconds.items():
        print(f"{name:22s} {timings.median(name):.2f} {min(seconds):.2f}")
    for name in list(calls)[1:]:
        median, low, high = timings.ratio(name, "nibabel's get_fdata")
        asked = f", asked: at most {ASKED_RATIO}" if name != "high-pass alone" else ""
        print(f"{name} / get_fdata: {median:.2f} ({low:.2f} to {high:.2f}{asked})")


def print_memory(path, vertex):
    """Print by how much a map raises the peak of a fresh process."""
    print(f"\npeak beyond imports in MiB (asked: at most {ASKED_MEMORY})")
    for name, cleaning in {"0.01 to 0.1 Hz": BAND, "high-pass": HIGH_PASS}.items():
        print(f"{name:22s} {peak_memory(ours, path, vertex, cleaning):.0f}")
    print(f"{'get_fdata':22s} {peak_memory(by_nibabel, path):.0f}")


def column_of(path, vertex):
    """Return the column of a vertex of the left hemisphere."""
    axis = nibabel.load(path).header.get_axis(1)
    is_left = axis.name == "CIFTI_STRUCTURE_CORTEX_LEFT"
    return int(np.flatnonzero(is_left & (axis.vertex == vertex))[0])


def print_differences(path, vertex, t_r):
    """Print how far r is from that of nilearn's signals."""
    r = ours(path, vertex, BAND).correlations_[0]
    columns = np.linspace(0, len(r) - 1, min(N_COMPARED, len(r))).astype(int)
    column = column_of(path, vertex)
    columns = columns[columns != column]
    difference = np.abs(by_nilearn(path, column, columns, t_r) - r[columns]).max()
    print(
        f"\nlargest difference in r from nilearn's signals in float64, in "
        f"{len(columns)} grayordinates: {difference:.1e} (asked: {ASKED_DIFFERENCE:g})"
    )


def print_workbench(path, vertex):
    """Print what Workbench makes of a map of ours, and how far r is from its own."""
    if shutil.which(WORKBENCH) is None:
        print(f"\n{WORKBENCH} is not installed (Debian: connectome-workbench): not run")
        return
    sbc = ours(path, vertex, {})
    with tempfile.TemporaryDirectory() as folder:
        ours_file, roi, theirs = (
            str(Path(folder, name))
            for name in ("r.dscalar.nii", "roi.dscalar.nii", "r.dconn.nii")
        )
        sbc.inverse_transform(sbc.correlations_).to_filename(ours_file)
        print(f"\n{WORKBENCH} -file-information of our .dscalar.nii")
        told = _run_workbench("-file-information", ours_file).splitlines()
        wanted = ("Type:", "CIFTI Dim", "ALONG_", "Number of Maps")
        print(
            *[f"  {line.strip()}" for line in told if line.startswith(wanted)], sep="\n"
        )
        at_seed = np.zeros((1, sbc.n_voxels_), np.float32)
        at_seed[0, column_of(path, vertex)] = 1
        sbc.inverse_transform(at_seed).to_filename(roi)
        options = "-roi-override", "-cifti-roi", roi
        _run_workbench("-cifti-correlation", path, theirs, *options)
        found = nibabel.load(theirs).get_fdata().reshape(-1)
    others = np.arange(len(found)) != column_of(path, vertex)
    difference = np.abs(found - sbc.correlations_[0])[others].max()
    print(
        f"largest difference in r from {WORKBENCH} -cifti-correlation, not cleaned: "
        f"{difference:.1e} (asked: {ASKED_DIFFERENCE:g})"
    )


def _run_workbench(*arguments):
    """Return what Workbench prints."""
    command = [WORKBENCH, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def main(argv=None):
    """Read the command line and report."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--func", help=".dtseries.nii; default: a simulated run")
    parser.add_argument("--vertex", type=int, help="the seed, in the left hemisphere")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--fast", action="store_true", help="small, for a smoke test")
    options = parser.parse_args(argv)
    rounds = 2 if options.fast else options.rounds
    with tempfile.TemporaryDirectory() as folder:
        path = options.func
        if path is None:
            sizes = FAST if options.fast else SIZES
            data = make_grayordinate_runs(
                1, **sizes, t_r=0.72, n_confounds=0, directory=folder, random_state=1
            )
            path = str(data.runs[0].img)
        vertex = options.vertex
        if vertex is None:
            vertex = int(left_cortex(path)[1000 % len(left_cortex(path))])
        report(path, vertex, rounds)


if __name__ == "__main__":
    main()
