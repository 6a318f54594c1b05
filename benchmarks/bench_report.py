"""How long a report of 3 seeds and 3 runs takes after fit, and how large it is.

    python benchmarks/bench_report.py                # simulated runs of 70,000 voxels
    python benchmarks/bench_report.py --picture report.png   # the README's picture

The picture shows the report on the run that ships with the package. It needs Chromium,
its driver, and selenium.
"""

import argparse
import re
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from _browser import browser, missing_browser, wait_for
from _measure import describe_setting
from nilearn.maskers import NiftiMasker

from sbc_estimators import SeedCorrelationMap
from sbc_estimators.datasets import load_sample_run, make_runs
from sbc_estimators.maskers import SphereSeeds

FILTER = {"low_pass": 0.1, "high_pass": 0.01}

SEEDS = {
    "posterior cingulate": (0, -52, 18),
    "left motor cortex": (-38, -22, 56),
    "right insula": (38, 6, 2),
}
"""In the sample run, in mm."""

AIM_SECONDS, AIM_BYTES, AIM_WITHOUT_VIEWER = 6, 4_000_000, 500_000


def estimator(seeds, mask, names=None):
    """Return an unfitted estimator of some seeds."""
    return SeedCorrelationMap(
        SphereSeeds(seeds, names=names, allow_overlap=True),
        NiftiMasker(mask, smoothing_fwhm=6, detrend=True),
        **FILTER,
    )


def simulated(folder, is_fast):
    """Return a fitted estimator of 3 seeds, and its 3 runs in files."""
    size = {"n_scans": 60, "n_voxels": 2000}
    if not is_fast:
        size = {"n_scans": 176, "n_voxels": 70_000, "voxel_size": 3.0}
        size["shape"] = (61, 73, 61)
    data = make_runs(3, **size, dtype="int16", directory=folder, random_state=0)
    return estimator(data.seeds, data.mask_img).fit(data.runs), data.runs


def measure(sbc, runs, rounds):
    """Print how long reports take, and how large they are."""
    for name, X in (("with the runs", runs), ("without", None)):
        seconds = []
        for _ in range(rounds):
            start = time.perf_counter()
            html = sbc.generate_report(X).html
            seconds.append(time.perf_counter() - start)
        bare = re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL)
        print(
            f"{name}: {statistics.median(seconds):.2f} s ({min(seconds):.2f} to "
            f"{max(seconds):.2f}; aim: {AIM_SECONDS}), {len(html) / 1e6:.2f} MB (aim: "
            f"{AIM_BYTES / 1e6:g}), of which {len(bare) / 1e6:.2f} MB are not the "
            f"viewer and its maps (aim: {AIM_WITHOUT_VIEWER / 1e6:g})"
        )


def sample_report():
    """Return the report on the sample run."""
    sample = load_sample_run()
    sbc = estimator(list(SEEDS.values()), sample.mask_img, list(SEEDS))
    return sbc.fit(sample.run).generate_report(sample.run)


def take_picture(path):
    """Write a picture of the report on the sample run: its viewer beside a seed."""
    from matplotlib import image

    if missing := missing_browser():
        raise SystemExit(f"no picture: {missing}")
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder, "report.html")
        sample_report().save_as_html(page)
        with browser() as driver:
            driver.get(page.as_uri())
            wait_for(driver, "document.getElementById('look').dataset.ready")
            parts = []
            for where in ("#look", "article"):
                scroll = "document.querySelector(arguments[0]).scrollIntoView()"
                driver.execute_script(scroll, where)
                time.sleep(1)
                file = Path(folder, f"{len(parts)}.png")
                driver.save_screenshot(str(file))
                parts.append(image.imread(file)[..., :3])
    gap = np.full((parts[0].shape[0], 8, 3), 0.8)
    image.imsave(path, np.hstack([parts[0], gap, parts[1]]))
    print(f"wrote {path}")


def main():
    """Run the benchmark, or take the picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--picture", metavar="FILE", help="write the README's picture")
    parser.add_argument("--fast", action="store_true", help="a smoke run")
    options = parser.parse_args()
    if options.picture:
        take_picture(options.picture)
        return
    print(describe_setting())
    with tempfile.TemporaryDirectory() as folder:
        sbc, runs = simulated(folder, options.fast)
        print(f"{sbc.n_voxels_:,} voxels, 3 seeds, 3 runs")
        measure(sbc, runs, 1 if options.fast else options.rounds)


if __name__ == "__main__":
    main()
