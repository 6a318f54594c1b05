"""Whether z scores are standard normal where nothing correlates: ours, and others.

On simulated noise of seven colours, each cleaned in 48 ways; for intervals, on pairs
that do correlate; on real runs of different people, the signals of one against the
voxels of the other; and how long it takes.

    python benchmarks/bench_statistics.py                # simulations only
    python benchmarks/bench_statistics.py \
        --run func=A.nii.gz mask=MASK confounds=A.tsv t_r=1.5 fwhm=6 \
        --run func=LEFT.gii,RIGHT.gii confounds=B.txt t_r=1.4

Two runs that are given must not be of one person, nor of two who saw the same film.
"""

import argparse
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from itertools import permutations, product

import numpy as np
from _measure import describe_setting, time_in_turn
from _noise import KINDS, censor, make_confounds, make_noise
from _real_runs import read_run
from _rival_dof import RIVALS
from bench_seed_map import ours as map_file
from bench_seed_map import simulated_job
from scipy.linalg import toeplitz

from sbc_estimators._arrays.cleaning import (
    ALIKE_TOLERANCE,
    CleaningParameters,
    compile_cleaning,
)
from sbc_estimators._arrays.correlation import column_norms, correlate, fisher_z
from sbc_estimators._arrays.dimensions import (
    Bands,
    band_shares,
    directions_of_seeds,
    effective_dof,
    in_bands,
    median_dof,
)
from sbc_estimators._arrays.uncertainty import fisher_z_variance, z_score
from sbc_estimators._support.threads import OneWorker, workers

FILTERS = {
    "none": {},
    "high-pass": {"high_pass": 0.01},
    "band-pass": {"low_pass": 0.1, "high_pass": 0.01},
}
OURS = "bands (this package)"
METHODS = (*RIVALS, OURS)
THRESHOLDS = {".05": 1.959964, ".001": 3.290527}
CREW = OneWorker()


# A cleaning, and z scores of what it leaves


@dataclass(frozen=True, eq=False)
class Cleaning:
    """A compiled cleaning in bands of time."""

    basis: np.ndarray
    projection: np.ndarray
    bands: Bands
    kept: np.ndarray

    def clean(self, raw):
        """Return coordinates of raw signals of all scans."""
        return self.projection @ (raw - raw[0])[self.kept]


def compiled(n_scans, t_r, chosen, confounds, kept):
    """Return a cleaning, with detrending."""
    parameters = CleaningParameters(detrend=True, t_r=t_r, **FILTERS[chosen])
    operator = compile_cleaning(parameters, n_scans, kept, confounds)
    operator = operator.reduced(ALIKE_TOLERANCE)
    return Cleaning(*in_bands(operator.basis, operator.projection, kept), kept)


@dataclass(frozen=True, eq=False)
class Signals:
    """Coordinates of seeds and voxels, and their correlations."""

    cleaning: Cleaning
    seeds: np.ndarray
    voxels: np.ndarray

    @property
    def norms(self):
        """Norms of seeds and of voxels."""
        return column_norms(self.seeds), column_norms(self.voxels)

    def r(self):
        """Return the correlations, `(n_seeds, n_voxels)`."""
        return correlate(self.seeds, self.voxels, *self.norms, CREW)

    def dof(self):
        """Return our degrees of freedom."""
        seed_norms, norms = self.norms
        bands = self.cleaning.bands
        directions = directions_of_seeds(self.seeds, seed_norms, bands)
        return effective_dof(
            directions, band_shares(self.voxels, norms, bands, CREW), CREW
        )

    def rival_dof(self, name):
        """Return the degrees of freedom of another method."""
        seeds, voxels = (
            self.cleaning.basis @ (x / norms)
            for x, norms in zip((self.seeds, self.voxels), self.norms, strict=True)
        )
        return RIVALS[name](seeds, voxels, self.cleaning.projection)

    def z(self):
        """Return the z scores of each method by name."""
        r = self.r()
        scores = {
            name: np.arctanh(r) * np.sqrt(np.maximum(self.rival_dof(name) - 2, 1))
            for name in RIVALS
        }
        return {**scores, OURS: z_score(r, self.dof())}

    def variances(self):
        """Return the variances of Fisher z by each method."""
        dof, (seed_norms, norms) = self.dof(), self.norms
        directions = directions_of_seeds(self.seeds, seed_norms, self.cleaning.bands)
        rivals = {
            name: 1 / np.maximum(self.rival_dof(name) - 2, 1) * np.ones_like(dof)
            for name in RIVALS
        }
        ours = fisher_z_variance(directions, self.voxels, norms, dof, CREW)
        return {**rivals, OURS: ours}


@dataclass(frozen=True)
class Result:
    """How z scores of one setting are spread."""

    spread: float
    beyond: dict

    @classmethod
    def of(cls, z):
        """Return the result of z scores; their mean is to be 0."""
        beyond = {p: np.mean(np.abs(z) > at) for p, at in THRESHOLDS.items()}
        return cls(np.sqrt(np.mean(np.square(z, dtype=np.float64))), beyond)


def print_header(first):
    """Print the header of a table of results."""
    print(f"\n{first:28s} {'spread: median (range)':>24s} {'.95-1.05':>9s}", end="")
    print(f" {'p .05':>8s} {'.001':>7s}")


def print_results(name, results):
    """Print one line of a table: what is seen over settings."""
    spreads = np.array([result.spread for result in results])
    within = np.mean((spreads > 0.95) & (spreads < 1.05))
    beyond = [np.mean([result.beyond[p] for result in results]) for p in THRESHOLDS]
    spread = f"{np.median(spreads):.3f} ({spreads.min():.2f}-{spreads.max():.2f})"
    print(
        f"{name:28s} {spread:>24s} {within:9.0%} {beyond[0]:8.3f} {beyond[1]:7.4f}",
        flush=True,
    )


# Simulated noise


def settings(fast):
    """Return the ways to clean: scans, TR, filter, confounds, part censored."""
    if fast:
        return [(80, 2.0, "band-pass", False, 0.0), (80, 2.0, "none", True, 0.2)]
    ways = product((150, 300), (2.0, 0.72), FILTERS, (False, True), (0.0, 0.2))
    return list(ways)


def simulate(fast):
    """Print what all methods make of simulated noise."""
    n_signals = 20 if fast else 120
    results = defaultdict(list)
    for seed, (n_scans, t_r, chosen, with_confounds, part) in enumerate(settings(fast)):
        rng = np.random.default_rng(seed)
        kept = censor(rng, n_scans, part)
        confounds = make_confounds(rng, n_scans) if with_confounds else None
        cleaning = compiled(n_scans, t_r, chosen, confounds, kept)
        for kind in KINDS:
            raw = [make_noise(kind, rng, n_scans, n_signals, t_r) for _ in range(2)]
            signals = Signals(cleaning, *(cleaning.clean(x) for x in raw))
            for name, z in signals.z().items():
                results[name, kind, chosen].append(Result.of(z))
    print_simulations(results, n_signals)


def print_simulations(results, n_signals):
    """Print the tables of simulated noise, from lists by method, colour and filter."""

    def select(name, kinds=KINDS, filters=FILTERS):
        keys = product([name], kinds, filters)
        return [result for key in keys for result in results.get(key, [])]

    n_settings = len(select(OURS))
    print(
        f"\n# Simulated noise: {n_settings} settings, {n_signals} x {n_signals} pairs"
    )
    tables = {"all": KINDS, "all but strongly red": KINDS[:-1], KINDS[-1]: KINDS[-1:]}
    for title, kinds in tables.items():
        print_header(title)
        for name in METHODS:
            print_results(name, select(name, kinds))
    print_header(f"{OURS}, by noise")
    for kind in KINDS:
        print_results(kind, select(OURS, [kind]))
    print_header("strongly red, by filter")
    for chosen in FILTERS:
        if red := select(OURS, KINDS[-1:], [chosen]):
            print_results(chosen, red)


# Intervals


def intervals(fast):
    """Print how often 95 % intervals cover the truth."""
    n_pairs, rhos = (20, (0, 0.6)) if fast else (2000, (0, 0.3, 0.6, 0.8))
    colours = [(0.9, 0.9), (0.3, 0.9), (0.0, 0.9), (0.9, 0.0), (0.5, 0.5)]
    covered = {name: [] for name in METHODS}
    for chosen, colour, rho in product(FILTERS, colours, rhos):
        cleaning = compiled(200, 2.0, chosen, None, np.arange(200))
        for name, part in coverage(cleaning, colour, rho, n_pairs).items():
            covered[name].append(part)
    n_settings = len(covered[OURS])
    print(f"\n# 95 % intervals: {n_settings} settings, {n_pairs} pairs, rho {rhos}")
    print(f"{'':28s} {'covered: median (range)':>24s}")
    for name, parts in covered.items():
        span = f"{np.median(parts):.3f} ({min(parts):.3f}-{max(parts):.3f})"
        print(f"{name:28s} {span:>24s}", flush=True)


def coverage(cleaning, colour, rho, n_pairs):
    """Return how often intervals of each method cover, for pairs of one kind.

    Both signals of a pair share a part rho of their variance, and what they share has
    another colour than what they don't. Cleaning changes the true r, as it is known.
    """
    rng, n = np.random.default_rng(0), len(cleaning.kept)
    common, *own = (make_noise(c, rng, n, n_pairs, 2.0) for c in (*colour, colour[1]))
    seeds, voxels = (
        cleaning.clean(np.sqrt(rho) * common + np.sqrt(1 - rho) * x) for x in own
    )
    shared, private = (
        np.sum(cleaning.projection @ toeplitz(c ** np.arange(n)) * cleaning.projection)
        for c in colour
    )
    true = np.arctanh(rho * shared / (rho * shared + (1 - rho) * private))
    hits = defaultdict(list)
    for start in range(0, n_pairs, 10):  # of each block only the pairs count
        few = slice(start, start + 10)
        signals = Signals(cleaning, seeds[:, few], voxels[:, few])
        error = np.abs(np.arctanh(np.diag(signals.r())) - true)
        for name, variance in signals.variances().items():
            hits[name].extend(error < THRESHOLDS[".05"] * np.sqrt(np.diag(variance)))
    return {name: np.mean(hit) for name, hit in hits.items()}


# Real runs


def real_null(runs, n_seeds):
    """Print z scores of the signals of each run with the voxels of each other."""
    results = defaultdict(list)
    for other, run in permutations(runs, 2):
        n_scans = min(len(run.signals), len(other.signals))
        ways = (False,) if run.confounds is None else (False, True)
        for chosen, with_confounds in product(FILTERS, ways):
            confounds = run.confounds[:n_scans] if with_confounds else None
            kept = np.arange(n_scans)
            cleaning = compiled(n_scans, run.t_r, chosen, confounds, kept)
            voxels = cleaning.clean(run.signals[:n_scans])
            step = max(1, other.signals.shape[1] // n_seeds)
            for way in (1, -1):
                seeds = cleaning.clean(other.signals[:n_scans, ::step][::way])
                for name, z in Signals(cleaning, seeds, voxels).z().items():
                    key = name, (other.name, run.name), chosen, with_confounds
                    results[key].append(Result.of(z))
    print_real_null(results)


def print_real_null(results):
    """Print tables of real runs, from lists by method, pair, filter and confounds."""

    def show(title, *wanted):
        few = [
            result
            for key, some in results.items()
            if all(want in (None, part) for want, part in zip(wanted, key, strict=True))
            for result in some
        ]
        if few:
            print_results(title, few)

    n_settings = sum(len(some) for key, some in results.items() if key[0] == OURS)
    print(f"\n# Real runs: {n_settings} settings, signals of one, voxels of another")
    ways = {False: "no confounds", True: "confounds"}
    for with_confounds, title in ways.items():
        print_header(title)
        for name in METHODS:
            show(name, name, None, None, with_confounds)
    print_header(f"{OURS}, by filter")
    for chosen, (with_confounds, title) in product(FILTERS, ways.items()):
        show(f"{chosen}, {title}", OURS, None, chosen, with_confounds)
    for pair in dict.fromkeys(key[1] for key in results):
        print_header(f"{OURS}, one pair")
        print(f"signals of {pair[0]}, voxels of {pair[1]}")
        for with_confounds, title in ways.items():
            show(title, OURS, pair, None, with_confounds)


# Time


def times(fast, rounds):
    """Print what z scores add to a map of a file, by the arrays that it is made of."""
    n_scans, n_voxels = (80, 2000) if fast else (176, 69765)
    rng = np.random.default_rng(0)
    cleaning = compiled(n_scans, 2.0, "band-pass", None, np.arange(n_scans))
    n_axes = cleaning.bands.ends[-1]
    print(f"\n# Time: {n_voxels} voxels, {n_scans} scans, {n_axes} axes")
    scans = rng.standard_normal((n_scans, n_voxels), dtype=np.float32)
    with tempfile.TemporaryDirectory() as folder:
        job = simulated_job(folder, fast)
        for n_seeds in (1, 100):
            seeds = cleaning.clean(rng.standard_normal((n_scans, n_seeds)))
            calls = {
                "file": lambda n=n_seeds: map_file(job, job.gz, n),
                "fisher_z": lambda x=seeds: map_arrays(cleaning, x, scans, False),
                "z_score": lambda x=seeds: map_arrays(cleaning, x, scans, True),
            }
            print_times(n_seeds, time_in_turn(calls, rounds))


def print_times(n_seeds, timings):
    """Print how much longer a map takes with z scores."""
    whole, plain, scored = (timings.median(n) for n in ("file", "fisher_z", "z_score"))
    print(
        f"{n_seeds:3d} seeds: Fisher z of a file {whole:.3f} s; of scans in memory "
        f"{plain:.3f} s, z scores {scored:.3f} s: {scored - plain:.3f} s more, "
        f"{1 + (scored - plain) / whole:.2f} times that of a file"
    )


def map_arrays(cleaning, seeds, scans, with_scores):
    """Return the z map of scans in memory, of either kind."""
    projection = cleaning.projection.astype(np.float32)
    with workers() as crew:
        voxels = projection @ scans
        norms, seed_norms = column_norms(voxels), column_norms(seeds)
        r = correlate(seeds, voxels, seed_norms, norms, crew)
        if not with_scores:
            return crew.map(fisher_z, r)
        directions = directions_of_seeds(seeds, seed_norms, cleaning.bands)
        shares = band_shares(voxels, norms, cleaning.bands, crew)
        dof = effective_dof(directions, shares, crew)
        median_dof(dof, crew)
        return crew.map(lambda row: z_score(*row), zip(r, dof, strict=True))


def compile_times(fast):
    """Print how long it takes to compile a cleaning, and of it the bands."""
    for n_scans, chosen in product((80,) if fast else (176, 300, 1200), FILTERS):
        parameters = CleaningParameters(detrend=True, t_r=0.72, **FILTERS[chosen])
        kept = np.arange(n_scans)
        with workers():
            start = time.perf_counter()
            operator = compile_cleaning(parameters, n_scans, kept)
            operator = operator.reduced(ALIKE_TOLERANCE)
            middle = time.perf_counter()
            in_bands(operator.basis, operator.projection, kept)
            end = time.perf_counter()
        print(
            f"{n_scans} scans, {chosen}, rank {operator.basis.shape[1]}: compiled in "
            f"{middle - start:.3f} s, in bands in {end - middle:.3f} s"
        )


def main(argv=None):
    """Read the command line and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--run",
        action="append",
        nargs="+",
        metavar="WHAT=VALUE",
        help="func=FILE[,FILE] t_r=SECONDS, and mask=, fwhm= (NIfTI), confounds=",
    )
    parser.add_argument("--only", choices=["noise", "intervals", "runs", "time"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--fast", action="store_true", help="small, for a smoke test")
    options = parser.parse_args(argv)
    print(describe_setting())
    if options.only in (None, "noise"):
        simulate(options.fast)
    if options.only in (None, "intervals"):
        intervals(options.fast)
    if options.only in (None, "runs") and options.run:
        n_places, n_seeds = (100, 20) if options.fast else (2000, 200)
        runs = [read_run(words, n_places) for words in options.run]
        real_null(runs, n_seeds)
    if options.only in (None, "time"):
        times(options.fast, 1 if options.fast else options.rounds)
        compile_times(options.fast)


if __name__ == "__main__":
    main()
