"""Arrays and facts in one file that says what it is of, and whether it is whole.

First come the arrays, as they are in memory, then JSON: kind and key of the entry, its
facts, and of each array the dtype, the shape, where it begins, and a checksum for each
chunk. Last come the checksum of the JSON, its length, and a word by which such files
are known. Nothing in it is ever run or unpickled.
"""

import hashlib
import json
import math
import mmap
import os
import re
import struct
from contextlib import suppress

import numpy as np
from isal import isal_zlib

from .disks import check_room, take_room

CHUNK = 2**17
"""Bytes that share a checksum: as many are looked at where one row is read."""

END = struct.Struct("<16sQ8s")
WORD = b"sbc-0001"

PLAIN = re.compile(r"[<>|](b1|[iu][1248]|f[248]|c8|c16)")
"""The dtypes that arrays may have, as text: numbers."""

NOT_WHOLE: tuple[type[Exception], ...] = (
    *(ValueError, TypeError, LookupError, AttributeError, ArithmeticError),
    *(RecursionError, struct.error),
)
"""What reading a file that is none of ours may raise."""


class SpoiltEntryError(OSError):
    """A file that is not, or no longer, what was written."""


class Entry:
    """Facts and arrays that were kept.

    Arrays are parts of a mapped file and must not outlive its use: as long as one is
    held, the file stays open. Use it as a context manager, or `close` it.

    Parameters
    ----------
    facts : dict
        As JSON gives it back: tuples are lists, keys are text. NaN is NaN.
    arrays : dict of str to ndarray
        Read-only.
    checksums : dict of str to ndarray of uint32
        Of the chunks of each array.
    path : str
        The file.
    mapped : mmap
        What the arrays are parts of.

    Attributes
    ----------
    facts : dict
    shapes : dict of str to tuple
        Of each array.
    """

    def __init__(self, facts, arrays, checksums, path, mapped):
        self.facts, self.path = facts, path
        self.shapes = {name: array.shape for name, array in arrays.items()}
        self._arrays, self._checksums, self._mapped = arrays, checksums, mapped
        self._unknown = {k: np.ones(len(sums), bool) for k, sums in checksums.items()}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def whole(self, name):
        """Return an array, read-only and part of the file, each chunk checked once.

        Raises
        ------
        SpoiltEntryError
            If the file is damaged. It is removed.
        """
        array = self._array(name)
        self._check(name, self._unknown[name])
        return array

    def rows(self, name, rows):
        """Return some rows of an array, of which only their chunks are checked.

        Parameters
        ----------
        name : str
        rows : slice, int, or array of int or bool
            With a slice the result is part of the file, else a copy.

        Raises
        ------
        SpoiltEntryError
            If these parts of the file are damaged. It is removed.
        """
        array, unknown = self._array(name), self._unknown[name]
        if unknown.any():
            self._check(name, unknown & _chunks_of_rows(array, rows, len(unknown)))
        return array[rows]

    def dtype(self, name):
        """Return the dtype of an array."""
        return self._array(name).dtype

    def check(self):
        """Raise SpoiltEntryError, and remove the file, unless all of it is whole."""
        for name in self.shapes:
            self.whole(name)

    def close(self):
        """Let go of the file, which is closed when the last of its arrays is gone."""
        self._arrays = None
        with suppress(BufferError):
            self._mapped.close()

    def _array(self, name):
        """Return an array, as long as it may be used."""
        if self._arrays is None:
            raise ValueError("what was kept of a run has been closed. Open it anew.")
        return self._arrays[name]

    def _check(self, name, chunks):
        """Compare chunks of an array, given which, with their checksums."""
        found = np.flatnonzero(chunks)
        if not len(found):
            return
        content = memoryview(_bytes_of(self._arrays[name]))
        known = self._checksums[name]
        for i in found:
            if isal_zlib.crc32(content[i * CHUNK : (i + 1) * CHUNK]) != known[i]:
                content.release()
                self._remove()
        self._unknown[name][found] = False

    def _remove(self):
        """Remove the file and say so."""
        self.close()
        with suppress(OSError):
            os.unlink(self.path)
        raise SpoiltEntryError(
            f"memory: the file {self.path!r} has been damaged, and was removed. Run "
            "the same once more to have it made anew."
        )


def _bytes_of(array):
    """Return a view of an array in C order as bytes."""
    return array.reshape(-1).view(np.uint8)


def _chunks_of_rows(array, rows, n_chunks):
    """Return which chunks some rows of an array lie in, `(n_chunks,)` of bool."""
    width = math.prod(array.shape[1:]) * array.itemsize
    first = np.atleast_1d(np.arange(len(array))[rows]) * width
    # +1 where a row begins, -1 behind its end: the sum counts the rows in each chunk.
    steps = np.zeros(n_chunks + 1, np.intp)
    if width:
        np.add.at(steps, first // CHUNK, 1)
        np.add.at(steps, (first + width - 1) // CHUNK + 1, -1)
    return np.cumsum(steps[:-1]) > 0


def read_entry(path, kind, key):
    """Return the `Entry` in a file; what it says of itself is checked, no array is.

    Raises
    ------
    SpoiltEntryError
        If the file is of another kind or key, cut off, changed, or none of ours.
    OSError
        If there is no file that can be read.
    """
    with open(path, "rb", buffering=0, opener=_at_once) as file:
        try:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            return _entry_in(mapped, path, kind, key)
        except NOT_WHOLE as error:
            raise SpoiltEntryError(f"{path!r} is not whole: {error}") from error


def _at_once(path, flags):
    """Open a file without waiting, were it a pipe, for somebody to write to it."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _entry_in(mapped, path, kind, key):
    """Return the entry in a mapped file."""
    end = len(mapped) - END.size
    seal, length, word = END.unpack(mapped[end:])
    text = mapped[end - length : end]
    if word != WORD or length > end or _seal(text) != seal:
        raise ValueError("its end is not as it was written.")
    content = json.loads(text)
    if (content["kind"], content["key"]) != (kind, key):
        raise ValueError("it is the entry of another key.")
    if not isinstance(content["facts"], dict):
        raise ValueError("its facts have no names.")
    arrays, checksums = {}, {}
    for name, about in content["arrays"].items():
        arrays[name] = _array_in(mapped, about)
        checksums[name] = np.frombuffer(bytes.fromhex(about["checksums"]), "<u4")
        if len(checksums[name]) != _n_chunks(arrays[name].nbytes):
            raise ValueError(f"{name} has not as many checksums as chunks.")
    return Entry(content["facts"], arrays, checksums, path, mapped)


def _array_in(mapped, about):
    """Return an array of a mapped file."""
    shape = tuple(about["shape"])
    if not PLAIN.fullmatch(about["dtype"]):
        raise ValueError(f"{about['dtype']} is no dtype of numbers.")
    dtype = np.dtype(about["dtype"])
    # Unlike np.memmap, a mapped file does not go while these views of it are there.
    flat = np.frombuffer(mapped, dtype, math.prod(shape), about["start"])
    return flat.reshape(shape)


def _n_chunks(n_bytes):
    """Return how many chunks so many bytes have."""
    return -(-n_bytes // CHUNK)


def _seal(text):
    """Return the checksum of the JSON in an entry."""
    return hashlib.blake2b(text, digest_size=16).digest()


class Draft:
    """A file that becomes an entry.

    Parameters
    ----------
    path : str
        A file that does not exist yet.

    Raises
    ------
    OSError
        As from all methods, if the file cannot be written.
    """

    def __init__(self, path):
        self.path = path
        self.file = open(path, "x+b")  # noqa: SIM115, open until it is closed
        self._end, self._arrays, self._starts, self._maps = 0, {}, {}, []

    def array(self, name, shape, dtype):
        """Return an array of zeros in the file, to be filled.

        Its place on disk is taken first: where that turns out to be missing while an
        array is filled, the process would be killed.
        """
        dtype = np.dtype(dtype)
        if not PLAIN.fullmatch(dtype.str):
            raise TypeError(f"{name} must be of numbers, got dtype {dtype}.")
        start = -(-self._end // 64) * 64
        n_bytes = math.prod(shape) * dtype.itemsize
        self._take_room(start, n_bytes)
        self._starts[name], self._end = start, start + n_bytes
        self._arrays[name] = self._mapped(start, n_bytes, dtype).reshape(shape)
        return self._arrays[name]

    def _take_room(self, start, n_bytes):
        """Take bytes of the disk for the file, which may have none."""
        check_room(os.path.dirname(self.path), n_bytes)
        if n_bytes and not take_room(self.file.fileno(), start, n_bytes):
            self.file.seek(start)
            for done in range(0, n_bytes, 2**22):
                self.file.write(bytes(min(2**22, n_bytes - done)))
            self.file.flush()

    def _mapped(self, start, n_bytes, dtype):
        """Return a part of the file as a flat array."""
        if n_bytes == 0:
            return np.empty(0, dtype)
        before = start % mmap.ALLOCATIONGRANULARITY
        mapped = mmap.mmap(self.file.fileno(), before + n_bytes, offset=start - before)
        self._maps.append(mapped)
        return np.frombuffer(mapped, dtype, n_bytes // dtype.itemsize, before)

    def finish(self, kind, key, facts):
        """Write what makes the file an entry; it is still open."""
        about = {
            name: {
                "dtype": array.dtype.str,
                "shape": array.shape,
                "start": self._starts[name],
                "checksums": _checksums(array).tobytes().hex(),
            }
            for name, array in self._arrays.items()
        }
        content = {"kind": kind, "key": key, "facts": facts, "arrays": about}
        text = json.dumps(content, default=_in_plain_words).encode("ascii")
        self.file.seek(self._end)
        self.file.write(text + END.pack(_seal(text), len(text), WORD))
        self.file.flush()

    def close(self):
        """Close the file, and the maps of which nobody holds an array any more."""
        self._arrays = {}
        for mapped in self._maps:
            with suppress(BufferError):
                mapped.close()
        self.file.close()

    def discard(self):
        """Close and remove the file, if it is still there."""
        with suppress(OSError):
            self.close()
        with suppress(OSError):
            os.unlink(self.path)


def _checksums(array):
    """Return the checksum of each chunk of an array."""
    content = memoryview(_bytes_of(array))
    starts = range(0, array.nbytes, CHUNK)
    sums = [isal_zlib.crc32(content[i : i + CHUNK]) for i in starts]
    return np.array(sums, "<u4")


def _in_plain_words(value):
    """Return a number or an array of numpy in terms of JSON."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"facts must be of plain values, got {value!r}.")
