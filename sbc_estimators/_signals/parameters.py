"""What parameters of nilearn's maskers may be.

nilearn takes many a value for another one, or fails on it after long work.
"""

from functools import partial

import numpy as np

from .._arrays.cleaning import OF_FILTERS
from .._support.checks import (
    check_count,
    check_dict,
    check_each,
    check_length,
    check_number,
    check_option,
    check_switch,
)
from .._support.messages import close_matches

STRATEGIES = (
    *("mean", "median", "sum", "minimum", "maximum", "standard_deviation", "variance"),
)
"""How nilearn's maskers of labels summarise a region."""

TARGETS = ("data", "labels", "maps", "mask")
"""What nilearn brings to the grid of what."""

FILTERS = ("butterworth", "cosine")
"""The filters that nilearn has; and False."""

OWN = (
    *("detrend", "standardize", "standardize_confounds", "low_pass", "high_pass"),
    *("t_r", "confounds", "sample_mask", "runs", "signals"),
)
"""What `clean_args` must not hold, as maskers and runs say it themselves."""


def check_parameters(parameters):
    """Raise ValueError where a parameter of one of nilearn's maskers makes no sense.

    Parameters
    ----------
    parameters : dict
        By name; those that are not known here are left to nilearn.
    """
    check_each(parameters, CHECKS)


def _check_smoothing(value, name):
    """Raise ValueError unless a width is a length, three of them, or "fast"."""
    if isinstance(value, str) and value == "fast":
        return
    if isinstance(value, list | tuple | np.ndarray) and np.ndim(value) == 1:
        if len(value) != 3:
            raise ValueError(
                f"{name} must be one length in mm for all axes or three, one each, got "
                f"{value!r}."
            )
        for own in value:
            check_length(own, f"{name}, of {value!r}: each", or_none=True)
        return
    check_length(value, name, or_none=True)


def _check_clean_args(value, name):
    """Raise ValueError unless `clean_args` holds what `nilearn.signal.clean` takes."""
    for key, own in (check_dict(value, name, or_none=True) or {}).items():
        if key in OWN:
            raise ValueError(
                f"{name} must not hold {key!r}, which is set by the masker's own "
                f"parameters, or comes with the run. Take it out of {name}."
            )
        if key not in CLEANING:
            raise ValueError(
                f"{name} must hold arguments of nilearn.signal.clean, got {key!r}. "
                f"{close_matches(key, [*CLEANING])}"
            )
        CLEANING[key](own, f"{name}[{key!r}]")


def _check_filter(value, name):
    """Raise ValueError unless a filter is one that nilearn has, or False."""
    if value is not False:
        check_option(value, FILTERS, name)


def _check_order(value, name):
    """Raise ValueError unless a filter has a whole order; to scipy 3.0 is one."""
    is_whole = isinstance(value, float) and value.is_integer()
    check_count(int(value) if is_whole else value, name)


def _check_verbose(value, name):
    """Raise ValueError unless a value says how much is to be told."""
    if not isinstance(value, bool | np.bool_):
        check_count(value, name, least=0)


_length = partial(check_length, or_none=True)

CLEANING = {
    "filter": _check_filter,
    "extrapolate": check_switch,
    "ensure_finite": check_switch,
    "butterworth__order": _check_order,
    "butterworth__padlen": partial(check_count, least=0, or_none=True),
    "butterworth__padtype": lambda value, name: check_option(
        value, ("odd", "even", "constant"), name, or_none=True
    ),
    "butterworth__copy": check_switch,
}
"""What `clean_args` may hold, and what tells whether a value will do."""

CHECKS = {
    "smoothing_fwhm": _check_smoothing,
    "detrend": check_switch,
    "standardize_confounds": check_switch,
    "high_variance_confounds": check_switch,
    **OF_FILTERS,
    "clean_args": _check_clean_args,
    "allow_overlap": check_switch,
    "keep_masked_labels": check_switch,
    "keep_masked_maps": check_switch,
    "background_label": check_number,
    "radius": _length,
    "strategy": lambda value, name: check_option(value, STRATEGIES, name),
    "resampling_target": lambda value, name: check_option(
        value, TARGETS, name, or_none=True
    ),
    "mask_args": partial(check_dict, or_none=True),
    "reports": check_switch,
    "memory_level": partial(check_count, least=0),
    "verbose": _check_verbose,
}
"""What tells whether the value of a parameter will do."""
