"""Whether runs and maskers go together, before any scan is read."""

import numpy as np
from nilearn.maskers import NiftiLabelsMasker, NiftiSpheresMasker, SurfaceLabelsMasker

from .._arrays.cleaning import check_cleaning, leaves_enough
from .._images.grids import check_vertices, grid, is_inside, is_surface, same_grid
from .._images.images import t_r_in_header
from .._support.checks import check_has_signals
from .reference import given_seeds
from .regions_of_maskers import members_in_brain, unsmoothed_regions
from .sources import (
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


def check_before_fit(source, opened):
    """Raise an error where a run and the parameters of a masker do not go together."""
    if not is_known_masker(source.masker):
        return
    if is_given(source.masker):
        check_has_signals(opened.run.seed_signals, opened.where, source.name)
    else:
        _check_kind(source, opened)
    source.cleaning.with_t_r(opened.t_r).check(
        f"{opened.where}, {source.name}", t_r_in_header(opened.image)
    )


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
        coverage = [
            in_brain[places].mean() if len(places) else np.nan
            for places, _ in regions.members_of_seeds()
        ]
        check_coverage(seeds, coverage, regions.sizes(), run.where)


def check_coverage(seeds, coverage, n_voxels, where):
    """Raise ValueError where no voxel of a seed is one of the brain's.

    Parameters
    ----------
    seeds : SignalSource
    coverage : sequence of n_seeds float
        NaN where it is not known.
    n_voxels : sequence of n_seeds int
    where : str
        Names the run.
    """
    outside = np.flatnonzero(np.equal(coverage, 0))
    if len(outside):
        seed = describe_seed(seeds, outside[0], len(coverage))
        raise ValueError(
            f"{where}: {seed} has no voxel within the brain mask and with a signal, of "
            f"{n_voxels[outside[0]]}. Move the seed into the brain, or pass a brain "
            "mask that holds it."
        )


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
    where, masker = f"{where}, {source.name}", source.masker
    on_grid = same_grid(img, image)
    keeps_grid = getattr(masker, "resampling_target", "data") is None
    if keeps_grid and not on_grid and name != "mask_img":
        raise ValueError(
            f"{where}: the image is not on the grid of {name}, and "
            "resampling_target=None leaves both as they are. Set "
            'resampling_target="data", or bring both to one grid.'
        )
    background = masker.background_label if name == "labels_img" else 0
    is_region = np.asarray(img.dataobj) != background
    is_region = is_region.reshape(*img.shape[:3], -1).any(axis=3)
    if on_grid:  # nilearn may have resampled regions that lie elsewhere
        if not is_region.any():
            raise ValueError(
                f"{where}: nothing of {name} lies within the image. Are both in the "
                "same space?"
            )
    elif not is_inside(np.argwhere(is_region), img.affine, image).any():
        raise ValueError(
            f"{where}: {name} and the image do not overlap. Are both in the same "
            f"space? Affine of {name}:\n{img.affine}\nof the image:\n{image.affine}"
        )
