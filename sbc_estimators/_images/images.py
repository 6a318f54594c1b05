"""Opening and reading the images of runs."""

import math
import os
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
from isal import igzip
from nibabel.arrayproxy import ArrayProxy
from nilearn.image import new_img_like
from nilearn.surface import SurfaceImage

from .._support.checks import (
    check_affine,
    check_enough_scans,
    check_file,
    check_four_dimensional,
    check_plain_numbers,
)
from .._support.messages import with_file
from .grids import is_surface

READ_ERRORS = (OSError, EOFError, ValueError, zlib.error)
"""What nibabel lets through where a file is truncated or corrupt."""


def first_scan(image):
    """Return a SurfaceImage of the first scan alone."""
    parts = {name: np.asarray(part[:, :1]) for name, part in image.data.parts.items()}
    return SurfaceImage(image.mesh, parts)


def open_image(img, where):
    """Return the image of a run with its header read and its data not.

    Parameters
    ----------
    img : str, path, nibabel image or SurfaceImage
    where : str
        Names the run in errors.

    Returns
    -------
    image : nibabel image or SurfaceImage
        With four dimensions (or two: vertices and scans).

    Raises
    ------
    FileNotFoundError, TypeError, ValueError
        If there is no such file, it is no image, it is not 4D, or it does not hold
        plain numbers in places that it tells.
    OSError
        If an uncompressed file is shorter than its header says; what is in a
        compressed one shows when it is read.
    """
    image = load_image(img, where) if isinstance(img, str | os.PathLike) else img
    if not is_surface(image) and not hasattr(image, "dataobj"):
        raise TypeError(
            f"{where}: img must be a path, a 4D nibabel image or a SurfaceImage, got "
            f"{type(image).__name__}."
        )
    if is_surface(image):
        _check_surface(image, where)
    else:
        check_four_dimensional(image.shape, where)
        check_plain_numbers(image.dataobj, where)
        check_affine(image.affine, where)
        _check_whole(image.dataobj, where)
    return image


SECONDS_PER_UNIT = {"sec": 1.0, "msec": 1e-3, "usec": 1e-6}
"""How long the units of time of NIfTI headers are."""


def t_r_in_header(image):
    """Return the repetition time that a header tells in seconds, or None.

    Only of an image that tells the unit as well.
    """
    if is_surface(image):
        return None
    step, unit = time_step(image.header)
    is_told = unit in SECONDS_PER_UNIT and np.isfinite(step) and step > 0
    return step * SECONDS_PER_UNIT[unit] if is_told else None


def time_step(header):
    """Return the time between scans that a header tells, and its unit."""
    has_units = hasattr(header, "get_xyzt_units")
    unit = header.get_xyzt_units()[1] if has_units else "that of the format"
    # As text, because a float32 of 0.72 is 0.7200000286 as float.
    return float(str(header.get_zooms()[3])), unit


def load_image(path, where):
    """Return a file's image with its header read and its data not.

    Raises FileNotFoundError without a file, and ValueError where it is no image.
    """
    check_file(path, where)
    try:
        return nibabel.load(path)
    # Each format has a parser of its own, and a spoilt file makes it fail in any way.
    except Exception as error:
        raise ValueError(
            f"{where}: not an image that nibabel can open: {type(error).__name__}: "
            f"{error}"
        ) from error


def _check_surface(image, where):
    """Raise ValueError unless a surface image has vertices and enough scans."""
    if len(image.shape) != 2:
        raise ValueError(
            f"{where}: a SurfaceImage must have shape (vertices, scans), got "
            f"{tuple(image.shape)}."
        )
    check_enough_scans(image.shape[1], where)


def read_mask(mask_img, where):
    """Return the arrays of a mask image: one of a volume, one a part of a surface."""
    if is_surface(mask_img):
        return [np.asarray(part) for part in mask_img.data.parts.values()]
    is_path = isinstance(mask_img, str | os.PathLike)
    image = load_image(mask_img, where) if is_path else mask_img
    if not hasattr(image, "dataobj"):
        raise TypeError(
            f"{where} must be a volume or its path, or a SurfaceImage, got "
            f"{type(image).__name__}."
        )
    return [whole_volume(image, where)]


def whole_volume(image, where):
    """Return all numbers of a nibabel image; `where` names it in errors."""
    try:
        return np.asarray(image.dataobj)
    except READ_ERRORS as error:
        raise _unreadable(where, error) from error


def read_volume(img, name):
    """Return a 3D image's numbers, 0 where they are not finite, and its affine.

    Parameters
    ----------
    img : str, path or nibabel image
    name : str
        Names the image in errors.
    """
    name = with_file(name, img)
    if isinstance(img, str | os.PathLike):
        img = load_image(img, name)
    if not hasattr(img, "affine"):
        raise TypeError(f"{name} must be a 3D image or its path, got {img!r}.")
    data = whole_volume(img, name)
    if data.ndim != 3 and data.shape[3:] != (1,):
        raise ValueError(f"{name} must be a 3D image, got shape {data.shape}.")
    data = data.reshape(data.shape[:3])
    if data.dtype.kind == "f":
        data = np.where(np.isfinite(data), data, 0)
    return data, img.affine


def read_mask_volume(mask_img, name):
    """Return a mask image as one of 0 and 1 in memory, or None."""
    if mask_img is None:
        return None
    where = f"{name}: mask_img"
    data, affine = read_volume(mask_img, where)
    if not data.any():
        raise ValueError(
            f"{with_file(where, mask_img)} is empty, it holds no voxel that is not 0."
        )
    return nibabel.Nifti1Image((data != 0).astype(np.uint8), affine)


def read_scans(image, kept, where):
    """Return the kept scans of an opened image in float64, in memory.

    A voxel that is not finite in any of the kept scans becomes 0 in all of them: it
    has no signal, and so cannot spoil its neighbours either.

    Parameters
    ----------
    image : nibabel image or SurfaceImage
        As `open_image` returns it; not changed.
    kept : ndarray of shape (n_kept_scans,)
        Indices of the scans to keep, ascending.
    where : str
        Names the run in errors.

    Returns
    -------
    image : Nifti1Image or SurfaceImage
        Of the kept scans alone.
    not_finite : Nifti1Image or SurfaceImage or None
        1 where a voxel was not finite, one scan; None where all were.
    """
    if is_surface(image):
        parts = {
            name: _finite(_selected(np.asarray(part), kept))
            for name, part in image.data.parts.items()
        }
        data = {name: part for name, (part, _) in parts.items()}
        bad = {name: mask for name, (_, mask) in parts.items()}
        clean, flags = SurfaceImage(image.mesh, data), SurfaceImage(image.mesh, bad)
        return clean, flags if any(mask.any() for mask in bad.values()) else None
    if nibabel.is_proxy(image.dataobj):
        data, bad = _finite(_read_volume(image, kept, where))
    else:
        data, bad = _finite(_selected(image.dataobj, kept))
    flags = new_img_like(image, bad) if bad.any() else None
    return nibabel.Nifti1Image(data, image.affine), flags


def _read_volume(image, kept, where):
    """Return the kept scans of a file in float64."""
    scale = scaling(image)
    data = np.empty((len(kept), *image.shape[2::-1]))
    for block in scan_blocks(image, kept, where):
        data[block.kept] = block.data[block.rows]
    data *= scale.slope
    data += scale.intercept
    return data.T


def _selected(data, kept):
    """Return the kept scans in float64, without a copy where they are all of them."""
    data = data if len(kept) == data.shape[-1] else data[..., kept]
    return np.asarray(data, dtype=np.float64)


def _finite(data):
    """Return data with zeros in the voxels that are not finite, and those voxels."""
    with np.errstate(invalid="ignore", over="ignore"):  # inf - inf, or large numbers
        bad = ~np.isfinite(data.sum(axis=-1))
    if bad.any():
        bad = ~np.isfinite(data).all(axis=-1)
        data = np.where(bad[..., np.newaxis], 0.0, data)
    return data, bad[..., np.newaxis].astype(np.float64)


# Reading in blocks of scans

BLOCK_BYTES = 2**24
"""Raw bytes of the scans that are read at a time."""

BLOCK_SCANS, MAX_BLOCK_BYTES = 48, 2**28
"""As many scans at the least, if they are not larger: each block has its overhead."""

OTHER_COMPRESSION = (".bz2", ".zst")
"""Endings of compressed files that are left to nibabel."""


@dataclass(frozen=True)
class ScanBlock:
    """Some consecutive scans of a run as they lie in the file.

    Attributes
    ----------
    data : ndarray of shape (n_scans_in_block, n_z, n_y, n_x)
        Unscaled, in the file's dtype and byte order; not to be written to.
    rows : ndarray of shape (n_kept_in_block,)
        The scans of the block that are kept.
    kept : slice
        Where these lie among all kept scans.
    """

    data: np.ndarray
    rows: np.ndarray
    kept: slice


@dataclass(frozen=True)
class Scaling:
    """What turns the numbers of a file into signals: ``slope * number + intercept``."""

    slope: float = 1.0
    intercept: float = 0.0


def scaling(image):
    """Return the scaling that `scan_blocks` leaves to be done."""
    dataobj = image.dataobj
    if _is_plain_file(dataobj):
        return Scaling(float(dataobj.slope), float(dataobj.inter))
    return Scaling()


def scan_blocks(image, kept, where, block_bytes=None, sums_bytes=0):
    """Yield the scans of a volume in blocks, each read once.

    Files of plain numbers are memory-mapped, or decompressed as a stream; images in
    memory are not copied; what else nibabel opens is read through nibabel.

    Parameters
    ----------
    image : nibabel image
        As `open_image` returns it.
    kept : ndarray of shape (n_kept_scans,)
        Indices of the scans to keep, ascending; blocks without any are left out.
    where : str
        Names the run in errors.
    block_bytes : int or None, default=None
        Raw bytes of a block; None for what takes little memory and little time.
    sums_bytes : int, default=0
        Size of the sums to which each block is added. They are written anew for each,
        so that where they are large blocks are larger too, a quarter of them.

    Yields
    ------
    block : ScanBlock

    Raises
    ------
    OSError
        If the file is truncated or corrupt.
    """
    n_scans = image.shape[3]
    scan_bytes = np.prod(image.shape[:3]) * np.dtype(image.dataobj.dtype).itemsize
    if block_bytes is None:
        wanted = max(BLOCK_SCANS * scan_bytes, sums_bytes // 4)
        block_bytes = max(BLOCK_BYTES, min(wanted, MAX_BLOCK_BYTES))
    step = int(max(1, min(n_scans, block_bytes // max(1, scan_bytes))))
    try:
        with _reader(image.dataobj) as read:
            for start in range(0, n_scans, step):
                data = read(start, min(start + step, n_scans))
                first, last = np.searchsorted(kept, (start, start + step))
                if first < last:
                    yield ScanBlock(data, kept[first:last] - start, slice(first, last))
    except READ_ERRORS as error:
        raise _unreadable(where, error) from error


def mean_scan(image, kept, where):
    """Return the mean over the kept scans of a volume as a 3D image, in float64."""
    total = np.zeros(image.shape[2::-1])
    with np.errstate(invalid="ignore"):  # infinities of both signs
        for block in scan_blocks(image, kept, where):
            total += block.data[block.rows].sum(axis=0, dtype=np.float64)
    scale = scaling(image)
    mean = scale.slope * (total / len(kept)) + scale.intercept
    return nibabel.Nifti1Image(mean.T, image.affine)


def _unreadable(where, error):
    """Return the error of a file that ends too early or makes no sense."""
    return OSError(
        f"{where}: the image data cannot be read; the file is truncated or corrupt: "
        f"{error}"
    )


def _is_plain_file(dataobj):
    """Whether an image's data lie in a file as plain numbers, gzipped or not."""
    if type(dataobj) is not ArrayProxy or not isinstance(dataobj.file_like, str):
        return False
    return Path(dataobj.file_like).suffix.lower() not in OTHER_COMPRESSION


def _check_whole(dataobj, where):
    """Raise OSError where a file that is not compressed ends too early."""
    if not _is_plain_file(dataobj):
        return
    needed = dataobj.offset + math.prod(dataobj.shape) * dataobj.dtype.itemsize
    try:
        if _is_gzip(dataobj.file_like):
            return
        n_bytes = os.path.getsize(dataobj.file_like)
        if n_bytes < needed:
            raise EOFError(f"it has {n_bytes} bytes of {needed}")
    except READ_ERRORS as error:
        raise _unreadable(where, error) from error


@contextmanager
def _reader(dataobj):
    """Give a function that returns scans ``start`` to ``stop``, called in order."""
    if not _is_plain_file(dataobj):
        yield lambda start, stop: np.asarray(dataobj[..., start:stop]).T
    elif _is_gzip(dataobj.file_like):
        with igzip.open(dataobj.file_like, "rb") as stream:
            stream.read(dataobj.offset)
            yield lambda start, stop: _decompressed(stream, dataobj, start, stop)
    else:
        yield lambda start, stop: _mapped(dataobj, start, stop)


def _is_gzip(path):
    """Whether a file begins as gzip files do."""
    with open(path, "rb") as file:
        return file.read(2) == b"\x1f\x8b"


def _decompressed(stream, dataobj, start, stop):
    """Return scans from a gzip stream; after the last one, check the checksum too."""
    shape = (stop - start, *dataobj.shape[2::-1])
    data = np.empty(shape, dataobj.dtype)
    missing = memoryview(data.reshape(-1).view(np.uint8))
    while missing:
        n_bytes = stream.readinto(missing)
        if not n_bytes:
            raise EOFError(f"it ends within scans {start} to {stop - 1}")
        missing = missing[n_bytes:]
    if stop == dataobj.shape[3]:
        stream.read(1)
    return data


def _mapped(dataobj, start, stop):
    """Return scans of an uncompressed file, mapped into memory until let go."""
    shape = (stop - start, *dataobj.shape[2::-1])
    scan_bytes = int(np.prod(shape[1:])) * dataobj.dtype.itemsize
    offset = dataobj.offset + start * scan_bytes
    return np.memmap(dataobj.file_like, dataobj.dtype, "r", offset, shape)
