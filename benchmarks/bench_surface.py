"""A seed map on the cortical surface: how long it takes, what it shows, how exact.

The seed is a disc of 8 mm along the left posterior cingulate, the map that of all
vertices of both hemispheres, filtered to 0.01-0.1 Hz. Files are read before anything is
timed.

    python benchmarks/bench_surface.py                  # a simulated run
    python benchmarks/bench_surface.py --func LEFT RIGHT --mesh LEFT RIGHT \
        --confounds FILE --t-r SECONDS
"""

import argparse
import os
import time
import warnings
from dataclasses import dataclass

import nibabel
import numpy as np
from _measure import describe_setting, time_in_turn
from nilearn.maskers import SurfaceLabelsMasker, SurfaceMasker
from nilearn.surface import InMemoryMesh, PolyMesh, SurfaceImage
from scipy.stats import pearsonr

from sbc_estimators import Run, SeedCorrelationMap
from sbc_estimators.maskers import RegionSeeds, SurfaceSeeds

BAND = {"low_pass": 0.1, "high_pass": 0.01}
RADIUS = 8.0
SEED = "posterior cingulate"
PLACES = {
    SEED: (-5, -52, 22),
    "medial prefrontal": (-6, 52, -2),
    "angular": (-46, -66, 30),
    "somatomotor": (-38, -24, 56),
}
"""Left hemisphere, mm in MNI space: three of the default mode network, and one not."""

ASKED_TIME, ASKED_DIFFERENCE, ASKED_R = 2.0, 1e-5, 0.2
"""Seconds; largest error of r; how much r is higher within the network."""


# The run: files, or a simulation


def read_run(func, mesh, confounds, t_r):
    """Return a run of GIFTI files of both hemispheres, and its mesh, in memory."""
    poly = PolyMesh(left=mesh[0], right=mesh[1])
    scans = [
        np.stack([array.data for array in nibabel.load(path).darrays], axis=1)
        for path in func
    ]
    table = None
    if confounds:
        table = np.loadtxt(confounds, ndmin=2)
        table = table[:, np.ptp(table, axis=0) > 0]
    img = SurfaceImage(poly, dict(zip(("left", "right"), scans, strict=True)))
    return Run(img, table, t_r=t_r)


def icosphere(n_subdivisions):
    """Return vertices and faces of a sphere, `10 * 4**n + 2` vertices."""
    g = (1 + 5**0.5) / 2
    signs = [(-1, -1), (-1, 1), (1, -1), (1, 1)]
    corners = [(0, a, b * g) for a, b in signs]
    points = [np.roll(corner, turn) for turn in range(3) for corner in corners]
    points = np.array(points, dtype=float) / np.hypot(1, g)
    gaps = np.linalg.norm(points[:, np.newaxis] - points, axis=2)
    near = gaps < 1.01 * gaps[gaps > 0].min()
    faces = np.array(
        [
            (i, j, k)
            for i in range(12)
            for j in range(i)
            for k in range(j)
            if near[i, j] and near[j, k] and near[i, k]
        ]
    )
    for _ in range(n_subdivisions):
        edges = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]], axis=2)
        unique, middle = np.unique(edges.reshape(-1, 2), axis=0, return_inverse=True)
        ab, bc, ca = middle.reshape(-1, 3).T + len(points)
        a, b, c = faces.T
        points = np.concatenate([points, points[unique].mean(axis=1)])
        points /= np.linalg.norm(points, axis=1, keepdims=True)
        quarters = [(a, ab, ca), (b, bc, ab), (c, ca, bc), (ab, bc, ca)]
        faces = np.concatenate([np.stack(quarter, axis=1) for quarter in quarters])
    return points, faces


def simulated_run(fast):
    """Return a run on two ellipsoids as large as hemispheres, with a network."""
    n_scans, n_subdivisions = (120, 3) if fast else (652, 5)
    points, faces = icosphere(n_subdivisions)
    mesh = PolyMesh(
        **{
            part: InMemoryMesh(points * (34, 85, 58) + (side * 36, -18, 12), faces)
            for part, side in (("left", -1), ("right", 1))
        }
    )
    rng = np.random.default_rng(0)
    t_r = 1.4
    network, other = band_limited(rng, n_scans, t_r), band_limited(rng, n_scans, t_r)
    confounds = rng.standard_normal((n_scans, 28))
    parts = {}
    for part, own in mesh.parts.items():
        scans = rng.standard_normal((own.n_vertices, n_scans))
        scans += 0.3 * rng.standard_normal((own.n_vertices, 28)) @ confounds.T
        for name, place in PLACES.items():
            course = other if name == "somatomotor" else network
            gaps = np.linalg.norm(own.coordinates - place, axis=1)
            weights = np.exp(-(((gaps - gaps.min()) / 15) ** 2))
            scans += np.outer(weights * (part == "left"), course)
        parts[part] = (1000 + 10 * scans).astype(np.float32)
    return Run(SurfaceImage(mesh, parts), confounds, t_r=t_r)


def band_limited(rng, n_scans, t_r):
    """Return a time course of 0.01-0.1 Hz, of variance 1."""
    spectrum = np.fft.rfft(rng.standard_normal(n_scans))
    frequencies = np.fft.rfftfreq(n_scans, t_r)
    spectrum[(frequencies < BAND["high_pass"]) | (frequencies > BAND["low_pass"])] = 0
    course = np.fft.irfft(spectrum, n_scans)
    return course / course.std()


# The map


@dataclass(frozen=True)
class Discs:
    """Discs around places of the left hemisphere, on the mesh of a run.

    Attributes
    ----------
    seeds : SurfaceSeeds
        One for each place.
    labels_img : SurfaceImage
        1 + the number of the place in each disc, 0 elsewhere.
    members : ndarray of bool of shape (n_places, n_vertices)
    """

    seeds: SurfaceSeeds
    labels_img: SurfaceImage
    members: np.ndarray

    @classmethod
    def on(cls, img):
        """Return the discs around the vertices nearest to the places."""
        places = img.mesh.parts["left"].coordinates
        nearest = [
            int(np.linalg.norm(places - place, axis=1).argmin())
            for place in PLACES.values()
        ]
        seeds = SurfaceSeeds(nearest, RADIUS, hemisphere="left").fit(img)
        labels_img = seeds.inverse_transform(np.arange(1, 1 + len(PLACES)))
        parts = {name: part.ravel() for name, part in labels_img.data.parts.items()}
        labels = np.concatenate(list(parts.values()))
        members = labels == np.arange(1, 1 + len(PLACES))[:, np.newaxis]
        return cls(seeds, SurfaceImage(img.mesh, parts), members)


def ours(run, discs):
    """Return the fitted estimator of the seed, made afresh."""
    seed = SurfaceSeeds(discs.seeds.seeds[:1], RADIUS, hemisphere="left")
    sbc = SeedCorrelationMap(seed, SurfaceMasker(detrend=True), **BAND)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of vertices that are constant
        return sbc.fit(run)


def by_nilearn(run, discs):
    """Return np.corrcoef of the seed and all vertices as nilearn cleans them.

    In float64, with the one option that spares its filter a loop over vertices.
    """
    mesh = run.img.mesh
    scans = {name: np.float64(part) for name, part in run.img.data.parts.items()}
    masker = SurfaceMasker(
        detrend=True,
        standardize=None,
        t_r=run.t_r,
        clean_args={"butterworth__copy": True},
        **BAND,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        img = SurfaceImage(mesh, scans)
        signals = masker.fit_transform(img, confounds=run.confounds)
    # A mean over vertices is cleaned as they are: both are linear.
    seed = signals[:, discs.members[0]].mean(axis=1)
    signals -= signals.mean(axis=0)
    seed -= seed.mean()
    with np.errstate(invalid="ignore"):
        return seed @ signals / np.linalg.norm(signals, axis=0) / np.linalg.norm(seed)


def as_shipped(run, discs):
    """Return r as nilearn's users have it: a labels masker, a masker, and a product."""
    shared = {"detrend": True, "standardize": "zscore_sample", "t_r": run.t_r, **BAND}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        labels = SurfaceLabelsMasker(discs.labels_img, **shared)
        seeds = labels.fit_transform(run.img, confounds=run.confounds)
        voxels = SurfaceMasker(**shared).fit_transform(run.img, confounds=run.confounds)
    return seeds[:, 0] @ voxels / (len(seeds) - 1)


def published_example(run, discs):
    """Return r of an atlas label with all vertices, ours and by a loop of pearsonr."""
    seed = RegionSeeds(discs.labels_img, SEED, lut=["Background", *PLACES])
    scans = np.concatenate(list(run.img.data.parts.values())).astype(float)
    course = scans[discs.members[0]].mean(axis=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of vertices that are constant
        r = SeedCorrelationMap(seed).fit(run.img).correlations_[0]
        theirs = [pearsonr(course, vertex).statistic for vertex in scans]
    return r, np.nan_to_num(theirs)


# The report


def report(run, rounds, with_shipped):
    """Measure and print everything."""
    img = run.img
    discs = Discs.on(img)
    print(f"run {img.shape}, both hemispheres, t_r {run.t_r} s, {BAND}")
    print(f"confounds: {0 if run.confounds is None else run.confounds.shape[1]}")
    print(describe_setting())
    print_discs(img, discs)
    sbc = ours(run, discs)
    print_contrasts(sbc.correlations_[0], discs)
    print_times(run, discs, rounds, with_shipped)
    print_differences(run, discs, sbc.correlations_[0])


def print_discs(img, discs):
    """Print where the discs are."""
    left = img.mesh.parts["left"].coordinates
    print("\nplaces in the left hemisphere, and their discs")
    for name, vertex, members in zip(
        PLACES, discs.seeds.seeds, discs.members, strict=True
    ):
        gap = np.linalg.norm(left[vertex] - PLACES[name])
        words = f"{gap:.1f} mm away, {members.sum()} vertices within {RADIUS:g} mm"
        print(f"{name:20s} {PLACES[name]!s:16s} vertex {vertex}, {words}")


def print_contrasts(r, discs):
    """Print mean r in each disc, and by how much it is higher in the network."""
    means = dict(zip(PLACES, (r[m].mean() for m in discs.members), strict=True))
    print("\nmean r of the seed")
    for name, mean in means.items():
        print(f"{name:20s} {mean:6.3f}")
    for name in ("medial prefrontal", "angular"):
        more = means[name] - means["somatomotor"]
        print(f"{name} - somatomotor: {more:.3f} (asked: at least {ASKED_R})")


def print_times(run, discs, rounds, with_shipped):
    """Print how long the map takes once the files are read."""
    calls = {"ours": lambda: ours(run, discs)}
    calls["nilearn, tuned"] = lambda: by_nilearn(run, discs)
    if with_shipped:
        calls["nilearn, as shipped"] = lambda: as_shipped(run, discs)
    timings = time_in_turn(calls, rounds, rare=("nilearn, as shipped",))
    start = time.process_time()
    ours(run, discs)
    cpu = time.process_time() - start
    load = ", ".join(f"{n:.1f}" for n in os.getloadavg())
    print(f"\nseconds, median and smallest of {rounds}; load of the machine {load}")
    for name, seconds in timings.seconds.items():
        print(f"{name:20s} {timings.median(name):.2f} {min(seconds):.2f}")
    for name in list(calls)[1:]:
        median, low, high = timings.ratio(name, "ours")
        print(f"{name} / ours: {median:.1f} ({low:.1f} to {high:.1f})")
    print(
        f"ours, of all cores together: {cpu:.2f} (asked: {ASKED_TIME:g} of wall time)"
    )


def print_differences(run, discs, r):
    """Print how far r is from nilearn's, and from a loop of pearsonr."""
    scans = np.concatenate(list(run.img.data.parts.values()))
    varies = np.ptp(scans, axis=1) > 0
    difference = np.abs(by_nilearn(run, discs) - r)[varies].max()
    print(f"\n{(~varies).sum()} vertices are constant, and have r = 0")
    print(
        "largest difference in r from nilearn's signals in float64: "
        f"{difference:.1e} (asked: {ASKED_DIFFERENCE:g})"
    )
    found, theirs = published_example(run, discs)
    difference = np.abs(found - theirs).max()
    print(f"label of an atlas, not cleaned, from a loop of pearsonr: {difference:.1e}")


def main(argv=None):
    """Read the command line and report."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    pair = {"nargs": 2, "metavar": ("LEFT", "RIGHT")}
    parser.add_argument("--func", help="GIFTI files; default: a simulated run", **pair)
    parser.add_argument("--mesh", help="pial or white GIFTI surfaces, in mm", **pair)
    parser.add_argument("--confounds", help="text without a header, all columns used")
    parser.add_argument("--t-r", type=float, help="repetition time in s")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--no-shipped", action="store_true", help="skip the minutes")
    parser.add_argument("--fast", action="store_true", help="small, for a smoke test")
    options = parser.parse_args(argv)
    if options.func and not (options.mesh and options.t_r):
        parser.error("--func needs --mesh and --t-r")
    if options.func:
        run = read_run(options.func, options.mesh, options.confounds, options.t_r)
    else:
        run = simulated_run(options.fast)
    report(run, 2 if options.fast else options.rounds, not options.no_shipped)


if __name__ == "__main__":
    main()
