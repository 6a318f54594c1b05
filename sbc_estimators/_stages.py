"""The two stages before a map: raw seeds, and cleaned signals of voxels.

Each is a function of a module, so that a cache can keep what it returns; both share
one reading of a run's scans where neither is kept.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from nilearn.image import high_variance_confounds

from ._cache import sealed
from ._cleaning import compile_cleaning
from ._correlation import column_norms
from ._images import read_scans, scaling, scan_blocks
from ._operator import CleanedSignals, CleaningOperator, norms_of_signals
from ._seeds import RawSeeds
from ._signals import (
    brain_mask,
    brain_parts,
    brain_smoothing,
    given_seeds,
    own_signals,
    raw_seeds,
    raw_signals,
    seed_stream,
    signals_not_finite,
    voxel_stream,
)
from ._streaming import consume
from ._threads import workers


@dataclass(frozen=True, eq=False)
class BrainPart:
    """The cleaned signals of some of a brain's voxels.

    Attributes
    ----------
    signals : CleanedSignals
    operator : CleaningOperator or None
        What cleaned them; None where the masker did it by itself.
    columns : ndarray of int, or None
        Which of all the brain's voxels these are; None for all.
    n_parts : int
        Into how many parts the brain is cut.
    """

    signals: CleanedSignals
    operator: CleaningOperator | None = None
    columns: np.ndarray | None = None
    n_parts: int = 1


def seed_stage(key, work):
    """Return the raw seeds of a run, sealed for a cache."""
    return sealed(work())


def brain_stage(key, work):
    """Return a part of a run's voxels, cleaned and sealed for a cache."""
    return sealed(work())


@dataclass(frozen=True)
class Task:
    """What is to be read from one run, and how.

    Attributes
    ----------
    opened : OpenedRun
    sources : dict of str to SignalSource
    plans : dict of str to Plan
    tolerance : float
        Directions of time that the cleaning of voxels shrinks below this are left out.
    """

    opened: Any
    sources: dict
    plans: dict
    tolerance: float = 0.0

    def on_path(self, path, names):
        """Return those of some sources whose signals are obtained in one way."""
        return [name for name in names if self.plans[name].path == path]


def compiled_operator(source, opened, high_variance=None, tolerance=0.0):
    """Return the compiled cleaning of a source's signals in a run.

    Parameters
    ----------
    source : SignalSource
    opened : OpenedRun
    high_variance : ndarray of shape (n_kept_scans, n_confounds) or None
        As `high_variance_of` returns them.
    tolerance : float, default=0.0
        Directions of time that cleaning shrinks below this are left out.
    """
    confounds = opened.confounds
    if high_variance is not None:
        full = np.zeros((opened.n_scans, high_variance.shape[1]))
        full[opened.kept] = high_variance
        confounds = full if confounds is None else np.hstack([full, confounds])
    cleaning = source.cleaning.with_t_r(opened.t_r)
    place = (opened.n_scans, opened.kept)
    with workers():  # one thread factorises faster than several that share a core
        operator = compile_cleaning(cleaning, *place, confounds, opened.where)
    return operator.reduced(tolerance)


def high_variance_of(source, scans):
    """Return nilearn's high-variance confounds where a masker asks for them, or None.

    They are computed from the kept scans, so that a censored one has no say.
    """
    wanted = source.cleaning.high_variance_confounds
    return high_variance_confounds(scans) if wanted else None


class Reading:
    """The signals of a run, read when they are first asked for, all at once.

    Parameters
    ----------
    task : Task
    wanted : collection of str
        "seed_masker", "brain_masker" or both: what will be asked for.
    """

    def __init__(self, task, wanted):
        self.task = task
        self.wanted = set(wanted)
        self.results = {}

    def seeds(self):
        """Return the `RawSeeds`; from a third-party masker `CleanedSignals`."""
        return self._take("seed_masker")

    def part(self, i):
        """Return part i of the brain as `BrainPart`.

        All parts but the first are read anew. There are more than one only where the
        projected run is too large to hold.
        """
        return self._take("brain_masker") if i == 0 else _further_part(self.task, i)

    def _take(self, name):
        """Return a result, and let go of it."""
        if name not in self.results:
            self.results = _read(self.task, self.wanted | {name})
            self.wanted = set()
        return self.results.pop(name)


def _read(task, names):
    """Return what sources are to give, by name, from one reading of each image."""
    if task.opened.seed_image is not None and len(names) > 1:
        return {name: _read(task, {name})[name] for name in names}
    opened = task.opened.as_seen_by(*(names if len(names) == 1 else {"brain_masker"}))
    results = {}
    for path, way in (
        ("streamed", _streamed),
        ("compiled", _compiled),
        ("reference", _reference),
        ("given", _given),
    ):
        on_path = task.on_path(path, names)
        results.update(way(task, opened, on_path) if on_path else {})
    return results


# Streamed


def _streamed(task, opened, names):
    """Return what is obtained while the scans are read."""
    streams = {}
    with workers() as crew:
        if "seed_masker" in names:
            regions = task.plans["seed_masker"].regions
            streams["seed_masker"] = seed_stream(regions, opened)
        if "brain_masker" in names:
            cut = _Cut(task, opened)
            streams["brain_masker"] = cut.stream(0)
        blocks = _blocks(opened, streams.get("brain_masker"))
        results = consume(blocks, list(streams.values()), crew)
    results = dict(zip(streams, results, strict=True))
    if "seed_masker" in names:
        values = results["seed_masker"]
        results["seed_masker"] = RawSeeds(values, scaling(opened.image), regions)
    if "brain_masker" in names:
        results["brain_masker"] = cut.part(0, results["brain_masker"])
    return results


def _blocks(opened, voxels):
    """Return the scans of a run in blocks that suit a `VoxelStream`, or None."""
    sums_bytes = 0 if voxels is None else voxels.sums_bytes
    place = opened.image, opened.kept, opened.where
    return scan_blocks(*place, sums_bytes=sums_bytes)


class _Cut:
    """The brain of a streamed run in as few parts as fit into memory."""

    def __init__(self, task, opened):
        self.source = task.sources["brain_masker"]
        self.opened = opened
        self.operator = compiled_operator(self.source, opened, tolerance=task.tolerance)
        self.mask = brain_mask(self.source)
        self.smoothing = brain_smoothing(self.source, opened)
        self.masks = brain_parts(self.mask, self.smoothing, self.operator.rank)

    def stream(self, i):
        """Return what takes in scans and gives the signals of part i."""
        mask = self.masks[i]
        return voxel_stream(self.operator, mask, self.smoothing, self.opened)

    def part(self, i, signals):
        """Return part i from its `VoxelSignals`."""
        n_parts = len(self.masks)
        columns = None
        if n_parts > 1:
            columns = np.flatnonzero(self.masks[i][self.mask])
        cleaned = self.operator.cleaned(signals.coordinates, signals.raw_norms)
        cleaned.norms[signals.not_finite] = 0.0
        return BrainPart(cleaned, self.operator, columns, n_parts)


def _further_part(task, i):
    """Read the scans once more, for another part of the brain."""
    opened = task.opened
    with workers() as crew:
        cut = _Cut(task, opened)
        stream = cut.stream(i)
        (signals,) = consume(_blocks(opened, stream), [stream], crew)
    return cut.part(i, signals)


# Compiled


def _compiled(task, opened, names):
    """Return what maskers extract from scans in memory, the voxels cleaned."""
    scans, not_finite = read_scans(opened.image, opened.kept, opened.where)
    results = {}
    for name in names:
        source = task.sources[name]
        high_variance = high_variance_of(source, scans)
        if name == "seed_masker":
            seeds = raw_seeds(source, scans, opened.where)
            results[name] = replace(seeds, high_variance=high_variance)
            continue
        operator = compiled_operator(source, opened, high_variance, task.tolerance)
        cleaned = operator.clean(raw_signals(source, scans, opened.where))
        bad = signals_not_finite(source, not_finite)
        if bad is not None:
            cleaned.norms[bad] = 0.0
        results[name] = BrainPart(cleaned, operator)
    return results


# Given, and reference


def _given(task, opened, names):
    """Return the seeds whose signals come with the run."""
    return {name: given_seeds(task.sources[name], opened) for name in names}


def _reference(task, opened, names):
    """Return the signals of maskers that do all by themselves, centred."""
    results = {}
    for name in names:
        own = own_signals(task.sources[name], opened)
        own = np.where(np.isfinite(own).all(axis=0), own, 0.0)
        centred = own - own.mean(axis=0)
        signals = CleanedSignals(centred, norms_of_signals(centred, column_norms(own)))
        results[name] = signals if name == "seed_masker" else BrainPart(signals)
    return results
