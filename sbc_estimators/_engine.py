"""One run to its correlation map, and many runs in turn, in parallel, or from disk."""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from sklearn.utils.parallel import Parallel, delayed
from tqdm import tqdm

from ._cache import Cache, sealed
from ._checks import check_summary_applies, naming
from ._cleaning import ALIKE_TOLERANCE
from ._keys import brain_key, cleaning_key, map_key, seed_key
from ._measures import correlate_by
from ._operator import CleanedSignals
from ._plans import check_before_fit, check_left_after_cleaning, plan_sources
from ._seeds import SeedQuality, member_signals, seed_quality, summarised
from ._sources import SignalSource, is_known_masker, signal_names
from ._stages import (
    Reading,
    Task,
    brain_stage,
    compiled_operator,
    seed_stage,
)
from ._threads import workers

SEED_LEVEL, BRAIN_LEVEL, MAP_LEVEL = 1, 2, 1
"""From which `memory_level` on each stage is kept; checks are kept with maps."""


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
        for run in opened:
            for source in sources[-1:] if self.cleans_alike(run) else sources:
                self._check_cleaning(source, run)

    def _check_cleaning(self, source, opened):
        """Raise ValueError where cleaning leaves nothing of a run."""
        work = partial(check_left_after_cleaning, source, opened)
        key = cleaning_key(source, opened) if self.cache.keeps(MAP_LEVEL) else None
        self.cache.get(check_stage, MAP_LEVEL, key, work)


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
        How the signals of each source were had.
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


def check_stage(key, work):
    """Return that a check was passed, sealed for a cache."""
    return sealed(work() or True)


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
    key = map_key(mapper, opened) if mapper.cache.keeps(MAP_LEVEL) else None
    work = partial(_map_opened, mapper, opened)
    with naming(opened.where):
        seed_map = mapper.cache.get(map_stage, MAP_LEVEL, key, work)
    return replace(seed_map, where=opened.where)


def map_runs(mapper, opened, n_jobs=None, verbose=0):
    """Yield the maps of many runs in order, holding only those in flight."""
    parallel = Parallel(n_jobs=n_jobs, return_as="generator")
    maps = parallel(delayed(map_run)(mapper, run) for run in opened)
    return tqdm(
        maps, "seed maps", len(opened), unit="run", disable=not verbose, leave=False
    )


@workers()
def _map_opened(mapper, opened):
    """Return the map of a run that was not kept."""
    signals = _Signals(mapper, opened)
    seeds, qualities = signals.seeds()
    _check_seeds(seeds, opened.where)
    check_coverage(qualities, mapper.seeds, opened.where)
    maps, n_without_signal, n_explained = [], 0, 0
    for part in signals.parts():
        r, n = _correlate(mapper, seeds, part.signals, opened.where)
        maps.append((part.columns, r))
        n_explained += n
        n_without_signal += int(np.sum(part.signals.norms == 0))
    return SeedMap(
        _assembled(maps),
        opened.n_scans,
        len(opened.kept),
        part.signals.rank,
        n_without_signal,
        {name: str(plan) for name, plan in signals.task.plans.items()},
        qualities,
        n_explained,
    )


class _Signals:
    """The signals of a run, from disk or from one reading of its scans."""

    def __init__(self, mapper, opened, sources=None):
        self.mapper, self.opened = mapper, opened
        self.cache = mapper.cache
        sources = mapper.sources if sources is None else sources
        self.task = Task(
            opened,
            {source.name: source for source in sources},
            plan_sources(sources, opened),
            mapper.tolerance(opened) if len(sources) == 2 else 0.0,
        )
        self.seed_key = self.brain_key = None
        if self.cache.keeps(min(SEED_LEVEL, BRAIN_LEVEL)):
            self.seed_key = seed_key(mapper.seeds, mapper.brain, opened)
            self.brain_key = brain_key(mapper.brain, opened, self.task.tolerance)
        self.reading = Reading(self.task, self._missing())
        self.first_part = None

    def _missing(self):
        """Return the names of the sources whose signals are not on disk."""
        held = {
            "seed_masker": self.cache.holds(seed_stage, SEED_LEVEL, self.seed_key),
            "brain_masker": self.cache.holds(
                brain_stage, BRAIN_LEVEL, self._key_of_part(0)
            ),
        }
        return [name for name in self.task.sources if not held[name]]

    def _key_of_part(self, i):
        """Return the key of a part of the brain."""
        return self.brain_key and f"{self.brain_key} part {i}"

    def _part(self, i):
        """Return a `BrainPart`."""
        work = partial(self.reading.part, i)
        return self.cache.get(brain_stage, BRAIN_LEVEL, self._key_of_part(i), work)

    def parts(self):
        """Yield the parts of the brain, of which no more than one is in memory."""
        first = self._part(0) if self.first_part is None else self.first_part
        self.first_part = None
        n_parts = first.n_parts
        yield first
        del first
        for i in range(1, n_parts):
            yield self._part(i)

    def seeds(self):
        """Return the seeds as `CleanedSignals`, and the `SeedQuality` of each."""
        raw = self.cache.get(seed_stage, SEED_LEVEL, self.seed_key, self.reading.seeds)
        if isinstance(raw, CleanedSignals):
            check_summary_applies(self.mapper.summary, None, self.opened.where)
            return raw, [SeedQuality()] * len(raw.norms)
        operator = self._operator_of_seeds(raw)
        check_summary_applies(self.mapper.summary, raw.regions, self.opened.where)
        members = None if raw.regions is None else member_signals(raw, operator)
        seeds = summarised(raw, members, operator, self.mapper.summary)
        if members is None or raw.in_brain is None:
            return seeds, [SeedQuality()] * len(seeds.norms)
        return seeds, seed_quality(raw, members)

    def _operator_of_seeds(self, raw):
        """Return what cleans the seeds: what cleans the voxels, if that is the same."""
        if self.task.tolerance:
            self.first_part = self._part(0)
            return self.first_part.operator
        opened = self.opened.as_seen_by("seed_masker")
        return compiled_operator(self.mapper.seeds, opened, raw.high_variance)


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
    signals = _Signals(mapper, opened, sources)
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


def _check_seeds(seeds, where):
    """Raise ValueError where a seed has nothing to correlate."""
    silent = np.flatnonzero(seeds.norms == 0)
    if len(silent):
        raise ValueError(
            f"{where}: seed {int(silent[0])} of seed_masker has no signal: it is "
            "constant, not finite, or nothing of it is left after cleaning. Move the "
            "seed into the brain, or leave it out."
        )


def check_coverage(qualities, source, where):
    """Raise ValueError where no voxel of a seed is one of the brain's."""
    for i, quality in enumerate(qualities):
        if quality.coverage == 0:
            name = signal_names(source, len(qualities), "seed")[i]
            raise ValueError(
                f"{where}: none of the {quality.n_voxels} voxels of seed {i} ({name}) "
                "of seed_masker lies within the brain mask and has a signal. Move the "
                "seed into the brain, or pass a brain mask that holds it."
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
