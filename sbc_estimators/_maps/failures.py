"""Runs that fail: whether the others go on, and what is told of those that don't."""

import contextlib
import os
import tempfile
import warnings
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any

from .._support.checks import check_option
from .._support.messages import describe_run, file_of, some_of, warn
from ..runs._opened import open_run, warn_of_doubts

ON_ERROR = ("raise", "skip")
"""What may become of a run that fails."""


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
        check_option(on_error, ON_ERROR, "on_error")
        self.skips = on_error == "skip"
        self.failed = []

    def opened(self, runs):
        """Return `OpenedRun`s, of those that can be opened; raises as `open_run`."""
        opened = []
        for position, run in enumerate(runs):
            try:
                opened.append(open_run(run, position))
            except Exception as error:
                if not self.skips:
                    raise
                file = file_of(run.img) or None
                self.failed.append(FailedRun(position, file, bare(error)))
        self.check_any(opened)
        self._say(self.failed)
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
            failed = _failing(function, opened)
            positions = {own.position for own in failed}
            good = [run for run in opened if run.position not in positions]
            if not failed or not good:
                raise  # it is not the fault of one or the other
        else:
            return opened
        self.failed += failed
        self._say(failed)
        function(good)
        return good

    def add(self, failed):
        """Take note of a run that failed, and say so."""
        self.failed.append(failed)
        self._say([failed])

    def check_any(self, results):
        """Raise the first error where there is no result at all."""
        if not len(results) and self.failed:
            raise self.failed[0].error

    def _say(self, failed):
        """Warn of runs that are left out."""
        for own in failed:
            text = str(own.error)
            about = "" if text.startswith(own.where) else f"{own.where}: "
            warn(f'{about}{text} The run is left out, as on_error="skip".')


def _failing(function, opened):
    """Return the runs for which a function raises an error, one by one."""
    failed = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the same is said of those that pass
        for run in opened:
            try:
                function([run])
            except Exception as error:  # of any kind, as it is told
                failed.append(FailedRun(*place_of(run), bare(error)))
    return failed


def place_of(opened):
    """Return the position of an opened run, and its file or None."""
    return opened.position, file_of(opened.run.img) or None


def bare(error):
    """Return an error without what it holds: frames, and the scans in them."""
    error.__traceback__ = error.__cause__ = error.__context__ = None
    return error


# Runs in flight


@contextlib.contextmanager
def flights(is_noted):
    """Give a folder in which workers note which runs they are at, or None."""
    if not is_noted:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="sbc-flights-") as folder:
        yield folder


@contextlib.contextmanager
def in_flight(folder, position):
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


def killed(folder, batch):
    """Return the runs that were in flight when a worker was killed, as `FailedRun`."""
    positions = {int(name) for name in os.listdir(folder)}
    runs = [run for run in batch if run.position in positions] or batch
    names = some_of([run.where for run in runs])
    text = (
        f"{names}: a process was killed while these runs were in flight, most often "
        "because memory ran out. Use a smaller n_jobs, or look for what is special "
        "about them."
    )
    return [FailedRun(*place_of(run), RuntimeError(text)) for run in runs]


KILLED = BrokenProcessPool
"""What joblib raises where a worker was killed."""
