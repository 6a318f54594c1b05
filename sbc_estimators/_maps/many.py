"""Many runs to their maps, in turn or in parallel, and to rows."""

import math
import warnings

import numpy as np
from joblib import effective_n_jobs
from sklearn.utils.parallel import Parallel, delayed
from tqdm import tqdm

from .._support.threads import workers
from .failures import KILLED, FailedRun, bare, flights, in_flight, killed, place_of
from .mapping import SCALES, map_run

SOON = 2.0
"""Seconds that a user waits without a bar."""

RUNS_PER_JOB = 16
"""How many runs are handed out at a time: all their maps may wait to be taken."""

MOST_WAITING = 2**28
"""Bytes of maps, of each job, that may do so."""


def map_runs(mapper, opened, shape=None):
    """Return a generator of many runs' maps, holding only those in flight.

    The fewer of them, the larger they are, where their shape is known. Of a run that
    failed, and may, it gives a `FailedRun`.
    """
    most = RUNS_PER_JOB
    if shape is not None:
        n_bytes = 8 * math.prod(shape)  # r and degrees of freedom
        most = max(1, min(most, MOST_WAITING // n_bytes))
    maps = in_order(map_run, mapper, opened, most)
    if not mapper.verbose or len(opened) == 1:
        return maps  # even a bar that is not shown starts a thread that stays
    shown = {"unit": "run", "leave": False, "delay": SOON}
    return tqdm(maps, "seed maps", len(opened), **shown)


def in_order(function, mapper, opened, most=None):
    """Yield the position of each run, and what a function of mapper and run makes.

    A batch at a time, some runs a job at most, as joblib goes on and on ahead of
    whoever takes the maps, or of a slow first run. Where a worker is killed, the runs
    in flight are named.
    """
    n_jobs = effective_n_jobs(mapper.n_jobs)
    left = list(opened)
    while left:
        batch, done = left[: (most or RUNS_PER_JOB) * n_jobs], set()
        with flights(n_jobs > 1) as folder:
            try:
                for run, result in _of_batch(function, mapper, batch, folder):
                    done.add(run.position)
                    yield run.position, result
                    del result
            except KILLED as error:
                fallen = killed(folder, [r for r in batch if r.position not in done])
                if not mapper.skips:
                    raise fallen[0].error from error
                done.update(own.position for own in fallen)
                yield from ((own.position, own) for own in fallen)
        left = [run for run in left if run.position not in done]


def _of_batch(function, mapper, batch, folder):
    """Yield some runs and what a function makes of each, in order.

    Whoever asks for no more is not told of those in flight.
    """
    with Parallel(n_jobs=mapper.n_jobs, return_as="generator") as parallel:
        runs = iter(batch)
        calls = (delayed(_attempt)(function, mapper, run, folder) for run in batch)
        results = parallel(calls)
        try:
            for result, error in results:
                run = next(runs)
                if error is not None:
                    result = FailedRun(*place_of(run), error)
                yield run, result
                del result
        except GeneratorExit:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", r"\d+ tasks", UserWarning)
                results.close()
            raise


def _attempt(function, mapper, run, folder):
    """Return what a function makes of a run, and the error if it may fail."""
    with in_flight(folder, run.position):
        try:
            return function(mapper, run), None
        except Exception as error:  # of any kind, as it is told
            if not mapper.skips:
                raise
            return None, bare(error)


def rows_of(maps, n_runs, scale, rows=None):
    """Return maps as rows of a scale, filled one map at a time, in an array of ours.

    Maps come with their positions; rows of runs that have none are NaN.
    """
    missing = set(range(n_runs))
    for position, seed_map in maps:
        if rows is None:
            rows = np.empty((n_runs, seed_map.r.size), dtype=np.float32)
        _fill(rows[position], seed_map, scale)
        missing.remove(position)
        del seed_map
    rows[sorted(missing)] = np.nan
    return rows


def each_row(maps, shape, scale):
    """Yield each map as a row of a scale, and hold none of those before it.

    Maps come with their positions, of which there are ``shape[0]``; rows of runs that
    have none are NaN.
    """
    n_yielded = 0
    for position, seed_map in maps:
        for _ in range(n_yielded, position):
            yield np.full(shape[1], np.nan, dtype=np.float32)
        row = np.empty(shape[1], dtype=np.float32)
        _fill(row, seed_map, scale)
        n_yielded = position + 1
        del seed_map
        yield row
        del row
    for _ in range(n_yielded, shape[0]):
        yield np.full(shape[1], np.nan, dtype=np.float32)


def _fill(row, seed_map, scale):
    """Fill a row, seed by seed: what lies between stays in cache."""
    rows, scaled = row.reshape(seed_map.r.shape), SCALES[scale]

    def fill(k):
        dof = None if seed_map.dof is None else seed_map.dof[k]
        rows[k] = scaled(seed_map.r[k], dof)

    with workers(len(rows)) as crew:
        crew.fill(fill, len(rows))
