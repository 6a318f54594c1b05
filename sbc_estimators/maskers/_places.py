"""What parameters of seeds say: places, one value for each seed, and names."""

from typing import Literal

import numpy as np
import pandas as pd

from .._support.checks import check_length, is_finite
from .._support.messages import in_mm

Hemisphere = Literal["left", "right"] | None
"""That of a seed, None for any."""


def is_sequence(value):
    """Whether a value is a sequence as users pass them; text and generators are not."""
    is_one = isinstance(value, list | tuple | np.ndarray | pd.Series | pd.Index)
    return is_one and getattr(value, "ndim", 1) > 0


def point(value):
    """Return three finite coordinates as a tuple of float, None for anything else."""
    is_one = is_sequence(value) and len(value) == 3 and all(map(is_finite, value))
    return tuple(map(float, value)) if is_one else None


def coordinates(place):
    """Return coordinates in mm as people write them, in brackets."""
    return f"({in_mm(place)})"


def described(name, place, unit=""):
    """Return the words for a place of a seed in errors; it may be the seed's name."""
    return f"seed {name!r}" if place == name else f"seed {name!r} at {place}{unit}"


def places_of_seeds(seeds, place_of, name, what):
    """Return the places of each seed, a list of lists.

    Parameters
    ----------
    seeds : sequence
        Of places, or of sequences of these.
    place_of : callable
        Returns a place as it shall be kept, None for what is no place.
    name, what : str
        The parameter, and what it must hold, in the words of errors.

    Raises
    ------
    TypeError, ValueError
        If `seeds` is no sequence, is empty, or holds something else.
    """
    expected = (
        f"{name} must be a sequence of {what}, or of lists of these for seeds of "
        "several places"
    )
    if not is_sequence(seeds):
        raise TypeError(f"{expected}, got {seeds!r}.")
    if not len(seeds):
        raise ValueError(f"{expected}, got none.")
    found = []
    for seed in seeds:
        place = place_of(seed)
        places = [place]
        if place is None and is_sequence(seed):
            places = [place_of(own) for own in seed]
        if not places or any(own is None for own in places):
            raise ValueError(f"{expected}, got {seed!r}.")
        found.append(places)
    return found


def flat(lists):
    """Return the entries of lists, and for each the number of the list it is in."""
    pairs = [(own, number) for number, each in enumerate(lists) for own in each]
    return tuple(map(list, zip(*pairs, strict=True)))


def each_seed(value, n_seeds, name):
    """Return a list with one value for each seed, of one for all or one for each."""
    if not is_sequence(value):
        return [value] * n_seeds
    if len(value) != n_seeds:
        raise ValueError(
            f"{name} must be one for all seeds or one for each, got {len(value)} for "
            f"{n_seeds} seeds."
        )
    return list(value)


def radii_of_seeds(radius, n_seeds):
    """Return a length in mm for each seed; a radius of None is one of 0."""
    radii = each_seed(radius, n_seeds, "radius")
    return [check_length(own, "radius", or_none=True) or 0.0 for own in radii]


def check_side(side):
    """Raise ValueError unless a side is one of the hemispheres, or None."""
    if not (side is None or (isinstance(side, str) and side in ("left", "right"))):
        raise ValueError(f'hemisphere must be "left", "right" or None, got {side!r}.')


def names_of_seeds(names, defaults):
    """Return a name for each seed, no two alike.

    Parameters
    ----------
    names : sequence of str, one of these for a single seed, or None
        As the user passed them; None for `defaults`.
    defaults : list of str
        Those that occur again are numbered.
    """
    if names is None:
        return _numbered(defaults)
    names = checked_names(names)
    if len(names) != len(defaults):
        raise ValueError(
            f"names must hold one name for each seed, got {len(names)} for "
            f"{len(defaults)} seeds."
        )
    return names


def checked_names(names):
    """Return names as a list of str that differ, or raise the error that says why."""
    names, seen = list(names) if is_sequence(names) else [names], set()
    for name in names:
        if not isinstance(name, str) or not name.strip():
            raise TypeError(
                f"names must hold a text for each seed, got {name!r}. Write "
                "names=['PCC', 'left IPS']."
            )
        if name in seen:
            raise ValueError(f"names must differ, but {name!r} is there twice.")
        seen.add(name)
    return list(map(str, names))


def _numbered(names):
    """Return names of which those that occurred before have a number."""
    found = {}  # as a set that keeps the order
    for name in names:
        own, count = name, 1
        while own in found:
            count += 1
            own = f"{name} ({count})"
        found[own] = True
    return list(found)


def check_spheres(seeds, radius):
    """Raise ValueError unless seeds are coordinates in mm, and the radius a length."""
    if not len(seeds) or any(point(seed) is None for seed in seeds):
        raise ValueError(
            f"seeds must be at least one triplet of coordinates in mm, got {seeds!r}."
        )
    radii_of_seeds(radius, len(seeds))
