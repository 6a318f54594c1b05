"""Work on slabs in threads, with BLAS pinned to one thread each meanwhile."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

from threadpoolctl import ThreadpoolController

_ENTRY = threading.Lock()


@contextmanager
def slab_workers():
    """Give a ``map`` over as many threads as BLAS may use, and BLAS one thread each.

    A few threads of our own that each work on a slab in cache beat BLAS threads that
    share every small product, most of all on a busy machine. BLAS gets its threads
    back on exit, also after an error.

    Yields
    ------
    run : callable
        ``run(function, items)`` calls the function on each item and returns a list.

    Notes
    -----
    A limit on BLAS holds for the whole process. The lock keeps two maps that start
    at once in two threads from each noting the other's limit as the one to restore:
    whoever finds BLAS at one thread leaves it alone and works on its own.
    """
    limits = ExitStack()
    with _ENTRY:
        blas = ThreadpoolController().select(user_api="blas")
        # Where threadpoolctl knows no BLAS, there is nothing to share out.
        n_threads = max((pool["num_threads"] for pool in blas.info()), default=1)
        if n_threads > 1:
            limits.enter_context(blas.limit(limits=1))
    try:
        if n_threads == 1:
            yield lambda function, items: [function(item) for item in items]
        else:
            with ThreadPoolExecutor(n_threads) as pool:
                yield lambda function, items: list(pool.map(function, items))
    finally:
        with _ENTRY:
            limits.close()
