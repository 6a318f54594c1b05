"""Gaussian smoothing as one small matrix an axis."""

import nibabel
import numpy as np
from nilearn.image import smooth_img


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


def reach(matrix, outputs):
    """Return the slice of inputs that a slice of a matrix's outputs depends on."""
    inputs = np.flatnonzero(matrix[outputs].any(axis=0))
    return slice(int(inputs[0]), int(inputs[-1]) + 1)


def smoothed_weights(voxels, weights, matrices, shape):
    """Return the weights of raw voxels that equal weights of smoothed voxels.

    Parameters
    ----------
    voxels : ndarray of shape (n_voxels,)
        Flat indices in C order.
    weights : ndarray of shape (n_voxels,)
    matrices : list of ndarray
        As `smoothing_matrices` returns them.
    shape : tuple of 3 int

    Returns
    -------
    voxels, weights : ndarray, ndarray
        The mean of smoothed voxels is a weighted sum of these raw ones.
    """
    indices = np.unravel_index(voxels, shape)
    outputs = [slice(int(axis.min()), int(axis.max()) + 1) for axis in indices]
    box = np.zeros([s.stop - s.start for s in outputs])
    box[tuple(axis - s.start for axis, s in zip(indices, outputs, strict=True))] = (
        weights
    )
    inputs = []
    for axis, (matrix, rows) in enumerate(zip(matrices, outputs, strict=True)):
        columns = reach(matrix, rows)
        box = np.moveaxis(np.tensordot(matrix[rows, columns], box, (0, axis)), 0, axis)
        inputs.append(np.arange(columns.start, columns.stop))
    flat = np.ravel_multi_index(np.meshgrid(*inputs, indexing="ij"), shape)
    return flat.ravel(), box.ravel()
