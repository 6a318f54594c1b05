"""How a run's signals are obtained, and whether masker and run go together."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from nilearn.maskers import (
    NiftiLabelsMasker,
    NiftiMasker,
    NiftiSpheresMasker,
    SurfaceLabelsMasker,
)

from ._checks import check_covered, check_has_signals
from ._cleaning import check_cleaning, leaves_enough
from ._images import grid, is_inside, is_surface, same_grid
from ._path_reference import given_seeds
from ._placed_seeds import check_vertices
from ._regions import SeedRegions
from ._seed_regions import members_in_brain, seed_regions, unsmoothed_regions
from ._smoothing import is_separable
from ._sources import (
    OWN_MASKERS,
    describe_seed,
    is_given,
    is_known_masker,
    wants_surface,
)

FOUND_AT_LITTLE_COST = (
    NiftiSpheresMasker,
    NiftiLabelsMasker,
    SurfaceLabelsMasker,
    *OWN_MASKERS,
)
"""Maskers whose regions are looked up; those of maps have to be solved for."""


@dataclass(frozen=True, eq=False)
class Plan:
    """How a source's signals are obtained from a run.

    Attributes
    ----------
    path : str
        "streamed", "compiled", "reference" or "given".
    reason : str
        Why not in a faster way.
    regions : SeedRegions or None
        What seeds are made of, where that is known beforehand.
    """

    path: str
    reason: str = ""
    regions: SeedRegions | None = None

    def __str__(self):
        return f"{self.path}: {self.reason}" if self.reason else self.path


@dataclass(frozen=True)
class Task:
    """What is to be read from one run, and how.

    Attributes
    ----------
    opened : OpenedRun
    sources : dict of str to SignalSource
    plans : dict of str to Plan
    tolerance : float
        Directions of time that the cleaning of voxels shrinks below this are left out.
    """

    opened: Any
    sources: dict
    plans: dict
    tolerance: float = 0.0

    def on_path(self, path, names):
        """Return those of some sources whose signals are obtained in one way."""
        return [name for name in names if self.plans[name].path == path]


def plan_sources(sources, opened):
    """Return a `Plan` for each source, by its name.

    Parameters
    ----------
    sources : list of SignalSource
        With fitted maskers.
    opened : OpenedRun

    Raises
    ------
    ValueError
        If a seed lies outside the run, or seeds overlap that must not.
    """
    by_name = {source.name: source for source in sources}
    plans = {}
    # Voxels first: where their scans are in memory anyway, the seeds take them there.
    if "brain_masker" in by_name:
        plans["brain_masker"] = _plan_voxels(by_name["brain_masker"], opened.image)
    if "seed_masker" in by_name:
        plans["seed_masker"] = _plan_seeds(
            by_name["seed_masker"], opened, plans.get("brain_masker")
        )
    return plans


def _plan_voxels(source, image):
    """Return how the voxels of the brain are obtained."""
    if not is_known_masker(source.masker):
        return _reference(source)
    reason = _why_no_voxel_stream(source.masker, image) or _why_no_stream(source, image)
    return Plan("compiled", reason) if reason else Plan("streamed")


def _plan_seeds(source, opened, brain):
    """Return how the seeds are obtained, given how the brain is."""
    if not is_known_masker(source.masker):
        return _reference(source)
    if is_given(source.masker):
        return Plan("given", "the signals come with the run")
    seen = opened.as_seen_by(source.name)
    image = seen.image
    regions = seed_regions(source, image, seen.where)
    if isinstance(regions, str):
        return Plan("compiled", regions)
    reason = _why_no_stream(source, image)
    if not reason and image is opened.image and brain and brain.path == "compiled":
        reason = "the scans are in memory for brain_masker"
    return Plan("compiled" if reason else "streamed", reason, regions)


def _reference(source):
    """Return the plan for a masker that does all by itself."""
    kind = type(source.masker).__name__
    return Plan("reference", f"{kind} is none of nilearn's own maskers, nor of ours")


def _why_no_stream(source, image):
    """Return why signals that are sums of voxels cannot be streamed, or ''."""
    if is_surface(image):
        return "the run is on a surface"
    if source.masker.high_variance_confounds:
        return "high_variance_confounds are computed from all voxels first"
    return ""


def _why_no_voxel_stream(masker, image):
    """Return why the voxels of a brain masker are not to be streamed, or ''."""
    if is_surface(image):
        return "the run is on a surface"
    if not isinstance(masker, NiftiMasker):
        return f"{type(masker).__name__} is not a linear map that is known beforehand"
    if not is_separable(masker.smoothing_fwhm):
        return f"smoothing_fwhm={masker.smoothing_fwhm!r} is not one matrix an axis"
    if not same_grid(masker.mask_img_, image):
        return "the run is not on the grid of the mask and has to be resampled"
    return ""


# Checks of a run against a source, before its scans are read


def check_before_fit(source, opened):
    """Raise an error where a run and the parameters of a masker do not go together."""
    if not is_known_masker(source.masker):
        return
    if is_given(source.masker):
        check_has_signals(opened.run.seed_signals, opened.where, source.name)
    else:
        _check_kind(source, opened)
    source.cleaning.with_t_r(opened.t_r).check(f"{opened.where}, {source.name}")


def check_left_after_cleaning(source, opened):
    """Raise ValueError where cleaning leaves nothing of one of the runs.

    Runs that differ in their confounds alone are looked at one by one only where
    these could take away all that is left.
    """
    if not is_known_masker(source.masker):
        return
    enough = {}
    for run in opened:
        cleaning = source.cleaning.with_t_r(run.t_r)
        n_confounds = 0 if run.confounds is None else run.confounds.shape[1]
        case = (run.t_r, run.n_scans, run.kept.tobytes(), n_confounds)
        place = (run.n_scans, run.kept)
        where = f"{run.where}, {source.name}"
        if case not in enough:
            enough[case] = leaves_enough(cleaning, *place, n_confounds, where)
        if not enough[case]:
            check_cleaning(cleaning, *place, run.confounds, where)


def check_regions_of_runs(source, opened):
    """Raise an error where a fitted masker's regions or mask miss one of the runs.

    Returns
    -------
    placed : list of (OpenedRun, SeedRegions)
        One run of each grid or mesh, where its regions are found at little cost.
    """
    if is_given(source.masker):
        for run in opened:
            given_seeds(source, run)
        return []
    placed, grids = [], set()
    for run in opened:
        where = grid(run.as_seen_by(source.name).image)
        if where not in grids:
            placed.append((run, _check_regions(source, run)))
            grids.add(where)
    return [(run, regions) for run, regions in placed if regions is not None]


def check_seeds_in_brain(seeds, brain, placed):
    """Raise ValueError where no voxel of a seed lies within the brain mask.

    Parameters
    ----------
    seeds, brain : SignalSource
        With fitted maskers.
    placed : list of (OpenedRun, SeedRegions)
        As `check_regions_of_runs` returns it for the seeds.
    """
    for run, regions in placed:
        in_brain = members_in_brain(regions, brain, run)
        for i, (places, _) in enumerate(regions.members_of_seeds()):
            if len(places) and not in_brain[places].any():
                name = describe_seed(seeds, i, regions.n_seeds)
                check_covered(0, len(places), name, run.where)


def _check_regions(source, opened):
    """Return regions that are found at little cost; raise an error where they miss."""
    seen = opened.as_seen_by(source.name)
    masker, image, where = source.masker, seen.image, seen.where
    if not is_known_masker(masker):
        return None
    regions = None
    if isinstance(masker, FOUND_AT_LITTLE_COST):
        regions = unsmoothed_regions(source, image, where)
    for name in ("mask_img", "labels_img", "maps_img"):
        img = getattr(masker, f"{name}_", None)
        if img is not None:
            check = _check_mesh if is_surface(image) else _check_overlap
            check(source, name, img, image, where)
    return None if isinstance(regions, str) else regions


def _check_kind(source, opened):
    """Raise TypeError where a volume masker meets a surface image or the reverse."""
    on_surface = wants_surface(source.masker)
    seen = opened.as_seen_by(source.name)
    if on_surface != is_surface(seen.image):
        kinds = {True: "a SurfaceImage", False: "a volume (4D image)"}
        what = "the run" if seen is opened else "its seed_img"
        raise TypeError(
            f"{opened.where}: {source.name} is a {type(source.masker).__name__}, which "
            f"needs {kinds[on_surface]}, but {what} is {kinds[not on_surface]}. "
            "Use a masker of the run's kind, or Run(img, seed_img=...) where seeds "
            "and voxels are in images of their own."
        )


def _check_mesh(source, name, img, image, where):
    """Raise ValueError where a masker's regions lie on another mesh than a run."""
    given = getattr(source.masker, name) is not None
    what = name if given else "the first run of fit, the mask"
    check_vertices(img.mesh, image.mesh, where, f"{what} of {source.name}")


def _check_overlap(source, name, img, image, where):
    """Raise ValueError where nothing of a masker's regions lies within a run."""
    if same_grid(img, image):
        return  # no mask of nilearn's is empty
    where, masker = f"{where}, {source.name}", source.masker
    if getattr(masker, "resampling_target", "data") is None and name != "mask_img":
        raise ValueError(
            f"{where}: the image is not on the grid of {name}, and "
            "resampling_target=None leaves both as they are. Set "
            'resampling_target="data", or bring both to one grid.'
        )
    background = masker.background_label if name == "labels_img" else 0
    is_region = np.asarray(img.dataobj) != background
    is_region = is_region.reshape(*img.shape[:3], -1).any(axis=3)
    if not is_inside(np.argwhere(is_region), img.affine, image).any():
        raise ValueError(
            f"{where}: {name} and the image do not overlap. Are both in the same "
            f"space? Affine of {name}:\n{img.affine}\nof the image:\n{image.affine}"
        )
