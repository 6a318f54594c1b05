"""Headers of volumes: what they tell of units and places, and images that keep it."""

from dataclasses import dataclass

import nibabel
import numpy as np
from nibabel.nifti1 import unit_codes

from .grids import SAME_PLACE

MM_PER_UNIT = {"meter": 1000.0, "micron": 0.001}
"""Units of space in headers whose numbers are taken as mm with a warning."""

FORMATS_OWN = "that of the format"
"""The unit in images whose headers tell none, and no codes of places."""


MNI_CODE = 4
"""What the codes of sform and qform are in MNI152 space."""


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
        sform, qform = _codes_of(image.header)
        # Not updated: headers round to float32.
        like.set_sform(affine, sform, update_affine=False)
        like.set_qform(affine, qform, update_affine=False)
    return like


def write_map(img, path, description):
    """Write maps as float32 NIfTI: 3D for one volume, else 4D.

    The codes of the image's header, which say what space it is in, are kept.

    Parameters
    ----------
    img : Nifti1Image of shape (x, y, z, n_maps)
    path : Path
    description : str
        For the header, at most 79 letters.
    """
    data = np.asarray(img.dataobj, dtype=np.float32)
    data = data[..., 0] if data.shape[-1] == 1 else data
    out = nibabel.Nifti1Image(data, img.affine, img.header)
    out.set_data_dtype(np.float32)
    out.header.set_xyzt_units("mm")
    out.header["descrip"] = description
    nibabel.save(out, path)


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


# The space that coordinates are in


@dataclass(frozen=True, eq=False)
class Space:
    """What a NIfTI header says of its coordinates: those of a scanner, of MNI, ...

    Attributes
    ----------
    affine : ndarray of shape (4, 4)
    sform_code, qform_code : int
    qform : ndarray of shape (4, 4) or None
        None where `qform_code` is 0.
    """

    affine: np.ndarray
    sform_code: int
    qform_code: int
    qform: np.ndarray | None


def space_of(image):
    """Return the `Space` of an image, None where the header says nothing of it."""
    header = getattr(image, "header", None)
    if not hasattr(header, "get_sform"):
        return None
    sform, qform = _codes_of(header)
    turned = _qform_of(header) if qform else None
    qform = 0 if turned is None else qform
    if (sform, qform) == (0, 0):
        return None
    return Space(np.asarray(image.affine), sform, qform, turned)


def _codes_of(header):
    """Return the codes of sform and qform, 0 for one that NIfTI does not know."""
    known = nibabel.nifti1.xform_codes.value_set("code")
    codes = int(header["sform_code"]), int(header["qform_code"])
    return tuple(code if code in known else 0 for code in codes)


def _qform_of(header):
    """Return the qform, None where its numbers are those of no turn."""
    try:
        qform = header.get_qform()
    except ValueError:
        return None
    is_affine = np.isfinite(qform).all() and np.linalg.det(qform[:3, :3])
    return qform if is_affine else None


def are_one_grid(affine, other):
    """Whether two affines put voxels at the same places, in any unit."""
    steps = np.linalg.solve(affine, other) - np.eye(4)
    return bool(np.abs(steps).max() < SAME_PLACE)


def is_in_mni(image):
    """Whether a volume's header says that it is in MNI152 space, by sform or qform."""
    space = space_of(image)
    return space is not None and (space.sform_code or space.qform_code) == MNI_CODE
