"""Signals from one pass over the scans: project in time first, smooth afterwards.

Smoothing, masks and means over spheres act on voxels alone, cleaning on time alone,
so the two commute: scans are first reduced to the few directions of time that
cleaning keeps, and only those are smoothed. The scans are never in memory together.

Files have x fastest and scans slowest, so arrays here have the axes (z, y, x), and
a slab is all that lies at one z.
"""

from dataclasses import dataclass

import numpy as np

from .correlation import column_norms, typical_values
from .operator import constant_response
from .smoothing import smoothed_from

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
    streams : list of SeedStream or VoxelStream
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
    voxels : ndarray of bool of shape (n_z, n_y, n_x)
        Which to sum up.
    scaling : Scaling
    dtype : dtype
        float32 or float64.

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

    def __init__(self, operator, voxels, scaling, dtype):
        self.rank = operator.rank
        self.dtype = dtype
        rows = np.vstack([operator.projection, _probes(operator.basis)])
        self.rows = (rows * scaling.slope).astype(self.dtype)
        self.scaling = scaling
        self.constants = constant_response(operator.projection)
        self.layers = np.flatnonzero(voxels.any(axis=(1, 2)))
        self.places = [np.flatnonzero(voxels[z]) for z in self.layers]
        self.references = [None] * len(self.places)
        sizes = [len(places) for places in self.places]
        whole = np.empty(len(rows) * sum(sizes), self.dtype)
        pieces = np.split(whole, len(rows) * np.cumsum(sizes)[:-1])
        self.slabs = [piece.reshape(len(rows), -1) for piece in pieces]

    def add(self, block, workers):
        """Add the scans of a block to the sums of all slabs."""
        rows = np.ascontiguousarray(self.rows[:, block.kept])
        workers.map(lambda i: self._add_slab(block, rows, i), range(len(self.slabs)))

    def _add_slab(self, block, rows, i):
        """Add the scans of a block to the sums of one slab."""
        scans = block.data[:, self.layers[i]].reshape(len(block.data), -1)
        raw = scans.take(self.places[i], axis=1)
        if len(block.rows) < len(raw):
            raw = raw[block.rows]
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
        """Finish the sums, once, and return which voxels are not finite.

        A voxel that is not finite in some scan becomes 0, and so cannot spoil its
        neighbours.
        """
        return np.concatenate(workers.map(self._finish_slab, range(len(self.slabs))))

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

    def row(self, k):
        """Return row k of the sums of all voxels, in file order."""
        return np.concatenate([sums[k] for sums in self.slabs])


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


class VoxelStream:
    """Cleaned signals of the voxels in a mask, smoothed or as they are.

    Parameters
    ----------
    operator : CleaningOperator
    mask : ndarray of bool of shape (n_x, n_y, n_z)
    matrices : list of three ndarray, or None
        Smoothing along x, y and z, as `smoothing_matrices` returns them.
    scaling : Scaling
    dtype : dtype or None, default=None
        In which to sum up, None for that of the operator.

    Attributes
    ----------
    sums_bytes : int
        Size of what each block is added to.
    """

    def __init__(self, operator, mask, matrices, scaling, dtype=None):
        dtype = operator.dtype if dtype is None else dtype
        inputs = mask if matrices is None else smoothed_from(mask, matrices)
        self.sums = _Sums(operator, inputs.T, scaling, dtype)
        self.add = self.sums.add
        self.sums_bytes = sum(sums.nbytes for sums in self.sums.slabs)
        # From the order of files (z, y, x) to that of masks (x, y, z).
        numbers = np.zeros(mask.shape, np.intp)
        numbers.T[inputs.T] = np.arange(np.count_nonzero(inputs))
        self.order = numbers[mask]
        self.smooth = None
        if matrices is not None:
            self.smooth = _Smoother(inputs, mask, matrices, dtype)

    def finish(self, workers):
        """Return the `VoxelSignals` of the mask."""
        not_finite = self.sums.finish(workers)[self.order]
        rank, n_rows, n_voxels = self.sums.rank, len(self.sums.rows), len(self.order)
        coordinates = np.empty((rank, n_voxels), np.float32)
        probes = np.empty((n_rows - rank, n_voxels), np.float32)

        def fill(k):
            values = self.sums.row(k)
            row = coordinates[k] if k < rank else probes[k - rank]
            row[:] = self.smooth(values) if self.smooth else values[self.order]

        workers.map(fill, range(n_rows))
        return VoxelSignals(coordinates, column_norms(probes), not_finite)


class _Smoother:
    """Smooths one volume at a time, which fits in cache, and no more than the mask.

    Parameters
    ----------
    inputs : ndarray of bool of shape (n_x, n_y, n_z)
        The voxels on which those in the mask depend.
    mask : ndarray of bool of shape (n_x, n_y, n_z)
    matrices : list of three ndarray
        Smoothing along x, y and z.
    dtype : dtype
    """

    def __init__(self, inputs, mask, matrices, dtype):
        box, out_box = _box(inputs.T), _box(mask.T)
        self.matrices = [
            matrix[out, into].astype(dtype)
            for matrix, out, into in zip(matrices[::-1], out_box, box, strict=True)
        ]
        inside = inputs.T[box]
        self.shape, self.places = inside.shape, np.flatnonzero(inside)
        starts = [part.start for part in out_box]
        voxels = np.transpose(np.nonzero(mask)[::-1]) - starts
        out_shape = [len(matrix) for matrix in self.matrices]
        self.voxels = np.ravel_multi_index(tuple(voxels.T), out_shape)

    def __call__(self, values):
        """Return the smoothed values of a mask's voxels from those of the inputs."""
        along_z, along_y, along_x = self.matrices
        n_z, n_y, n_x = self.shape
        volume = np.zeros(n_z * n_y * n_x, values.dtype)
        volume[self.places] = values
        volume = (along_z @ volume.reshape(n_z, -1)).reshape(-1, n_y, n_x)
        volume = along_y @ volume
        return (volume.reshape(-1, n_x) @ along_x.T).reshape(-1)[self.voxels]


def _box(voxels):
    """Return the slices of a volume that hold some voxels, as few as possible."""
    return tuple(
        slice(int(axis.min()), int(axis.max()) + 1) for axis in np.nonzero(voxels)
    )
