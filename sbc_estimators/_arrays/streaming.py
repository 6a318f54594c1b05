"""Signals from one pass over the scans: project in time first, map space afterwards.

What maskers do to space acts on positions alone, cleaning on time alone, so the two
commute: scans are first reduced to the few directions of time that cleaning keeps, and
only those are smoothed, averaged or fitted. The scans are never in memory together.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from .cleaning import constant_response
from .correlation import typical_values

EXACT_IN_FLOAT32 = ("bool", "int8", "int16", "uint8", "uint16", "float16", "float32")
"""Types whose numbers float32 holds without rounding."""

N_PROBES = 4
"""Random vectors that estimate a norm: below a hundredth of it once in 5e7 signals."""


@dataclass(frozen=True, eq=False)
class Wanted:
    """What one pass over the scans is to give.

    Attributes
    ----------
    operator : CleaningOperator
    positions : ndarray of int of shape (n_positions,)
        Ascending.
    dtype : dtype
        In which to sum up.
    """

    operator: Any
    positions: np.ndarray
    dtype: Any


def project(scans, kept, wanted, crew, allocate=np.empty):
    """Return what is wanted of scans, all from one pass over them.

    Parameters
    ----------
    scans : Scans
        Has ``blocks``, ``slabs``, ``take`` and ``scaling``.
    kept : ndarray of int of shape (n_kept_scans,)
    wanted : list of Wanted
    crew : OneWorker or Workers
    allocate : callable, default=numpy.empty
        Gives an array of a size and a dtype, to hold the sums.

    Returns
    -------
    projected : list of Projected
    """
    streams = [_Sums(scans, own, allocate) for own in wanted]
    _feed(scans.blocks(kept), streams, crew)
    return [stream.finish(crew) for stream in streams]


def _feed(blocks, streams, crew):
    """Let each stream add each block; no block outlives this."""
    for block in crew.ahead(blocks):
        for stream in streams:
            stream.add(block, crew)


@dataclass(frozen=True, eq=False)
class Projected:
    """Cleaned signals of positions: coordinates in a basis of time, and probes.

    A sequence of rows over the positions: one for each direction of time, then
    `N_PROBES` probes of the raw signals.

    Attributes
    ----------
    operator : CleaningOperator
    positions : ndarray of int of shape (n_positions,)
        In the order of the slabs.
    slabs : list of ndarray of shape (n_rows, n_positions_in_slab)
    means, deviations : ndarray of shape (n_positions,)
        Mean and standard deviation (``ddof=1``) of the raw signals.
    not_finite : ndarray of bool of shape (n_positions,)
        Positions with a scan that was not finite: 0 in all rows.
    """

    operator: Any
    positions: np.ndarray
    slabs: list
    means: np.ndarray
    deviations: np.ndarray
    not_finite: np.ndarray

    @property
    def dtype(self):
        """In which the sums were taken."""
        return self.slabs[0].dtype

    def __len__(self):
        return len(self.slabs[0])

    def __getitem__(self, k):
        if k >= len(self):
            raise IndexError(k)
        return np.concatenate([sums[k] for sums in self.slabs])

    @cached_property
    def _places(self):
        """Where each position lies in the rows, -1 for one that does not."""
        return lookup(self.positions)

    def places_of(self, positions):
        """Return where some positions lie in the rows, -1 for one that does not."""
        return look_up(self._places, positions)

    def rows_at(self, positions):
        """Return positions among which are some, and the rows of these, few if few."""
        if 2 * len(positions) > len(self.positions):
            return self.positions, self
        places = self.places_of(positions)
        order = np.argsort(places)
        places = places[order]
        ends = np.cumsum([0, *(sums.shape[1] for sums in self.slabs)])
        edges = np.searchsorted(places, ends)
        rows = np.empty((len(self), len(places)), self.slabs[0].dtype)
        for i in np.flatnonzero(np.diff(edges)):  # few slabs, if few positions
            own = slice(edges[i], edges[i + 1])
            rows[:, own] = self.slabs[i].take(places[own] - ends[i], axis=1)
        return positions[order], rows


@dataclass(frozen=True, eq=False)
class Joined:
    """Cleaned signals of positions of which some are here and the others there.

    Attributes
    ----------
    first, second : Projected, or what has its attributes
        In one basis and of one dtype.
    """

    first: Any
    second: Any

    @property
    def dtype(self):
        """In which the sums were taken."""
        return self.first.dtype

    @property
    def means(self):
        """Means of the raw signals."""
        return np.concatenate([self.first.means, self.second.means])

    @property
    def deviations(self):
        """Standard deviations of the raw signals."""
        return np.concatenate([self.first.deviations, self.second.deviations])

    def places_of(self, positions):
        """Return where some positions lie, those of the first before the second's."""
        places, others = (own.places_of(positions) for own in (self.first, self.second))
        return np.where(places < 0, len(self.first.positions) + others, places)

    def rows_at(self, positions):
        """Return positions among which are some, and the rows of these."""
        is_first = self.first.places_of(positions) >= 0
        here, rows = self.first.rows_at(positions[is_first])
        there, others = self.second.rows_at(positions[~is_first])
        return np.concatenate([here, there]), _JoinedRows(rows, others)


@dataclass(frozen=True, eq=False)
class _JoinedRows:
    """A sequence of rows, each of which is put together when it is asked for."""

    rows: Any
    others: Any

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, k):
        return np.concatenate([self.rows[k], self.others[k]])


def beside(positions, held):
    """Return which positions are not among others; all are ascending."""
    places = np.minimum(np.searchsorted(held, positions), len(held) - 1)
    return positions[held[places] != positions]


def lookup(positions):
    """Return an array that has at each position its place among some, -1 elsewhere."""
    places = np.full(int(positions.max(initial=-1)) + 2, -1)
    places[positions] = np.arange(len(positions))
    return places


def look_up(places, positions):
    """Return the places of positions in what `lookup` returns."""
    return places[np.minimum(positions, len(places) - 1)]


class _Sums:
    """Sums over scans, slab by slab: projected signals, probes, and squares.

    Parameters
    ----------
    scans : Scans
    wanted : Wanted
    allocate : callable

    Notes
    -----
    Of the raw signals the map needs no more than whether cleaning left more than
    rounding of them, so their norms are estimated by products with a few random
    vectors. These are sums like all others, and whatever a masker does to space makes
    of them the probes of its outputs.

    The slabs are views of one array, as slabs that threads allocate and free by
    themselves leave holes in memory, in a large run as large as the sums.
    """

    def __init__(self, scans, wanted, allocate):
        self.operator, self.positions = wanted.operator, wanted.positions
        self.dtype, self.rank = np.dtype(wanted.dtype), wanted.operator.basis.shape[1]
        self.scans, self.scaling = scans, scans.scaling
        projection = self.operator.projection
        rows = np.vstack([projection, _probes(len(self.operator.basis))])
        self.rows = (rows * self.scaling.slope).astype(self.dtype)
        self.constants = constant_response(projection)
        self.places = scans.slabs(self.positions)
        self.references = [None] * len(self.places)
        sizes = [len(own) for _, own in self.places]
        self.whole = allocate(len(rows) * sum(sizes), self.dtype)
        pieces = np.split(self.whole, len(rows) * np.cumsum(sizes)[:-1])
        self.slabs = [piece.reshape(len(rows), -1) for piece in pieces]
        self.totals = [np.zeros(size) for size in sizes]
        self.squares = [np.zeros(size) for size in sizes]

    def add(self, block, crew):
        """Add the scans of a block to the sums of all slabs."""
        rows = np.ascontiguousarray(self.rows[:, block.kept])
        crew.map(lambda i: self._add_slab(block, rows, i), range(len(self.slabs)))

    def _add_slab(self, block, rows, i):
        """Add the scans of a block to the sums of one slab."""
        raw = self.scans.take(block, self.places[i][0])
        is_first = self.references[i] is None
        if is_first:
            self.references[i] = typical_values(raw)
        # What is not finite is found in the sums.
        with np.errstate(invalid="ignore", over="ignore"):
            signals = _less_reference(raw, self.references[i], self.dtype)
            self.totals[i] += signals.sum(axis=0, dtype=np.float64)
            squares = np.einsum("ij,ij->j", signals, signals, dtype=np.float64)
            self.squares[i] += squares
            signals = signals.astype(self.dtype, copy=False)
            if is_first:
                np.matmul(rows, signals, out=self.slabs[i])
            else:
                self.slabs[i] += rows @ signals

    def finish(self, crew):
        """Finish the sums, once, and return them as `Projected`."""
        finished = crew.map(self._finish_slab, range(len(self.slabs)))
        means, deviations, not_finite = map(np.concatenate, zip(*finished, strict=True))
        order = np.concatenate([own for _, own in self.places])
        return Projected(
            self.operator,
            self.positions[order],
            self.slabs,
            means,
            deviations,
            not_finite,
        )

    def _finish_slab(self, i):
        """Take out what is not finite; add what cleaning leaves of a constant.

        A position that is not finite in some scan becomes 0, and so cannot spoil its
        neighbours. Returns means, standard deviations, and which are not finite.
        """
        sums, n_kept = self.slabs[i], self.rows.shape[1]
        off = self.totals[i] / n_kept
        not_finite = ~(np.isfinite(off) & np.isfinite(sums[-1]))
        with np.errstate(invalid="ignore", over="ignore"):
            typical = self.references[i].astype(np.float64) * self.scaling.slope
            typical += self.scaling.intercept
            if self.constants.any():
                sums[: self.rank] += np.outer(self.constants, typical)
            squares = np.maximum(self.squares[i] - n_kept * off**2, 0.0)
            deviations = np.abs(self.scaling.slope) * np.sqrt(squares / (n_kept - 1))
            means = typical + self.scaling.slope * off
        if not_finite.any():
            for array in (sums, means, deviations):
                array[..., not_finite] = 0.0
        return means, deviations, not_finite


def _probes(n_scans):
    """Return random vectors whose products with a signal estimate its norm."""
    vectors = np.random.default_rng(0).standard_normal((N_PROBES, n_scans))
    return vectors / np.sqrt(N_PROBES)


def _less_reference(raw, reference, dtype):
    """Return scans less a reference, in a type in which nothing is rounded."""
    exact = dtype if raw.dtype.name in EXACT_IN_FLOAT32 else np.float64
    signals = raw.astype(exact)
    signals -= reference.astype(exact)
    return signals
