"""What a page may ask, read from the address of a request."""

import math

from .._maps.seeds import SUMMARIES
from .seeding import Seeding

MAX_RADIUS = 30.0
"""In mm."""


def read_place(query, name, n_places):
    """Return a place that a request names."""
    return _whole(_given(query, name), name, n_places)


def read_question(query, n_places, n_runs):
    """Return the place and the `Seeding` that a request is about.

    Parameters
    ----------
    query : dict of str to str
        ``place``, ``radius``, ``summary`` and ``run``, a number or "mean".
    n_places, n_runs : int
        How many there are.

    Returns
    -------
    place : int
    seeding : Seeding

    Raises
    ------
    ValueError
        If something is missing, or makes no sense.
    """
    place = read_place(query, "place", n_places)
    radius = check_radius(_given(query, "radius"))
    summary = check_summary(_given(query, "summary"))
    run = _given(query, "run")
    run = None if run == "mean" else _whole(run, "run", n_runs)
    return place, Seeding(radius, summary, run)


def check_radius(value):
    """Return a radius in mm as a number."""
    try:
        radius = float(value)
    except (TypeError, ValueError):
        radius = math.nan
    if not 0 <= radius <= MAX_RADIUS:
        raise ValueError(
            f"radius must be a number from 0 to {MAX_RADIUS:g} mm, got {value!r}."
        )
    return radius


def check_summary(value):
    """Return the name of a seed summary."""
    if value not in SUMMARIES:
        raise ValueError(
            f"summary must be one of {', '.join(SUMMARIES)}, got {value!r}."
        )
    return value


def check_run(value, n_runs):
    """Return the position of a run."""
    if isinstance(value, bool) or value not in range(n_runs):
        raise ValueError(f"run must be from 0 to {n_runs - 1} or None, got {value!r}.")
    return int(value)


def _given(query, name):
    """Return what is asked for under a name."""
    if name not in query:
        raise ValueError(f"{name} is missing.")
    return query[name]


def _whole(text, name, n):
    """Return a whole number from 0 to n - 1."""
    if not (text.isascii() and text.isdigit() and len(text) < 12 and int(text) < n):
        raise ValueError(f"{name} must be a number from 0 to {n - 1}, got {text!r}.")
    return int(text)
