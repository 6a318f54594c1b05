"""How sure maps are, and the time series behind them."""

import numpy as np
from sklearn.utils import Bunch

from .._arrays.correlation import fisher_z
from .._arrays.dimensions import median_dof
from .._arrays.uncertainty import fisher_z_variance, z_score
from .._signals.reading import read_run
from .._signals.sides import plan_run
from .._support.messages import naming
from .._support.threads import workers
from .mapping import RunSignals
from .seeds import summarised


def statistics_of_runs(mapper, opened, attempts, n_runs):
    """Return the statistics of many runs, a list with one Bunch a run.

    Of a run that failed, and may, all of it is NaN.
    """
    mapper.check_known("statistics")
    found = dict(attempts.results(run_statistics, mapper, opened))
    known = next(iter(found.values()))
    none = Bunch(**{name: np.full_like(own, np.nan) for name, own in known.items()})
    return [found.get(i, none) for i in range(n_runs)]


def run_statistics(mapper, opened):
    """Return the statistics of one run's map, as the estimator promises them."""
    opened = opened.here()
    with naming(opened.where):
        plan = plan_run(mapper.seeds, mapper.brain, opened)
        with workers() as crew:
            return statistics(RunSignals.of(mapper, plan, crew), crew)


def statistics(signals, crew):
    """Return what `run_statistics` does, from cleaned signals."""
    voxels, products = signals.voxels, signals.products
    r, _ = products.r(voxels, crew)
    directions = products.directions(signals.bands)
    dof = products.dof(directions, voxels, crew)
    variance = fisher_z_variance(
        directions, voxels.coordinates, voxels.norms, dof, crew
    )
    return Bunch(
        effect=fisher_z(r),
        variance=variance,
        dof=dof,
        z_score=z_score(r, dof),
        weight=median_dof(dof, crew),
    )


def clean_signals(mapper, name, opened):
    """Return a run's cleaned, centred signals, `(n_kept_scans, n_signals)`.

    Parameters
    ----------
    mapper : Mapper
    name : str
        "seed_masker" or "brain_masker".
    opened : OpenedRun

    Returns
    -------
    signals : ndarray of shape (n_kept_scans, n_signals)
        0 throughout where there is no signal.
    """
    plan = plan_run(mapper.seeds, mapper.brain, opened, [name])
    with workers() as crew:
        brain, seeds = read_run(plan, mapper.kept, crew)
        signals = brain.outputs if seeds is None else summarised(seeds, mapper.summary)
    return np.where(signals.norms > 0, signals.series(), 0.0)
