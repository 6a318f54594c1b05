"""Work in threads, with BLAS pinned to one thread each meanwhile."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController

_ENTRY = threading.Lock()
_INSIDE = threading.local()
_END = object()


class OneWorker:
    """All work in the calling thread, one piece after the other."""

    def map(self, function, items):
        """Return what a function makes of each item, as a list."""
        return [function(item) for item in items]

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
def workers():
    """Give as many workers as BLAS may use threads, and BLAS one thread each.

    A few threads of our own that each work on a piece in cache beat BLAS threads that
    share every small product, most of all on a busy machine. And as pieces are the
    same for any number of threads, so is the result, to the last bit. BLAS gets its
    threads back on exit, also after an error.

    Yields
    ------
    workers : Workers or OneWorker
        Within another call in the same thread, the workers of that.

    Notes
    -----
    A limit on BLAS holds for the whole process. The lock keeps two maps that start
    at once in two threads from each noting the other's limit as the one to restore:
    whoever finds BLAS at one thread leaves it alone and works on its own.
    """
    outer = getattr(_INSIDE, "crew", None)
    if outer is not None:
        yield outer
        return
    with _limited() as n_threads, _crew(n_threads) as _INSIDE.crew:
        try:
            yield _INSIDE.crew
        finally:
            _INSIDE.crew = None


@contextmanager
def _limited():
    """Give BLAS one thread, and say how many it had."""
    limits = ExitStack()
    with _ENTRY:
        blas = _blas()
        # Where threadpoolctl knows no BLAS, there is nothing to share out.
        n_threads = max((pool["num_threads"] for pool in blas.info()), default=1)
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
