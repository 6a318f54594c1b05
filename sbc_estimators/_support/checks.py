"""What a parameter may be, one function a kind: the value as a plain one, or an error.

Numbers of numpy count as numbers, and are returned as Python's. Truth values and texts
are no numbers, NaN and infinity no lengths, frequencies or counts.
"""

import math
import os
from numbers import Integral, Real
from pathlib import Path

import numpy as np

LONGEST = 1000.0
"""In mm: no head is as long, and what is longer was meant in another unit."""


def check_length(value, name, *, or_none=False):
    """Return a length in mm as float.

    Raises
    ------
    ValueError
        As from all functions here, if it is none. `or_none` lets None through.
    """
    if value is None and or_none:
        return None
    if is_finite(value) and 0 <= value <= LONGEST:
        return float(value)
    raise _refused(name, f"a length from 0 to {LONGEST:g} mm", value, or_none)


def check_lengths(value, name, words=(), *, or_none=False):
    """Return one length in mm for all axes, or a list of three; or one of some words.

    Of three some may be None.
    """
    if isinstance(value, str) and value in words:
        return str(value)
    if not isinstance(value, list | tuple | np.ndarray) or np.ndim(value) != 1:
        return check_length(value, name, or_none=or_none)
    if len(value) != 3:
        expected = "one length in mm for all axes, three (one each)"
        raise _refused(name, expected, value, or_none)
    each = f"{name}, of {value!r}: each"
    return [check_length(own, each, or_none=True) for own in value]


def check_positive(value, name, unit="", *, or_none=False):
    """Return a number above 0 as float; its unit is only told."""
    if value is None and or_none:
        return None
    if is_finite(value) and value > 0:
        return float(value)
    expected = f"a positive number in {unit}" if unit else "a positive number"
    raise _refused(name, expected, value, or_none)


def check_number(value, name, low=-math.inf, high=math.inf, *, or_none=False):
    """Return a finite number from `low` to `high` as float."""
    if value is None and or_none:
        return None
    if is_finite(value) and low <= value <= high:
        return float(value)
    bounds = {
        (False, False): "a finite number",
        (True, False): f"a finite number of at least {low:g}",
        (False, True): f"a finite number of at most {high:g}",
        (True, True): f"a number from {low:g} to {high:g}",
    }
    expected = bounds[math.isfinite(low), math.isfinite(high)]
    raise _refused(name, expected, value, or_none)


def check_count(value, name, least=1, *, or_none=False):
    """Return a whole number of at least `least` as int; 3.0 is none."""
    if value is None and or_none:
        return None
    if is_integer(value) and value >= least:
        return int(value)
    raise _refused(name, f"an integer of at least {least}", value, or_none)


def check_verbosity(value, name):
    """Return how much is to be told, as int: a switch, or a count from 0."""
    if isinstance(value, bool | np.bool_):
        return int(value)
    return check_count(value, name, least=0)


def check_each(values, rules):
    """Check values by name, those that have a rule, which is one of these functions."""
    for name, value in values.items():
        if name in rules:
            rules[name](value, name)


def check_switch(value, name):
    """Return True or False; 1, 0 and words are neither."""
    if isinstance(value, bool | np.bool_):
        return bool(value)
    raise _refused(name, "True or False", value)


def check_option(value, name, options, *, or_none=False):
    """Return one of some words."""
    if value is None and or_none:
        return None
    if isinstance(value, str) and value in options:
        return str(value)
    *words, last = map(repr, [*options, *([None] if or_none else [])])
    expected = f"{', '.join(words)} or {last}" if words else last
    raise _refused(name, expected, value)


def check_dict(value, name, each=None, *, or_none=False):
    """Return a dict whose keys are texts.

    `each` is called with each key, its value, and the name of the dict, and raises
    where they make no sense.
    """
    if value is None and or_none:
        return None
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        for key, own in value.items() if each else ():
            each(key, own, name)
        return value
    raise _refused(name, "a dict of names and values", value, or_none)


def is_finite(value):
    """Whether a value is a real number that is finite."""
    if not isinstance(value, Real) or _is_other(value):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond all floats
        return False


def is_integer(value):
    """Whether a value is a whole number by its type."""
    return isinstance(value, Integral) and not _is_other(value)


def _is_other(value):
    """Whether Python or numpy counts a value as a number that is meant as none."""
    return isinstance(value, bool | np.bool_ | np.timedelta64)


def _refused(name, expected, value, or_none=False):
    """Return the error that says what a parameter must be."""
    expected = f"{expected} or None" if or_none else expected
    return ValueError(f"{name} must be {expected}, got {value!r}.")


# Files and folders


def check_file(path, name):
    """Raise FileNotFoundError unless `path` is a file that exists."""
    if not Path(path).is_file():
        raise FileNotFoundError(
            f"{name}: there is no file {os.fspath(path)!r}. Check the path; patterns "
            "such as '*' are not expanded."
        )


def check_folder(path, name):
    """Return the path of a folder that exists, or raise the error that says why not."""
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"{name} must be the path of a folder, got {path!r}.")
    folder = Path(path)
    if not folder.exists():
        raise FileNotFoundError(
            f"{name}: there is no folder {os.fspath(path)!r}. Check the path."
        )
    if not folder.is_dir():
        raise NotADirectoryError(
            f"{name} must be a folder, got the file {os.fspath(path)!r}."
        )
    return folder


def check_place(path, name):
    """Return the path of a folder that is there, or that can be made.

    Raises
    ------
    TypeError, ValueError
        If it is no path.
    NotADirectoryError
        If it is a file, or a link to nowhere, or below one.
    """
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"{name} must be the path of a folder, got {path!r}.")
    if not os.fspath(path):
        raise ValueError(f"{name} must be the path of a folder, got ''. Pass '.'.")
    folder = Path(path)
    above = (folder, *folder.absolute().parents)
    nearest = next(own for own in above if os.path.lexists(own))
    if not nearest.is_dir():
        what = "a file" if nearest.exists() else "a link to nowhere"
        raise NotADirectoryError(
            f"{name}: {str(nearest)!r} is {what}. Pass another folder."
        )
    return folder
