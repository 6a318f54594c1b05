"""What each stage's result depends on, as keys of a cache; looks inside a masker."""

import nilearn
import numpy as np

from . import __version__
from ._cache import digest
from ._signals import given_seeds
from ._sources import NEUTRAL, is_given, is_known_masker
from .runs import fingerprint, fingerprint_of_mesh

FITTED = {
    "mask_img": "mask_img_",
    "labels_img": "labels_img_",
    "maps_img": "maps_img_",
    "regions": "labels_",
}
"""Parameters that count by what `fit` makes of them, and where it keeps that."""

IRRELEVANT = {
    *NEUTRAL,
    *("memory", "memory_level", "n_jobs", "reports", "cmap"),
    *("mask_strategy", "mask_args"),
}
"""Parameters that don't change what a fitted masker extracts."""


def seed_key(source, opened):
    """Return the key of a run's raw seeds, None where nobody knows what they are.

    Parameters
    ----------
    source : SignalSource
        With a fitted masker.
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
    seeds = seed_key(mapper.seeds, opened)
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
    return versions, fingerprint(opened.image), opened.kept


def _cleaning(source, opened):
    """Return what determines the cleaning of a run."""
    return source.cleaning.with_t_r(opened.t_r), opened.confounds


def _extraction(masker):
    """Return what determines the raw signals that a fitted masker extracts."""
    parts = [f"{type(masker).__module__}.{type(masker).__qualname__}"]
    for name, value in sorted(masker.get_params(deep=False).items()):
        if name not in IRRELEVANT:
            fitted = getattr(masker, FITTED[name], None) if name in FITTED else value
            parts.append(f"{name} {digest(_content(fitted))}")
    return parts


def _content(value):
    """Return what of a parameter counts: an image's numbers, or the value itself."""
    if hasattr(value, "dataobj"):
        return np.ascontiguousarray(value.dataobj), value.affine  # in either order
    if hasattr(value, "parts"):
        return fingerprint_of_mesh(value)
    return fingerprint(value) if hasattr(value, "mesh") else value
