"""Prepared runs, and what a page asks of them: the one place that knows `PreparedRun`.

Answers to two tabs are computed one after the other.
"""

import threading
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np

from .._arrays.correlation import mean_of_maps
from .._support.threads import workers
from .packing import Signals


@dataclass(frozen=True)
class Seeding:
    """How a seed is made of what lies around a place.

    Attributes
    ----------
    radius : float
        In mm; 0 for the place alone.
    summary : str
        As `seed_summary` of the estimator.
    run : int or None
        The run to map; None for the mean Fisher z of all.
    """

    radius: float
    summary: str
    run: int | None


class PreparedRuns:
    """The prepared runs of an estimator, and r of any seed in them.

    Parameters
    ----------
    sbc : SeedCorrelationMap
        Fitted.
    runs : list of Run
    space : Space
    """

    def __init__(self, sbc, runs, space):
        self.space = space
        self._lock = threading.Lock()
        self._last = None, None
        with ExitStack() as opened:
            self.prepared = [opened.enter_context(sbc.prepare(run)) for run in runs]
            self._opened = opened.pop_all()

    @property
    def n_runs(self):
        """How many there are."""
        return len(self.prepared)

    def close(self):
        """Let go of the runs, after the answer that is on its way."""
        with self._lock:
            self._opened.close()

    def r(self, place, seeding):
        """Return r of a seed with all places, `(n_places,)`, float32.

        Raises
        ------
        ValueError
            If the seed has no signal.
        """
        run = self._only_run(seeding.run)
        with self._lock:
            seed = self._laid(place, seeding.radius)
            if run is not None:
                return _r(run, seed, seeding.summary)
            with workers() as crew:
                maps = crew.map(
                    lambda run: _r(run, seed, seeding.summary), self.prepared
                )
                return mean_of_maps(maps, crew)

    def seed_series(self, place, seeding):
        """Return the time series of a seed, or nothing for the mean of several runs."""
        run = self._only_run(seeding.run)
        if run is None:
            return np.empty(0)
        with self._lock:
            seed = self._laid(place, seeding.radius)
            signals = run.signals(seed, seeding.summary)
        return _scaled(signals[:, 0])

    def here(self, place, seeding, at):
        """Return what there is to know of another place than the seed's.

        Parameters
        ----------
        place : int
            Of the seed.
        seeding : Seeding
        at : int
            The place to look at.

        Returns
        -------
        scores : ndarray of shape (2,)
            z score, and effective degrees of freedom. Of the mean of several runs there
            are none, `(0,)`.
        series : ndarray of shape (n_kept_scans,)
            The time series there, as it is mapped; or nothing, as above.
        """
        run = self._only_run(seeding.run)
        if run is None:
            return np.empty(0), np.empty(0)
        with self._lock:
            seed = self._laid(place, seeding.radius)
            found = run.statistics(seed, seeding.summary, voxels=[at])
            series = run.basis @ run.coordinates([at])[:, 0]
        scores = np.nan_to_num([found.z_score[0, 0], found.dof[0, 0]])
        return scores, _scaled(series)

    def signals(self):
        """Yield the `Signals` of each run."""
        for run in self.prepared:
            mapped, plain = run.coordinates(), run.coordinates(plain=True)
            is_smoothed = not np.array_equal(mapped, plain)
            plain = plain if is_smoothed else None
            yield Signals(run.basis, mapped, plain, run.bands)

    def _laid(self, place, radius):
        """Return the seed around a place: laid once for all runs and questions."""
        if self._last[0] != (place, radius):
            seed = self.prepared[0].laid(self.space.seed(place, radius))
            self._last = (place, radius), seed
        return self._last[1]

    def _only_run(self, run):
        """Return the prepared run that is meant, None for the mean of several."""
        if run is None and len(self.prepared) > 1:
            return None
        return self.prepared[run or 0]


def _r(run, seed, summary):
    """Return r of one seed in one run."""
    return run.map(seed, seed_summary=summary)[0]


def _scaled(series):
    """Return a series in standard deviations, all 0 if it is constant."""
    centred = series - series.mean()
    deviation = centred.std()
    return centred / deviation if deviation > 0 else np.zeros_like(centred)
