"""What each stage's result depends on, as keys of a cache; looks inside a masker."""

import os
from dataclasses import fields, is_dataclass
from numbers import Real

import nilearn
import numpy as np
from nilearn.surface import PolyMesh

from . import __version__
from ._cache import digest
from ._signals import given_seeds
from ._sources import NEUTRAL, OWN_MASKERS, is_given, is_known_masker
from .runs import fingerprint, fingerprint_of_mesh

FITTED = {"mask_img", "labels_img", "maps_img", "seeds"}
"""Parameters of nilearn's maskers that count by what `fit` makes of them."""

IRRELEVANT = {
    *NEUTRAL,
    *("memory", "memory_level", "n_jobs", "reports", "cmap"),
    *("mask_strategy", "mask_args"),
}
"""Parameters that don't change what a fitted masker extracts."""

ONLY_FITTED = {"labels_img", "mask_img", "regions", "lut", "hemisphere", "seeds"}
"""Parameters of our own maskers that count by what `fit` makes of them."""

NOT_OF_SIGNALS = {"grid_", "seed_names_"}
"""What our own maskers keep and what plays no part in signals."""


def seed_key(source, brain, opened):
    """Return the key of a run's raw seeds, None where nobody knows what they are.

    Parameters
    ----------
    source, brain : SignalSource
        With fitted maskers.
    opened : OpenedRun
    """
    if not is_known_masker(source.masker):
        return None
    opened = opened.as_seen_by(source.name)
    given = given_seeds(source, opened).values if is_given(source.masker) else None
    return digest(
        *_basics(opened),
        _extraction(source.masker),
        source.cleaning.high_variance_confounds,
        _content(getattr(brain.masker, "mask_img_", None)),
        given,
    )


def brain_key(source, opened, tolerance):
    """Return the key of a run's cleaned voxels, None where nobody knows of them."""
    if not is_known_masker(source.masker):
        return None
    return digest(
        *_basics(opened),
        _extraction(source.masker),
        _cleaning(source, opened),
        tolerance,
    )


def map_key(mapper, opened):
    """Return the key of a run's map, None where its signals have none."""
    seeds = seed_key(mapper.seeds, mapper.brain, opened)
    brain = brain_key(mapper.brain, opened, mapper.tolerance(opened))
    if seeds is None or brain is None:
        return None
    cleaning = _cleaning(mapper.seeds, opened)
    return digest(seeds, brain, cleaning, mapper.summary, mapper.measure)


def cleaning_key(source, opened):
    """Return the key of whether anything is left of a run after cleaning."""
    return digest(opened.n_scans, opened.kept, _cleaning(source, opened))


def _basics(opened):
    """Return what all keys of a run have in common."""
    versions = nilearn.__version__, __version__
    return versions, opened.fingerprint, opened.kept


def _cleaning(source, opened):
    """Return what determines the cleaning of a run: of confounds, only kept scans."""
    confounds = opened.confounds
    if confounds is not None:
        confounds = np.ascontiguousarray(confounds[opened.kept])
    return _content(source.cleaning.with_t_r(opened.t_r)), digest(confounds)


def _extraction(masker):
    """Return what determines the raw signals that a fitted masker extracts."""
    parts = [f"{type(masker).__module__}.{type(masker).__qualname__}"]
    return parts + [
        f"{name} {digest(_content(value))}" for name, value in _what_counts(masker)
    ]


def _what_counts(masker):
    """Return names and values of what a masker's raw signals depend on."""
    given = masker.get_params(deep=False)
    given = {name: given[name] for name in sorted(given.keys() - IRRELEVANT)}
    if type(masker) not in OWN_MASKERS:
        for name in given.keys() & FITTED:
            given[name] = getattr(masker, f"{name}_", None)
        return given.items()
    kept = {name: value for name, value in vars(masker).items() if name[-1] == "_"}
    counting = (given.keys() - ONLY_FITTED) | (kept.keys() - NOT_OF_SIGNALS)
    return [(name, (given | kept)[name]) for name in sorted(counting)]


def _content(value):
    """Return what of a value counts, the same whatever type or container it has."""
    if hasattr(value, "dataobj"):
        arrays = np.asarray(value.dataobj), value.affine
        return [np.ascontiguousarray(array) for array in arrays]  # in either order
    if hasattr(value, "mesh"):
        return fingerprint(value)
    if isinstance(value, PolyMesh):
        return fingerprint_of_mesh(value)
    if is_dataclass(value):
        pairs = ((field.name, getattr(value, field.name)) for field in fields(value))
        return [(name, digest(_content(own))) for name, own in pairs]
    return _plain(value)


def _plain(value):
    """Return a number, path, or a collection of these as plain objects of Python."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    return float(value) if is_number else value
