"""Cleaning as a matrix: what a masker does to signals over time, compiled once.

Detrending, filtering, confound regression and censoring are linear in the signals.
Their matrix is what `nilearn.signal.clean` makes of the identity, so nilearn stays
the one authority on what cleaning means.
"""

import inspect
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from nilearn.signal import clean
from scipy.interpolate import CubicSpline

from ._checks import check_band

RANK_TOLERANCE = 1e-5
"""Directions of time that cleaning shrinks below this are left out."""

CONSTANT_TOLERANCE = 1e-7
"""A response to a constant signal below this is rounding: the constant is removed."""


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

    def check(self, where):
        """Raise ValueError unless the filter makes sense; `where` names the masker."""
        check_band(self.low_pass, self.high_pass, self.t_r, self.filter_name, where)

    def differences(self, other):
        """Return the names of the parameters in which two cleanings differ."""
        names = [field.name for field in fields(self)]
        return [
            name
            for name in names
            if not _equal(getattr(self, name), getattr(other, name))
        ]


def _equal(a, b):
    """Compare two parameters, of which either may be an array."""
    return np.array_equal(a, b) if a is not None and b is not None else a is b


@dataclass(frozen=True)
class CleaningOperator:
    """The cleaning of one run as a matrix, and its factors.

    The matrix takes raw signals at the kept scans to cleaned and centred ones:
    ``matrix = basis @ projection``.

    Attributes
    ----------
    matrix : ndarray of shape (n_kept_scans, n_kept_scans)
        Cleaning, then subtraction of the mean over kept scans.
    basis : ndarray of shape (n_kept_scans, rank)
        Orthonormal columns that span the cleaned signals.
    projection : ndarray of shape (rank, n_kept_scans)
        Takes raw signals to their coordinates in `basis`; norms and inner products
        of cleaned signals are those of their coordinates.
    """

    matrix: np.ndarray
    basis: np.ndarray
    projection: np.ndarray

    @property
    def rank(self):
        """Number of independent directions of time that cleaning keeps."""
        return self.basis.shape[1]

    def clean(self, signals):
        """Return cleaned, centred signals `(n_kept_scans, n_signals)`."""
        return _apply(self.matrix, signals)

    def project(self, signals):
        """Return the coordinates of cleaned signals in `basis`, `(rank, n_signals)`."""
        return _apply(self.projection, signals)


def _apply(matrix, signals):
    """Return ``matrix @ signals``, with the first scan taken off for precision.

    A BOLD signal's mean is a thousand times its fluctuations, and so would be the
    rounding of the product. What the matrix makes of a constant is added back.
    """
    first = signals[0]
    result = matrix @ (signals - first)
    constant = constant_response(matrix)
    if constant.any():
        result += np.outer(constant, first)
    return result


def constant_response(matrix):
    """Return what a matrix makes of a constant 1, exactly 0 where it removes it."""
    response = matrix.sum(axis=1)
    is_removed = np.linalg.norm(response) <= CONSTANT_TOLERANCE * np.sqrt(len(response))
    return np.zeros_like(response) if is_removed else response


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
    confounds = _at_kept_scans_only(confounds, kept)
    matrix = np.zeros((len(kept), len(kept)))
    for scans in _scans_of_each_block(parameters.runs, n_scans, where):
        rows = np.flatnonzero(np.isin(kept, scans))
        kept_in_block = np.flatnonzero(np.isin(scans, kept))
        if len(rows):
            block_confounds = None if confounds is None else confounds[scans]
            block = _clean_identity(
                parameters, len(scans), kept_in_block, block_confounds, where
            )
            matrix[np.ix_(rows, rows)] = block[:, kept_in_block]
    matrix -= matrix.mean(axis=0)
    return _factorise(matrix, confounds, where)


def _at_kept_scans_only(confounds, kept):
    """Return confounds interpolated at censored scans, and less their first row."""
    if confounds is None or len(kept) == len(confounds):
        return confounds
    inside = np.clip(np.arange(len(confounds)), kept[0], kept[-1])
    return CubicSpline(kept, confounds[kept])(inside)


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


def _clean_identity(parameters, n_scans, kept, confounds, where):
    """Return what cleaning makes of the identity, `(n_kept_scans, n_scans)`."""
    signals, sample_mask = np.eye(n_scans), None
    if len(kept) < n_scans:
        sample_mask = kept.copy()
        if parameters.filter_name == "butterworth":
            weights, sample_mask = _interpolation(n_scans, kept, parameters.clean_args)
            signals = weights
            confounds = None if confounds is None else weights @ confounds
    arguments = {"butterworth__copy": True, **(parameters.clean_args or {})}
    if confounds is not None and (
        parameters.detrend or parameters.standardize_confounds
    ):
        # A large constant column keeps a residue of rounding, which nilearn would
        # scale up to a confound of noise.
        confounds = confounds - confounds[0]
    try:
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
            **arguments,
        )
    except ValueError as error:
        raise ValueError(
            f"{where}: {n_scans} scans, {len(kept)} of them kept, could not be cleaned "
            f"with {parameters}: {error}"
        ) from error


def _interpolation(n_scans, kept, clean_args):
    """Return the matrix that fills in censored scans, and the kept ones' new indices.

    Without extrapolation the scans before the first and after the last kept one have
    no row.
    """
    default = inspect.signature(clean).parameters["extrapolate"].default
    extrapolate = (clean_args or {}).get("extrapolate", default)
    first, stop = (0, n_scans) if extrapolate else (kept[0], kept[-1] + 1)
    weights = np.zeros((stop - first, n_scans))
    spline = CubicSpline(kept, np.eye(len(kept)))
    weights[:, kept] = spline(np.arange(first, stop))
    weights[kept - first] = np.eye(n_scans)[kept]
    return weights, kept - first


def _factorise(matrix, confounds, where):
    """Return the operator of a cleaning matrix, if it leaves anything to correlate."""
    # The eigenvectors of matrix.T @ matrix are its right singular vectors, had several
    # times faster; the error is rounding beside the largest singular value.
    squares, directions = np.linalg.eigh(matrix.T @ matrix)
    scales = np.sqrt(np.maximum(squares[::-1], 0.0))
    rank = int(np.sum(scales > RANK_TOLERANCE))
    if rank < 2:
        n_confounds = 0 if confounds is None else confounds.shape[1]
        raise ValueError(
            f"{where}: nothing is left after cleaning {len(matrix)} kept scans with "
            f"{n_confounds} confounds: {rank} directions of time remain, at least 2 "
            "are needed. Use fewer confounds, a wider band, or keep more scans."
        )
    scales, directions = scales[:rank], directions[:, ::-1][:, :rank]
    basis = matrix @ directions / scales
    return CleaningOperator(matrix, basis, (scales * directions).T)
