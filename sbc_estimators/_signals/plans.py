"""What is read of a run, and how: a side for seeds and one for voxels."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .._arrays.cleaning import ALIKE_TOLERANCE
from .._images.grids import NotLinearError


def cleaning_of(adapter, brain, opened):
    """Return how signals are cleaned in a run, by the brain masker where it decides."""
    decides = adapter if adapter.has_own_cleaning else brain
    t_r = opened.t_r
    if t_r is None and decides.cleaning.t_r is None and opened.scans.is_t_r_sure:
        t_r = opened.scans.t_r
    return decides.cleaning if t_r is None else replace(decides.cleaning, t_r=t_r)


@dataclass(frozen=True, eq=False)
class Side:
    """Where the signals of seeds, or of voxels, come from in one run.

    Attributes
    ----------
    adapter : Adapter
        Of the fitted masker.
    scans : Scans
        Of the image that the masker takes.
    cleaning : CleaningParameters
        At the run's own repetition time.
    spatial : SpatialMap or None
        What the masker does to space; None where that is not known.
    path : str
        "streamed", "compiled", "reference" or "given".
    told : str
        The path, and why it is not a faster one.
    """

    adapter: Any
    scans: Any
    cleaning: Any
    spatial: Any = None
    path: str = "streamed"
    told: str = "streamed"


@dataclass(frozen=True, eq=False)
class Plan:
    """What is read of a run, and how.

    Attributes
    ----------
    opened : OpenedRun
    seeds, brain : Side
        None for one that is not asked for.
    is_alike : bool
        Whether one operator cleans the seeds and the voxels.
    is_shared : bool
        Whether seeds are taken from the positions that are read of the brain, as far as
        these go: they are alike, and read in the same way of the same image.
    tolerance : float
        Directions of time that cleaning shrinks below this are left out.
    """

    opened: Any
    seeds: Any
    brain: Any
    is_alike: bool
    is_shared: bool = False
    tolerance: float = ALIKE_TOLERANCE

    def is_whole(self, scans):
        """Whether the scans of an image are in memory, for nilearn to work on them."""
        sides = [side for side in (self.seeds, self.brain) if side is not None]
        return any(s.path == "compiled" and s.scans is scans for s in sides)


def plan_run(seeds, brain, opened, names=("seed_masker", "brain_masker")):
    """Return the `Plan` of a run.

    Parameters
    ----------
    seeds, brain : Adapter
        Of fitted maskers.
    opened : OpenedRun
    names : collection of str, default=("seed_masker", "brain_masker")
        Of the sides that are asked for.

    Raises
    ------
    ValueError
        If a seed lies outside the run, or seeds overlap that must not.
    """
    sides = [
        side_of(adapter, brain, opened) if adapter.name in names else None
        for adapter in (seeds, brain)
    ]
    if not _are_alike(*sides):
        return Plan(opened, *sides, is_alike=False, tolerance=0.0)
    seeds, brain = sides
    is_shared = seeds.scans is brain.scans and seeds.path == brain.path == "streamed"
    return Plan(opened, *sides, is_alike=True, is_shared=is_shared)


def plan_brain(brain, opened):
    """Return the `Plan` of a run's brain, for seeds that are cleaned like it."""
    return Plan(opened, None, side_of(brain, brain, opened), is_alike=True)


def _are_alike(seeds, brain):
    """Whether one operator cleans the seeds and the voxels."""
    if seeds is None or brain is None:
        return False
    if not (seeds.adapter.is_known and brain.adapter.is_known):
        return False
    if seeds.path == "given" and seeds.adapter.has_own_cleaning:
        return False  # clean already, as nobody knows
    cleaning = seeds.cleaning
    if cleaning.high_variance_confounds and seeds.scans is not brain.scans:
        return False
    return not cleaning.differences(brain.cleaning)


def side_of(adapter, brain, opened):
    """Return the `Side` of a masker in a run.

    Parameters
    ----------
    adapter : Adapter
    brain : Adapter or Side
        Says how seeds of ours are cleaned.
    opened : OpenedRun
    """
    adapter, scans = adapter.in_run(opened), adapter.scans_of(opened)
    side = Side(adapter, scans, cleaning_of(adapter, brain, opened), path=adapter.path)
    try:
        return replace(side, spatial=adapter.on(scans.grid))
    except NotLinearError as reason:
        path = "compiled" if adapter.path == "streamed" else adapter.path
        told = f"{path}: {reason}"
        return replace(side, spatial=reason.spatial, path=path, told=told)


def members_in_brain(plan):
    """Return which members of seeds lie within the brain mask, bool `(n_members,)`.

    Where the brain masker has no mask, or it is of another kind than the seeds' image,
    all count as within.
    """
    members, grid = plan.seeds.spatial.members, plan.seeds.scans.grid
    mask = plan.brain.adapter.still("mask_img")
    if mask is None or mask.grid.kind != grid.kind:
        return np.ones(len(members), bool)
    return grid.values_at(mask, members) != 0
