"""Signals that come as they are: from a third-party masker, or with the run."""

import copy
import inspect

import numpy as np

from .._arrays.correlation import column_norms
from .._arrays.operator import BrainPart, CleanedSignals, norms_of_signals
from .seeds import RawSeeds


def given(task, opened, names):
    """Return the seeds whose signals come with the run."""
    return {name: given_seeds(task.sources[name], opened) for name in names}


def reference(task, opened, names):
    """Return the signals of maskers that do all by themselves, centred."""
    results = {}
    for name in names:
        own = own_signals(task.sources[name], opened)
        own = np.where(np.isfinite(own).all(axis=0), own, 0.0)
        centred = own - own.mean(axis=0)
        signals = CleanedSignals(centred, norms_of_signals(centred, column_norms(own)))
        results[name] = signals if name == "seed_masker" else BrainPart(signals)
    return results


def given_seeds(source, opened):
    """Return the signals that a run brings for its seeds as `RawSeeds`."""
    signals = source.masker.read(
        opened.run.seed_signals,
        opened.n_scans,
        opened.kept,
        f"{opened.where}, seed_signals",
    )
    return RawSeeds(signals[opened.kept])


def own_signals(source, opened):
    """Return what a third-party masker gives for a run, cleaned by itself.

    Parameters
    ----------
    source : SignalSource
    opened : OpenedRun

    Returns
    -------
    signals : ndarray of shape (n_kept_scans, n_signals)

    Raises
    ------
    ValueError
        If the run has confounds or a sample mask and `transform` takes none, or what
        it returns is not a matrix of signals.
    """
    masker, run, where = source.masker, opened.run, opened.where
    if opened.t_r is not None and "t_r" in masker.get_params(deep=False):
        masker = copy.copy(masker).set_params(t_r=opened.t_r)
    arguments = {}
    if opened.confounds is not None:
        arguments["confounds"] = opened.confounds
    if run.sample_mask is not None:
        arguments["sample_mask"] = opened.kept
    _check_accepts(source, arguments, where)
    signals = np.asarray(masker.transform(run.img, **arguments), dtype=np.float64)
    if signals.ndim != 2:
        raise ValueError(
            f"{where}: transform of {source.name} ({type(masker).__name__}) must "
            f"return shape (n_scans, n_signals), got shape {signals.shape}."
        )
    return signals


def _check_accepts(source, arguments, where):
    """Raise ValueError where a masker's `transform` has no place for an argument."""
    parameters = inspect.signature(source.masker.transform).parameters
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return
    for name in arguments:
        if name not in parameters:
            raise ValueError(
                f"{where} has {name}, but transform of {source.name} "
                f"({type(source.masker).__name__}) takes no {name}: they would be "
                "lost. Use a masker that takes them, or a run without."
            )
