"""What a masker does to space, as one linear map: arrays only.

A mask picks positions, a sphere or a label averages some, maps are fitted to all, and
smoothing comes before any of these. All are linear in the values of one scan, and so
they commute with whatever cleaning does to time.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import nibabel
import numpy as np
from nilearn.image import smooth_img
from scipy import sparse

from .._support.digests import digest

MOST_SMOOTHING_WEIGHTS = 2**20
"""The most numbers of a smoothing matrix that is quicker than one matrix an axis."""


@dataclass(frozen=True, eq=False)
class SpatialMap:
    """The outputs of a masker as weighted sums of positions.

    Attributes
    ----------
    members : ndarray of int of shape (n_members,)
        The positions that outputs are made of, ascending.
    weights : sparse array of shape (n_members, n_outputs), or None
        None where each member is an output.
    smoothing : SeparableSmoothing, PartwiseSmoothing or None
        What comes before; None where members are read as they are.
    extents : sparse array of shape (n_members, n_outputs), or None
        How much of each output lies in each member, above 0, in any unit; None where
        it lies in all that have a weight alike.
    lost : ndarray of shape (n_outputs,), or None
        How much of each output lies in no member though it was asked for, in the unit
        of `extents`, or in positions; None for nothing.
    """

    members: np.ndarray
    weights: Any = None
    smoothing: Any = None
    extents: Any = None
    lost: Any = None

    @property
    def n_outputs(self):
        """Number of outputs."""
        return len(self.members) if self.weights is None else self.weights.shape[1]

    @cached_property
    def inputs(self):
        """The positions that are read, ascending."""
        return self.members if self.smoothing is None else self.smoothing.inputs(self)

    @cached_property
    def sums(self):
        """The weights as what makes outputs of values at the members, a row each."""
        return self.weights.T.tocsr()

    @cached_property
    def key(self):
        """A text that changes when anything of it does."""
        parts = [self.members, self.lost]
        for matrix in (self.weights, self.extents):
            if matrix is not None:
                matrix = (matrix.data, matrix.indices, matrix.indptr, matrix.shape)
            parts.append(matrix)
        parts.append(None if self.smoothing is None else self.smoothing.key)
        return digest(*parts)

    def sizes(self):
        """Return how many members each output has, `(n_outputs,)`."""
        if self.weights is None:
            return np.ones(len(self.members), int)
        return np.diff(self.weights.indptr)

    def members_of_outputs(self):
        """Yield for each output the places of its members, and how much lies in each.

        Places are those among all members.
        """
        extents = self.weights if self.extents is None else self.extents
        if extents is None:
            extents = sparse.eye_array(len(self.members), format="csc")
        for first, last in zip(extents.indptr[:-1], extents.indptr[1:], strict=True):
            places = extents.indices[first:last]
            is_alike = self.extents is None
            yield places, np.ones(len(places)) if is_alike else extents.data[first:last]

    def has_equal_weights(self):
        """Whether every output weighs all of its members alike."""
        if self.weights is None:
            return True
        pieces = np.split(self.weights.data, self.weights.indptr[1:-1])
        return all(np.ptp(piece) == 0 for piece in pieces if len(piece))

    def member_rows(self, positions, rows, crew):
        """Return rows of values at positions as rows of values at the members.

        Parameters
        ----------
        positions : ndarray of int of shape (n_positions,)
            The inputs and maybe others, in any order.
        rows : sequence of n_rows ndarray of shape (n_positions,)
            Each is asked for once, by any thread.
        crew : OneWorker or Workers

        Returns
        -------
        members : ndarray of shape (n_rows, n_members)
        """
        to_members = self._to_members(positions)
        if self.smoothing is None and isinstance(rows, np.ndarray):
            return to_members(rows)
        out = np.empty((len(rows), len(self.members)), rows[0].dtype)
        return _fill(out, rows, to_members, crew)

    def output_rows(self, positions, rows, crew, allocate):
        """Return rows of values at positions as rows of the outputs, in float32.

        As `member_rows`; `allocate` gives an array of a size and a dtype to hold them.
        """
        shape = len(rows), self.n_outputs
        out = allocate(shape[0] * shape[1], np.float32).reshape(shape)
        to_members = self._to_members(positions)
        if self.weights is None:
            return _fill(out, rows, to_members, crew)
        sums = self.sums
        return _fill(out, rows, lambda row: sums @ to_members(row).astype(float), crew)

    def _to_members(self, positions):
        """Return what makes values at the members of those at positions."""
        if self.smoothing is not None:
            return self.smoothing.between(positions, self.members)
        if np.array_equal(positions, self.members):
            return lambda row: row
        places = np.empty(max(positions.max(), self.members.max()) + 1, np.intp)
        places[positions] = np.arange(len(positions))
        places = places[self.members]
        return lambda row: row.take(places, axis=-1)


def _fill(out, rows, function, crew):
    """Fill each row of an array with what a function makes of a row."""

    def fill(k):
        out[k] = function(rows[k])

    crew.fill(fill, len(rows))
    return out


# Kinds of maps


def mean_map(places, lost=None):
    """Return a map of means, from the positions of each.

    Parameters
    ----------
    places : list of ndarray of int
        May share positions; none holds one twice.
    lost : ndarray of int of shape (n_outputs,) or None, default=None
        How many more positions of each were asked for.
    """
    sizes = np.array([len(positions) for positions in places])
    members, rows = np.unique(np.concatenate(places), return_inverse=True)
    outputs = np.repeat(np.arange(len(places)), sizes)
    weights = (1 / np.maximum(sizes, 1))[outputs]
    shape = (len(members), len(places))
    weights = sparse.csc_array((weights, (rows, outputs)), shape=shape)
    return SpatialMap(members, weights, lost=lost)


def label_map(labels, wanted):
    """Return a map of means over labelled regions.

    Parameters
    ----------
    labels : ndarray of shape (n_positions,)
    wanted : sequence of n_outputs labels
        In the order of the outputs, none twice; one that is nowhere has no members.
    """
    wanted = np.asarray(wanted)
    order = np.argsort(wanted)
    places = np.searchsorted(wanted, labels, sorter=order)
    outputs = order[np.minimum(places, len(wanted) - 1)]
    members = np.flatnonzero(wanted[outputs] == labels)
    outputs = outputs[members]
    sizes = np.bincount(outputs, minlength=len(wanted))
    shape = (len(members), len(wanted))
    weights = (1 / sizes[outputs], (np.arange(len(members)), outputs))
    return SpatialMap(members, sparse.csc_array(weights, shape=shape))


def fitted_map(maps):
    """Return a map whose outputs are fitted to the positions by least squares.

    Parameters
    ----------
    maps : ndarray of shape (n_positions, n_outputs)
        Weights, 0 outside a mask. Positions with any weight are members.

    Notes
    -----
    With maps M, signals S minimise the squares of ``M S - V`` over positions V. That is
    linear in V: S is ``pinv(M) V``. Directions with singular values below rounding
    beside the largest are left out, as :func:`scipy.linalg.lstsq` leaves them out.
    """
    members = np.flatnonzero(maps.any(axis=1))
    maps = maps[members].astype(np.float64, copy=False)
    left, scales, right = np.linalg.svd(maps, full_matrices=False)
    keep = scales > np.finfo(np.float64).eps * scales.max(initial=0.0)
    # Where maps overlap, each takes part in all positions of the others, but lies in
    # its own.
    extents = sparse.csc_array(np.abs(maps))
    weights = sparse.csc_array((left[:, keep] / scales[keep]) @ right[keep])
    return SpatialMap(members, weights, extents=extents)


# Smoothing


def smoothing_matrices(fwhm, affine, shape):
    """Return the matrices that smooth a volume along its three axes.

    They are what nilearn's `smooth_img` makes of the identity along each axis, so
    that borders, truncation and the meaning of `fwhm` are nilearn's.

    Parameters
    ----------
    fwhm : float, sequence of 3 float or None, or None
        Full width at half maximum in mm; None or 0 for no smoothing.
    affine : ndarray of shape (4, 4)
    shape : tuple of 3 int

    Returns
    -------
    matrices : list of ndarray of shape (n, n), or None
        ``matrix @ values`` smooths along that axis; None where no axis is smoothed.
    """
    if fwhm is None or not np.any([width or 0 for width in np.ravel(fwhm)]):
        return None
    widths = fwhm if np.ndim(fwhm) == 0 else tuple(fwhm)
    rows = tuple(map(tuple, np.asarray(affine).tolist()))
    return [_along_axis(widths, rows, axis, n) for axis, n in enumerate(shape)]


@lru_cache(maxsize=32)
def _along_axis(fwhm, affine, axis, n):
    """Return the matrix that smooths `n` voxels along one axis; kept, so read-only."""
    # The other two axes have one voxel, which reflection at the borders keeps as it is.
    line = [n if i == axis else 1 for i in range(3)]
    impulses = nibabel.Nifti1Image(np.eye(n).reshape(*line, n), np.array(affine))
    matrix = np.array(smooth_img(impulses, fwhm).dataobj).reshape(n, n)
    matrix.flags.writeable = False
    return matrix


@dataclass(frozen=True, eq=False)
class SeparableSmoothing:
    """Smoothing of a volume as one matrix an axis.

    Attributes
    ----------
    matrices : list of three ndarray
        Along x, y and z, as `smoothing_matrices` returns them.
    shape : tuple of 3 int
    """

    matrices: list
    shape: tuple

    @property
    def key(self):
        """What changes when what it does changes."""
        return self.matrices

    def inputs(self, spatial_map):
        """Return the positions on which the smoothed members of a map depend."""
        members = spatial_map.members
        if self.n_weights(members) <= MOST_SMOOTHING_WEIGHTS:
            return smoothing_weights(members, self.matrices, self.shape)[0]
        mask = np.zeros(self.shape, bool)
        mask.ravel()[members] = True
        return np.flatnonzero(smoothed_from(mask, self.matrices))

    def n_weights(self, members):
        """Return how many numbers one matrix from inputs to members would hold."""
        widths = [2 * _half_width(matrix) + 1 for matrix in self.matrices]
        return len(members) * int(np.prod(widths))

    def between(self, positions, members):
        """Return the function from values at positions to smoothed ones at members.

        The positions are those of `inputs` and maybe others, in any order.
        """
        if self.n_weights(members) > MOST_SMOOTHING_WEIGHTS:
            return VolumeSmoother(positions, members, self.matrices, self.shape)
        inputs, weights = smoothing_weights(members, self.matrices, self.shape)
        places = np.empty(np.prod(self.shape), np.intp)
        places[positions] = np.arange(len(positions))
        places, weights = places[inputs], weights.T.tocsr()
        return lambda row: weights @ row[places].astype(np.float64)


class VolumeSmoother:
    """Smooths one volume at a time, which fits in cache, and no more than it must.

    Parameters
    ----------
    positions, members : ndarray of int
        Those whose values are given, and those whose smoothed values are wanted.
    matrices : list of three ndarray
        Smoothing along x, y and z.
    shape : tuple of 3 int
    """

    def __init__(self, positions, members, matrices, shape):
        wanted = np.unravel_index(members, shape)
        out_box = _box(wanted)
        box = tuple(
            _reach(matrix, out) for matrix, out in zip(matrices, out_box, strict=True)
        )
        self.matrices = {
            dtype: [
                matrix[out, into].astype(dtype)
                for matrix, out, into in zip(matrices, out_box, box, strict=True)
            ]
            for dtype in map(np.dtype, (np.float32, np.float64))
        }
        self.shape = tuple(part.stop - part.start for part in box)
        self.given, self.places = _within(np.unravel_index(positions, shape), box)
        _, self.wanted = _within(wanted, out_box)

    def __call__(self, values):
        """Return the smoothed values of the members from those of the inputs."""
        along_x, along_y, along_z = self.matrices[values.dtype]
        n_x, n_y, n_z = self.shape
        volume = np.zeros(n_x * n_y * n_z, values.dtype)
        volume[self.places] = values if self.given is None else values[self.given]
        volume = (along_x @ volume.reshape(n_x, -1)).reshape(-1, n_y, n_z)
        volume = along_y @ volume
        return (volume.reshape(-1, n_z) @ along_z.T).reshape(-1)[self.wanted]


def _box(voxels):
    """Return the slices of a volume that hold some voxels, as few as possible."""
    return tuple(slice(int(axis.min()), int(axis.max()) + 1) for axis in voxels)


def _reach(matrix, out):
    """Return the slice of an axis on which the smoothed values of another depend."""
    columns = np.flatnonzero(matrix[out].any(axis=0))
    return slice(int(columns[0]), int(columns[-1]) + 1)


def _within(voxels, box):
    """Return which voxels lie in a box, None for all, and their flat indices in it."""
    shape = [part.stop - part.start for part in box]
    own = [axis - part.start for axis, part in zip(voxels, box, strict=True)]
    pairs = zip(own, shape, strict=True)
    inside = np.logical_and.reduce([(axis >= 0) & (axis < n) for axis, n in pairs])
    if inside.all():
        return None, np.ravel_multi_index(own, shape)
    return np.flatnonzero(inside), np.ravel_multi_index(
        [axis[inside] for axis in own], shape
    )


def smoothed_from(mask, matrices):
    """Return the voxels that have a part in the smoothed ones of a mask.

    Parameters
    ----------
    mask : ndarray of bool of shape (n_x, n_y, n_z)
    matrices : list of ndarray
        As `smoothing_matrices` returns them.

    Returns
    -------
    voxels : ndarray of bool of shape (n_x, n_y, n_z)
    """
    voxels = mask
    for axis, matrix in enumerate(matrices):
        has_part = (matrix != 0).astype(np.float32)
        voxels = np.tensordot(has_part, voxels, axes=(0, axis)) > 0
        voxels = np.moveaxis(voxels, 0, axis)
    return voxels


def smoothing_weights(voxels, matrices, shape):
    """Return the smoothed values of some voxels as weights of raw voxels.

    Parameters
    ----------
    voxels : ndarray of shape (n_voxels,)
        Flat indices in C order.
    matrices : list of ndarray
        As `smoothing_matrices` returns them.
    shape : tuple of 3 int

    Returns
    -------
    inputs : ndarray of shape (n_inputs,)
        Ascending flat indices of the raw voxels that have a part in any.
    weights : sparse array of shape (n_inputs, n_voxels)
        ``raw[inputs] @ weights`` are the smoothed values.
    """
    rows = np.unravel_index(voxels, shape)
    (x, in_x), (y, in_y), (z, in_z) = map(_band, matrices, rows)
    flat = (x[:, :, None, None] * shape[1] + y[:, None, :, None]) * shape[2]
    flat = (flat + z[:, None, None, :]).reshape(len(voxels), -1)
    weights = in_x[:, :, None, None] * in_y[:, None, :, None] * in_z[:, None, None, :]
    weights = weights.reshape(flat.shape)
    has_part = weights != 0
    flat, ends = flat[has_part], np.cumsum(has_part.sum(axis=1))
    is_input = np.zeros(np.prod(shape), bool)
    is_input[flat] = True
    inputs = np.flatnonzero(is_input)
    places = np.empty(len(is_input), np.int32)
    places[inputs] = np.arange(len(inputs))
    parts = (weights[has_part], places[flat], np.concatenate([[0], ends]))
    return inputs, sparse.csc_array(parts, shape=(len(inputs), len(voxels)))


def _half_width(matrix):
    """Return how far from its diagonal a matrix has weights."""
    rows, columns = np.nonzero(matrix)
    return int(np.abs(rows - columns).max())


def _band(matrix, rows):
    """Return columns around the diagonal of some rows, and the weights there.

    Both have shape (n_rows, width); beyond the matrix the weight is 0.
    """
    reach = _half_width(matrix)
    columns = rows[:, np.newaxis] + np.arange(-reach, reach + 1)
    inside = np.clip(columns, 0, len(matrix) - 1)
    return inside, np.where(columns == inside, matrix[rows[:, np.newaxis], inside], 0.0)
