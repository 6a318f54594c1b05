"""What parameters of nilearn's maskers may be, and what those hold that are files.

nilearn takes many a value for another one, or fails on it after long work. Of files it
reads what it needs and no more: it misses damage behind that, takes a table for another
one, or fetches what it is told.
"""

import os
from functools import partial

import numpy as np

from .._arrays.cleaning import OF_FILTERS
from .._images.opening import image_of
from .._support.checks import (
    check_count,
    check_dict,
    check_length,
    check_lengths,
    check_number,
    check_option,
    check_switch,
    check_verbosity,
)
from .._support.messages import close_matches
from .._support.tables import read_table
from ..maskers._region_names import names_of_labels
from ..maskers._stills import read_image

IMAGES = ("mask_img", "labels_img", "maps_img")
"""Parameters that are images; they count by what `fit` makes of them."""

STRATEGIES = (
    *("mean", "median", "sum", "minimum", "maximum", "standard_deviation", "variance"),
)
"""How nilearn's maskers of labels summarise a region."""

TARGETS = ("data", "labels", "maps", "mask")
"""What nilearn brings to the grid of what."""

FILTERS = ("butterworth", "cosine")
"""The filters that nilearn has; and False."""

PADDINGS = ("odd", "even", "constant")
"""How its Butterworth filter goes on beyond a run; or None."""

OWN = (
    *("detrend", "standardize", "standardize_confounds", "low_pass", "high_pass"),
    *("t_r", "confounds", "sample_mask", "runs", "signals"),
)
"""What `clean_args` must not hold, as maskers and runs say it themselves."""


def _check_argument(name, value, where):
    """Raise ValueError unless `clean_args` may hold an argument, and such a value."""
    if name in OWN:
        raise ValueError(
            f"{where} must not hold {name!r}, which is set by the masker's own "
            f"parameters, or comes with the run. Take it out of {where}."
        )
    if name not in CLEANING:
        raise ValueError(
            f"{where} must hold arguments of nilearn.signal.clean, got {name!r}. "
            f"{close_matches(name, [*CLEANING])}"
        )
    CLEANING[name](value, f"{where}[{name!r}]")


def _check_filter(value, name):
    """Raise ValueError unless a filter is one that nilearn has, or False."""
    if value is not False:
        check_option(value, name, FILTERS)


def _check_order(value, name):
    """Raise ValueError unless a filter has a whole order; to scipy 3.0 is one."""
    is_whole = isinstance(value, float) and value.is_integer()
    check_count(int(value) if is_whole else value, name)


_length = partial(check_length, or_none=True)

CLEANING = {
    "filter": _check_filter,
    "extrapolate": check_switch,
    "ensure_finite": check_switch,
    "butterworth__order": _check_order,
    "butterworth__padlen": partial(check_count, least=0, or_none=True),
    "butterworth__padtype": partial(check_option, options=PADDINGS, or_none=True),
    "butterworth__copy": check_switch,
}
"""What `clean_args` may hold, and what tells whether a value will do."""

CHECKS = {
    "smoothing_fwhm": partial(check_lengths, words=("fast",), or_none=True),
    "detrend": check_switch,
    "standardize_confounds": check_switch,
    "high_variance_confounds": check_switch,
    **OF_FILTERS,
    "clean_args": partial(check_dict, each=_check_argument, or_none=True),
    "allow_overlap": check_switch,
    "keep_masked_labels": check_switch,
    "keep_masked_maps": check_switch,
    "background_label": check_number,
    "radius": _length,
    "strategy": partial(check_option, options=STRATEGIES),
    "resampling_target": partial(check_option, options=TARGETS, or_none=True),
    "mask_args": partial(check_dict, or_none=True),
    "reports": check_switch,
    "memory_level": partial(check_count, least=0),
    "verbose": check_verbosity,
}
"""What tells whether the value of a parameter will do."""


# Files


def read_files(parameters, grid):
    """Return what those of a masker's parameters hold that are files, or images.

    Parameters
    ----------
    parameters : dict
    grid : VolumeGrid or SurfaceGrid
        Of a run: what is on it but for rounding is put on its very places.

    Returns
    -------
    stills : dict of str to Still
        Of images.
    given : dict of str to image or DataFrame
        In memory, whole: images, and the table of names of labels, if it is a file.

    Raises
    ------
    TypeError, ValueError, FileNotFoundError, OSError
        If one cannot be read, a mask is empty, or labels are no integers.
    """
    images = {name: parameters.get(name) for name in IMAGES}
    images = {name: img for name, img in images.items() if img is not None}
    missing = {"labels_img": parameters.get("background_label", 0)}
    stills = {
        name: read_image(img, name, missing.get(name, 0))
        for name, img in images.items()
    }
    given = {name: image_of(stills[name], img, grid) for name, img in images.items()}
    lut = parameters.get("lut")
    if lut is not None and not hasattr(lut, "columns"):
        given["lut"] = _table_of_names(lut)
    return stills, given


def _table_of_names(lut):
    """Return the table of names of labels that is in a file."""
    if not isinstance(lut, str | os.PathLike):
        raise TypeError(f"lut must be a DataFrame, a path or None, got {lut!r}.")
    table = read_table(lut, "lut")
    names_of_labels(table, [])  # raises what is wrong with it
    return table.astype({"index": np.int64})
