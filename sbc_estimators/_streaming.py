"""Signals from one pass over the scans: project in time first, smooth afterwards.

Smoothing, masks and means over spheres act on voxels alone, cleaning on time alone,
so the two commute: scans are first reduced to the few directions of time that
cleaning keeps, and only those are smoothed. The scans are never in memory together.

Files have x fastest and scans slowest, so arrays here have the axes (z, y, x), and
a slab is all that lies at one z.
"""

from dataclasses import dataclass

import numpy as np

from ._correlation import column_norms, typical_values
from ._operator import constant_response
from ._smoothing import reach

EXACT_IN_FLOAT32 = ("bool", "int8", "int16", "uint8", "uint16", "float16", "float32")
"""Types whose numbers float32 holds without rounding."""

N_PROBES = 4
"""Random vectors that estimate a norm: below a hundredth of it once in 5e7 voxels."""


def consume(blocks, streams, workers):
    """Feed blocks of scans to each stream, and return what each makes of them.

    Parameters
    ----------
    blocks : iterable of ScanBlock
        Read once, each while the one before it is being worked on.
    streams : list of SeedStream, MaskStream or SmoothStream
    workers : OneWorker or Workers

    Returns
    -------
    results : list
        What `finish` of each stream returns.
    """
    _feed(blocks, streams, workers)
    return [stream.finish(workers) for stream in streams]


def _feed(blocks, streams, workers):
    """Let each stream add each block; no block outlives this."""
    for block in workers.ahead(blocks):
        for stream in streams:
            stream.add(block, workers)


@dataclass(frozen=True)
class VoxelSignals:
    """Cleaned signals of the voxels in a mask, as coordinates in a basis of time.

    Attributes
    ----------
    coordinates : ndarray of shape (rank, n_voxels), float32
    raw_norms : ndarray of shape (n_voxels,)
        Estimates of the norms of the smoothed signals before cleaning, less a
        typical scan.
    not_finite : ndarray of bool of shape (n_voxels,)
        Voxels with a scan that was not finite.
    """

    coordinates: np.ndarray
    raw_norms: np.ndarray
    not_finite: np.ndarray


class SeedStream:
    """The scans of a few voxels, as they lie in the file.

    Parameters
    ----------
    voxels : ndarray of shape (n_voxels,)
        Flat indices in C order of the grid (x, y, z).
    shape : tuple of 3 int
        Of the grid.
    """

    def __init__(self, voxels, shape):
        indices = np.unravel_index(voxels, shape)[::-1]
        self.places = np.ravel_multi_index(indices, shape[::-1])
        self.parts = []

    def add(self, block, workers):
        """Keep the voxels of a block."""
        scans = block.data.reshape(len(block.data), -1)
        if len(block.rows) < len(scans):
            scans = scans[block.rows]
        self.parts.append(scans.take(self.places, axis=1))

    def finish(self, workers):
        """Return the unscaled signals, `(n_kept_scans, n_voxels)`."""
        return np.concatenate(self.parts)


class _Sums:
    """Sums over scans, slab by slab: the projected signals, and probes of the raw ones.

    Parameters
    ----------
    operator : CleaningOperator
    slabs : list of tuple
        For each slab its z, and what to select of its axes (y, x).
    sizes : list of int
        How many voxels are selected of each slab.
    scaling : Scaling

    Attributes
    ----------
    rank : int
    slabs : list of ndarray of shape (rank + N_PROBES, n_voxels_in_slab)
        Views of one array, as slabs that threads allocate and free by themselves
        leave holes in memory, in a large run as large as the sums.

    Notes
    -----
    Of the raw signals no more is needed than whether cleaning left more than rounding
    of them, so their norms are estimated by products with a few random vectors. These
    are sums like all others: no number is squared, so none overflows, and smoothing
    makes of them the probes of smoothed signals.
    """

    def __init__(self, operator, slabs, sizes, scaling):
        self.rank = operator.rank
        self.dtype = operator.dtype
        rows = np.vstack([operator.projection, _probes(operator.basis)])
        self.rows = (rows * scaling.slope).astype(self.dtype)
        self.scaling = scaling
        self.constants = constant_response(operator.projection)
        self.selections = slabs
        self.references = [None] * len(slabs)
        self.whole = np.empty(len(rows) * sum(sizes), self.dtype)
        pieces = np.split(self.whole, len(rows) * np.cumsum(sizes)[:-1])
        self.slabs = [piece.reshape(len(rows), -1) for piece in pieces]

    def add(self, block, workers):
        """Add the scans of a block to the sums of all slabs."""
        rows = np.ascontiguousarray(self.rows[:, block.kept])
        workers.map(
            lambda i: self._add_slab(block, rows, i), range(len(self.selections))
        )

    def _add_slab(self, block, rows, i):
        """Add the scans of a block to the sums of one slab."""
        z, selection = self.selections[i]
        scans = block.data[:, z]
        if len(block.rows) < len(scans):
            scans = scans[block.rows]
        raw = scans[(slice(None), *selection)].reshape(len(scans), -1)
        is_first = self.references[i] is None
        if is_first:
            self.references[i] = typical_values(raw)
        # What is not finite is found in the sums.
        with np.errstate(invalid="ignore", over="ignore"):
            signals = _less_reference(raw, self.references[i], self.dtype)
            if is_first:
                np.matmul(rows, signals, out=self.slabs[i])
            else:
                self.slabs[i] += rows @ signals

    def finish(self, workers):
        """Finish the sums, once, and return which voxels are not finite, by slab.

        A voxel that is not finite in some scan becomes 0, and so cannot spoil its
        neighbours.
        """
        return workers.map(self._finish_slab, range(len(self.slabs)))

    def _finish_slab(self, i):
        """Take out what is not finite; add what cleaning leaves of a constant."""
        sums = self.slabs[i]
        not_finite = ~np.isfinite(sums[-1])
        if self.constants.any():
            with np.errstate(invalid="ignore", over="ignore"):
                typical = self.references[i] * self.scaling.slope
                typical += self.scaling.intercept
                sums[: self.rank] += np.outer(self.constants, typical)
        if not_finite.any():
            sums[:, not_finite] = 0.0
        return not_finite

    def signals(self, component, n_voxels, workers, not_finite):
        """Return the `VoxelSignals` of which `component` gives each row.

        Parameters
        ----------
        component : callable
            ``component(k)`` returns row k of all voxels, `(n_voxels,)`.
        """
        coordinates = np.empty((self.rank, n_voxels), np.float32)
        probes = np.empty((len(self.rows) - self.rank, n_voxels), np.float32)

        def fill(k):
            row = coordinates[k] if k < self.rank else probes[k - self.rank]
            row[:] = component(k)

        workers.map(fill, range(len(self.rows)))
        return VoxelSignals(coordinates, column_norms(probes), not_finite)


def _probes(basis):
    """Return random vectors whose products with a signal estimate its norm."""
    vectors = np.random.default_rng(0).standard_normal((N_PROBES, len(basis)))
    return vectors / np.sqrt(N_PROBES)


def _less_reference(raw, reference, dtype):
    """Return scans less a reference, subtracted before any rounding."""
    exact = dtype if raw.dtype.name in EXACT_IN_FLOAT32 else np.float64
    signals = raw.astype(exact)
    signals -= reference.astype(exact)
    return signals.astype(dtype, copy=False)


class MaskStream:
    """Cleaned signals of the voxels in a mask.

    Parameters
    ----------
    operator : CleaningOperator
    mask : ndarray of bool of shape (n_x, n_y, n_z)
    scaling : Scaling
    """

    def __init__(self, operator, mask, scaling):
        inside = [(z, np.nonzero(layer)) for z, layer in enumerate(mask.T)]
        slabs = [(z, selection) for z, selection in inside if len(selection[0])]
        # From the order of files (z, y, x) to that of masks (x, y, z).
        numbers = np.empty(mask.shape, np.intp)
        numbers.T[mask.T] = np.arange(np.count_nonzero(mask))
        self.order = numbers[mask]
        sizes = [len(selection[0]) for _, selection in slabs]
        self.sums = _Sums(operator, slabs, sizes, scaling)
        self.add = self.sums.add

    def finish(self, workers):
        """Return the `VoxelSignals` of the mask."""
        not_finite = np.concatenate(self.sums.finish(workers))[self.order]
        return self.sums.signals(self._component, len(self.order), workers, not_finite)

    def _component(self, k):
        """Return one row of sums, voxel by voxel in the order of the mask."""
        return np.concatenate([sums[k] for sums in self.sums.slabs])[self.order]


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
            matrix[out, inputs].astype(operator.dtype)
            for matrix, out, inputs in zip(matrices[::-1], box, into, strict=True)
        ]
        self.input_shape = tuple(inputs.stop - inputs.start for inputs in into)
        output_shape = tuple(out.stop - out.start for out in box)
        self.voxels = np.ravel_multi_index(_in_file_order(mask, box), output_shape)
        in_inputs = _in_file_order(mask, into)
        self.voxels_of_inputs = np.ravel_multi_index(in_inputs, self.input_shape)
        slabs = [(z, tuple(into[1:])) for z in range(into[0].start, into[0].stop)]
        sizes = [self.input_shape[1] * self.input_shape[2]] * len(slabs)
        self.sums = _Sums(operator, slabs, sizes, scaling)
        self.add = self.sums.add

    def finish(self, workers):
        """Return the `VoxelSignals` of the mask."""
        not_finite = np.concatenate(self.sums.finish(workers))[self.voxels_of_inputs]
        return self.sums.signals(self._component, len(self.voxels), workers, not_finite)

    def _component(self, k):
        """Return one row of sums smoothed along z, y and x: a volume fits in cache."""
        along_z, along_y, along_x = self.matrices
        _, n_y, n_x = self.input_shape
        volumes = self.sums.whole.reshape(len(self.sums.slabs), -1)
        volume = volumes[:, k * n_y * n_x : (k + 1) * n_y * n_x]
        volume = (along_z @ volume).reshape(-1, n_y, n_x)
        volume = along_y @ volume
        return (volume.reshape(-1, n_x) @ along_x.T).reshape(-1)[self.voxels]


def _in_file_order(mask, box):
    """Return the places (z, y, x) within a box of a mask's voxels, in its order."""
    indices = np.nonzero(mask)[::-1]
    return tuple(axis - part.start for axis, part in zip(indices, box, strict=True))


def _extent(indices):
    """Return the slice from the smallest to the largest of some indices."""
    return slice(int(indices.min()), int(indices.max()) + 1)
