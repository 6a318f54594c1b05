"""Volumes: the scans of what nibabel opens, read in blocks."""

import math
import os
from contextlib import contextmanager
from functools import cached_property

import nibabel
import numpy as np
from isal import igzip
from nibabel.arrayproxy import ArrayProxy

from .._support.digests import digest
from .._support.disks import READ_ERRORS
from .grids import Still, VolumeGrid
from .headers import doubts_of, image_like, space_of, units_of
from .scans import (
    Block,
    Scaling,
    Scans,
    finite,
    split_into_blocks,
)
from .streams import (
    check_claim,
    check_end,
    has_other_compression,
    is_gzip,
    read_on,
    skip,
)

BLOCK_BYTES = 2**23
"""Raw bytes of the scans that are read at a time, while those before are summed up."""

BLOCK_SCANS, MAX_BLOCK_BYTES = 48, 2**28
"""As many scans at the least, if they are not larger: each block has its overhead."""

BLOCK_OF_SUMS = 0.25
"""Bytes of a block for each number of sums in all directions of all positions."""


class VolumeScans(Scans):
    """The scans of a nibabel image of three or four dimensions.

    Parameters
    ----------
    image : nibabel image

    Raises
    ------
    ValueError
        If it does not hold plain numbers in places that it tells.
    OSError
        If an uncompressed file is shorter than its header says; what is in a
        compressed one shows when it is read.
    """

    like = staticmethod(image_like)

    marks = ("dataobj", "affine")

    @staticmethod
    def check_run(image):
        """Raise ValueError unless an image has four dimensions."""
        shape = tuple(image.shape)
        if len(shape) > 5 and shape[:4] == (1, 1, 1, 1):
            raise ValueError(
                "a run must be a 4D image, got what is a CIFTI file, but for the "
                f"ending of its name: shape {shape}. CIFTI files end in .dtseries.nii "
                "and are never compressed: unpack it, or rename it."
            )
        if len(shape) != 4:
            raise ValueError(
                f"a run must be a 4D image (x, y, z, scans), got {len(shape)}D with "
                f"shape {shape}. {_cure_of_dimensions(shape)}"
            )

    @staticmethod
    def still(image, missing):
        """Return the `Still` of a volume of three dimensions, or four: maps."""
        _check_axes(image)
        check_whole(image.dataobj)
        with reading():
            data = np.asarray(image.dataobj)
            _check_ends(image)
        check_real(data.dtype)
        data = without_missing(data, missing)
        grid = VolumeGrid(tuple(image.shape[:3]), np.asarray(image.affine))
        values = data.reshape(grid.n_positions, -1)
        values = values[:, 0] if values.shape[1] == 1 else values
        return Still(grid, values, tuple(doubts_of(image.header)))

    @staticmethod
    def as_maps(image, names):
        """Return a volume of maps as files hold it.

        Some versions of nilearn leave a mask's integer type in the header.
        """
        image.set_data_dtype(np.float32)
        return image

    def __init__(self, image):
        self.image, self.dataobj = image, image.dataobj
        _check_axes(image)
        check_plain_numbers(self.dataobj)
        _check_affine(image.affine)
        check_whole(self.dataobj)
        self.grid = VolumeGrid(tuple(image.shape[:3]), np.asarray(image.affine))
        self.shape = tuple(image.shape)
        self.n_scans = int(np.prod(self.shape[3:]))

    @property
    def space(self):
        """What the header says of the space that maps lie in."""
        return space_of(self.image)

    @property
    def time_step(self):
        """The time between scans that the header tells, and its unit."""
        header = self.image.header
        # As text, because a float32 of 0.72 is 0.7200000286 as float.
        return float(str(header.get_zooms()[3])), units_of(header)[1]

    @property
    def doubts(self):
        """What is not sure of where the image lies, as words for warnings."""
        return doubts_of(self.image.header)

    @cached_property
    def scaling(self):
        """What `take` leaves to be done."""
        return scaling_of(self.dataobj)

    @cached_property
    def fingerprint(self):
        """A text that changes when the content does.

        Of a file, its path, size, times of change (ns) and place on disk count, and
        what the header makes of its numbers; of an image in memory, or one that says it
        is another file than it reads, all of its numbers.
        """
        paths = files_of(self.image)
        if not paths:
            return digest(self._digest_of_scans(), self.grid.key)
        return fingerprint_of(paths, self.dataobj, self.grid)

    def _digest_of_scans(self):
        """Return the digest of all numbers in either order, one scan at a time."""
        scans = np.asarray(self.dataobj).T
        return digest(list(map(digest, scans)))

    def blocks(self, kept):
        """Yield the scans in blocks, each read once, those without kept scans left out.

        Files of plain numbers are memory-mapped, or decompressed as a stream; images in
        memory are not copied; what else nibabel opens is read through nibabel.

        Parameters
        ----------
        kept : ndarray of shape (n_kept_scans,)
            Indices of the scans to keep, ascending.

        Yields
        ------
        block : Block

        Raises
        ------
        OSError
            If the file is truncated or corrupt.
        """
        step = self._scans_a_block(len(kept))
        blocks = split_into_blocks(self.n_scans, kept, step)
        with reading():
            with _reader(self.dataobj, self.n_scans) as read:
                for start, stop, rows, place in blocks:
                    numbers = read(start, stop)
                    if len(rows):
                        yield Block(numbers, rows, place)
            if not is_plain_file(self.dataobj):
                _check_ends(self.image)

    def _scans_a_block(self, n_kept):
        """Return how many scans are read at a time.

        Sums to which blocks are added are written anew for each, so that blocks grow
        with them: not with those in hand, as sums are the same to the last bit only
        where blocks are.
        """
        itemsize = np.dtype(self.dataobj.dtype).itemsize
        scan_bytes = max(1, self.grid.n_positions * itemsize)
        wanted = max(
            BLOCK_SCANS * scan_bytes, n_kept * self.grid.n_positions * BLOCK_OF_SUMS
        )
        block_bytes = max(BLOCK_BYTES, min(wanted, MAX_BLOCK_BYTES))
        return int(max(1, min(self.n_scans, block_bytes // scan_bytes)))

    def slabs(self, positions):
        """Return positions cut into those of each z, where they lie together."""
        x, y, z = np.unravel_index(positions, self.grid.shape)
        in_slab = y * self.grid.shape[0] + x
        order = np.argsort(z, kind="stable")
        layers, firsts = np.unique(z[order], return_index=True)
        pieces = np.split(order, firsts[1:]) if len(layers) else []
        # Ascending in the file, which is kinder to caches.
        pieces = [own[np.argsort(in_slab[own])] for own in pieces]
        return [
            ((int(layer), in_slab[own]), own)
            for layer, own in zip(layers, pieces, strict=True)
        ]

    def take(self, block, slab):
        """Return the kept numbers of a slab in a block, unscaled."""
        layer, places = slab
        scans = block.numbers[:, layer].reshape(len(block.numbers), -1)
        numbers = scans.take(places, axis=1)
        return numbers if len(block.rows) == len(numbers) else numbers[block.rows]

    def image_of(self, kept):
        """Return the kept scans in float64, in memory, and what is not finite.

        A voxel that is not finite in any of the kept scans becomes 0 in all of them: it
        has no signal, and so cannot spoil its neighbours either.

        Returns
        -------
        image : Nifti1Image
        not_finite : Still of bool, or None
            None where all were finite.
        """
        data = np.empty((len(kept), *self.grid.shape[::-1]))
        for block in self.blocks(kept):
            data[block.kept] = block.numbers[block.rows]
        data *= self.scaling.slope
        data += self.scaling.intercept
        data, bad = finite(data.T)
        flags = Still(self.grid, bad.ravel()) if bad.any() else None
        return nibabel.Nifti1Image(data, self.image.affine), flags


def check_real(dtype):
    """Raise TypeError where a mask or an atlas is complex, a colour or the like."""
    if dtype.kind not in "biuf":
        raise TypeError(f"it must hold real numbers, got dtype {dtype}.")


def without_missing(data, missing):
    """Return data in which what is not finite is another value."""
    if data.dtype.kind != "f" or np.isfinite(data).all():
        return data
    return np.where(np.isfinite(data), data, data.dtype.type(missing))


# Files


def files_of(image):
    """Return the files that an image's numbers come from, none if it is not sure.

    nibabel's `set_filename` and `to_filename` give an image another name, while its
    scans are still read from the file that it was loaded from.
    """
    paths = [file.filename for file in image.file_map.values()]
    paths = [path for path in paths if path is not None and os.path.isfile(path)]
    is_read = nibabel.is_proxy(image.dataobj)
    source = getattr(image.dataobj, "file_like", None)
    return paths if is_read and source in paths else []


def _state_of_file(path):
    """Return what of a file changes when it is edited, replaced or linked elsewhere.

    A copy can bring the size and the time of change along (``cp -p``), but not the time
    at which it was put in place.
    """
    stat = os.stat(path)
    times = stat.st_mtime_ns, stat.st_ctime_ns
    place = os.path.realpath(path), stat.st_ino, stat.st_dev
    return [*place, stat.st_size, *times]


def fingerprint_of(paths, dataobj, grid):
    """Return a text that changes when files do, or what is read of them."""
    reading = [getattr(dataobj, name, None) for name in ("slope", "inter", "offset")]
    reading.append(str(dataobj.dtype))
    states = [_state_of_file(path) for path in paths]
    return digest(states, reading, list(dataobj.shape), grid.key)


def scaling_of(dataobj):
    """Return the `Scaling` of what is read unscaled, as plain numbers of a file are."""
    if is_plain_file(dataobj):
        return Scaling(float(dataobj.slope), float(dataobj.inter))
    return Scaling()


def is_plain_file(dataobj):
    """Whether an image's data lie in a file as plain numbers, gzipped or not."""
    if type(dataobj) is not ArrayProxy or not isinstance(dataobj.file_like, str):
        return False
    return not has_other_compression(dataobj.file_like)


def _check_ends(image):
    """Raise an error where a compressed file of an image is spoilt anywhere.

    Others may stop reading before the checksum.
    """
    if nibabel.is_proxy(image.dataobj):
        paths = {file.filename for file in image.file_map.values()}
        paths.add(getattr(image.dataobj, "file_like", None))
        for path in paths:
            if isinstance(path, str) and os.path.isfile(path):
                check_end(path)


@contextmanager
def _reader(dataobj, n_scans):
    """Give a function that returns scans ``start`` to ``stop``, called in order."""
    if not is_plain_file(dataobj):
        shape = (*dataobj.shape[:3], n_scans)
        if dataobj.shape == shape:
            yield lambda start, stop: np.asarray(dataobj[..., start:stop]).T
        else:
            yield (
                lambda start, stop: (
                    np.asarray(dataobj).reshape(shape)[..., start:stop].T
                )
            )
    elif is_gzip(dataobj.file_like):
        with igzip.open(dataobj.file_like, "rb") as stream:
            skip(stream, dataobj.offset)
            yield lambda start, stop: _decompressed(
                stream, dataobj, start, stop, stop == n_scans
            )
    else:
        yield lambda start, stop: _mapped(dataobj, start, stop)


def _decompressed(stream, dataobj, start, stop, is_last):
    """Return scans from a gzip stream; after the last one, check the checksum too."""
    shape = (stop - start, *dataobj.shape[2::-1])
    data = np.empty(shape, dataobj.dtype)
    missing = memoryview(data.reshape(-1).view(np.uint8))
    while missing:
        n_bytes = stream.readinto(missing)
        if not n_bytes:
            raise EOFError(f"it ends within scans {start} to {stop - 1}")
        missing = missing[n_bytes:]
    if is_last:
        read_on(stream)
    return data


def _mapped(dataobj, start, stop):
    """Return scans of an uncompressed file, mapped into memory until let go."""
    shape = (stop - start, *dataobj.shape[2::-1])
    scan_bytes = int(np.prod(shape[1:])) * dataobj.dtype.itemsize
    offset = dataobj.offset + start * scan_bytes
    return np.memmap(dataobj.file_like, dataobj.dtype, "r", offset, shape)


# Checks


def _cure_of_dimensions(shape):
    """Return how to make one 4D image of one of more dimensions, or of fewer."""
    if len(shape) < 4:
        return "Join 3D volumes of one acquisition with nilearn.image.concat_imgs."
    axes = [axis for axis in range(3, len(shape)) if shape[axis] > 1]
    time = axes[-1] if axes else len(shape) - 1
    picks = [":" if axis < 3 or axis == time else "0" for axis in range(len(shape))]
    return f"Take one 4D image out of it, such as img.slicer[{', '.join(picks)}]."


def _check_axes(image):
    """Raise ValueError unless an image has axes of space, and at most one of scans."""
    shape = image.shape
    if isinstance(image, nibabel.Minc1Image) and len(shape) > 3:
        raise ValueError(
            f"a MINC file of several scans has them on its first axis, got shape "
            f"{tuple(shape)}. Pass nibabel.Nifti1Image(np.moveaxis(img.get_fdata(), 0, "
            "-1), img.affine)."
        )
    if len(shape) < 3 or min(shape) < 1 or sum(n > 1 for n in shape[3:]) > 1:
        raise ValueError(
            "an image must have three axes of space and at most one of scans, got "
            f"shape {tuple(shape)}."
        )


def _check_affine(affine):
    """Raise ValueError where an image does not say where its voxels lie."""
    says_where = affine is not None and np.isfinite(affine).all()
    if not says_where or np.linalg.matrix_rank(affine) < 4:
        raise ValueError(
            "the affine of the image must give each voxel a place of its own in mm, "
            f"got {np.array2string(np.asarray(affine))}. Check sform and qform in its "
            "header."
        )


def check_plain_numbers(dataobj):
    """Raise ValueError where an image's data are complex, colours or the like."""
    dtype = getattr(dataobj, "dtype", np.dtype(float))
    if dtype.kind not in "biuf":
        raise ValueError(
            f"a run must be an image of real numbers, got dtype {dtype}. Take the "
            "magnitude of complex data first."
        )


def check_whole(dataobj):
    """Raise OSError where a file cannot hold what its header claims."""
    path = getattr(dataobj, "file_like", None)
    if not isinstance(path, str) or not isinstance(dataobj, ArrayProxy):
        return
    needed = dataobj.offset + math.prod(dataobj.shape) * dataobj.dtype.itemsize
    with reading():
        check_claim(path, needed)


@contextmanager
def reading():
    """Turn whatever reading may end in into an OSError that says so."""
    try:
        yield
    except READ_ERRORS as error:
        raise _unreadable(error) from error


def _unreadable(error):
    """Return the error of a file that ends too early or makes no sense."""
    if isinstance(error, MemoryError):
        return OSError(
            "the image data cannot be read: there is not as much memory as its header "
            f"claims: {error}. Check the shape in its header."
        )
    return OSError(
        f"the image data cannot be read; the file is truncated or corrupt: {error}"
    )
