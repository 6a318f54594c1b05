"""One run to its correlation map, and many runs in turn or in parallel."""

from dataclasses import dataclass

import numpy as np
from sklearn.utils.parallel import Parallel, delayed

from ._cleaned_signals import cleaned_signals
from ._measures import correlate_by
from ._opened_run import open_run
from ._signals import (
    SignalSource,
    check_before_fit,
    check_regions,
    choose_paths,
)


@dataclass(frozen=True)
class Mapper:
    """What turns a run into its map: where signals come from, and what r is."""

    seeds: SignalSource
    brain: SignalSource
    measure: str = "correlation"

    @property
    def sources(self):
        """Both sources, seeds first."""
        return self.seeds, self.brain

    def check(self, opened):
        """Raise an error where a run cannot be mapped, as far as its header tells."""
        for source in self.sources:
            check_before_fit(source, opened)
            check_regions(source, opened)


@dataclass(frozen=True)
class SeedMap:
    """The correlation map of one run.

    Attributes
    ----------
    r : ndarray of shape (n_seeds, n_voxels), float32
    where : str
        Names the run in messages.
    n_scans, n_kept_scans : int
    rank : int or None
        Directions of time that the cleaning of voxels keeps, if it is a matrix.
    n_without_signal : int
        Voxels whose r is 0 because there is nothing to correlate.
    paths : dict of str to str
        As `choose_paths` returns them.
    n_explained : int
        Voxels whose partial r is 0 where other seeds leave nothing of them.
    """

    r: np.ndarray
    where: str
    n_scans: int
    n_kept_scans: int
    rank: int | None
    n_without_signal: int
    paths: dict
    n_explained: int = 0

    def summary(self):
        """Return what there is to say of the run in one row of a table."""
        return {
            "run": self.where,
            "n_scans": self.n_scans,
            "n_kept_scans": self.n_kept_scans,
            "rank": self.rank,
            "n_without_signal": self.n_without_signal,
            "n_explained": self.n_explained,
        }


def map_run(mapper, run, position):
    """Return the correlation map of one run.

    Parameters
    ----------
    mapper : Mapper
    run : Run
    position : int
        Place of the run in X, for messages.

    Returns
    -------
    seed_map : SeedMap

    Raises
    ------
    ValueError
        If a seed has no signal, or the maskers return different numbers of scans, or
        the other seeds are to be taken out of seeds that are sums of others.
    """
    opened = open_run(run, position)
    paths = choose_paths(mapper.sources, opened.image)
    signals = cleaned_signals(opened, mapper.sources, paths)
    seeds, parts = signals["seed_masker"], signals["brain_masker"]
    _check_seeds(seeds, opened.where)
    maps, n_without_signal, n_explained = [], 0, 0
    for part in parts:
        r, n = _correlate(mapper, seeds, part.signals, opened.where)
        maps.append((part.columns, r))
        n_explained += n
        n_without_signal += int(np.sum(part.signals.norms == 0))
    return SeedMap(
        _assembled(maps),
        opened.where,
        opened.n_scans,
        len(opened.kept),
        part.signals.rank,
        n_without_signal,
        paths,
        n_explained,
    )


def map_runs(mapper, runs, n_jobs=None, verbose=0):
    """Yield the maps of many runs in order, holding only those in flight."""
    parallel = Parallel(n_jobs=n_jobs, verbose=verbose, return_as="generator")
    return parallel(delayed(map_run)(mapper, run, i) for i, run in enumerate(runs))


def clean_signals(source, run, position):
    """Return a run's cleaned, centred signals, `(n_kept_scans, n_signals)`.

    A signal that is none is 0 throughout.
    """
    opened = open_run(run, position)
    check_before_fit(source, opened)
    check_regions(source, opened)
    paths = choose_paths([source], opened.image)
    cleaned = cleaned_signals(opened, [source], paths)[source.name]
    if source.name == "seed_masker":
        return _silenced(cleaned)
    return _assembled([(part.columns, _silenced(part.signals)) for part in cleaned])


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


def _check_seeds(seeds, where):
    """Raise ValueError where a seed has nothing to correlate."""
    silent = np.flatnonzero(seeds.norms == 0)
    if len(silent):
        raise ValueError(
            f"{where}: seed {int(silent[0])} of seed_masker has no signal: it is "
            "constant, not finite, or nothing of it is left after cleaning. Move the "
            "seed into the brain, or leave it out."
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
