"""What the paragraph on methods says of seeds, and of how signals were made."""

import os

import numpy as np

from .._signals.kinds import adapter_of
from .._support.checks import is_finite
from .._support.messages import in_mm
from .images import GRAYORDINATES, SURFACE, VOLUME
from .used import own
from .words import joined, spanned

MOST_NAMED = 12
"""How many seeds a paragraph names; more are in a table."""

UNITS = {
    VOLUME: ("voxel", "voxels"),
    SURFACE: ("vertex", "vertices"),
    GRAYORDINATES: ("grayordinate", "grayordinates"),
}
"""What images of a kind consist of: one, and several."""

KINDS_OF_PLACES = {"sphere": VOLUME, "disc": SURFACE}
"""In which kind of image places of seeds lie, by what these are."""

SUMMARY_WORDS = {
    "mean": "the mean of its {unit}",
    "median": "the median of its {unit} after cleaning",
    "pca": "the first principal component of its {unit} after cleaning",
    "standardized_mean": "the mean of its {unit}, each cleaned and scaled to unit "
    "variance",
}


# What seeds were


def seeds(sbc, maps, runs):
    """Return what the seeds were."""
    names, masker = list(map(str, sbc.seed_names_)), sbc.seed_masker_
    adapter, one = adapter_of(masker, "seed_masker"), len(names) == 1
    subject = "The seed was" if one else f"The {len(names)} seeds were"
    is_many, element = len(names) > MOST_NAMED, adapter.element
    if element in KINDS_OF_PLACES:
        what = _sized(adapter, one, runs)
        where = "" if is_many else f" around {joined(_centres(names, adapter))}"
        return f"{subject} {what}{placed_by_runs(adapter) or where}."
    said = "" if is_many else joined(names)
    a, plural = ("a ", "") if one else ("", "s")
    signals = f"the signal{plural} of {type(masker).__name__}"
    if adapter.path == "given":
        signals = f"{a}time series that came with the runs ({said})"
    unit = UNITS[_kind(adapter, maps, runs)][not one]
    words = {
        "region": f"the region{plural} {said} {_atlas(masker)}",
        "map": f"{a}weighted map{plural} ({said})",
        "signal": signals,
    }
    words = words.get(element, f"{a}single {unit}")
    words = words.replace("the regions  ", "regions ").replace(" ()", "")
    return f"{subject} {words}{placed_by_runs(adapter)}."


def placed_by_runs(adapter):
    """Return the words for places that each run brought, "" for others."""
    return ", placed anew in each run" if adapter.takes_places else ""


def _atlas(masker):
    """Return where regions come from."""
    atlas = own(masker, "labels_img")
    if isinstance(atlas, str | os.PathLike) and atlas != "run":
        return f"in {os.path.basename(atlas)}"
    return "of an atlas or mask"


def _sized(adapter, one, runs):
    """Return the words for spheres or discs, with their radius where it is known."""
    element, radii = adapter.element, _radii(adapter, runs)
    a, what = ("a ", element) if one else ("", f"{element}s")
    if not radii:
        return f"{a}{what}"
    if max(radii) == 0:
        return f"{a}single {UNITS[KINDS_OF_PLACES[element]][not one]}"
    along = " along the surface" if element == "disc" else ""
    return f"{a}{what} of {spanned(radii)} mm radius{along}"


def _radii(adapter, runs):
    """Return the radii of spheres or discs in mm, none where they are not known.

    Tables of places, which runs may bring, have radii of their own.
    """
    each = [adapter]
    if adapter.takes_places:
        each = [adapter.with_places(run.seed_places) for run in runs or ()]
    placed = [own.placed() for own in each]
    if None not in placed:
        return [radius for seeds in placed for _, _, radius in seeds]
    radius = adapter.parameters.get("radius")
    return [radius] if is_finite(radius) else []


def _centres(names, adapter):
    """Return where seeds are, with their names if these say more than that."""
    placed = adapter.placed()
    if placed is None:
        return names
    pairs = zip(names, placed, strict=True)
    return [_placed(name, places) for name, (places, _, _) in pairs]


def _placed(name, places):
    """Return the name of a seed with its places in mm, which it may say itself."""
    if not all(np.shape(place) == (3,) for place in places):
        return name  # vertices have no coordinates of their own
    words = list(map(in_mm, places))
    said = " + ".join(f"({word})" for word in words)
    inside = f"({joined(words)} mm)"
    return inside if name == said else f"{name} {inside}"


def _kind(adapter, maps, runs):
    """Return the kind of image that a masker takes its signals from."""
    if adapter.takes_places and runs:
        adapter = adapter.with_places(runs[0].seed_places)
    of_grid = getattr(getattr(adapter.masker, "grid_", None), "kind", None)
    kinds = adapter.grid_kind, of_grid, maps.kind
    return next((kind for kind in kinds if kind in UNITS), VOLUME)


# How signals were made


def signals(sbc, maps, runs):
    """Return how voxels became one signal: those of a seed, and of a region of maps."""
    seeds = adapter_of(sbc.seed_masker_, "seed_masker")
    brain = adapter_of(sbc.brain_masker_, "brain_masker")
    found = []
    if seeds.element == "map" and seeds.is_known:
        found = ["The signals of the maps were found by least squares, all at once."]
    elif seeds.element in ("sphere", "disc", "region") and seeds.is_known:
        words = _summary(seeds, sbc.seed_summary_, maps, runs)
        found = [f"The signal of a seed was {words}."]
    if brain.element == "region" and brain.is_known:
        words = _summary(brain, "mean", maps, runs)
        found.append(f"The signal of a region of the maps was {words}.")
    return found


def _summary(adapter, summary, maps, runs):
    """Return the words for a summary of voxels; the mean may be what a masker takes."""
    kind = KINDS_OF_PLACES.get(adapter.element) or _kind(adapter, maps, runs)
    unit = UNITS[kind][1]
    strategy = adapter.parameters.get("strategy", "mean")
    if summary != "mean" or strategy == "mean":
        others = f"the {summary!r} of its {{unit}} after cleaning"
        return SUMMARY_WORDS.get(summary, others).format(unit=unit)
    words = f"the {strategy.replace('_', ' ')} of its {unit}"
    # A sum is as good before cleaning as after it.
    when = "" if strategy == "sum" else " in each scan, taken before cleaning"
    return f"{words}{when}"
