"""What work is given: threads, with BLAS pinned to one each, and room for arrays."""

import shutil
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from functools import cache

import numpy as np
from threadpoolctl import ThreadpoolController

from .disks import FULL, check_room, take_room

_ENTRY = threading.Lock()
_END = object()

PARTS = 16
"""Into how many parts small work is cut."""


class OneWorker:
    """All work in the calling thread, one piece after the other."""

    def map(self, function, items):
        """Return what a function makes of each item, as a list."""
        return [function(item) for item in items]

    def fill(self, function, n_items):
        """Call a function with each number from 0 to `n_items`, in any order."""
        for i in range(n_items):
            function(i)

    def ahead(self, items):
        """Yield the items of a generator."""
        with closing(items):
            yield from items


class Workers(OneWorker):
    """Work shared by the threads of a pool."""

    def __init__(self, pool):
        self.pool = pool

    def map(self, function, items):
        """Return what a function makes of each item, as a list."""
        return list(self.pool.map(function, items))

    def fill(self, function, n_items):
        """Call a function with each number from 0 to `n_items`, in any order."""
        # A few at a time: to hand out one takes as long as a small product.
        parts = np.array_split(range(n_items), PARTS)
        self.map(lambda part: [function(i) for i in part.tolist()], parts)

    def ahead(self, items):
        """Yield the items of a generator, each next one made in a thread meanwhile.

        Decompression, which no file format lets us share out, thus goes on beside
        all other work.
        """
        with closing(items), ThreadPoolExecutor(1) as reader:
            pending = reader.submit(next, items, _END)
            while (item := pending.result()) is not _END:
                pending = reader.submit(next, items, _END)
                yield item


@cache
def _blas():
    """Return what controls the threads of BLAS; to find the libraries takes a while."""
    return ThreadpoolController().select(user_api="blas")


@contextmanager
def workers(most=None):
    """Give as many workers as BLAS may use threads, and BLAS one thread each.

    A few threads of our own that each work on a piece in cache beat BLAS threads that
    share every small product, most of all on a busy machine. And as pieces are the
    same for any number of threads, so is the result, to the last bit. BLAS gets its
    threads back on exit, also after an error. Whoever works inside is handed the crew.

    Parameters
    ----------
    most : int or None, default=None
        The most workers; to start threads takes longer than a small product.

    Yields
    ------
    crew : Workers or OneWorker

    Notes
    -----
    A limit on BLAS holds for the whole process. The lock keeps two maps that start
    at once in two threads from each noting the other's limit as the one to restore:
    whoever finds BLAS at one thread leaves it alone and works on its own.
    """
    with _limited() as n_threads, _crew(min(n_threads, most or n_threads)) as crew:
        yield crew


@contextmanager
def _limited():
    """Give BLAS one thread, and say how many it had."""
    limits = ExitStack()
    with _ENTRY:
        blas = _blas()
        # Where threadpoolctl knows no BLAS, there is nothing to share out.
        n_threads = max((own.num_threads for own in blas.lib_controllers), default=1)
        if n_threads > 1:
            limits.enter_context(blas.limit(limits=1))
    try:
        yield n_threads
    finally:
        with _ENTRY:
            limits.close()


@contextmanager
def _crew(n_threads):
    """Give as many workers as there are threads."""
    if n_threads == 1:
        yield OneWorker()
    else:
        with ThreadPoolExecutor(n_threads) as pool:
            yield Workers(pool)


# Room for large arrays

MOST_IN_MEMORY = 2**30
"""Bytes of an array above which it is laid in a file that is mapped into memory."""


def room_for(size, dtype):
    """Return a flat array to be filled, in a scratch file where it is large.

    The file lies in the folder for temporary files (TMPDIR), is gone as soon as nobody
    looks at the array, and is no part of the memory that a process needs. Its room on
    the disk is taken first: where it turned out to be missing while the array is
    filled, the process would be killed.

    Raises
    ------
    OSError
        If there is no room in that folder.
    """
    n_bytes = int(size) * np.dtype(dtype).itemsize
    if n_bytes <= MOST_IN_MEMORY:
        return np.empty(size, dtype)
    folder = tempfile.gettempdir()
    with tempfile.TemporaryFile(dir=folder) as file:
        try:
            check_room(folder, n_bytes)
            take_room(file.fileno(), 0, n_bytes)
        except OSError as error:
            if error.errno not in FULL:
                raise
            free = shutil.disk_usage(folder).free
            raise OSError(
                f"{folder!r} has {free / 2**30:.1f} GiB left, and "
                f"{n_bytes / 2**30:.1f} GiB are needed for the projected run. Make "
                "room, or set TMPDIR to another folder."
            ) from error
        return np.memmap(file, dtype, "w+", shape=(int(size),))
