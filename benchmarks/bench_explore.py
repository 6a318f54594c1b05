"""The page: how fast it re-seeds, how large its one file is, and how exact.

Re-seeding is measured on the server, at about as many directions of time as a band of
0.01 to 0.1 Hz leaves of a run of ten minutes: the map of a sphere of 6 mm at a voxel
drawn at random, once the runs are prepared. The file is opened in headless Chromium,
which draws in software, and its r compared with the estimator's.

    python benchmarks/bench_explore.py                  # a simulated run
    python benchmarks/bench_explore.py --func FILE --mask FILE --confounds FILE \
        --columns A,B --t-r SECONDS
"""

import argparse
import http.client
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from _browser import browser, missing_browser, open_page
from _measure import describe_setting
from nilearn.maskers import NiftiMasker

from sbc_estimators import Run, SeedCorrelationMap, explore
from sbc_estimators.datasets import make_runs
from sbc_estimators.maskers import SphereSeeds

BAND = {"high_pass": 0.01, "low_pass": 0.1}
RADIUS, SMOOTHING = 6.0, 6.0
N_SCANS, T_R = 176, 2.0

ASKED_MS = {"70,000 voxels": 6, "230,000 voxels": 15, "20 runs of 70,000 voxels": 40}
"""Most milliseconds of a map."""

ASKED_MB, ASKED_R = 13, 0.005
"""Of the file of the real run: most megabytes (10**6), largest error of r."""


# The server


def simulated(n_voxels, n_scans):
    """Return a fitted estimator and a run of white and band-limited signals."""
    data = make_runs(
        1, n_scans, n_voxels, t_r=T_R, voxel_size=3.0, dtype="int16", random_state=0
    )
    brain = NiftiMasker(data.mask_img, detrend=True, **BAND)
    run = data.runs[0]
    return SeedCorrelationMap(SphereSeeds(data.seeds[:1], RADIUS), brain).fit(run), run


def time_reseeding(explorer, n_seeds):
    """Return the median milliseconds of a map: alone, and asked through the server."""
    space = explorer._space
    places = np.random.default_rng(0).integers(0, space.n_places, n_seeds + 3)
    alone, asked = [], []
    token = explorer.url.partition("token=")[2]
    port = int(explorer.url.split(":")[2].partition("/")[0])
    client = http.client.HTTPConnection("127.0.0.1", port)
    for place in places.tolist():
        xyz = space.point(place)
        start = time.perf_counter()
        explorer.map(xyz, radius=RADIUS)
        alone.append(time.perf_counter() - start)
        run = "mean" if explorer._runs.n_runs > 1 else "0"
        path = f"/map?place={place}&radius={RADIUS}&summary=mean&run={run}"
        start = time.perf_counter()
        client.request("GET", path, headers={"X-Token": token})
        client.getresponse().read()
        asked.append(time.perf_counter() - start)
    client.close()
    return [1000 * statistics.median(times[3:]) for times in (alone, asked)]


def report_server(fast):
    """Print how long re-seeding takes."""
    sizes = [2000, 4000] if fast else [70_000, 230_000]
    n_runs, n_seeds = (3, 5) if fast else (20, 40)
    print("\nre-seeding on the server, ms: the map alone, and with the round trip")
    for n_voxels, repeats in ((sizes[0], 1), (sizes[1], 1), (sizes[0], n_runs)):
        sbc, run = simulated(n_voxels, 120 if fast else N_SCANS)
        with sbc.prepare(run) as prepared:
            rank = prepared.rank
        runs = [run] * repeats
        with explore(sbc, runs, open_browser=False) as explorer:
            alone, asked = time_reseeding(explorer, n_seeds)
        words = f"{n_voxels:,} voxels"
        words = words if repeats == 1 else f"{repeats} runs of {words}"
        limit = ASKED_MS.get(words)
        limit = "" if limit is None else f" (asked: at most {limit})"
        print(f"{words:26s} rank {rank:4d}  {alone:6.1f}{limit}, {asked:6.1f}")


# The file


def read_run(options):
    """Return the run of files, and its mask."""
    confounds = options.confounds
    if options.columns:
        confounds = pd.read_csv(confounds, sep="\t")[options.columns.split(",")]
    return Run(options.func, confounds=confounds, t_r=options.t_r), options.mask


def report_file(run, mask_img, xyz, n_seeds):
    """Print how large the file of a run is, how fast it opens, and how exact it is."""
    for smoothing in (None, SMOOTHING):
        brain = NiftiMasker(mask_img, smoothing_fwhm=smoothing, detrend=True, **BAND)
        sbc = SeedCorrelationMap(SphereSeeds([xyz], RADIUS), brain).fit(run)
        with (
            tempfile.TemporaryDirectory() as folder,
            explore(sbc, run, open_browser=False) as explorer,
        ):
            path = Path(folder) / "page.html"
            start = time.perf_counter()
            explorer.save_as_html(path)
            seconds = time.perf_counter() - start
            size = path.stat().st_size / 1e6
            words = (
                "not smoothed" if smoothing is None else f"smoothed by {smoothing:g} mm"
            )
            print(
                f"{words}: {size:.2f} MB (asked: at most {ASKED_MB}), {seconds:.1f} s"
            )
            if missing := missing_browser():
                print(f"  not opened: {missing}")
            else:
                open_file(path, explorer, n_seeds)


def open_file(path, explorer, n_seeds):
    """Print what a browser makes of a file."""
    space = explorer._space
    places = np.random.default_rng(1).integers(0, space.n_places, n_seeds).tolist()
    with browser() as driver:
        start = time.perf_counter()
        open_page(driver, path.as_uri())
        print(f"  opens in {time.perf_counter() - start:.1f} s")
        print(f"  {driver.execute_script('return $(`speed`).textContent')}")
        for radius in (0.0, RADIUS):
            errors = [
                np.abs(map_in(driver, place, radius) - explorer.map(xyz, radius=radius))
                for place, xyz in zip(places, map(space.point, places), strict=True)
            ]
            print(
                f"  {n_seeds} seeds of {radius:g} mm: largest error of r "
                f"{np.max(errors):.4f} (asked: at most {ASKED_R}), "
                f"root mean square {np.sqrt(np.mean(np.square(errors))):.4f}"
            )


def map_in(driver, place, radius):
    """Return the map that a file makes."""
    code = (
        "const [place, radius, done] = arguments;"
        "state.source.map({ place, radius, summary: 'mean', run: '0' })"
        ".then((map) => done(Array.from(map.r)));"
    )
    return np.array(driver.execute_async_script(code, place, radius))


def main():
    """Read the arguments, and report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--func", type=Path)
    parser.add_argument("--mask", type=Path)
    parser.add_argument("--confounds", type=Path)
    parser.add_argument("--columns")
    parser.add_argument("--t-r", type=float)
    parser.add_argument("--fast", action="store_true", help="a smoke run")
    options = parser.parse_args()
    print(describe_setting())
    report_server(options.fast)
    print("\none file")
    n_seeds = 2 if options.fast else 20
    if options.func is None:
        n_voxels, n_scans = (2000, 120) if options.fast else (70_000, N_SCANS)
        data = make_runs(1, n_scans, n_voxels, t_r=T_R, voxel_size=3.0, random_state=0)
        print(
            f"a simulated run of {n_voxels:,} voxels; asked are figures of a real one"
        )
        report_file(data.runs[0], data.mask_img, data.seeds[0], n_seeds)
    else:
        run, mask_img = read_run(options)
        report_file(run, mask_img, (0, -52, 18), n_seeds)


if __name__ == "__main__":
    main()
