"""All that a report says, as plain numbers and texts."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone

from .._maps.seeds import measure_of
from .._support.messages import describe_run
from ..plotting._colours import colour_limit
from ..runs._opened import as_runs, kept_scans
from .backgrounds import as_image, background_of
from .code import in_words
from .formats import MINUS
from .formats import place as place_in_words
from .lines import counts, drawn
from .maps import Maps
from .methods import methods
from .pictures import map_picture, matrix_picture
from .scripts import script_of
from .tables import (
    known,
    lowest_quality,
    mapped_runs,
    run_files,
    run_labels,
    run_rows,
    seed_rows,
    seed_rows_of_runs,
    short_name,
    warnings_of_tables,
)
from .used import (
    confound_names,
    parameters,
    repetition_time,
    versions,
)
from .viewer import viewer_parts

THRESHOLD = 0.4
"""Beyond which Fisher z is coloured and clusters counted where nobody says another."""

MOST_PICTURED = 12
"""How many seeds have pictures."""

MOST_RUNS = 8
"""Of how many runs time series and histograms are drawn."""

MOST_IN_VIEWER = 300
"""How many maps the viewer shows; of more seeds, those that have pictures."""

AS_FITTED = 1e-3
"""How far the correlations of runs may be from those of `fit`, on any machine."""


@dataclass(frozen=True, eq=False)
class Mapped:
    """The runs of `fit`, mapped once more, but for those that were left out.

    Attributes
    ----------
    runs : list of Run
    z : ndarray of shape (n_runs, n_seeds, n_voxels)
        Fisher z of each run.
    signals : list of ndarray of shape (n_kept_scans, n_seeds)
        Cleaned time series of the seeds.
    heard : list of str
        What was warned of meanwhile, but for what is told of each run.
    """

    runs: list
    z: Any
    signals: list
    heard: list


def summarise(sbc, X=None, threshold=None):
    """Return all that a report says of a fitted estimator.

    Parameters
    ----------
    sbc : SeedCorrelationMap
        Fitted.
    X : run, sequence of runs or None, default=None
        The runs of `fit`, each with its own confounds and sample mask.
    threshold : float or None, default=None
        Fisher z beyond which maps are coloured and clusters counted; None for 0.4.

    Returns
    -------
    summary : dict
        Numbers, texts, lists and dicts of these; what is not known is None. Pictures
        are data URIs.

    Raises
    ------
    ValueError
        If X holds other runs than `fit` saw.
    """
    threshold = THRESHOLD if threshold is None else threshold
    mapped = None if X is None else _mapped(sbc, X)
    runs = None if mapped is None else mapped.runs
    maps = Maps.of(sbc)
    files, labels = _files_and_labels(sbc)
    seeds = _seeds(sbc, maps, mapped, threshold)
    pictured = lowest_quality(seeds, MOST_PICTURED)
    background = background_of(maps, runs)
    details = [
        _detail(maps, mapped, i, labels, background, threshold) for i in pictured
    ]
    return {
        "title": _title(files, labels),
        "has_runs": runs is not None,
        "threshold": threshold,
        "unit": maps.unit,
        "measure": measure_of(sbc.measure_, sbc.n_seeds_),
        "seed_summary": sbc.seed_summary_,
        "cards": _cards(sbc),
        "warnings": [
            *_left_out(sbc),
            *(mapped.heard if mapped else []),
            *warnings_of_tables(sbc),
        ],
        "runs": run_rows(mapped_runs(sbc), labels, _confound_counts(runs)),
        "seeds": seeds,
        "pictured": pictured,
        "correlations": _correlations(sbc, mapped),
        "details": details,
        "viewer": _viewer(maps, details, background, threshold),
        "methods": methods(sbc, maps, runs),
        "script": script_of(sbc, None if X is None else as_runs(X)),
        "parameters": parameters(sbc, _shortened),
        "paths": dict(sbc.paths_),
        "versions": versions(),
    }


# The runs


def _mapped(sbc, X):
    """Return the runs of `fit`, mapped by a clone, which warns as `fit` did."""
    given = as_runs(X)
    again = clone(sbc).set_params(brain_masker=clone(sbc.brain_masker_))
    again.set_params(scale="fisher_z", verbose=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        z = np.asarray(again.fit_transform(given))  # a DataFrame, if one is asked for
    _check_as_fitted(sbc, again)
    heard = [
        " ".join(str(warning.message).split())
        for warning in caught
        if warning.category in (UserWarning, RuntimeWarning)
    ]
    heard = [text for text in heard if not text.startswith("run ")]  # as in the tables
    is_there = again.run_report_["error"].isna().to_numpy()
    runs = [run for run, is_own in zip(given, is_there, strict=True) if is_own]
    z = z[is_there].reshape(len(runs), sbc.n_seeds_, sbc.n_voxels_)
    signals = [again.seed_signals(run) for run in runs]
    return Mapped(runs, z, signals, list(dict.fromkeys(heard)))


def _check_as_fitted(sbc, again):
    """Raise ValueError where runs give other correlations than those of `fit`."""
    ours, theirs = sbc.correlations_, again.correlations_
    if ours.shape == theirs.shape and sbc.n_runs_ == again.n_runs_:
        largest = float(np.abs(ours - theirs).max())
        if largest <= AS_FITTED:
            return
        what = f"their correlations differ from correlations_ by up to {largest:.2g}"
    else:
        what = (
            f"they give {again.n_runs_} maps of shape {theirs.shape}, fit gave "
            f"{sbc.n_runs_} of shape {ours.shape}"
        )
    raise ValueError(
        f"X must hold the runs of fit: {what}. Pass the same runs, each with its own "
        "confounds and sample mask, as in Run(img, confounds=...); or leave X out."
    )


def _confound_counts(runs):
    """Return the number of confounds of each run, None where runs are not known."""
    return None if runs is None else [len(confound_names(run)) for run in runs]


def _files_and_labels(sbc):
    """Return names of files and labels of the runs that were mapped.

    Labels count all runs of `fit`, as warnings do.
    """
    files = run_files(sbc.run_report_)
    labels, is_there = run_labels(files), sbc.run_report_["error"].isna()
    pairs = zip(files, labels, is_there, strict=True)
    files, labels = zip(*(own for *own, there in pairs if there), strict=True)
    return list(files), list(labels)


def _left_out(sbc):
    """Return a sentence for each run of `fit` that was left out, with its error."""
    report, found = sbc.run_report_, []
    for row in report[report["error"].notna()].to_dict("records"):
        where, text = describe_run(row["run"], row["img"]), row["error"]
        about = "" if text.startswith(where) else f"{where}: "
        told = " ".join(f"{about}{text}".split()).removesuffix(".")
        found.append(f"{told}. The run was left out.")
    return found


def _title(files, labels):
    """Return what the report is called: a run, a person, or how many runs."""
    if len(labels) == 1:
        return labels[0]
    people = {label.partition(" ")[0] for label in map(short_name, files)}
    is_one = len(people) == 1 and next(iter(people)).startswith("sub-")
    return f"{people.pop()}, {len(labels)} runs" if is_one else f"{len(labels)} runs"


def _cards(sbc):
    """Return the numbers that stand out."""
    report = mapped_runs(sbc)
    return {
        "n_runs": int(sbc.n_runs_),
        "n_seeds": int(sbc.n_seeds_),
        "n_voxels": int(sbc.n_voxels_),
        "n_scans": int(report["n_scans"].sum()),
        "n_kept_scans": int(report["n_kept_scans"].sum()),
        "least_dof": known(report["effective_dof"].min()),
    }


# Seeds


def _seeds(sbc, maps, mapped, threshold):
    """Return a dict for each seed: its quality, its map, how much runs agree."""
    rows = seed_rows(sbc.seed_report_, [str(name) for name in sbc.seed_names_])
    beyond = (np.abs(maps.z) > threshold).mean(axis=1)
    agreements = _agreements(mapped)
    for position, row in enumerate(rows):
        row["beyond"] = float(beyond[position])
        row["agreement"] = None if agreements is None else agreements[position]
    return rows


def _agreements(mapped):
    """Return for each seed the mean correlation between the maps of two runs."""
    if mapped is None or len(mapped.z) < 2:
        return None
    pairs = np.triu_indices(len(mapped.z), 1)
    with np.errstate(invalid="ignore", divide="ignore"):  # of a map of zeros
        each = [np.corrcoef(mapped.z[:, i])[pairs] for i in range(mapped.z.shape[1])]
    return [known(values.mean()) for values in each]


def _correlations(sbc, mapped):
    """Return r among the seeds, the mean over runs, and its picture."""
    if mapped is None or sbc.n_seeds_ < 2:
        return None
    largest = np.nextafter(1.0, 0)
    z = [np.arctanh(np.corrcoef(s.T).clip(-largest, largest)) for s in mapped.signals]
    r = np.tanh(np.mean(z, axis=0))
    names = [str(name) for name in sbc.seed_names_]
    return {"r": r.tolist(), "picture": matrix_picture(r, names)}


def _detail(maps, mapped, position, labels, background, threshold):
    """Return what is said of one seed with pictures."""
    sbc, (place, radius) = maps.sbc, maps.place(position)
    rows = [maps.z[position]] if mapped is None else mapped.z[:MOST_RUNS, position]
    histogram = [counts(row) for row in rows]
    series = None if mapped is None else _series(sbc, mapped, position, labels)
    picture = None
    if maps.kind is not None:
        picture = map_picture(maps, position, background, threshold)
    return {
        "position": position,
        "name": str(sbc.seed_names_[position]),
        "place": None if place is None else [float(x) for x in place],
        "radius": float(radius),
        "where": _where(sbc.seed_names_[position], place, radius),
        "peaks": maps.peaks(position, threshold),
        "quality": seed_rows_of_runs(sbc.seed_report_, position, sbc.n_seeds_),
        "histogram": histogram,
        "series": series,
        "picture": picture,
        "drawn": drawn(series, histogram),
    }


def _where(name, place, radius):
    """Return where a seed is in words, as far as its name does not say so."""
    told = "" if place is None else place_in_words(place)
    is_new = told and str(name).replace("-", MINUS) != f"({told})"
    words = [f"{told} mm"] if is_new else []
    return [*words, f"radius {radius:g} mm"] if radius else words


def _series(sbc, mapped, position, labels):
    """Return the time series of a seed in the first runs."""
    return [
        _series_of_run(sbc, run, signals[:, position], label)
        for run, signals, label in zip(
            mapped.runs[:MOST_RUNS], mapped.signals, labels, strict=False
        )
    ]


def _series_of_run(sbc, run, values, label):
    """Return a time series with its times, None where scans were censored."""
    _, kept = kept_scans(run)
    n_scans = int(kept[-1]) + 1
    whole = np.full(n_scans, np.nan)
    whole[kept] = values
    t_r = repetition_time(sbc, run)
    return {
        "label": label,
        "unit": "scans" if t_r is None else "s",
        "times": (np.arange(n_scans) * (t_r or 1)).tolist(),
        "values": [None if np.isnan(value) else float(value) for value in whole],
    }


def _viewer(maps, details, background, threshold):
    """Return what the viewer needs, with the names of its seeds and where to go."""
    places = {detail["position"]: detail["place"] for detail in details}
    n_seeds = len(maps.z)
    positions = list(range(n_seeds)) if n_seeds <= MOST_IN_VIEWER else list(places)
    parts = viewer_parts(maps, positions, as_image(background))
    if "why" in parts:
        return parts
    seeds = [
        {
            "name": str(maps.sbc.seed_names_[position]),
            "position": position,
            "place": places.get(position) or maps.highest(position),
            "top": colour_limit(maps.z[position], threshold),
        }
        for position in positions
    ]
    return {**parts, "seeds": seeds}


def _shortened(value, most=160):
    """Return what a parameter is in words, not too many of them."""
    text = in_words(value)
    return text if len(text) <= most else f"{text[: most - 1]}\N{HORIZONTAL ELLIPSIS}"
