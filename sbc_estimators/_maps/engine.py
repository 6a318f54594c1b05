"""One run to its correlation map, and many runs in turn, in parallel, or from disk."""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from joblib import effective_n_jobs
from sklearn.utils.parallel import Parallel, delayed
from tqdm import tqdm

from .._arrays.cleaning import ALIKE_TOLERANCE
from .._arrays.correlation import fisher_z
from .._signals.keys import map_key
from .._signals.run_checks import (
    check_before_fit,
    check_coverage,
    check_left_after_cleaning,
)
from .._signals.run_signals import RunSignals
from .._signals.sources import SignalSource, describe_seed, is_known_masker
from .._support.cache import Cache, sealed
from .._support.messages import naming
from .._support.threads import workers
from .measures import correlate_by

MAP_LEVEL = 1
"""From which `memory_level` on maps are kept."""

RUNS_PER_JOB = 16
"""How many runs are handed out at a time: all their maps may wait to be taken."""


@dataclass(frozen=True)
class Mapper:
    """What turns a run into its map: where signals come from, and what is kept.

    Attributes
    ----------
    seeds, brain : SignalSource
    summary : str
        From the voxels of a seed to one signal.
    measure : str
        What r is.
    cache : Cache
    """

    seeds: SignalSource
    brain: SignalSource
    summary: str
    measure: str
    cache: Cache

    @property
    def sources(self):
        """Both sources, seeds first."""
        return self.seeds, self.brain

    def cleans_alike(self, opened):
        """Whether one operator cleans the seeds and the voxels of a run."""
        if not all(is_known_masker(source.masker) for source in self.sources):
            return False
        cleaning = self.seeds.cleaning
        if cleaning.high_variance_confounds and opened.seed_image is not None:
            return False
        return not cleaning.differences(self.brain.cleaning)

    def tolerance(self, opened):
        """Return which directions of time may be left out of the voxels' cleaning."""
        return ALIKE_TOLERANCE if self.cleans_alike(opened) else 0.0

    def check(self, opened, names=("seed_masker", "brain_masker")):
        """Raise an error where runs do not go with the maskers, fitted or not.

        Parameters
        ----------
        opened : list of OpenedRun
        names : sequence of str
            Of the sources to check.
        """
        sources = [source for source in self.sources if source.name in names]
        for source in sources:
            for run in opened:
                check_before_fit(source, run)
        alike = all(self.cleans_alike(run) for run in opened)
        # Where both clean alike, one stands for both.
        for source in sources[-1:] if alike else sources:
            check_left_after_cleaning(source, opened)


@dataclass(frozen=True)
class SeedMap:
    """The correlation map of one run.

    Attributes
    ----------
    r : ndarray of shape (n_seeds, n_voxels), float32
    n_scans, n_kept_scans : int
    rank : int or None
        Directions of time that the cleaning of voxels keeps, if it is a matrix.
    n_without_signal : int
        Voxels whose r is 0 because there is nothing to correlate.
    paths : dict of str to str
        How the signals of each source were obtained.
    qualities : list of SeedQuality
        One for each seed.
    n_explained : int
        Voxels whose partial r is 0 where other seeds leave nothing of them.
    where : str
        Names the run in messages.
    """

    r: np.ndarray
    n_scans: int
    n_kept_scans: int
    rank: int | None
    n_without_signal: int
    paths: dict
    qualities: list
    n_explained: int
    where: str = ""


def map_stage(key, work):
    """Return the `SeedMap` of a run, sealed for a cache."""
    return sealed(work())


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
    opened = opened.here()
    work = partial(_map_opened, mapper, opened)
    with naming(opened.where):
        key = map_key(mapper, opened) if mapper.cache.keeps(MAP_LEVEL) else None
        seed_map = mapper.cache.get(map_stage, MAP_LEVEL, key, work)
    return replace(seed_map, where=opened.where)


def map_runs(mapper, opened, n_jobs=None, verbose=0):
    """Return a generator of many runs' maps in order, holding only those in flight."""
    maps = _maps_in_order(mapper, opened, n_jobs)
    if not verbose:
        return maps  # even a bar that is not shown starts a thread that stays
    return tqdm(maps, "seed maps", len(opened), unit="run", leave=False)


def _maps_in_order(mapper, opened, n_jobs):
    """Yield the map of each run.

    A batch at a time, as joblib goes on and on ahead of whoever takes the maps, or of
    a slow first run.
    """
    n_runs = RUNS_PER_JOB * effective_n_jobs(n_jobs)
    with Parallel(n_jobs=n_jobs, return_as="generator") as parallel:
        for start in range(0, len(opened), n_runs):
            batch = opened[start : start + n_runs]
            yield from parallel(delayed(map_run)(mapper, run) for run in batch)


def rows_of_z(maps, n_runs):
    """Return the Fisher z of maps as rows, filled one map at a time."""
    rows = None
    with workers() as crew:  # maps come from the same threads
        for i, seed_map in enumerate(maps):
            if rows is None:
                rows = np.empty((n_runs, seed_map.r.size), dtype=np.float32)
            # Seed by seed, so that what lies between stays in cache.
            pairs = zip(rows[i].reshape(seed_map.r.shape), seed_map.r, strict=True)
            crew.map(_fill_with_z, pairs)
    return rows


def _fill_with_z(row_and_r):
    """Fill a row with the Fisher z of r."""
    row, r = row_and_r
    row[:] = fisher_z(r)


@workers()
def _map_opened(mapper, opened):
    """Return the map of a run that was not kept."""
    signals = RunSignals(mapper, opened)
    seeds, qualities = signals.seeds()
    _check_seeds(seeds, mapper.seeds, opened.where)
    coverage, sizes = zip(*((q.coverage, q.n_voxels) for q in qualities), strict=True)
    check_coverage(mapper.seeds, coverage, sizes, opened.where)
    maps, n_without_signal, n_explained = [], 0, 0
    for part in signals.parts():
        r, n = _correlate(mapper, seeds, part.signals, opened.where)
        maps.append((part.columns, r))
        n_explained += n
        n_without_signal += int(np.sum(part.signals.norms == 0))
        rank = part.signals.rank
        del part  # before the next is read
    return SeedMap(
        _assembled(maps),
        opened.n_scans,
        len(opened.kept),
        rank,
        n_without_signal,
        {name: str(plan) for name, plan in signals.task.plans.items()},
        qualities,
        n_explained,
    )


def clean_signals(mapper, name, opened):
    """Return a run's cleaned, centred signals, `(n_kept_scans, n_signals)`.

    Parameters
    ----------
    mapper : Mapper
    name : str
        "seed_masker" or "brain_masker".
    opened : OpenedRun

    Returns
    -------
    signals : ndarray of shape (n_kept_scans, n_signals)
        0 throughout where there is no signal.
    """
    sources = [source for source in mapper.sources if source.name == name]
    signals = RunSignals(mapper, opened, sources)
    if name == "seed_masker":
        return _silenced(signals.seeds()[0])
    return _assembled([(p.columns, _silenced(p.signals)) for p in signals.parts()])


def _silenced(signals):
    """Return signals scan by scan, 0 where there is none."""
    return np.where(signals.norms > 0, signals.series(), 0.0)


def _assembled(parts):
    """Return arrays of parts of the brain as one, given with their columns."""
    if len(parts) == 1:
        return parts[0][1]
    n_columns = sum(len(columns) for columns, _ in parts)
    first = parts[0][1]
    whole = np.empty((len(first), n_columns), first.dtype)
    for columns, values in parts:
        whole[:, columns] = values
    return whole


# From cleaned signals to r


def _check_seeds(seeds, source, where):
    """Raise ValueError where a seed has nothing to correlate."""
    silent = np.flatnonzero(seeds.norms == 0)
    if len(silent):
        seed = describe_seed(source, silent[0], len(seeds.norms))
        raise ValueError(
            f"{where}: {seed} has no signal: it is constant, not finite, or nothing of "
            "it is left after cleaning. Move the seed into the brain, or leave it out."
        )


def _correlate(mapper, seeds, voxels, where):
    """Return r of seeds with voxels, and how many of these other seeds explain."""
    if seeds.n_scans != voxels.n_scans:
        raise ValueError(
            f"{where}: seed_masker returned {seeds.n_scans} scans and brain_masker "
            f"{voxels.n_scans}. Both must keep the same scans: let both take "
            "sample_mask, or neither."
        )
    return correlate_by(mapper.measure, mapper.seeds, seeds, voxels, where)
