"""One run to its correlation map, and many runs in turn or in parallel."""

from dataclasses import dataclass

import numpy as np
from nilearn.image import high_variance_confounds
from sklearn.utils.parallel import Parallel, delayed

from ._cleaning import ALIKE_TOLERANCE, compile_cleaning
from ._correlation import column_norms, correlate, has_signal, typical_values
from ._images import read_scans, scan_blocks
from ._opened_run import open_run
from ._signals import (
    SignalSource,
    check_before_fit,
    check_regions,
    choose_paths,
    own_signals,
    raw_signals,
    signals_not_finite,
    stream_of,
)
from ._streaming import consume
from ._threads import slab_workers


@dataclass(frozen=True)
class Mapper:
    """What turns a run into its map: where seed and voxel signals come from."""

    seeds: SignalSource
    brain: SignalSource

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
    """

    r: np.ndarray
    where: str
    n_scans: int
    n_kept_scans: int
    rank: int | None
    n_without_signal: int
    paths: dict

    def summary(self):
        """Return what there is to say of the run in one row of a table."""
        return {
            "run": self.where,
            "n_scans": self.n_scans,
            "n_kept_scans": self.n_kept_scans,
            "rank": self.rank,
            "n_without_signal": self.n_without_signal,
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
        If a seed has no signal, or the maskers return different numbers of scans.
    """
    opened = open_run(run, position)
    paths = choose_paths(mapper.sources, opened.image)
    signals = _cleaned_signals(opened, mapper.sources, paths)
    seeds, voxels = signals["seed_masker"], signals["brain_masker"]
    _check_seeds(seeds, opened.where)
    return SeedMap(
        _correlate(seeds, voxels, opened.where),
        opened.where,
        opened.n_scans,
        len(opened.kept),
        None if voxels.basis is None else voxels.basis.shape[1],
        int(np.sum(voxels.norms == 0)),
        paths,
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
    cleaned = _cleaned_signals(opened, [source], paths)[source.name]
    return np.where(cleaned.norms > 0, cleaned.series(), 0.0)


# From an opened run to cleaned signals, by each of the three ways


@dataclass(frozen=True)
class CleanedSignals:
    """Cleaned, centred signals in a basis of time.

    Attributes
    ----------
    coordinates : ndarray of shape (n_components, n_signals)
    norms : ndarray of shape (n_signals,)
        0 where there is no signal.
    basis : ndarray of shape (n_kept_scans, n_components) or None
        None where the coordinates are the scans themselves.
    """

    coordinates: np.ndarray
    norms: np.ndarray
    basis: np.ndarray | None = None

    @property
    def n_scans(self):
        """Number of kept scans."""
        return len(self.coordinates if self.basis is None else self.basis)

    def series(self):
        """Return the signals scan by scan, `(n_kept_scans, n_signals)`."""
        return self.coordinates if self.basis is None else self.basis @ self.coordinates


def _cleaned_signals(opened, sources, paths):
    """Return the cleaned signals of each source by its name, each scan read once."""
    by_path = {"streamed": [], "compiled": [], "reference": []}
    for source in sources:
        by_path[paths[source.name].partition(":")[0]].append(source)
    signals = {}
    for path, way in (
        ("streamed", _streamed_signals),
        ("compiled", _compiled_signals),
        ("reference", _reference_signals),
    ):
        signals.update(way(opened, by_path[path]) if by_path[path] else {})
    return signals


def _streamed_signals(opened, sources):
    """Return cleaned signals had while the scans are read."""
    blocks = scan_blocks(opened.image, opened.kept, opened.where)
    with slab_workers() as run:
        operators = _operators(opened, sources)
        streams = [
            stream_of(source, opened, operator)
            for source, operator in zip(sources, operators, strict=True)
        ]
        results = consume(blocks, streams, run)
    return {
        source.name: _clean_raw(result, operator)
        if source.name == "seed_masker"
        else _in_basis(
            result.coordinates, result.raw_norms, result.not_finite, operator
        )
        for source, operator, result in zip(sources, operators, results, strict=True)
    }


def _compiled_signals(opened, sources):
    """Return cleaned signals from scans in memory that nilearn's maskers extract."""
    scans, not_finite = read_scans(opened.image, opened.kept, opened.where)
    signals = {}
    operators = _operators(opened, sources, scans)
    for source, operator in zip(sources, operators, strict=True):
        raw = raw_signals(source, scans, opened.where)
        if source.name == "seed_masker":
            signals[source.name] = _clean_raw(raw, operator)
        else:
            bad = signals_not_finite(source, not_finite)
            raw_norms = column_norms(raw - typical_values(raw))
            coordinates = operator.project(raw)
            signals[source.name] = _in_basis(coordinates, raw_norms, bad, operator)
    return signals


def _reference_signals(opened, sources):
    """Return the signals of maskers that do all by themselves, centred."""
    signals = {}
    for source in sources:
        own = own_signals(source, opened)
        finite = np.isfinite(own).all(axis=0)
        own = np.where(finite, own, 0.0)
        centred = own - own.mean(axis=0)
        norms = _norms_of_signals(centred, column_norms(own))
        signals[source.name] = CleanedSignals(centred, norms)
    return signals


def _clean_raw(raw, operator):
    """Return raw signals cleaned, scan by scan."""
    cleaned = operator.clean(raw)
    return CleanedSignals(
        cleaned, _norms_of_signals(cleaned, column_norms(raw - typical_values(raw)))
    )


def _in_basis(coordinates, raw_norms, not_finite, operator):
    """Return projected signals; those not finite are none."""
    norms = _norms_of_signals(coordinates, raw_norms)
    if not_finite is not None:
        norms[not_finite] = 0.0
    return CleanedSignals(coordinates, norms, operator.basis)


def _norms_of_signals(cleaned, raw_norms):
    """Return the norms of cleaned signals, 0 where nothing is left but rounding."""
    norms = column_norms(cleaned)
    return np.where(has_signal(norms, raw_norms), norms, 0.0)


def _operators(opened, sources, scans=None):
    """Return the compiled cleaning of each source, one for both if they are alike."""
    cleanings = [source.cleaning for source in sources]
    if len(cleanings) == 2 and not cleanings[0].differences(cleanings[1]):
        return 2 * [_operator(opened, cleanings[0], scans).reduced(ALIKE_TOLERANCE)]
    return [_operator(opened, cleaning, scans) for cleaning in cleanings]


def _operator(opened, cleaning, scans):
    """Compile one cleaning for a run."""
    confounds = opened.confounds
    if cleaning.high_variance_confounds:
        confounds = _with_high_variance(opened, scans)
    cleaning = cleaning.with_t_r(opened.t_r)
    return compile_cleaning(
        cleaning, opened.n_scans, opened.kept, confounds, opened.where
    )


def _with_high_variance(opened, scans):
    """Return the confounds with nilearn's high-variance ones before them.

    They are computed from the kept scans, so that a censored one has no say.
    """
    computed = high_variance_confounds(scans)
    full = np.zeros((opened.n_scans, computed.shape[1]))
    full[opened.kept] = computed
    return full if opened.confounds is None else np.hstack([full, opened.confounds])


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


def _correlate(seeds, voxels, where):
    """Return r of seed series with voxels, in whatever basis the voxels are."""
    if seeds.n_scans != voxels.n_scans:
        raise ValueError(
            f"{where}: seed_masker returned {seeds.n_scans} scans and brain_masker "
            f"{voxels.n_scans}. Both must keep the same scans: let both take "
            "sample_mask, or neither."
        )
    series = seeds.series()
    series = series if voxels.basis is None else voxels.basis.T @ series
    return correlate(series, voxels.coordinates, seeds.norms, voxels.norms)
