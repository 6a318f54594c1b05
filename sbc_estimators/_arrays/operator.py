"""The cleaning of a run as factors of its matrix, and what it makes of signals."""

from dataclasses import dataclass, replace

import numpy as np

from .correlation import column_norms, has_signal, typical_values

CONSTANT_TOLERANCE = 1e-7
"""A response to a constant signal below this is rounding: the constant is removed."""

MAX_GAIN_IN_FLOAT32 = 10.0
"""Largest amplification of a signal by its cleaning for which float32 will do.

A filter's padding amplifies what lies at the ends two- to fivefold, splines that
extrapolate a single censored scan twentyfold.
"""


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
    """

    basis: np.ndarray
    projection: np.ndarray

    @property
    def rank(self):
        """Number of independent directions of time that cleaning keeps."""
        return self.basis.shape[1]

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
        return replace(
            self, basis=self.basis[:, keep], projection=self.projection[keep]
        )

    def project(self, raw):
        """Return the coordinates of cleaned signals in `basis`, `(rank, n_signals)`."""
        return apply(self.projection, raw)

    def clean(self, raw):
        """Return raw signals `(n_kept_scans, n_signals)` as `CleanedSignals`."""
        raw_norms = column_norms(raw - typical_values(raw))
        return self.cleaned(self.project(raw), raw_norms)

    def cleaned(self, coordinates, raw_norms):
        """Return projected signals as `CleanedSignals`."""
        return CleanedSignals(
            coordinates, norms_of_signals(coordinates, raw_norms), self.basis
        )


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

    def in_basis(self, basis):
        """Return the coordinates in another basis of time, or as series for None."""
        if basis is self.basis:
            return self.coordinates
        series = self.series()
        return series if basis is None else basis.T @ series


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


def norms_of_signals(cleaned, raw_norms):
    """Return the norms of cleaned signals, 0 where nothing is left but rounding."""
    norms = column_norms(cleaned)
    # Below its smallest number a type rounds all the more, down to 0.
    is_held = norms > np.finfo(cleaned.dtype).tiny
    return np.where(has_signal(norms, raw_norms) & is_held, norms, 0.0)


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
