"""The estimator that options of `sbc-map` say, and its seeds."""

import re

import numpy as np
from sklearn.base import clone

from .._seed_correlation_map import SeedCorrelationMap
from .._signals.adapters import DEFAULTS
from .._signals.kinds import adapter_of
from .._support.messages import naming
from ..maskers import RegionSeeds, SphereSeeds

THRESHOLDS = {"fisher_z": 0.4, "z_score": 3.29}
"""Where pictures begin by default; beyond the second, two-sided p is 0.001."""


def make_estimator(options, source):
    """Return the estimator that does what the options say.

    Parameters
    ----------
    options : argparse.Namespace
        As `__main__` parses them.
    source : Source

    Returns
    -------
    estimator : SeedCorrelationMap
        Not fitted.
    """
    low, high = options.band
    return SeedCorrelationMap(
        make_seeds(options),
        _brain_masker(options, source),
        high_pass=low or None,
        low_pass=None if high == np.inf else high,
        t_r=source.t_r,
        seed_summary=options.summary,
        measure=options.measure,
        scale=options.scale,
    )


def _brain_masker(options, source):
    """Return the masker of the whole brain in images of a run's kind."""
    masker = DEFAULTS[source.kind]()
    given = {
        "mask_img": source.mask,
        "mesh": source.mesh,
        "smoothing_fwhm": source.smoothing or None,
        "detrend": not options.no_detrend,
    }
    known = masker.get_params(deep=False)
    return masker.set_params(**{k: own for k, own in given.items() if k in known})


def make_seeds(options):
    """Return the seed masker that the options say."""
    if options.seed is not None:
        places, names = list(options.seed.values()), list(options.seed)
        return SphereSeeds(places, options.radius, names=names, allow_overlap=True)
    if options.seeds is not None:
        return SphereSeeds(options.seeds, options.radius, allow_overlap=True)
    if options.atlas is not None:
        regions = None if options.regions is None else _regions(options)
        return RegionSeeds(options.atlas, regions, lut=options.lut)
    return RegionSeeds(options.seed_mask)


def _regions(options):
    """Return the regions of an atlas; without names, numbers are labels."""
    regions = options.regions
    if options.lut is None and all(re.fullmatch("-?[0-9]+", own) for own in regions):
        return list(map(int, regions))
    return regions


def names_in(seed_masker, func, grid):
    """Return the names of seeds on the grid of a run, in which they must lie.

    Raises
    ------
    TypeError, ValueError, FileNotFoundError, OSError
        If the seeds cannot be read, or do not lie in the run's image.
    """
    with naming(f"FUNC ({str(func)!r})"):
        return seed_masker.fit_on(grid).seed_names_


def keep_in_mask(estimator, run):
    """Leave out of the seeds what lies outside the brain mask, computed if need be."""
    mask_img = estimator.brain_masker.mask_img
    if mask_img is None:
        mask_img = clone(estimator).fit(run).brain_masker_.mask_img_
        estimator.brain_masker.set_params(mask_img=mask_img)
    estimator.seed_masker.set_params(mask_img=mask_img)


def threshold_of(options):
    """Return where pictures begin to show a map."""
    return THRESHOLDS[options.scale] if options.threshold is None else options.threshold


def report_threshold(options):
    """Return where a report begins to show maps, which there are Fisher z; or None."""
    return options.threshold if options.scale == "fisher_z" else None


def spheres_of(seed_masker, n_seeds):
    """Return centre and radius of each seed in mm, None of what is no single sphere."""
    adapter = adapter_of(seed_masker, "seed_masker")
    return [adapter.sphere(position) for position in range(n_seeds)]


def in_file_name(name):
    """Return the name of a seed as names of files have it."""
    return re.sub(r"[^\w.+-]", "_", name)
