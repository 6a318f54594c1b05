"""Cleaning as a matrix: what a masker does to signals over time, compiled once.

Detrending, filtering, confound regression and censoring are linear in the signals.
Their matrix is what `nilearn.signal.clean` makes of the identity, so nilearn stays
the one authority on what cleaning means.
"""

import inspect
import warnings
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from nilearn.signal import clean
from scipy import linalg
from scipy.interpolate import CubicSpline

from .._support.checks import check_band, check_clean_args, check_switch
from .operator import CleaningOperator

RANK_TOLERANCE = 1e-7
"""Directions of time that cleaning shrinks below this are left out."""

ALIKE_TOLERANCE = 1e-5
"""The same where seeds and voxels are cleaned alike: its effect on r is the square."""

ROUNDING = 1e-12
"""A confound that varies less than this beside its size is a constant."""

DEPENDENT = 1e-9
"""A confound with less than this part of its own beside the others adds nothing."""


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
    def from_masker(cls, masker):
        """Return the cleaning that a masker's parameters ask for."""
        parameters = masker.get_params(deep=False)
        known = {field.name: field.default for field in fields(cls)}
        return cls(**{name: parameters.get(name, known[name]) for name in known})

    @property
    def filter_name(self):
        """The filter as nilearn names it: "butterworth", "cosine" or False."""
        chosen = (self.clean_args or {}).get("filter", "butterworth")
        if chosen == "butterworth" and self.low_pass is None and self.high_pass is None:
            return False
        return chosen

    def with_t_r(self, t_r):
        """Return the same cleaning at a run's own repetition time in seconds."""
        return self if t_r is None else replace(self, t_r=t_r)

    def check(self, where, t_r_in_header=None):
        """Raise ValueError unless all of it makes sense; `where` names the masker."""
        for name in ("detrend", "standardize_confounds"):
            check_switch(getattr(self, name), name, where)
        check_clean_args(self.clean_args, where)
        band = self.low_pass, self.high_pass, self.t_r, self.filter_name
        check_band(*band, where, t_r_in_header)

    def differences(self, other):
        """Return the names of the parameters in which two cleanings differ."""
        names = [field.name for field in fields(self)]
        return [
            name
            for name in names
            if not _equal(getattr(self, name), getattr(other, name))
        ]


def _equal(a, b):
    """Compare two parameters, of which either may be an array, or hold some."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_equal(a[name], b[name]) for name in a)
    return np.array_equal(a, b) if a is not None and b is not None else a is b


def compile_cleaning(parameters, n_scans, kept, confounds=None, where="run"):
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
    where : str, default="run"
        Names the run in errors.

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
    matrix = cleaning_matrix(parameters, n_scans, kept, confounds, where)
    basis, scales, directions = np.linalg.svd(matrix)
    rank = int(np.sum(scales > RANK_TOLERANCE))
    _check_rank(rank, len(kept), confounds, where)
    projection = scales[:rank, np.newaxis] * directions[:rank]
    return CleaningOperator(basis[:, :rank], projection)


def cleaning_matrix(parameters, n_scans, kept, confounds=None, where="run"):
    """Return cleaning and centring as a matrix, `(n_kept_scans, n_kept_scans)`.

    As in `compile_cleaning`, which factorises it.
    """
    identity = np.eye(len(kept))
    matrix = clean_kept(parameters, identity, n_scans, kept, confounds, where)
    return matrix - matrix.mean(axis=0)


def leaves_enough(parameters, n_scans, kept, n_confounds, where="run"):
    """Whether cleaning leaves something to correlate, whatever the confounds are.

    That is, more directions of time than confounds can take away. A few random
    signals tell, at a small part of the cost of `compile_cleaning`.
    """
    probes = _cleaned_probes(parameters, n_scans, kept, n_confounds + 3, None, where)
    return _rank(probes) >= n_confounds + 2


def check_cleaning(parameters, n_scans, kept, confounds=None, where="run"):
    """Raise the errors of `compile_cleaning` at a small part of its cost.

    A few random signals stand for all: if less than two directions of time are left
    of them, less than two are left of any.
    """
    left = _cleaned_probes(parameters, n_scans, kept, 3, confounds, where)
    _check_rank(_rank(left), len(kept), confounds, where)


def _cleaned_probes(parameters, n_scans, kept, n_probes, confounds, where):
    """Return random signals, cleaned and centred."""
    probes = np.random.default_rng(0).standard_normal((len(kept), n_probes))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what there is to say comes with the matrix
        left = clean_kept(parameters, probes, n_scans, kept, confounds, where)
    return left - left.mean(axis=0)


def _rank(signals):
    """Return in how many directions of time signals go."""
    scales = np.linalg.svd(signals, compute_uv=False)
    return int(np.sum(scales > RANK_TOLERANCE))


def _check_rank(rank, n_kept, confounds, where):
    """Raise ValueError unless cleaning leaves something to correlate."""
    if rank < 2:
        n_confounds = 0 if confounds is None else confounds.shape[1]
        raise ValueError(
            f"{where}: nothing is left after cleaning {n_kept} kept scans with "
            f"{n_confounds} confounds: {rank} directions of time remain, at least 2 "
            "are needed. Use fewer confounds, a wider band, or keep more scans."
        )


def clean_kept(parameters, signals, n_scans, kept, confounds, where, standardize=None):
    """Return signals at the kept scans cleaned, in the same shape and order.

    Parameters
    ----------
    parameters, n_scans, kept, confounds, where
        As in `compile_cleaning`.
    signals : ndarray of shape (n_kept_scans, n_signals)
    standardize : "zscore_sample", "psc" or None, default=None
        As in :func:`nilearn.signal.clean`.
    """
    cleaned = np.empty_like(signals)
    for scans in _scans_of_each_block(parameters.runs, n_scans, where):
        rows = np.flatnonzero(np.isin(kept, scans))
        if not len(rows):
            continue
        kept_in_block = np.flatnonzero(np.isin(scans, kept))
        block_confounds = None if confounds is None else confounds[scans]
        full = np.zeros((len(scans), signals.shape[1]))
        full[kept_in_block] = signals[rows]
        try:
            cleaned[rows] = _clean_block(
                parameters, full, kept_in_block, block_confounds, standardize
            )
        except ValueError as error:
            raise ValueError(
                f"{where}: {len(scans)} scans, {len(rows)} of them kept, could not be "
                f"cleaned with {parameters}: {error}"
            ) from error
    return cleaned


def _scans_of_each_block(labels, n_scans, where):
    """Return the scans of each block that is cleaned by itself (nilearn's `runs`)."""
    if labels is None:
        return [np.arange(n_scans)]
    labels = np.asarray(labels)
    if labels.shape != (n_scans,):
        raise ValueError(
            f"{where}: the masker's runs must have one label a scan, {n_scans}, got "
            f"shape {labels.shape}."
        )
    return [np.flatnonzero(labels == label) for label in np.unique(labels)]


def _clean_block(parameters, signals, kept, confounds, standardize):
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
    with warnings.catch_warnings():
        # nilearn 0.13 announces another scale of confounds; only their space matters.
        warnings.filterwarnings("ignore", "From release 0.14.0, confounds will be")
        return clean(
            signals,
            detrend=parameters.detrend,
            standardize=standardize,
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
    take the rounding that is left of them for one more confound.
    """
    columns = confounds[kept]
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
