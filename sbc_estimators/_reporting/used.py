"""What was used to make maps: parameters, confounds, repetition times, versions."""

import platform
from importlib.metadata import version

from .. import __version__
from .._support.tables import table_of
from ..runs._times import used_time

LIBRARIES = ("nilearn", "numpy", "scipy", "scikit-learn", "nibabel", "pandas")


def versions():
    """Return the versions of this package, of those that it rests on, of Python."""
    found = {name: version(name) for name in LIBRARIES}
    return {"sbc_estimators": __version__, **found, "Python": platform.python_version()}


def parameters(sbc, as_value):
    """Return every parameter of the estimator and its maskers, less the maskers.

    Parameters
    ----------
    sbc : SeedCorrelationMap
    as_value : callable
        Makes of each value what is returned.
    """
    return {
        name: as_value(value)
        for name, value in sbc.get_params().items()
        if not hasattr(value, "get_params")
    }


def own(masker, name=None):
    """Return a masker's own parameters, or one of them, None where it has none."""
    given = masker.get_params(deep=False)
    return given if name is None else given.get(name)


def repetition_time(sbc, run):
    """Return the repetition time of a run in seconds, None if nobody says it."""
    return used_time(run, (sbc.brain_masker_, sbc.seed_masker_))


def confound_names(run):
    """Return the names of a run's confounds; numbers where they have none."""
    if run.confounds is None:
        return []
    return [str(name) for name in table_of(run.confounds, "confounds").columns]
