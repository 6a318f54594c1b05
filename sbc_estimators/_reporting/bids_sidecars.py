"""Sidecars of maps: what they are, of what, and whether they are there already."""

import hashlib
import os
import secrets
from dataclasses import dataclass, fields
from pickle import PicklingError

import joblib
import numpy as np
import pandas as pd

from .._images.opening import is_image, key_of
from .._maps.seeds import measure_of
from .._support.files import read_json
from ..runs._opened import kept_scans
from .bids_names import Place
from .code import as_plain
from .tables import known
from .used import (
    confound_names,
    own,
    parameters,
    repetition_time,
    versions,
)

STATS = {
    "effect": ("effect", "Fisher z of the {measure}"),
    "variance": ("variance", "Sampling variance of the Fisher z of the {measure}"),
    "dof": ("dof", "Effective degrees of freedom of the {measure}"),
    "zscore": ("z_score", "z score of the {measure}"),
}
"""Names in files to fields of `SeedCorrelationMap.statistics`, and what they are."""

MEASURES = {
    "correlation": "correlation",
    "partial": "partial correlation",
    "semipartial": "semipartial correlation",
}
"""Measures in words; of a single seed, all three are the first."""

MASKERS = ("seed_masker", "brain_masker")

SHARED = ("low_pass", "high_pass", "t_r")
"""Parameters of the estimator that fitted maskers have instead."""

SPEED = ("memory", "memory_level", "n_jobs", "verbose", "reports", "cmap")
"""Parameters of the estimator and of maskers that change no map."""


@dataclass(frozen=True, eq=False)
class Target:
    """What one map's files are called, and what their sidecar says before any work.

    Attributes
    ----------
    place : Place
    stat : str
    seed : int
        Its position.
    content : dict
        Of the sidecar.
    """

    place: Place
    stat: str
    seed: int
    content: dict

    def sidecar(self, out):
        """Return the path of the sidecar, which is written last."""
        return out / self.place.folder / f"{self.place.stem(self.stat)}.json"

    def is_done(self, out):
        """Whether the map is there, from the same sources, parameters and versions.

        Raises ValueError where that of another seed has its name.
        """
        path = self.sidecar(out)
        found = read_json(path)
        seed, other = self.content["Seed"], found.get("Seed", self.content["Seed"])
        if other != seed:
            raise ValueError(
                f"{path} is of seed {other!r}, and the map of seed {seed!r} would take "
                "its place: BIDS allows letters and digits only. Give the seed another "
                "name, or write to another folder."
            )
        names = found.get("Files") or []
        is_same = found.get("Key") == self.content["Key"]
        return is_same and all((path.parent / name).is_file() for name in names)


def targets_of(sbc, opened, places, stats):
    """Return by position all that is to be written of each run, by seed and statistic.

    Parameters
    ----------
    sbc : SeedCorrelationMap
        Fitted.
    opened : list of OpenedRun
    places : list of list of Place
        For each position one a seed.
    stats : sequence of str
        Of `STATS`.

    Returns
    -------
    targets : dict of list of Target
    """
    fitted = _of_maskers(sbc)
    used = {name: as_plain(v) for name, v in {**_as_used(sbc), **fitted}.items()}
    content = {"Parameters": used, "Versions": versions()}
    same = [(name, _identity(value)) for name, value in sorted(fitted.items())]
    same += [sbc.measure_, sbc.seed_summary_, content["Versions"]]
    names = list(map(str, sbc.seed_names_))
    targets = {}
    for each in opened:
        t_r, own_places = repetition_time(sbc, each.run), places[each.position]
        given = each.run, t_r, names, own_places, stats, sbc.measure_, content, same
        targets[each.position] = _of_run(*given)
    return targets


def targets_to_fit(sbc, run, names, places, stats, told):
    """Return all that is to be written of the one run that `sbc` will be fitted to.

    Parameters
    ----------
    sbc : SeedCorrelationMap
        Not fitted.
    run : Run
        With its repetition time.
    names : list of str
        Of the seeds.
    places : list of Place
        One a seed.
    stats : sequence of str
        Of `STATS`.
    told : dict
        What else sidecars say.

    Returns
    -------
    targets : list of Target
    """
    content = {"Parameters": _parameters(sbc), "Versions": versions(), **told}
    same = _same_to_fit(sbc, told)
    return _of_run(run, run.t_r, names, places, stats, sbc.measure, content, same)


def key_to_fit(sbc, run, told):
    """Return what changes with the maps of the one run that `sbc` will be fitted to."""
    sources = [_identity(getattr(run, field.name)) for field in fields(run)]
    return _digest([*sources, *_same_to_fit(sbc, told)])


def _same_to_fit(sbc, told):
    """Return what maps of an estimator that is not fitted depend on beside the run."""
    given = {
        name: _class_of(value) if hasattr(value, "get_params") else value
        for name, value in sbc.get_params().items()
        if name.rpartition("__")[2] not in SPEED
    }
    same = [(name, _identity(value)) for name, value in sorted(given.items())]
    return [*same, told, versions()]


def _of_run(run, t_r, names, places, stats, measure, content, same):
    """Return all that is to be written of one run."""
    sources = [getattr(run, field.name) for field in fields(run)]
    content = {
        "Sources": [path for value in sources for path in _paths_in(value)],
        "RepetitionTime": known(t_r),
        **_scans(run),
        "Confounds": confound_names(run),
        **content,
    }
    same = [*map(_identity, sources), *same]
    measure = measure_in_words(measure, len(names))
    targets = []
    for seed, (name, place) in enumerate(zip(names, places, strict=True)):
        for stat in stats:
            what = f"{STATS[stat][1].format(measure=measure)} with seed {name}"
            first = {"Description": what, "Seed": name}
            told = {**first, **content, "Key": _digest((same, name, seed, stat))}
            targets.append(Target(place, stat, seed, told))
    return targets


def _digest(values):
    """Return what changes with any of some values."""
    return hashlib.sha256(repr(values).encode()).hexdigest()


def _parameters(sbc):
    """Return what maps of an estimator not fitted depend on, as a sidecar has it."""
    given = {name: _class_of(getattr(sbc, name)) for name in MASKERS}
    given |= parameters(sbc, as_plain)
    return {k: v for k, v in given.items() if k.rpartition("__")[2] not in SPEED}


def _as_used(sbc):
    """Return the parameters of a fitted estimator itself that maps may depend on."""
    given = sbc.get_params(deep=False)
    given |= {"measure": sbc.measure_, "seed_summary": sbc.seed_summary_}
    left_out = (*SPEED, *SHARED, *MASKERS)
    return {name: value for name, value in given.items() if name not in left_out}


def _of_maskers(sbc):
    """Return the class of each fitted masker, and the parameters that maps depend on.

    Neither may be what a user has set since.
    """
    found = {}
    for name in MASKERS:
        masker = getattr(sbc, f"{name}_")
        found[name] = _class_of(masker)
        for key, value in own(masker).items():
            if key not in SPEED:
                found[f"{name}__{key}"] = value
    return found


def _class_of(value):
    """Return the words for the class of a masker."""
    return f"{type(value).__module__}.{type(value).__qualname__}"


def measure_in_words(measure, n_seeds):
    """Return what is mapped of some seeds."""
    return MEASURES.get(measure_of(measure, n_seeds), f"measure {measure!r}")


def _identity(value):
    """Return what tells whether a value is the same again, as text."""
    path = _path_of(value)
    if path is not None and os.path.isfile(path):
        status = os.stat(path)
        return f"{path} {status.st_size} {status.st_mtime_ns}"
    if isinstance(value, pd.DataFrame | pd.Series):
        return joblib.hash(value.to_csv())
    if isinstance(value, list | tuple) and _paths_in(value):
        return repr([_identity(item) for item in value])
    if is_image(value):
        return repr(key_of(value))
    try:
        return joblib.hash(value)
    except (PicklingError, TypeError, AttributeError):
        # Nobody can tell, so it never is: such as a function made in another one.
        return secrets.token_hex()


def _path_of(value):
    """Return the absolute path that a value is, None if it is none."""
    if isinstance(value, str | os.PathLike):
        return os.path.abspath(value)
    return None


def _paths_in(value):
    """Return the absolute paths that a value is, or that are in its lists."""
    if isinstance(value, list | tuple):
        return [path for own_value in value for path in _paths_in(own_value)]
    path = _path_of(value)
    return [] if path is None else [path]


def _scans(run):
    """Return how many scans a run has, and which of them were left out."""
    n_scans, kept = kept_scans(run)
    censored = np.setdiff1d(np.arange(n_scans), kept)
    return {
        "NumberOfScans": n_scans,
        "NumberOfKeptScans": len(kept),
        "CensoredScans": censored.tolist(),
    }
