"""What a page must know beside its arrays: runs, named places, and how it opens."""

import numpy as np

from .. import __version__
from .._images.grayordinates import GrayordinateGrid
from .._images.grids import VolumeGrid
from .._images.meshes import SurfaceGrid
from .._maps.seeds import SUMMARIES
from .._reporting.tables import run_labels
from .._reporting.used import repetition_time
from .._signals.kinds import adapter_of
from .._support.messages import file_of
from .recipes import recipe

FORMATS = {
    VolumeGrid.kind: "NIfTI",
    SurfaceGrid.kind: "GIFTI",
    GrayordinateGrid.kind: "CIFTI",
}
"""In which a map is saved, by the kind of its grid."""

LARGEST_RADIUS = 16
"""In mm, at which the page's slider ends."""

DEFAULT_RADIUS = 8.0
"""In mm, where the estimator's seeds have none."""


def page_contents(sbc, opened, space, anatomy, origins):
    """Return what the page's script must know, as JSON has it.

    Parameters
    ----------
    sbc : SeedCorrelationMap
        Fitted.
    opened : list of OpenedRun
    space : Space
    anatomy : Anatomy
    origins : Origins
        Of what runs hold in memory.
    """
    runs, places = [one.run for one in opened], named_places(sbc, space, anatomy)
    recipes = [recipe(sbc, [run], space, origins) for run in runs]
    if len(runs) > 1:
        recipes.append(recipe(sbc, runs, space, origins))
    labels = run_labels([file_of(run.img) for run in runs])
    return {
        "version": __version__,
        "space": space.config(),
        "format": FORMATS[space.grid.kind],
        "anatomy": anatomy.config,
        "n_places": space.n_places,
        "runs": [_told_of_run(sbc, *one) for one in zip(opened, labels, strict=True)],
        "recipes": [vars(made) for made in recipes],
        "places": [{"name": name, "place": own} for name, own in places.items()],
        "start": _start(sbc, space, places),
        "summaries": list(SUMMARIES),
        "largest_radius": LARGEST_RADIUS,
    }


def named_places(sbc, space, anatomy):
    """Return places by name: the estimator's seeds, and well-known ones.

    Those outside of the brain are left out, and names that are but coordinates where
    the place has a better one.
    """
    known = {}
    for name, xyz in anatomy.places.items():
        try:
            known[name] = space.place_at(xyz)
        except ValueError:
            continue
    own = {
        name: place
        for name, (place, _) in _own_spheres(sbc, space)
        if not (name.startswith("(") and place in known.values())
    }
    return {**own, **{name: known[name] for name in known if name not in own}}


def _own_spheres(sbc, space):
    """Yield the estimator's seeds that are one sphere or disc each, by name."""
    seeds = adapter_of(sbc.seed_masker_, "seed_masker")
    for position, name in enumerate(sbc.seed_names_):
        sphere = space.sphere_of(seeds, position)
        if sphere is not None:
            yield name, sphere


def _start(sbc, space, places):
    """Return with which seed the page opens: the estimator's first, if it has any."""
    spheres = [own for _, own in _own_spheres(sbc, space)]
    spheres += [(place, DEFAULT_RADIUS) for place in places.values()]
    if not spheres:
        away = np.linalg.norm(space.points - space.points.mean(axis=0), axis=1)
        spheres = [(int(away.argmin()), DEFAULT_RADIUS)]
    place, radius = spheres[0]
    return {
        "place": place,
        "radius": min(radius, LARGEST_RADIUS),
        "summary": sbc.seed_summary_,
    }


def _told_of_run(sbc, opened, label):
    """Return what the page tells of a run, as JSON has it."""
    t_r = repetition_time(sbc, opened.run)
    return {
        "name": label,
        "kept": opened.kept.tolist(),
        "t_r": None if t_r is None else float(t_r),
    }
