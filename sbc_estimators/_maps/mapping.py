"""One run to its correlation map, and many runs in turn, in parallel, or from disk."""

import math
import warnings
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from joblib import effective_n_jobs
from sklearn.utils.parallel import Parallel, delayed
from tqdm import tqdm

from .._arrays.correlation import fisher_z
from .._arrays.dimensions import Sampled, median_dof
from .._arrays.uncertainty import z_score
from .._signals.kept import map_key
from .._signals.kinds import members_in_brain, plan_run
from .._signals.reading import read_run
from .._support.checks import is_integer
from .._support.messages import (
    describe_run,
    file_of,
    naming,
    run_in_warnings,
    unknown_option,
)
from .._support.threads import workers
from ..runs._opened import SentRun
from .failures import KILLED, FailedRun, bare, flights, in_flight, killed, place_of
from .seeds import (
    MEASURES,
    SUMMARIES,
    SeedQuality,
    taken,
)

FACTS = (
    *("n_scans", "n_kept_scans", "n_without_signal", "n_explained"),
    *("seed_path", "brain_path"),
)
"""What is kept beside r of a map, but for the qualities of seeds."""

ARRAYS = ("r", "dof", "has_signal")
"""The arrays of a map that are kept; of the second there may be none."""

SCALES = {
    "fisher_z": lambda r, dof: fisher_z(r),
    "z_score": z_score,
    "r": lambda r, dof: r,
}
"""What rows may hold: a function of r and its effective degrees of freedom."""

SOON = 2.0
"""Seconds that a user waits without a bar."""

RUNS_PER_JOB = 16
"""How many runs are handed out at a time: all their maps may wait to be taken."""

MOST_WAITING = 2**28
"""Bytes of maps, of each job, that may do so."""


def check_options(seed_summary, measure, scale, n_jobs):
    """Raise ValueError where a parameter is none of what it may be."""
    for name, value, options in (
        ("seed_summary", seed_summary, SUMMARIES),
        ("measure", measure, MEASURES),
        ("scale", scale, SCALES),
    ):
        if not isinstance(value, str) or value not in options:
            raise ValueError(unknown_option(name, value, [*options]))
    _check_n_jobs(n_jobs)


@dataclass(frozen=True)
class Mapper:
    """What turns a run into its map.

    Attributes
    ----------
    seeds, brain : Adapter
        Of fitted maskers.
    summary : str
        From the voxels of a seed to one signal.
    measure : str
        What r is.
    kept : KeptRuns or None
    scale : str
        What rows hold.
    n_jobs : int or None
        How many runs are mapped at the same time.
    verbose : int
        Any value but 0 shows the progress over runs.
    skips : bool
        Whether others go on where a run fails.
    """

    seeds: Any
    brain: Any
    summary: str
    measure: str
    kept: Any = None
    scale: str = "fisher_z"
    n_jobs: Any = None
    verbose: int = 0
    skips: bool = False

    def __post_init__(self):
        check_options(self.summary, self.measure, self.scale, self.n_jobs)
        if self.scale == "z_score":
            self.check_known('scale="z_score"')

    def check_known(self, what):
        """Raise ValueError where a masker cleans by itself, so that nobody knows D."""
        for adapter in (self.seeds, self.brain):
            if not adapter.is_known:
                raise ValueError(
                    f"{what} needs to know how signals are cleaned, but "
                    f"{adapter.name} ({type(adapter.masker).__name__}) cleans them by "
                    "itself, and nobody knows how many degrees of freedom that leaves. "
                    'Use a nilearn masker, or scale="fisher_z".'
                )

    @property
    def needs_dof(self):
        """Whether degrees of freedom are needed voxel by voxel."""
        return self.scale == "z_score" or self.kept is not None


@dataclass(frozen=True)
class SeedMap:
    """The correlation map of one run.

    Attributes
    ----------
    r : ndarray of shape (n_seeds, n_voxels), float32
    dof : ndarray of shape (n_seeds, n_voxels), float32, or None
        Effective degrees of freedom, where they are needed of each voxel.
    has_signal : ndarray of bool of shape (n_voxels,)
        False for a voxel with nothing to correlate, whose r is 0.
    n_scans, n_kept_scans : int
    n_without_signal : int
        Voxels whose r is 0 because there is nothing to correlate.
    seed_path, brain_path : str
        How the signals of each side were obtained.
    qualities : list of SeedQuality
        One for each seed.
    n_explained : int
        Voxels whose partial r is 0 where other seeds leave nothing of them.
    names : list of str
        Of the seeds.
    seed_table : DataFrame of n_seeds rows or None
        What a table of seeds tells beside their places.
    position : int
        Of the run.
    img : str or None
        Its file.
    """

    r: np.ndarray
    dof: Any
    has_signal: Any
    n_scans: int
    n_kept_scans: int
    n_without_signal: int
    seed_path: str
    brain_path: str
    qualities: list
    n_explained: int
    names: list
    seed_table: Any = None
    position: int = 0
    img: str | None = None

    @property
    def where(self):
        """The words that name the run in errors."""
        return describe_run(self.position, self.img)

    @property
    def named(self):
        """The words that name the run in warnings."""
        return run_in_warnings(self.position, self.img)

    @property
    def effective_dof(self):
        """Median over seeds of their median over voxels."""
        return float(np.median([own.effective_dof for own in self.qualities]))


def map_run(mapper, opened):
    """Return the correlation map of one run.

    Parameters
    ----------
    mapper : Mapper
    opened : OpenedRun or SentRun

    Returns
    -------
    seed_map : SeedMap

    Raises
    ------
    FileNotFoundError, ValueError
        If a run that was sent here cannot be opened.
    ValueError
        If a seed has no signal, or the maskers return different numbers of scans, or
        the other seeds are to be taken out of seeds that are sums of others.
    RuntimeError
        If something else went wrong: names the run, and has the error as its cause.
    """
    if isinstance(opened, SentRun):
        opened = opened.here()
    with naming(opened.where):
        plan = plan_run(mapper.seeds, mapper.brain, opened)
        if mapper.kept is not None:
            seed_map = _kept(mapper, plan)
        else:
            with workers() as crew:
                seed_map = _mapped(mapper, plan, crew)
        return replace(
            seed_map,
            seed_table=plan.seeds.adapter.seed_table(),
            position=opened.position,
            img=file_of(opened.run.img) or None,
        )


def _kept(mapper, plan):
    """Return the map of a run from where maps are kept, or keep it there."""
    key = map_key(plan, mapper.summary, mapper.measure)
    found = mapper.kept.map(key)
    if found is not None:
        arrays, facts = found
        facts["qualities"] = [SeedQuality(**own) for own in facts["qualities"]]
        names = mapper.seeds.names(len(arrays["r"]), "seed")
        arrays = arrays["r"], arrays.get("dof"), arrays["has_signal"]
        return SeedMap(*arrays, **facts, names=names)
    with workers() as crew:
        seed_map = _mapped(mapper, plan, crew)
    facts = {name: getattr(seed_map, name) for name in FACTS}
    facts["qualities"] = [asdict(quality) for quality in seed_map.qualities]
    arrays = {name: getattr(seed_map, name) for name in ARRAYS}
    arrays = {name: values for name, values in arrays.items() if values is not None}
    mapper.kept.keep_map(key, arrays, facts)
    return seed_map


def _mapped(mapper, plan, crew):
    """Return the map of a run from the scans or what is kept of them."""
    signals = RunSignals.of(mapper, plan, crew)
    products = signals.products
    r, n_explained = products.r(signals.voxels, crew)
    dof, medians = None, np.full(len(r), np.nan)
    if signals.bands is not None:
        directions = products.directions(signals.bands)
        # Of the same voxels whether or not all are asked for.
        some = products.dof(directions, Sampled(signals.voxels), crew)
        medians = median_dof(some, crew)
        if mapper.needs_dof:
            dof = products.dof(directions, signals.voxels, crew)
    qualities = [
        replace(quality, effective_dof=float(own))
        for quality, own in zip(signals.qualities, medians, strict=True)
    ]
    has_signal = np.asarray(signals.voxels.norms) > 0
    return SeedMap(
        r,
        dof,
        has_signal,
        plan.opened.n_scans,
        len(plan.opened.kept),
        int(np.sum(~has_signal)),
        plan.seeds.told,
        plan.brain.told,
        qualities,
        n_explained,
        signals.names,
    )


@dataclass(frozen=True, eq=False)
class RunSignals:
    """The cleaned signals of a run, checked.

    Attributes
    ----------
    voxels : CleanedSignals
    bands : Bands or None
        Of the voxels' basis; None where nobody knows how signals are cleaned.
    products : Plain or Remainders
        What is correlated with voxels.
    qualities : list of SeedQuality
    names : list of str
        Of the seeds.
    """

    voxels: Any
    bands: Any
    products: Any
    qualities: list
    names: list

    @classmethod
    def of(cls, mapper, plan, crew):
        """Return the signals of a run from the scans or what is kept of them."""
        brain, signals = read_run(plan, mapper.kept, crew)
        voxels, in_brain = brain.outputs, None
        if signals.spatial is None:
            n_seeds = len(signals.outputs.norms)
        else:
            in_brain, n_seeds = members_in_brain(plan), signals.spatial.n_outputs
        names = mapper.seeds.names(n_seeds, "seed")
        how = mapper.summary, mapper.measure
        products, qualities = taken(signals, voxels, how, names, in_brain, crew)
        is_known = plan.seeds.adapter.is_known and plan.brain.adapter.is_known
        bands = brain.operator.bands if is_known else None
        return cls(voxels, bands, products, qualities, names)


# Many runs


def _check_n_jobs(value):
    """Raise ValueError unless `value` is None or an integer but 0, as joblib wants."""
    if value is not None and not (is_integer(value) and value != 0):
        raise ValueError(
            "n_jobs must be None, a positive integer, or a negative one to count from "
            f"all cores down (-1: all), got {value!r}."
        )


def map_runs(mapper, opened, shape=None):
    """Return a generator of many runs' maps, holding only those in flight.

    The fewer of them, the larger they are, where their shape is known. Of a run that
    failed, and may, it gives a `FailedRun`.
    """
    most = RUNS_PER_JOB
    if shape is not None:
        n_bytes = 8 * math.prod(shape)  # r and degrees of freedom
        most = max(1, min(most, MOST_WAITING // n_bytes))
    maps = in_order(map_run, mapper, opened, most)
    if not mapper.verbose or len(opened) == 1:
        return maps  # even a bar that is not shown starts a thread that stays
    shown = {"unit": "run", "leave": False, "delay": SOON}
    return tqdm(maps, "seed maps", len(opened), **shown)


def in_order(function, mapper, opened, most=None):
    """Yield the position of each run, and what a function of mapper and run makes.

    A batch at a time, some runs a job at most, as joblib goes on and on ahead of
    whoever takes the maps, or of a slow first run. Where a worker is killed, the runs
    in flight are named.
    """
    n_jobs = effective_n_jobs(mapper.n_jobs)
    left = list(opened)
    while left:
        batch, done = left[: (most or RUNS_PER_JOB) * n_jobs], set()
        with flights(n_jobs > 1) as folder:
            try:
                for run, result in _of_batch(function, mapper, batch, folder):
                    done.add(run.position)
                    yield run.position, result
                    del result
            except KILLED as error:
                fallen = killed(folder, [r for r in batch if r.position not in done])
                if not mapper.skips:
                    raise fallen[0].error from error
                done.update(own.position for own in fallen)
                yield from ((own.position, own) for own in fallen)
        left = [run for run in left if run.position not in done]


def _of_batch(function, mapper, batch, folder):
    """Yield some runs and what a function makes of each, in order.

    Whoever asks for no more is not told of those in flight.
    """
    with Parallel(n_jobs=mapper.n_jobs, return_as="generator") as parallel:
        runs = iter(batch)
        calls = (delayed(_attempt)(function, mapper, run, folder) for run in batch)
        results = parallel(calls)
        try:
            for result, error in results:
                run = next(runs)
                if error is not None:
                    result = FailedRun(*place_of(run), error)
                yield run, result
                del result
        except GeneratorExit:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", r"\d+ tasks", UserWarning)
                results.close()
            raise


def _attempt(function, mapper, run, folder):
    """Return what a function makes of a run, and the error if it may fail."""
    with in_flight(folder, run.position):
        try:
            return function(mapper, run), None
        except Exception as error:  # of any kind, as it is told
            if not mapper.skips:
                raise
            return None, bare(error)


def rows_of(maps, n_runs, scale, rows=None):
    """Return maps as rows of a scale, filled one map at a time, in an array of ours.

    Maps come with their positions; rows of runs that have none are NaN.
    """
    missing = set(range(n_runs))
    for position, seed_map in maps:
        if rows is None:
            rows = np.empty((n_runs, seed_map.r.size), dtype=np.float32)
        _fill(rows[position], seed_map, scale)
        missing.remove(position)
        del seed_map
    rows[sorted(missing)] = np.nan
    return rows


def each_row(maps, shape, scale):
    """Yield each map as a row of a scale, and hold none of those before it.

    Maps come with their positions, of which there are ``shape[0]``; rows of runs that
    have none are NaN.
    """
    n_yielded = 0
    for position, seed_map in maps:
        for _ in range(n_yielded, position):
            yield np.full(shape[1], np.nan, dtype=np.float32)
        row = np.empty(shape[1], dtype=np.float32)
        _fill(row, seed_map, scale)
        n_yielded = position + 1
        del seed_map
        yield row
        del row
    for _ in range(n_yielded, shape[0]):
        yield np.full(shape[1], np.nan, dtype=np.float32)


def _fill(row, seed_map, scale):
    """Fill a row, seed by seed: what lies between stays in cache."""
    rows, scaled = row.reshape(seed_map.r.shape), SCALES[scale]

    def fill(k):
        dof = None if seed_map.dof is None else seed_map.dof[k]
        rows[k] = scaled(seed_map.r[k], dof)

    with workers(len(rows)) as crew:
        crew.fill(fill, len(rows))
