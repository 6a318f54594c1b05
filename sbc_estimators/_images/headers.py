"""Headers of volumes: what they tell of units and places, and images that keep it."""

import nibabel
import numpy as np
from nibabel.nifti1 import unit_codes

MM_PER_UNIT = {"meter": 1000.0, "micron": 0.001}
"""Units of space in headers whose numbers are taken as mm with a warning."""

FORMATS_OWN = "that of the format"
"""The unit in images whose headers tell none, and no codes of places."""


def units_of(header):
    """Return the units of space and time in a header, unknown where nobody knows."""
    if not hasattr(header, "get_xyzt_units"):
        return FORMATS_OWN, FORMATS_OWN
    code = int(header["xyzt_units"])
    known = (code % 8, code - code % 8)
    return tuple(
        unit_codes.label[own] if own in unit_codes else "unknown" for own in known
    )


def doubts_of(header):
    """Return the words for what a header leaves open of where an image lies."""
    doubts, (unit, _) = [], units_of(header)
    if unit == FORMATS_OWN:
        return doubts
    if unit in MM_PER_UNIT:
        factor = f"{MM_PER_UNIT[unit]:g}"
        doubts.append(
            f"its header gives lengths in the unit {unit!r}, but its numbers are taken "
            "as mm. If they are not, pass an image whose affine is "
            f"np.diag([{factor}, {factor}, {factor}, 1]) @ img.affine."
        )
    if not (header["sform_code"] or header["qform_code"]):
        doubts.append(
            "the codes of sform and qform in its header are both 0, so that where it "
            "lies is guessed from the size of its voxels. If its affine is right, say "
            "so with img.set_sform(img.affine, 1)."
        )
    return doubts


def image_like(image, values, affine=None):
    """Return values of positions as an image that keeps the codes of another one.

    Parameters
    ----------
    image : nibabel image
    values : ndarray of shape (n_positions, ...)
    affine : ndarray of shape (4, 4) or None, default=None
        None means the image's own.
    """
    affine = image.affine if affine is None else affine
    data = storable(values).reshape(*image.shape[:3], *values.shape[1:])
    like = nibabel.Nifti1Image(data, affine)
    if hasattr(image.header, "get_xyzt_units"):
        like.set_sform(affine, int(image.header["sform_code"]))
        like.set_qform(affine, int(image.header["qform_code"]))
    return like


def storable(values):
    """Return values in a type that files and libraries know."""
    if values.dtype.kind == "b":
        return values.astype(np.uint8)
    if values.dtype.kind in "iu" and values.dtype.itemsize == 8:
        kind = np.iinfo(np.int32)
        fits = kind.min <= values.min() and values.max() <= kind.max
        return values.astype(np.int32 if fits else np.float64)
    if values.dtype.kind == "f" and values.dtype.itemsize not in (4, 8):
        return values.astype(np.float64)
    return values
