"""From an opened run to cleaned signals, in each of three ways."""

import itertools
from dataclasses import dataclass

import numpy as np
from nilearn.image import high_variance_confounds

from ._cleaning import ALIKE_TOLERANCE, compile_cleaning
from ._correlation import column_norms, has_signal, typical_values
from ._images import read_scans, scan_blocks
from ._signals import (
    brain_mask,
    brain_parts,
    own_signals,
    raw_signals,
    seed_stream,
    signals_not_finite,
    voxel_stream,
)
from ._streaming import consume
from ._threads import workers


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

    @property
    def rank(self):
        """Number of directions of time in the basis, None without one."""
        return None if self.basis is None else self.basis.shape[1]

    def series(self):
        """Return the signals scan by scan, `(n_kept_scans, n_signals)`."""
        return self.coordinates if self.basis is None else self.basis @ self.coordinates


@dataclass(frozen=True)
class Part:
    """The cleaned signals of some of a brain's voxels.

    Attributes
    ----------
    columns : ndarray of int, or slice
        Which of all the brain's voxels these are.
    signals : CleanedSignals
    """

    columns: object
    signals: CleanedSignals


def cleaned_signals(opened, sources, paths):
    """Return the cleaned signals of a run.

    Parameters
    ----------
    opened : OpenedRun
    sources : list of SignalSource
        Of seeds, of voxels, or of both: then their scans are read once, unless the
        projected run is too large to hold.
    paths : dict of str to str
        As `choose_paths` returns them.

    Returns
    -------
    signals : dict
        For "seed_masker" `CleanedSignals`, scan by scan; for "brain_masker" an
        iterable of `Part`, each made when it is asked for.
    """
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
    sources = {source.name: source for source in sources}
    seeds, brain = sources.get("seed_masker"), sources.get("brain_masker")
    with workers() as crew:
        operators = _operators(opened, list(sources.values()))
        operators = dict(zip(sources, operators, strict=True))
        streams, masks = [], []
        if seeds is not None:
            stream, read_seeds = seed_stream(seeds, opened)
            streams.append(stream)
        if brain is not None:
            operator = operators["brain_masker"]
            first, *masks = brain_parts(brain, opened, operator.rank)
            streams.append(voxel_stream(brain, opened, operator, first))
        blocks = scan_blocks(opened.image, opened.kept, opened.where)
        results = consume(blocks, streams, crew)
    signals = {}
    if seeds is not None:
        raw = read_seeds(results[0])
        signals["seed_masker"] = _clean_raw(raw, operators["seed_masker"])
    if brain is not None:
        first = _part(brain, first, results[-1], operator)
        rest = (_further_part(opened, brain, operator, mask) for mask in masks)
        signals["brain_masker"] = itertools.chain([first], rest)
    return signals


def _further_part(opened, brain, operator, mask):
    """Read the scans once more, for another part of the brain."""
    blocks = scan_blocks(opened.image, opened.kept, opened.where)
    with workers() as crew:
        stream = voxel_stream(brain, opened, operator, mask)
        (result,) = consume(blocks, [stream], crew)
    return _part(brain, mask, result, operator)


def _part(brain, mask, result, operator):
    """Return the signals of the voxels in a part of the brain's mask."""
    columns = np.flatnonzero(mask[brain_mask(brain)])
    signals = _in_basis(
        result.coordinates, result.raw_norms, result.not_finite, operator
    )
    return Part(columns, signals)


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
            voxels = _in_basis(coordinates, raw_norms, bad, operator)
            signals[source.name] = [Part(slice(None), voxels)]
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
        own = CleanedSignals(centred, norms)
        is_seed = source.name == "seed_masker"
        signals[source.name] = own if is_seed else [Part(slice(None), own)]
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
