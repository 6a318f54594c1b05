"""Time series and histograms as paths that a page draws: small, sharp at any width."""

import numpy as np

WIDTH, HEIGHT = 1000, 100
"""Of what paths are drawn in; a page stretches it."""

MOST_SD = 3.5
"""Standard deviations from the middle of a time series to its edge."""

BINS = np.linspace(-1.5, 1.5, 61)
"""Edges of the bins in which Fisher z is counted; what lies beyond is in the last."""


def counts(z):
    """Return how many values of a map lie in each of `BINS`, as a list."""
    return np.histogram(np.clip(z, BINS[0], BINS[-1]), BINS)[0].tolist()


def series_path(times, values, end):
    """Return a time series as a path, with gaps where values are None.

    Parameters
    ----------
    times : list of float
    values : list of float or None
        Of unit variance.
    end : float
        The time at the right edge.

    Examples
    --------
    >>> series_path([0, 1, 2, 3], [0, 3.5, None, 0], 3)
    'M0,50L333.3,0M1000,50h0'
    """
    x = np.asarray(times, float) * WIDTH / max(end, 1e-9)
    y = np.array(values, float).clip(-MOST_SD, MOST_SD)
    y = (1 - y / MOST_SD) * HEIGHT / 2
    kept = np.flatnonzero(np.isfinite(y))
    pieces = np.split(kept, np.flatnonzero(np.diff(kept) > 1) + 1)
    return "".join(_piece(x[piece], y[piece]) for piece in pieces)


def _piece(x, y):
    """Return one unbroken line; of a single point a line of no length, a dot."""
    points = [f"{_short(a)},{_short(b)}" for a, b in zip(x, y, strict=True)]
    return f"M{points[0]}h0" if len(points) == 1 else f"M{'L'.join(points)}"


def histogram_path(row, highest):
    """Return counts in `BINS` as the path of a staircase.

    Parameters
    ----------
    row : list of int
    highest : float
        The part of all values at which the upper edge is.

    Examples
    --------
    >>> histogram_path([1, 3], 0.75)
    'M0,100V66.7H500V0H1000V100'
    """
    heights = HEIGHT * (1 - np.array(row) / max(1, sum(row)) / highest)
    edges = np.linspace(0, WIDTH, len(row) + 1)
    steps = zip(heights, edges[1:], strict=True)
    return (
        f"M0,{HEIGHT}"
        + "".join(f"V{_short(height)}H{_short(edge)}" for height, edge in steps)
        + f"V{HEIGHT}"
    )


def _short(value):
    """Return a number to a tenth, without needless digits."""
    return f"{value:.1f}".removesuffix(".0")


def drawn(series, histogram):
    """Return the paths of one seed, and what stands below them.

    Parameters
    ----------
    series : list of dict or None
        With a "label", "times", "values", and a "unit" of time.
    histogram : list of list of int
        Counts in `BINS`, a list a run.
    """
    highest = max(max(row) / max(1, sum(row)) for row in histogram)
    found = {
        "histogram": [histogram_path(row, highest or 1.0) for row in histogram],
        "bins": [float(BINS[0]), 0.0, float(BINS[-1])],
        "series": None,
    }
    if series is not None:
        end = max(run["times"][-1] for run in series)
        found["series"] = [
            {"label": s["label"], "path": series_path(s["times"], s["values"], end)}
            for s in series
        ]
        found["times"] = [0.0, end / 2, end]
        found["unit"] = series[0]["unit"]
    return found
