"""What each stage's result depends on, as keys of a cache."""

import nilearn
import numpy as np

from .. import __version__
from .._images.fingerprints import content
from .._support.cache import digest
from .reference import given_seeds
from .sources import is_given, is_known_masker


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
        source.identity,
        source.cleaning.high_variance_confounds,
        given,
    )


def brain_key(source, opened, tolerance):
    """Return the key of a run's cleaned voxels, None where nobody knows of them."""
    if not is_known_masker(source.masker):
        return None
    return digest(
        *_basics(opened),
        source.identity,
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


def _basics(opened):
    """Return what all keys of a run have in common."""
    versions = nilearn.__version__, __version__
    return versions, opened.fingerprint, opened.kept


def _cleaning(source, opened):
    """Return what determines the cleaning of a run: of confounds, only kept scans."""
    confounds = opened.confounds
    if confounds is not None:
        confounds = np.ascontiguousarray(confounds[opened.kept])
    return content(source.cleaning.with_t_r(opened.t_r)), digest(confounds)
