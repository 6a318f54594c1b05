"""Cleaning as a matrix: what a masker does to signals over time, compiled once.

Detrending, filtering, confound regression and censoring are linear in the signals.
Their matrix is what `nilearn.signal.clean` makes of the identity, so nilearn stays
the one authority on what cleaning means.
"""

import inspect
import re
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

import numpy as np
from nilearn.signal import clean
from scipy import linalg
from scipy.interpolate import CubicSpline

from .._support.checks import check_each, check_positive
from .._support.messages import ignoring
from .correlation import cleaned_signals, column_norms, of_one_size, typical_values
from .dimensions import in_bands

CONSTANT_TOLERANCE = 1e-7
"""A response to a constant signal below this is rounding: the constant is removed."""

MAX_GAIN_IN_FLOAT32 = 10.0
"""Largest amplification of a signal by its cleaning for which float32 will do.

A filter's padding amplifies what lies at the ends two- to fivefold, splines that
extrapolate a single censored scan twentyfold.
"""

RANK_TOLERANCE = 1e-7
"""Directions of time that cleaning shrinks below this are left out."""

ALIKE_TOLERANCE = 1e-5
"""The same where seeds and voxels are cleaned alike: its effect on r is the square."""

ROUNDING = 1e-12
"""A confound that varies less than this beside its size is a constant."""

DEPENDENT = 1e-9
"""A confound with less than this part of its own beside the others adds nothing."""

OF_FILTERS = {
    "low_pass": partial(check_positive, unit="Hz", or_none=True),
    "high_pass": partial(check_positive, unit="Hz", or_none=True),
    "t_r": partial(check_positive, unit="s", or_none=True),
}
"""What tells whether a parameter of filters will do."""


@dataclass(frozen=True)
class CleaningOperator:
    """The cleaning of one run, from raw signals at the kept scans to coordinates.

    Attributes
    ----------
    basis : ndarray of shape (n_kept_scans, rank)
        Orthonormal columns that span the cleaned, centred signals.
    projection : ndarray of shape (rank, n_kept_scans)
        Takes raw signals to their coordinates in `basis`; norms and inner products
        of cleaned signals are those of their coordinates.
    bands : Bands or None
        Into which the axes of `basis` are cut; None where they are not.
    """

    basis: np.ndarray
    projection: np.ndarray
    bands: Any = None

    @property
    def dtype(self):
        """The precision in which to project: float32 unless cleaning amplifies.

        What cleaning takes away is large beside what it leaves only where signals
        drift. Splines that extrapolate censored scans make it so in any signal.
        """
        gain = np.linalg.norm(self.projection, axis=1).max()
        return np.dtype(np.float32 if gain < MAX_GAIN_IN_FLOAT32 else np.float64)

    def reduced(self, tolerance):
        """Return the operator without directions that cleaning shrinks below this."""
        keep = np.linalg.norm(self.projection, axis=1) > tolerance
        return CleaningOperator(self.basis[:, keep], self.projection[keep])

    def settled(self, tolerance, kept):
        """Return the reduced operator, its axes rotated into bands of time.

        Parameters
        ----------
        tolerance : float
            As of `reduced`.
        kept : ndarray of int of shape (n_kept_scans,)
        """
        reduced = self.reduced(tolerance)
        return CleaningOperator(*in_bands(reduced.basis, reduced.projection, kept))

    def clean(self, raw):
        """Return raw signals `(n_kept_scans, n_signals)` as `CleanedSignals`."""
        raw_norms = column_norms(raw - typical_values(raw))
        return cleaned_signals(apply(self.projection, raw), raw_norms, self.basis)


def apply(matrix, signals):
    """Return ``matrix @ signals``, with typical values taken off first.

    A BOLD signal's mean is a thousand times its fluctuations, and so would be the
    rounding of the product. What the matrix makes of a constant is added back.
    """
    typical = typical_values(signals)
    result = matrix @ (signals - typical)
    constant = constant_response(matrix)
    if constant.any():
        result += np.outer(constant, typical)
    return result


def constant_response(matrix):
    """Return what a matrix makes of a constant 1, exactly 0 where it removes it."""
    response = matrix.sum(axis=1)
    is_removed = np.linalg.norm(response) <= CONSTANT_TOLERANCE * np.sqrt(len(response))
    return np.zeros_like(response) if is_removed else response


@dataclass(frozen=True)
class CleaningParameters:
    """The parameters of a masker that act on time, named as nilearn names them."""

    detrend: bool = False
    standardize_confounds: bool = True
    high_variance_confounds: bool = False
    low_pass: float | None = None
    high_pass: float | None = None
    t_r: float | None = None
    runs: Any = None
    clean_args: dict | None = None

    @classmethod
    def of(cls, parameters):
        """Return the cleaning that a masker's parameters ask for, given as a dict."""
        known = {field.name: field.default for field in fields(cls)}
        return cls(**{name: parameters.get(name, known[name]) for name in known})

    @property
    def filter_name(self):
        """The filter as nilearn names it: "butterworth", "cosine" or False."""
        chosen = (self.clean_args or {}).get("filter", "butterworth")
        if chosen == "butterworth" and self.low_pass is None and self.high_pass is None:
            return False
        return chosen

    @property
    def needs_t_r(self):
        """Whether there is a filter, which needs the repetition time."""
        has_edge = self.low_pass is not None or self.high_pass is not None
        return bool(self.filter_name) and has_edge

    def check(self, told=""):
        """Raise ValueError unless all of it makes sense.

        What is told of the repetition time, a sentence, goes to who has passed none.
        """
        check_each(vars(self), OF_FILTERS)
        if self.needs_t_r:
            _check_band(self.low_pass, self.high_pass, self.t_r, told)

    def differences(self, other):
        """Return the names of the parameters in which two cleanings differ."""
        own, theirs = vars(self), vars(other)
        differing = [name for name in own if not _equal(own[name], theirs[name])]
        is_unused = differing == ["t_r"] and not self.needs_t_r
        return [] if is_unused else differing


def _equal(a, b):
    """Compare two parameters, of which either may be an array, or hold some."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_equal(a[name], b[name]) for name in a)
    return a is b or (a is not None and b is not None and np.array_equal(a, b))


def compile_cleaning(parameters, n_scans, kept, confounds=None):
    """Compile the cleaning of one run.

    Parameters
    ----------
    parameters : CleaningParameters
        With the repetition time of this run.
    n_scans : int
        Number of scans of the run, censored ones included.
    kept : ndarray of shape (n_kept_scans,)
        Indices of the scans that are not censored, ascending.
    confounds : ndarray of shape (n_scans, n_confounds) or None, default=None
        The rows of censored scans are never looked at.

    Returns
    -------
    operator : CleaningOperator

    Raises
    ------
    ValueError
        If the run is too short for the filter, the run labels don't fit, or cleaning
        leaves nothing to correlate.

    Notes
    -----
    Confounds that are sums of others take nothing more away, so they are left out.

    Censored scans are replaced before a Butterworth filter by cubic splines through
    the kept ones, and left out before anything else without one, as Lindquist et al.
    recommend [1]_ and nilearn means to do. Here interpolation comes first, for
    signals and confounds alike, because nilearn 0.14.1 confuses the indices of kept
    scans with those of censored ones and lets these into the filter. Scans beyond
    the first and the last kept one are not extrapolated unless
    ``clean_args={"extrapolate": True}`` asks for it.

    References
    ----------
    .. [1] Lindquist et al. (2019). Modular preprocessing pipelines can reintroduce
       artifacts into fMRI data. Human Brain Mapping, 40(8), 2358-2376.
       https://doi.org/10.1002/hbm.24528
    """
    factors = _factors(cleaning_matrix(parameters, n_scans, kept, confounds))
    operator = CleaningOperator(*factors).reduced(RANK_TOLERANCE)
    _check_rank(len(operator.projection), len(kept), confounds)
    return operator


def _factors(matrix):
    """Return the left singular vectors of a matrix, and the matrix in their basis."""
    # In half the time of an SVD. Only `squares` lose the smallest gains to rounding.
    squares, basis = np.linalg.eigh(matrix @ matrix.T)
    basis = basis[:, squares > RANK_TOLERANCE**2][:, ::-1]
    return basis, basis.T @ matrix


def cleaning_matrix(parameters, n_scans, kept, confounds=None):
    """Return cleaning and centring as a matrix, `(n_kept_scans, n_kept_scans)`.

    As in `compile_cleaning`, which factorises it.
    """
    identity = np.eye(len(kept))
    matrix = clean_kept(parameters, identity, n_scans, kept, confounds)
    return matrix - matrix.mean(axis=0)


def leaves_enough(parameters, n_scans, kept, n_confounds):
    """Whether cleaning leaves something to correlate, whatever the confounds are.

    That is, more directions of time than confounds can take away. A few random
    signals tell, at a small part of the cost of `compile_cleaning`.
    """
    probes = _cleaned_probes(parameters, n_scans, kept, n_confounds + 3, None)
    return _rank(probes) >= n_confounds + 2


def check_cleaning(parameters, n_scans, kept, confounds=None):
    """Raise the errors of `compile_cleaning` at a small part of its cost.

    A few random signals stand for all: if less than two directions of time are left
    of them, less than two are left of any.
    """
    left = _cleaned_probes(parameters, n_scans, kept, 3, confounds)
    _check_rank(_rank(left), len(kept), confounds)


def _cleaned_probes(parameters, n_scans, kept, n_probes, confounds):
    """Return random signals, cleaned and centred."""
    probes = np.random.default_rng(0).standard_normal((len(kept), n_probes))
    with ignoring():  # what there is to say comes with the matrix
        left = clean_kept(parameters, probes, n_scans, kept, confounds)
    return left - left.mean(axis=0)


def _rank(signals):
    """Return in how many directions of time signals go."""
    return int(np.sum(np.linalg.svd(signals, compute_uv=False) > RANK_TOLERANCE))


def _check_rank(rank, n_kept, confounds):
    """Raise ValueError unless cleaning leaves something to correlate."""
    if rank < 2:
        n_confounds = 0 if confounds is None else confounds.shape[1]
        raise ValueError(
            f"nothing is left after cleaning {n_kept} kept scans with "
            f"{n_confounds} confounds: {rank} directions of time remain, at least 2 "
            "are needed. Use fewer confounds, a wider band, or keep more scans."
        )


def clean_kept(parameters, signals, n_scans, kept, confounds):
    """Return signals at the kept scans cleaned, in the same shape and order.

    Parameters
    ----------
    parameters, n_scans, kept, confounds
        As in `compile_cleaning`.
    signals : ndarray of shape (n_kept_scans, n_signals)
    """
    cleaned = np.empty_like(signals)
    for scans in _scans_of_each_block(parameters.runs, n_scans):
        rows = np.flatnonzero(np.isin(kept, scans))
        if not len(rows):
            continue
        kept_in_block = np.flatnonzero(np.isin(scans, kept))
        block_confounds = None if confounds is None else confounds[scans]
        full = np.zeros((len(scans), signals.shape[1]))
        full[kept_in_block] = signals[rows]
        try:
            cleaned[rows] = _clean_block(
                parameters, full, kept_in_block, block_confounds
            )
        except ValueError as error:
            what = f"{len(scans)} scans, {len(rows)} of them kept,"
            raise ValueError(_why_not(error, what, parameters)) from error
    return cleaned


def _why_not(error, what, parameters):
    """Return the words for scans that nilearn does not clean."""
    padding = re.search(r"padlen, which is (\d+)", str(error))
    if padding is None:
        return f"{what} could not be cleaned with {parameters}: {error}"
    return (
        f"{what} are too few for the filter of low_pass={parameters.low_pass!r} and "
        f"high_pass={parameters.high_pass!r}: it needs {int(padding[1]) + 1} from the "
        "first that is kept to the last. Keep more scans, set both to None, or shorten "
        'what is added at both ends, with clean_args={"butterworth__padlen": 10}.'
    )


def _scans_of_each_block(labels, n_scans):
    """Return the scans of each block that is cleaned by itself (nilearn's `runs`)."""
    if labels is None:
        return [np.arange(n_scans)]
    labels = np.asarray(labels)
    if labels.shape != (n_scans,):
        raise ValueError(
            f"the masker's runs must have one label a scan, {n_scans}, got shape "
            f"{labels.shape}."
        )
    return [np.flatnonzero(labels == label) for label in np.unique(labels)]


def _clean_block(parameters, signals, kept, confounds):
    """Return a block's signals cleaned by nilearn, `(n_kept_scans, n_signals)`.

    The rows of censored scans are never looked at, in signals or confounds.
    """
    n_scans, sample_mask = len(signals), None
    if confounds is not None:
        confounds = _independent(confounds, kept, parameters)
    if len(kept) < n_scans:
        if parameters.filter_name == "butterworth":
            weights, sample_mask = _interpolation(n_scans, kept, parameters.clean_args)
        else:
            # nilearn compares all rows of confounds with the cosines of its filter.
            sample_mask = kept.copy()
            inside = np.clip(np.arange(n_scans), kept[0], kept[-1])
            weights = _spline_weights(n_scans, kept, inside)
        signals = weights @ signals
        confounds = None if confounds is None else weights @ confounds
    # nilearn 0.13 announces another scale of confounds; only their space matters.
    with ignoring("From release 0.14.0, confounds will be"):
        return clean(
            signals,
            detrend=parameters.detrend,
            standardize=None,
            standardize_confounds=parameters.standardize_confounds,
            low_pass=parameters.low_pass,
            high_pass=parameters.high_pass,
            t_r=parameters.t_r,
            confounds=confounds,
            sample_mask=sample_mask,
            **{"butterworth__copy": True, **(parameters.clean_args or {})},
        )


def _independent(confounds, kept, parameters):
    """Return the confounds less columns that are sums of others at the kept scans.

    nilearn filters and scales each column before it looks for such sums, and would
    take the rounding that is left of them for one more confound. It also drops what is
    small in the unit that it comes in, so that all come back with a size of 1.
    """
    columns = of_one_size(confounds[kept])
    confounds = np.zeros(confounds.shape)
    confounds[kept] = columns
    sizes = np.linalg.norm(columns, axis=0)
    if parameters.detrend or parameters.standardize_confounds:
        degree = 1 if parameters.detrend else 0
        trend = np.vander(np.linspace(-1, 1, len(confounds))[kept], degree + 1)
        columns = columns - trend @ np.linalg.lstsq(trend, columns, rcond=None)[0]
    own = np.linalg.norm(columns, axis=0)
    is_new = own > ROUNDING * sizes
    columns = columns[:, is_new] / own[is_new]
    if not columns.shape[1]:
        return None
    _, triangle, order = linalg.qr(columns, mode="economic", pivoting=True)
    rank = int(np.sum(np.abs(np.diag(triangle)) > DEPENDENT))
    return confounds[:, np.flatnonzero(is_new)[np.sort(order[:rank])]]


def _interpolation(n_scans, kept, clean_args):
    """Return the matrix that fills in censored scans, and the kept ones' new indices.

    Without extrapolation the scans before the first and after the last kept one have
    no row.
    """
    default = inspect.signature(clean).parameters["extrapolate"].default
    extrapolate = (clean_args or {}).get("extrapolate", default)
    first, stop = (0, n_scans) if extrapolate else (kept[0], kept[-1] + 1)
    return _spline_weights(n_scans, kept, np.arange(first, stop)), kept - first


def _spline_weights(n_scans, kept, scans):
    """Return the matrix of the cubic spline through kept scans, a row for each scan."""
    weights = np.zeros((len(scans), n_scans))
    weights[:, kept] = CubicSpline(kept, np.eye(len(kept)))(scans)
    is_kept = np.isin(scans, kept)
    weights[is_kept] = np.eye(n_scans)[scans[is_kept]]
    return weights


# Checks


def _check_band(low_pass, high_pass, t_r, told):
    """Raise ValueError unless a filter's frequencies (Hz) go with `t_r` (s)."""
    if t_r is None:
        raise ValueError(
            f"low_pass={low_pass!r} and high_pass={high_pass!r} need the repetition "
            "time, got t_r=None. Pass t_r in seconds to the masker, to "
            f"SeedCorrelationMap, or to Run.{told}"
        )
    nyquist = 0.5 / t_r
    for name, value in (("low_pass", low_pass), ("high_pass", high_pass)):
        if value is not None and value >= nyquist:
            raise ValueError(
                f"{name} must be below the Nyquist frequency {nyquist:.6g} Hz "
                f"(t_r={t_r!r} s), got {name}={value!r}. Lower it, or pass None."
            )
    if low_pass is not None and high_pass is not None and high_pass >= low_pass:
        raise ValueError(
            f"high_pass must be below low_pass, got high_pass={high_pass!r} and "
            f"low_pass={low_pass!r} Hz. Have they been swapped?"
        )
