"""Many runs to their maps, in turn or in parallel; those that fail; rows of maps."""

import contextlib
import math
import os
import tempfile
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from joblib import effective_n_jobs
from sklearn.utils.parallel import Parallel, delayed
from tqdm import tqdm

from .._arrays.correlation import fisher_z, inverse_fisher_z
from .._support.messages import describe_run, file_of, ignoring, some_of, warn
from ..runs._opened import open_run, warn_of_doubts
from .mapping import map_run
from .reports import warn_of_map

SOON = 2.0
"""Seconds that a user waits without a bar."""

RUNS_PER_JOB = 16
"""How many runs are handed out at a time: all their maps may wait to be taken."""

MOST_WAITING = 2**28
"""Bytes of maps, of each job, that may do so."""


@dataclass(frozen=True)
class FailedRun:
    """A run of which there is no map.

    Attributes
    ----------
    position : int
    img : str or None
        Its file.
    error : Exception
    """

    position: int
    img: str | None
    error: Any

    @property
    def where(self):
        """The words that name the run in errors."""
        return describe_run(self.position, self.img)

    @classmethod
    def of(cls, position, run, error):
        """Return one that holds nothing of the error but what it says."""
        # Frames hold the scans that were in hand.
        error.__traceback__ = error.__cause__ = error.__context__ = None
        return cls(position, file_of(run.img) or None, error)


class Attempts:
    """What is done run by run, and which runs failed in it.

    Parameters
    ----------
    on_error : {"raise", "skip"}

    Attributes
    ----------
    failed : list of FailedRun
    """

    def __init__(self, on_error="raise"):
        self.skips = on_error == "skip"
        self.failed = []

    def opened(self, runs):
        """Return `OpenedRun`s, of those that can be opened; raises as `open_run`."""
        opened, fallen = [], []
        for position, run in enumerate(runs):
            try:
                opened.append(open_run(run, position))
            except Exception as error:
                if not self.skips:
                    raise
                fallen.append(FailedRun.of(position, run, error))
        self._leave_out(fallen, opened)
        for run in opened:
            warn_of_doubts(run)
        return opened

    def passing(self, function, opened):
        """Return the runs for which a function of a list of runs raises no error.

        Parameters
        ----------
        function : callable
            Called anew, it begins anew. The last call is with the runs that pass.
        opened : list of OpenedRun
        """
        try:
            function(opened)
        except Exception:
            if not self.skips or len(opened) == 1:
                raise
            fallen = _failing(function, opened)
            positions = {own.position for own in fallen}
            good = [run for run in opened if run.position not in positions]
            if not fallen or not good:
                raise  # it is not the fault of one or the other
        else:
            return opened
        self._leave_out(fallen, good)
        function(good)
        return good

    def results(self, function, mapper, opened, most=RUNS_PER_JOB):
        """Yield the position and what a function of mapper and run makes of each run.

        In their order, with a bar if the mapper wants one; a run that fails is left out
        where it may.
        """
        results, done = _in_order(function, mapper, opened, self.skips, most), []
        # Even a bar that is not shown starts a thread that stays.
        if mapper.verbose and len(opened) > 1:
            shown = {"unit": "run", "leave": False, "delay": SOON}
            results = tqdm(results, "seed maps", len(opened), **shown)
        for position, result in results:
            if isinstance(result, FailedRun):
                self._leave_out([result], opened)
                continue
            done.append(position)
            yield position, result
            del result
        self._check_any(done)

    def maps(self, mapper, opened, shape=None):
        """Yield the position and the map of each run, with its warnings.

        All have the same shape: that of `fit`, if it is told, or of the first. The
        larger maps are, the fewer are held.
        """
        first, most, good = None, RUNS_PER_JOB, []
        if shape is not None:
            n_bytes = 8 * math.prod(shape)  # r and degrees of freedom
            most = max(1, min(most, MOST_WAITING // n_bytes))
        for position, seed_map in self.results(map_run, mapper, opened, most):
            if shape is None:
                shape, first = seed_map.r.shape, (position, seed_map.img)
            if seed_map.r.shape != shape:
                others = "fit" if first is None else describe_run(*first)
                error = ValueError(_other_shape(seed_map, shape, others))
                if not self.skips:
                    raise error
                self._leave_out([FailedRun(position, seed_map.img, error)], opened)
                continue
            good.append(position)
            warn_of_map(seed_map)
            yield position, seed_map
            del seed_map
        self._check_any(good)

    def _leave_out(self, fallen, good):
        """Take note of runs that failed, and say so where others are left."""
        self.failed += fallen
        self._check_any(good)
        for own in fallen:
            text = str(own.error)
            about = "" if text.startswith(own.where) else f"{own.where}: "
            warn(f'{about}{text} The run is left out, as on_error="skip".')

    def _check_any(self, good):
        """Raise the first error where nothing is left but runs that failed."""
        if not good and self.failed:
            raise self.failed[0].error


def _failing(function, opened):
    """Return the runs for which a function raises an error, one by one."""
    fallen = []
    with ignoring():  # the same is said of those that pass
        for run in opened:
            try:
                function([run])
            except Exception as error:  # of any kind, as it is told
                fallen.append(FailedRun.of(run.position, run.run, error))
    return fallen


def _other_shape(seed_map, expected, others):
    """Return the words for a map of other seeds or voxels than runs before it had."""
    shape = seed_map.r.shape
    return (
        f"{seed_map.where}: the maskers give {shape[0]} seeds and {shape[1]} voxels, "
        f"for {others} they gave {expected[0]} and {expected[1]}. Maps are compared "
        "voxel by voxel, so all runs must give the same: bring them to one grid, or "
        "leave out regions that some runs do not cover."
    )


# In parallel


def _in_order(function, mapper, opened, skips, most):
    """Yield the position of each run, and what a function of mapper and run makes.

    A batch at a time, some runs a job at most, as joblib goes on and on ahead of
    whoever takes the maps, or of a slow first run. Where a worker is killed, the runs
    in flight are named. Of a run that failed, and may, it gives a `FailedRun`.
    """
    n_jobs = effective_n_jobs(mapper.n_jobs)
    left = list(opened)
    while left:
        batch, done = left[: most * n_jobs], set()
        with _flights(n_jobs > 1) as folder:
            try:
                for run, result in _of_batch(function, mapper, batch, skips, folder):
                    done.add(run.position)
                    yield run.position, result
                    del result
            except BrokenProcessPool as error:
                waiting = [run for run in batch if run.position not in done]
                fallen = _killed(folder, waiting)
                if not skips:
                    raise fallen[0].error from error
                done.update(own.position for own in fallen)
                yield from ((own.position, own) for own in fallen)
        left = [run for run in left if run.position not in done]


def _of_batch(function, mapper, batch, skips, folder):
    """Yield some runs and what a function makes of each, in order.

    Whoever asks for no more is not told of those in flight.
    """
    with Parallel(n_jobs=mapper.n_jobs, return_as="generator") as parallel:
        calls = (
            delayed(_attempt)(function, mapper, run, skips, folder) for run in batch
        )
        results = parallel(calls)
        runs = iter(batch)
        try:
            for result in results:
                yield next(runs), result
                del result
        except GeneratorExit:
            with ignoring(r"\d+ tasks"):
                results.close()
            raise


def _attempt(function, mapper, run, skips, folder):
    """Return what a function makes of a run, a `FailedRun` if it may fail."""
    with _in_flight(folder, run.position):
        try:
            return function(mapper, run)
        except Exception as error:  # of any kind, as it is told
            if not skips:
                raise
            return FailedRun.of(run.position, run.run, error)


@contextlib.contextmanager
def _flights(is_noted):
    """Give a folder in which workers note which runs they are at, or None."""
    if not is_noted:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="sbc-flights-") as folder:
        yield folder


@contextlib.contextmanager
def _in_flight(folder, position):
    """Note that a run is being worked at, for whoever is there when all is over."""
    path = None if folder is None else os.path.join(folder, str(position))
    # A worker on another machine has no such folder, and tells by itself if it dies.
    with contextlib.suppress(OSError):
        if path is not None:
            open(path, "w").close()
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            if path is not None:
                os.unlink(path)


def _killed(folder, batch):
    """Return the runs that were in flight when a worker was killed, as `FailedRun`."""
    positions = {int(name) for name in os.listdir(folder)}
    runs = [run for run in batch if run.position in positions] or batch
    names = some_of([run.where for run in runs])
    error = RuntimeError(
        f"{names}: a process was killed while these runs were in flight, most often "
        "because memory ran out. Use a smaller n_jobs, or look for what is special "
        "about them."
    )
    return [FailedRun.of(run.position, run.run, error) for run in runs]


# Many maps as one, and as rows


class MeanMap:
    """The mean of maps, as Fisher z, and what is told of each.

    Parameters
    ----------
    n_runs : int
        How many maps there are at most; of a single one the mean is its own r.

    Attributes
    ----------
    maps : list of SeedMap
        Without their arrays.
    has_signal : ndarray of bool of shape (n_voxels,)
        Which voxels had a signal in all runs.
    """

    def __init__(self, n_runs):
        self.n_runs, self.maps = n_runs, []
        self.has_signal, self._total = True, 0.0

    def add(self, seed_map):
        """Add the map of a run."""
        r = seed_map.r
        self._total = r if self.n_runs == 1 else self._total + fisher_z(r.astype(float))
        self.has_signal = self.has_signal & seed_map.has_signal
        self.maps.append(replace(seed_map, r=None, dof=None, has_signal=None))

    @property
    def r(self):
        """The mean of r, float32 `(n_seeds, n_voxels)`."""
        if self.n_runs == 1:
            return self._total
        return inverse_fisher_z(self._total / len(self.maps)).astype(np.float32)


def check_out(out, shape):
    """Raise an error unless an array, if there is one, can hold rows of maps."""
    if out is None:
        return
    if not isinstance(out, np.ndarray) or out.dtype not in (np.float32, np.float64):
        kind = f"dtype {out.dtype}" if isinstance(out, np.ndarray) else type(out)
        raise TypeError(
            f"out must be an ndarray of float32 or float64, got {kind}. Pass "
            f"numpy.empty({shape}, numpy.float32), or a numpy.memmap of that shape."
        )
    if out.shape != shape or not out.flags.writeable:
        what = f"shape {out.shape}" if out.shape != shape else "one that is read-only"
        raise ValueError(
            f"out must have shape (n_runs, n_seeds * n_voxels) = {shape} and be "
            f"writeable, got {what}."
        )


def rows_of(maps, n_runs, scale, rows=None):
    """Return maps as rows of a scale, filled one map at a time, in an array of ours.

    Maps come with their positions; rows of runs that have none are NaN.
    """
    missing = set(range(n_runs))
    for position, seed_map in maps:
        if rows is None:
            rows = np.empty((n_runs, seed_map.r.size), dtype=np.float32)
        seed_map.fill(rows[position], scale)
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
        seed_map.fill(row, scale)
        n_yielded = position + 1
        del seed_map
        yield row
        del row
    for _ in range(n_yielded, shape[0]):
        yield np.full(shape[1], np.nan, dtype=np.float32)
