"""Signals from one pass over the scans: project in time first, smooth afterwards.

Smoothing, masks and means over spheres act on voxels alone, cleaning on time alone,
so the two commute: scans are first reduced to the few directions of time that
cleaning keeps, and only those are smoothed. The scans are never in memory together.

Files have x fastest and scans slowest, so arrays here have the axes (z, y, x), and
a slab is all that lies at one z.
"""

import itertools
from dataclasses import dataclass

import numpy as np

from ._cleaning import constant_response
from ._correlation import typical_values
from ._smoothing import reach

EXACT_IN_FLOAT32 = ("bool", "int8", "int16", "uint8", "uint16", "float16", "float32")
"""Types whose numbers float32 holds without rounding."""


def consume(blocks, streams, run):
    """Feed blocks of scans to each stream, and return what each makes of them.

    Parameters
    ----------
    blocks : iterable of ScanBlock
        Read once.
    streams : list of SeedStream, MaskStream or SmoothStream
    run : callable
        Maps a function over slabs, as `slab_workers` gives it.

    Returns
    -------
    results : list
        What `finish` of each stream returns.
    """
    _feed(blocks, streams, run)
    return [stream.finish(run) for stream in streams]


def _feed(blocks, streams, run):
    """Let each stream add each block; no block outlives this."""
    for block in blocks:
        for stream in streams:
            stream.add(block, run)


@dataclass(frozen=True)
class VoxelSignals:
    """Cleaned signals of the voxels in a mask, as coordinates in a basis of time.

    Attributes
    ----------
    coordinates : ndarray of shape (rank, n_voxels), float32
    raw_norms : ndarray of shape (n_voxels,)
        Norms of the raw signals less a typical scan, smoothed like the signals and
        so an upper bound of the smoothed signals' own.
    not_finite : ndarray of bool of shape (n_voxels,)
        Voxels with a scan that was not finite.
    """

    coordinates: np.ndarray
    raw_norms: np.ndarray
    not_finite: np.ndarray


class SeedStream:
    """Weighted sums of a few voxels, in float64.

    Parameters
    ----------
    voxels : ndarray of shape (n_voxels,)
        Flat indices in C order of the grid (x, y, z).
    weights : sparse array of shape (n_voxels, n_seeds)
    shape : tuple of 3 int
        Of the grid.
    scaling : Scaling
    """

    def __init__(self, voxels, weights, shape, scaling):
        self.indices = np.unravel_index(voxels, shape)[::-1]
        self.weights = weights
        self.scaling = scaling
        self.parts = []

    def add(self, block, run):
        """Keep the seeds' voxels of a block."""
        self.parts.append(block.data[(block.rows[:, np.newaxis], *self.indices)])

    def finish(self, run):
        """Return the raw seed signals, `(n_kept_scans, n_seeds)`.

        A voxel that is not finite in any scan counts as 0 in all.
        """
        finite = np.all([np.isfinite(part).all(axis=0) for part in self.parts], axis=0)
        n_scans = sum(len(part) for part in self.parts)
        to_seeds = self.weights.T
        signals = np.empty((n_scans, self.weights.shape[1]))
        # Scan by scan, as an atlas has as many voxels as a brain.
        for row, values in enumerate(itertools.chain.from_iterable(self.parts)):
            scaled = values.astype(np.float64) * self.scaling.slope
            scaled += self.scaling.intercept
            signals[row] = to_seeds @ np.where(finite, scaled, 0.0)
        return signals


class _SlabSums:
    """Sums over scans, slab by slab: the projected signals, and their raw norms.

    Parameters
    ----------
    operator : CleaningOperator
    slabs : list of tuple
        For each slab its z, and what to select of its axes (y, x).
    sizes : list of int
        How many voxels are selected of each slab.
    scaling : Scaling
    """

    def __init__(self, operator, slabs, sizes, scaling):
        self.scaling = scaling
        self.projection = (operator.projection * scaling.slope).astype(np.float32)
        self.constant = constant_response(operator.projection)
        self.slabs = slabs
        self.references = [None] * len(slabs)
        # One piece of memory: slabs that threads allocate and free by themselves
        # leave holes, in a large run as large as the sums.
        height = len(self.projection) + 1
        pieces = np.zeros(height * sum(sizes), np.float32)
        pieces = np.split(pieces, height * np.cumsum(sizes)[:-1])
        self.sums = [piece.reshape(height, -1) for piece in pieces]

    def add(self, block, run):
        """Add the scans of a block to the sums of all slabs."""
        run(lambda i: self._add_slab(block, i), range(len(self.slabs)))

    def _add_slab(self, block, i):
        """Add the scans of a block to the sums of one slab."""
        z, selection = self.slabs[i]
        scans = block.data[:, z]
        if len(block.rows) < len(scans):
            scans = scans[block.rows]
        raw = scans[(slice(None), *selection)].reshape(len(scans), -1)
        projection = self.projection[:, block.kept]
        if self.references[i] is None:
            self.references[i] = typical_values(raw)
        # What is not finite is found in the sums.
        with np.errstate(invalid="ignore", over="ignore"):
            signals = _less_reference(raw, self.references[i])
            self.sums[i][:-1] += projection @ signals
            self.sums[i][-1] += np.einsum("ij,ij->j", signals, signals)

    def finish_slab(self, i):
        """Return a slab's projected signals with raw norms below, and what is bad.

        To be called once: the sums become what is returned.

        Returns
        -------
        sums : ndarray of shape (rank + 1, n_voxels_in_slab)
            0 in voxels that are not finite in some scan.
        not_finite : ndarray of bool of shape (n_voxels_in_slab,)
        """
        sums = self.sums[i]
        not_finite = ~np.isfinite(sums[-1])
        sums[:, not_finite] = 0.0
        sums[-1] = np.sqrt(sums[-1]) * abs(self.scaling.slope)
        if self.constant.any():
            means = self.references[i] * self.scaling.slope + self.scaling.intercept
            sums[:-1] += np.outer(self.constant, np.where(not_finite, 0.0, means))
        return sums, not_finite


def _less_reference(raw, reference):
    """Return scans less a reference in float32, subtracted before any rounding."""
    exact = np.float32 if raw.dtype.name in EXACT_IN_FLOAT32 else np.float64
    signals = raw.astype(exact)
    signals -= reference.astype(exact)
    return signals.astype(np.float32, copy=False)


def _voxel_numbers(mask):
    """Return on the axes (z, y, x) each voxel's place in a mask, -1 outside."""
    numbers = np.full(mask.shape, -1)
    numbers[mask] = np.arange(np.count_nonzero(mask))
    return numbers.T


class MaskStream:
    """Cleaned signals of the voxels in a mask.

    Parameters
    ----------
    operator : CleaningOperator
    mask : ndarray of bool of shape (n_x, n_y, n_z)
    scaling : Scaling
    """

    def __init__(self, operator, mask, scaling):
        numbers = _voxel_numbers(mask)
        inside = [(z, np.nonzero(layer >= 0)) for z, layer in enumerate(numbers)]
        slabs = [(z, selection) for z, selection in inside if len(selection[0])]
        self.places = [numbers[z][selection] for z, selection in slabs]
        self.n_voxels = np.count_nonzero(mask)
        sizes = [len(places) for places in self.places]
        self.sums = _SlabSums(operator, slabs, sizes, scaling)
        self.add = self.sums.add

    def finish(self, run):
        """Return the `VoxelSignals` of the mask."""
        coordinates = np.empty((self.n_voxels, len(self.sums.projection)), np.float32)
        raw_norms = np.empty(self.n_voxels)
        not_finite = np.empty(self.n_voxels, bool)

        def place(i):
            voxels = self.places[i]
            sums, not_finite[voxels] = self.sums.finish_slab(i)
            coordinates[voxels], raw_norms[voxels] = sums[:-1].T, sums[-1]

        run(place, range(len(self.places)))
        return VoxelSignals(coordinates.T, raw_norms, not_finite)


class SmoothStream:
    """Cleaned signals of the smoothed voxels in a mask.

    Only the box around the mask is smoothed, from the box that it depends on.

    Parameters
    ----------
    operator : CleaningOperator
    mask : ndarray of bool of shape (n_x, n_y, n_z)
    matrices : list of three ndarray
        Smoothing along x, y and z, as `smoothing_matrices` returns them.
    scaling : Scaling
    """

    def __init__(self, operator, mask, matrices, scaling):
        box = [_extent(axis) for axis in np.nonzero(mask.T)]
        into = [reach(m, out) for m, out in zip(matrices[::-1], box, strict=True)]
        self.matrices = [
            matrix[out, inputs].astype(np.float32)
            for matrix, out, inputs in zip(matrices[::-1], box, into, strict=True)
        ]
        self.numbers = _voxel_numbers(mask)[tuple(box)]
        self.inside = tuple(
            slice(out.start - inputs.start, out.stop - inputs.start)
            for out, inputs in zip(box, into, strict=True)
        )
        self.input_shape = tuple(inputs.stop - inputs.start for inputs in into)
        slabs = [(z, tuple(into[1:])) for z in range(into[0].start, into[0].stop)]
        sizes = [self.input_shape[1] * self.input_shape[2]] * len(slabs)
        self.sums = _SlabSums(operator, slabs, sizes, scaling)
        self.add = self.sums.add

    def finish(self, run):
        """Return the `VoxelSignals` of the mask."""
        not_finite = np.empty(self.input_shape, bool)
        slabs = run(lambda z: self._smooth_slab(z, not_finite), range(len(not_finite)))
        n_voxels = np.count_nonzero(self.numbers >= 0)
        coordinates = np.empty((n_voxels, len(self.sums.projection)), np.float32)
        raw_norms = np.empty(n_voxels)

        def place(y):
            smoothed = self._smooth_between_slabs(slabs, y)
            inside = self.numbers[:, y] >= 0
            voxels = self.numbers[:, y][inside]
            signals = smoothed.transpose(0, 2, 1)[inside]
            coordinates[voxels], raw_norms[voxels] = signals[:, :-1], signals[:, -1]

        run(place, range(self.numbers.shape[1]))
        ordered = np.empty(n_voxels, bool)
        inside = self.numbers >= 0
        ordered[self.numbers[inside]] = not_finite[self.inside][inside]
        return VoxelSignals(coordinates.T, raw_norms, ordered)

    def _smooth_slab(self, z, not_finite):
        """Return a slab smoothed along y and x, `(rank + 1, n_y, n_x)`, in place."""
        _, along_y, along_x = self.matrices
        sums, bad = self.sums.finish_slab(z)
        not_finite[z] = bad.reshape(self.input_shape[1:])
        rows = sums.reshape(len(sums), *self.input_shape[1:]) @ along_x.T
        shape = (len(sums), len(along_y), len(along_x))
        smoothed = sums.reshape(-1)[: np.prod(shape)].reshape(shape)
        return np.matmul(along_y, rows, out=smoothed)

    def _smooth_between_slabs(self, slabs, y):
        """Return one row y of all slabs smoothed along z, `(n_z, rank + 1, n_x)`."""
        rows = np.stack([slab[:, y] for slab in slabs])
        smoothed = self.matrices[0] @ rows.reshape(len(rows), -1)
        return smoothed.reshape(-1, *rows.shape[1:])


def _extent(indices):
    """Return the slice from the smallest to the largest of some indices."""
    return slice(int(indices.min()), int(indices.max()) + 1)
