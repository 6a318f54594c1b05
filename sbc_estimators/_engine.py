"""One run to its correlation map, and many runs in turn or in parallel."""

from dataclasses import dataclass, replace

import numpy as np
from nilearn.image import high_variance_confounds
from sklearn.utils.parallel import Parallel, delayed

from ._checks import check_confounds, check_sample_mask, describe_run
from ._cleaning import compile_cleaning
from ._correlation import column_norms, correlate, has_signal
from ._images import open_image, read_scans
from ._signals import (
    check_run_fits,
    own_signals,
    raw_signals,
    signals_without_data,
)
from .runs import load_confounds


@dataclass(frozen=True)
class OpenedRun:
    """A run whose header and tables are read and checked, and whose scans are not.

    Attributes
    ----------
    run : Run
        As the user passed it.
    image : nibabel image or SurfaceImage
    kept : ndarray of shape (n_kept_scans,)
        Indices of the scans that are not censored.
    confounds : ndarray of shape (n_scans, n_confounds) or None
    where : str
        Names the run in messages.
    """

    run: object
    image: object
    kept: np.ndarray
    confounds: np.ndarray | None
    where: str

    @property
    def n_scans(self):
        """Number of scans, censored ones included."""
        return self.image.shape[-1]


def open_run(run, position):
    """Read and check everything of a run but its scans.

    Raises
    ------
    FileNotFoundError, ValueError
        If a file is missing, the image is not 4D, or confounds or sample mask do not
        fit its scans.
    """
    where = describe_run(position, run.img)
    image = open_image(run.img, where)
    n_scans = image.shape[-1]
    kept = check_sample_mask(run.sample_mask, n_scans, where)
    confounds = load_confounds(run.confounds, where)
    confounds = check_confounds(confounds, n_scans, kept, where)
    return OpenedRun(run, image, kept, confounds, where)


@dataclass(frozen=True)
class Mapper:
    """What turns a run into its map: where seed and voxel signals come from."""

    seeds: object
    brain: object

    def check(self, opened):
        """Raise an error where a run cannot be mapped, as far as its header tells."""
        for source in (self.seeds, self.brain):
            check_run_fits(source, opened.image, opened.run.t_r, opened.where)


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
    """

    r: np.ndarray
    where: str
    n_scans: int
    n_kept_scans: int
    rank: int | None
    n_without_signal: int


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
    mapper.check(opened)
    extractions = _extract(opened, (mapper.seeds, mapper.brain))
    seeds = _clean(*extractions[0], as_scans=True)
    voxels = _clean(*extractions[1])
    _check_seeds(mapper, seeds, opened.where)
    r = _correlate(mapper, seeds, voxels, opened.where)
    return SeedMap(
        r,
        opened.where,
        opened.n_scans,
        len(opened.kept),
        None if voxels.basis is None else voxels.basis.shape[1],
        int(np.sum(voxels.norms == 0)),
    )


def clean_signals(source, run, position):
    """Return a run's cleaned, centred signals, `(n_kept_scans, n_signals)`.

    A signal that is none is 0 throughout.
    """
    opened = open_run(run, position)
    check_run_fits(source, opened.image, run.t_r, opened.where)
    cleaned = _clean(*_extract(opened, [source])[0], as_scans=True)
    return np.where(cleaned.norms > 0, cleaned.coordinates, 0.0)


def map_runs(mapper, runs, n_jobs=None, verbose=0):
    """Yield the maps of many runs in order, holding only those in flight."""
    parallel = Parallel(n_jobs=n_jobs, verbose=verbose, return_as="generator")
    return parallel(delayed(map_run)(mapper, run, i) for i, run in enumerate(runs))


@dataclass(frozen=True)
class Extraction:
    """Signals of one source, with the matrix that cleans them.

    Attributes
    ----------
    signals : ndarray of shape (n_kept_scans, n_signals)
        Raw where there is an operator, cleaned by the masker itself where not.
    operator : CleaningOperator or None
    without_data : ndarray of bool of shape (n_signals,) or None
        Voxels to be left out, whatever their signal.
    """

    signals: np.ndarray
    operator: object
    without_data: np.ndarray | None


def _extract(opened, sources):
    """Return each source's extraction, a tuple of one, the scans read once for all."""
    scans, not_finite, operators = None, None, []
    compiled = [source for source in sources if source.path == "compiled"]
    if compiled:
        scans, not_finite = read_scans(opened.image, opened.kept, opened.where)
        operators = _operators(opened, [s.cleaning for s in compiled], scans)
    extractions = []
    for source in sources:
        if source.path == "compiled":
            signals = raw_signals(source, scans, opened.where)
            without_data = signals_without_data(source, not_finite)
            operator = operators[compiled.index(source)]
            extractions.append((Extraction(signals, operator, without_data),))
        else:
            extractions.append((_own_extraction(source, opened),))
    return extractions


def _own_extraction(source, opened):
    """Return what a masker of another make gives, confounds and sample mask handed on."""
    kept = None if opened.run.sample_mask is None else opened.kept
    run = replace(opened.run, confounds=opened.confounds)
    return Extraction(own_signals(source, run, kept, opened.where), None, None)


def _operators(opened, cleanings, scans):
    """Return the compiled cleaning of each source, equal ones compiled once."""
    operators = []
    for i, cleaning in enumerate(cleanings):
        same = [j for j in range(i) if not cleaning.differences(cleanings[j])]
        operators.append(operators[same[0]] if same else _operator(opened, cleaning, scans))
    return operators


def _operator(opened, cleaning, scans):
    """Compile one cleaning for a run."""
    confounds = opened.confounds
    if cleaning.high_variance_confounds:
        confounds = _with_high_variance(opened, scans)
    return compile_cleaning(
        cleaning.with_t_r(opened.run.t_r),
        opened.n_scans,
        opened.kept,
        confounds,
        opened.where,
    )


def _with_high_variance(opened, scans):
    """Return the confounds with those of nilearn's CompCor before them.

    They are computed from the kept scans, so that a censored one has no say.
    """
    columns = np.zeros((opened.n_scans, 0))
    computed = high_variance_confounds(scans)
    full = np.zeros((opened.n_scans, computed.shape[1]))
    full[opened.kept] = computed
    given = columns if opened.confounds is None else opened.confounds
    return np.hstack([full, given])


def _clean(extraction, as_scans=False):
    """Return cleaned signals: in the basis of the operator, or scan by scan."""
    signals, operator = extraction.signals, extraction.operator
    raw_norms = column_norms(signals - signals[0])
    if operator is None:
        coordinates = signals - signals.mean(axis=0)
    elif as_scans:
        coordinates = operator.clean(signals)
    else:
        coordinates = operator.project(signals)
    norms = column_norms(coordinates)
    keep = has_signal(norms, raw_norms)
    if extraction.without_data is not None:
        keep &= ~extraction.without_data
    if not np.isfinite(norms).all():
        coordinates = np.where(np.isfinite(norms), coordinates, 0.0)
    basis = None if operator is None or as_scans else operator.basis
    return CleanedSignals(coordinates, np.where(keep, norms, 0.0), basis)


def _check_seeds(mapper, seeds, where):
    """Raise ValueError where a seed has nothing to correlate."""
    silent = np.flatnonzero(seeds.norms == 0)
    if len(silent):
        raise ValueError(
            f"{where}: seed {int(silent[0])} of {mapper.seeds.name} has no signal: it "
            "is constant, not finite, or nothing of it is left after cleaning. Move "
            "the seed into the brain, or leave it out."
        )


def _correlate(mapper, seeds, voxels, where):
    """Return r of seed series with voxels, in whatever basis the voxels are."""
    series = seeds.coordinates
    n_scans = len(voxels.coordinates if voxels.basis is None else voxels.basis)
    if len(series) != n_scans:
        raise ValueError(
            f"{where}: {mapper.seeds.name} returned {len(series)} scans and "
            f"{mapper.brain.name} {n_scans}. Both must keep the same scans: let both "
            "take sample_mask, or neither."
        )
    if voxels.basis is not None:
        series = voxels.basis.T @ series
    return correlate(series, voxels.coordinates, seeds.norms, voxels.norms)
