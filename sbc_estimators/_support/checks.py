"""What a parameter may be, one function a kind: the value as a plain one, or an error.

Numbers of numpy count as numbers, and are returned as Python's. Truth values and texts
are no numbers, NaN and infinity no lengths, frequencies or counts.
"""

import math
from numbers import Integral, Real

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


def check_fraction(value, name, *, or_none=False):
    """Return a number from 0 to 1 as float."""
    return check_number(value, name, 0, 1, or_none=or_none)


def check_count(value, name, least=1, *, or_none=False):
    """Return a whole number of at least `least` as int; 3.0 is none."""
    if value is None and or_none:
        return None
    if is_integer(value) and value >= least:
        return int(value)
    raise _refused(name, f"an integer of at least {least}", value, or_none)


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


def check_option(value, options, name, *, or_none=False):
    """Return one of some words."""
    if value is None and or_none:
        return None
    if isinstance(value, str) and value in options:
        return str(value)
    *words, last = map(repr, [*options, *([None] if or_none else [])])
    expected = f"{', '.join(words)} or {last}" if words else last
    raise _refused(name, expected, value)


def check_name(value, name, *, or_none=False):
    """Return a text in which there is something to read."""
    if value is None and or_none:
        return None
    if isinstance(value, str) and value.strip():
        return str(value)
    raise _refused(name, "a text that is not empty", value, or_none)


def check_dict(value, name, *, or_none=False):
    """Return a dict whose keys are texts."""
    if value is None and or_none:
        return None
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
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
