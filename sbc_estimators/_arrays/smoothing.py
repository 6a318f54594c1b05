"""Gaussian smoothing as one small matrix an axis."""

import nibabel
import numpy as np
from nilearn.image import smooth_img
from scipy import sparse


def is_separable(fwhm):
    """Whether smoothing is one matrix an axis: any widths in mm, but not "fast"."""
    return not isinstance(fwhm, str)


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
        ``matrix @ values`` smooths values along that axis; None where no axis is
        smoothed.
    """
    if fwhm is None or not np.any([width or 0 for width in np.ravel(fwhm)]):
        return None
    return [_along_axis(fwhm, affine, axis, n) for axis, n in enumerate(shape)]


def _along_axis(fwhm, affine, axis, n):
    """Return the matrix that smooths `n` voxels along one axis."""
    # The other two axes have one voxel, which reflection at the borders keeps as it is.
    line = [n if i == axis else 1 for i in range(3)]
    impulses = nibabel.Nifti1Image(np.eye(n).reshape(*line, n), affine)
    return np.asarray(smooth_img(impulses, fwhm).dataobj).reshape(n, n)


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
    (x, in_x), (y, in_y), (z, in_z) = [
        _band(matrix, rows)
        for matrix, rows in zip(matrices, np.unravel_index(voxels, shape), strict=True)
    ]
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


def n_smoothing_weights(n_voxels, matrices):
    """Return how many numbers `smoothing_weights` has to hold at most."""
    return n_voxels * int(np.prod([2 * _half_width(matrix) + 1 for matrix in matrices]))


def _half_width(matrix):
    """Return how far from its diagonal a matrix has weights."""
    rows, columns = np.nonzero(matrix)
    return int(np.abs(rows - columns).max())


def _band(matrix, rows):
    """Return columns around the diagonal of some rows, and the weights there.

    Both have shape (n_rows, width); beyond the matrix the weight is 0.
    """
    reach_of_row = _half_width(matrix)
    columns = rows[:, np.newaxis] + np.arange(-reach_of_row, reach_of_row + 1)
    inside = np.clip(columns, 0, len(matrix) - 1)
    return inside, np.where(columns == inside, matrix[rows[:, np.newaxis], inside], 0.0)
