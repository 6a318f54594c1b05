"""The table of masker kinds; how maskers and runs go together, and whether they do.

What kind a masker is, is asked here and nowhere else. A new kind is one adapter and its
row in `KINDS`.
"""

import inspect
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from nilearn.maskers import (
    MultiNiftiLabelsMasker,
    MultiNiftiMapsMasker,
    MultiNiftiMasker,
    NiftiLabelsMasker,
    NiftiMapsMasker,
    NiftiMasker,
    NiftiSpheresMasker,
    SurfaceLabelsMasker,
    SurfaceMapsMasker,
    SurfaceMasker,
)
from sklearn.base import clone

from .._arrays.cleaning import ALIKE_TOLERANCE, check_cleaning, leaves_enough
from .._images.grids import NotLinearError
from .._support.messages import naming, run_in_warnings, warn
from ..maskers import (
    GivenSignals,
    GrayordinateMasker,
    MapSeeds,
    RegionSeeds,
    SphereSeeds,
    SurfaceSeeds,
)
from ..runs._times import others_told, told_times
from .adapters import DEFAULTS, OnVolume
from .others import (
    Foreign,
    Given,
    Grayordinates,
    HeirOnSurface,
    HeirOnVolume,
    OnSurface,
    Ours,
)

METHODS = ("fit", "transform", "inverse_transform", "get_params", "set_params")
"""What every masker has."""


VOLUME_KINDS = (
    NiftiMasker,
    NiftiLabelsMasker,
    NiftiMapsMasker,
    NiftiSpheresMasker,
    MultiNiftiMasker,
    MultiNiftiLabelsMasker,
    MultiNiftiMapsMasker,
)
SURFACE_KINDS = (SurfaceMasker, SurfaceLabelsMasker, SurfaceMapsMasker)


def _is_one_of(*kinds):
    """Return what tells whether a masker's class is one of some: no subclass is."""
    return lambda masker: type(masker) in kinds


def _is_nilearn_own(*kinds):
    """Return whether a masker is nilearn's own; a subclass may do anything."""
    return lambda masker: (
        isinstance(masker, kinds)
        and type(masker).__module__.partition(".")[0] == "nilearn"
    )


def _is_heir(*kinds):
    """Return what tells whether a masker derives from one of some."""
    return lambda masker: isinstance(masker, kinds)


KINDS = [
    (_is_one_of(SphereSeeds, RegionSeeds, MapSeeds, SurfaceSeeds), Ours),
    (_is_one_of(GivenSignals), Given),
    (_is_one_of(GrayordinateMasker), Grayordinates),
    (_is_nilearn_own(*VOLUME_KINDS), OnVolume),
    (_is_nilearn_own(*SURFACE_KINDS), OnSurface),
    (_is_heir(*VOLUME_KINDS), HeirOnVolume),
    (_is_heir(*SURFACE_KINDS), HeirOnSurface),
    (lambda masker: True, Foreign),
]
"""What tells a kind of masker, and its adapter; the first that fits is taken."""


def adapter_of(masker, name, shared=None):
    """Return the `Adapter` of a masker, which may be fitted.

    Parameters that hold for both maskers are set where some are given.
    """
    kind = next(kind for is_kind, kind in KINDS if is_kind(masker))
    return kind(name, masker, shared)


def adapter_of_clone(masker, name, shared):
    """Return the `Adapter` of an unfitted clone of a masker.

    Parameters
    ----------
    masker : masker
    name : str
        "seed_masker" or "brain_masker".
    shared : dict
        Parameters that hold for both maskers.

    Raises
    ------
    TypeError
        If it is no masker.
    ValueError
        If it lacks one of the shared parameters.
    """
    _check_masker(masker, name)
    return adapter_of(clone(masker), name, shared)


def default_brain(seeds, grid, shared):
    """Return the `Adapter` of a masker of all of a grid's positions, not smoothed.

    Signals are cleaned as the seed masker says, where it says anything.

    Parameters
    ----------
    seeds : Adapter
    grid : grid
    shared : dict
        Parameters that hold for both maskers.

    Raises
    ------
    ValueError
        If the seed masker cleans as no masker of that kind can.
    """
    masker = DEFAULTS[grid.kind]()
    given, known = vars(seeds.cleaning), masker.get_params(deep=False)
    if "runs" not in known and given["runs"] is not None:
        raise ValueError(
            "seed_masker cleans blocks of scans by themselves (runs), but the brain "
            f"masker of {grid.kind} ({type(masker).__name__}) cannot. Pass each "
            "block as a run of its own, or a brain_masker."
        )
    cleaning = {name: given[name] for name in given.keys() & known.keys()}
    masker.set_params(standardize=None, **cleaning)
    return adapter_of(masker, "brain_masker", shared)


def _check_masker(masker, name):
    """Raise TypeError unless `masker` is an instance with a masker's methods."""
    if inspect.isclass(masker):
        raise TypeError(
            f"{name} must be a masker instance, got the class {masker.__name__}. "
            f"Pass {masker.__name__}(...)."
        )
    missing = [method for method in METHODS if not hasattr(masker, method)]
    if missing:
        raise TypeError(
            f"{name} must have the methods of a nilearn masker, got {masker!r}, "
            f"which lacks {', '.join(missing)}. Pass a nilearn masker, or an object "
            "that derives from sklearn.base.BaseEstimator and has fit, transform and "
            "inverse_transform."
        )
    for parameter, value in masker.get_params(deep=False).items():
        if isinstance(value, Iterator):
            raise TypeError(
                f"{name}: {parameter} must be a list or the like, got {value!r}, which "
                "can be read only once. Pass list(...)."
            )


# Maskers and runs


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


# Checks


def check_runs(adapters, brain, opened):
    """Raise an error where runs do not go with maskers, fitted or not.

    Parameters
    ----------
    adapters : list of Adapter
    brain : Adapter
        Of the brain masker, which says how seeds of ours are cleaned.
    opened : list of OpenedRun
    """
    seen = {}
    with naming() as about:
        for adapter in adapters:
            about.part = adapter.name
            adapter.check_parameters()
        for run in opened:
            about.name = run.where
            for adapter in adapters:
                about.part = adapter.name
                adapter.check_run(run)
                if adapter.is_known:
                    decides = adapter if adapter.has_own_cleaning else brain
                    about.part = decides.name
                    _check_cleaning(cleaning_of(adapter, brain, run), run, seen)
    _warn_of_other_times(adapters, brain, opened)


def _warn_of_other_times(adapters, brain, opened):
    """Warn where a filter uses another repetition time than a run's files tell.

    The first of runs that are alike in this stands for all.
    """
    concerned = {}
    for run in opened:
        cleanings = [cleaning_of(own, brain, run) for own in adapters if own.is_known]
        used = {own.t_r for own in cleanings if own.needs_t_r}
        times = []
        if used:
            with suppress(ValueError):  # nobody needs a sidecar that cannot be read
                times = told_times(run.run.img, run.scans.t_r)
        for t_r in sorted(used):
            others = others_told(t_r, times)
            if others:
                concerned.setdefault((t_r, others), run)
    for (t_r, others), run in concerned.items():
        warn(
            f"{run_in_warnings(run.position, run.run.img)}: the repetition time that "
            f"is used is {t_r:g} s, but {others}. Pass the right one as t_r."
        )


def _check_cleaning(cleaning, run, seen):
    """Raise ValueError where cleaning makes no sense, or leaves nothing of a run.

    Runs that differ in their confounds alone are looked at one by one only where
    these could take away all that is left.
    """
    n_confounds = 0 if run.confounds is None else run.confounds.shape[1]
    case = (repr(cleaning), run.n_scans, run.kept.tobytes(), n_confounds)
    place = (run.n_scans, run.kept)
    if case not in seen:
        told = ""
        if cleaning.needs_t_r and cleaning.t_r is None:
            told = " and ".join(map(str, told_times(run.run.img, run.scans.t_r)))
        cleaning.check(f" {told[0].upper()}{told[1:]}." if told else "")
        seen[case] = leaves_enough(cleaning, *place, n_confounds)
    if not seen[case]:
        check_cleaning(cleaning, *place, run.confounds)


def fit_maskers(seeds, brain, opened):
    """Fit both maskers to all runs, and check that all runs go with them.

    Parameters
    ----------
    seeds, brain : Adapter
        Their maskers are fitted in place.
    opened : list of OpenedRun
    """
    with naming() as about:
        # Seeds before the brain's mask is computed, for which runs are read.
        for adapter in (seeds, brain):
            about.name, about.part = "", adapter.name
            adapter.fit(opened)
            _check_fitted(adapter, opened, about)
    _warn_of_different_cleaning(seeds, brain)
    _warn_of_drifts_removed_twice(seeds, brain, opened)


def check_fitted(adapters, opened):
    """Raise an error where fitted maskers' regions or masks miss one of the runs."""
    with naming() as about:
        for adapter in adapters:
            _check_fitted(adapter, opened, about)


def _check_fitted(adapter, opened, about):
    """Raise an error where one fitted masker misses one of the runs."""
    about.part = adapter.name
    for run in opened:
        about.name = run.where
        with run.naming_image(adapter.scans_of(run)):
            adapter.in_run(run).check_fitted(run)


def _warn_of_different_cleaning(seeds, brain):
    """Warn where seeds and voxels are not cleaned alike.

    Of a third-party masker only the parameters that it has say what it does.
    """
    if not seeds.has_own_cleaning or seeds.path == "given":
        return
    ours, theirs = seeds.cleaning, brain.cleaning
    unsaid = {
        name
        for adapter in (seeds, brain)
        if not adapter.is_known
        for name in vars(ours).keys() - adapter.parameters.keys()
    }
    differing = ours.differences(theirs)
    pairs = [
        f"{name} ({getattr(ours, name)!r} and {getattr(theirs, name)!r})"
        for name in differing
        if name not in unsaid
    ]
    if pairs:
        is_shared = {"low_pass", "high_pass", "t_r"} >= set(differing)
        cure = "Set both alike"
        cure += ", or those of SeedCorrelationMap." if is_shared else "."
        warn(
            f"seed_masker and brain_masker clean differently, in {', '.join(pairs)}. "
            f"{cure}"
        )


def _warn_of_drifts_removed_twice(seeds, brain, opened):
    """Warn where cosines are among the confounds and a filter removes drifts too."""
    is_said_by_brain = not seeds.has_own_cleaning or seeds.path == "given"
    adapter = brain if is_said_by_brain else seeds
    cleaning = adapter.cleaning
    if cleaning.high_pass is None or not any(run.cosines for run in opened):
        return
    if cleaning.filter_name == "butterworth":
        warn(
            "confounds hold cosines against slow drifts (cosine00 and so on), and "
            f"{adapter.name} has high_pass={cleaning.high_pass!r} Hz, so drifts are "
            "removed twice. Set high_pass=None, or leave the cosines out, as "
            'runs_from_fmriprep does with strategy=("motion", "wm_csf").'
        )
