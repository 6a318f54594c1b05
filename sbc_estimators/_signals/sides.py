"""The two sides of a run: whether maskers and runs go together, and what is read."""

import pickle
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import nilearn
import numpy as np

from .. import __version__
from .._arrays.cleaning import (
    ALIKE_TOLERANCE,
    check_cleaning,
    compile_cleaning,
    leaves_enough,
)
from .._images.grids import NotLinearError
from .._images.opening import key_of
from .._support.digests import digest
from .._support.messages import naming, run_in_warnings, warn
from ..runs._times import others_told, told_times

# Checks


def fit_maskers(seeds, brain, opened):
    """Check runs, fit both maskers to all of them, and check that all go together.

    Parameters
    ----------
    seeds, brain : Adapter
        Their maskers are fitted in place.
    opened : list of OpenedRun
    """
    seen = _seen_by([seeds, brain], opened)
    with naming() as about:
        _check_runs(seen, brain, opened, about)
        # Seeds before the brain's mask is computed, for which runs are read.
        for adapter, runs in seen:
            about.name, about.part = "", adapter.name
            adapter.fit(runs)
            _check_fitted(adapter, runs, about)
    _warn_of_other_times([seeds, brain], brain, opened)
    _warn_of_different_cleaning(seeds, brain)
    _warn_of_drifts_removed_twice(seeds, brain, opened)


def check_fitted(adapters, brain, opened):
    """Raise an error where runs do not go with fitted maskers.

    Parameters
    ----------
    adapters : list of Adapter
    brain : Adapter
        Of the brain masker, which says how seeds of ours are cleaned.
    opened : list of OpenedRun
    """
    seen = _seen_by(adapters, opened)
    with naming() as about:
        _check_runs(seen, brain, opened, about)
        for adapter, runs in seen:
            _check_fitted(adapter, runs, about)
    _warn_of_other_times(adapters, brain, opened)


def _seen_by(adapters, opened):
    """Return each adapter with the runs as its masker sees them."""
    return [(own, [run.seen_by(own.name) for run in opened]) for own in adapters]


def _check_runs(seen, brain, opened, about):
    """Raise an error where runs do not go with maskers, fitted or not."""
    checked = set()
    for adapter, _ in seen:
        about.part = adapter.name
        adapter.check_parameters()
    for i, run in enumerate(opened):
        about.name = run.where
        for adapter, runs in seen:
            about.part = adapter.name
            adapter.check_run(runs[i])
            if adapter.is_known:
                decides = adapter if adapter.has_own_cleaning else brain
                about.part = decides.name
                _check_cleaning(cleaning_of(adapter, brain, run), run, checked)


def _check_fitted(adapter, runs, about):
    """Raise an error where a fitted masker's regions or mask miss one of the runs."""
    for run in runs:
        about.name = run.where
        about.part = f"{adapter.name}, {run.part}" if run.part else adapter.name
        adapter.in_run(run).check_fitted(run)


def _check_cleaning(cleaning, run, checked):
    """Raise ValueError where cleaning makes no sense, or leaves nothing of a run.

    Runs that differ in their confounds alone are looked at one by one only where these
    could take away all that is left; of others, cases that were checked are kept.
    """
    n_confounds = 0 if run.confounds is None else run.confounds.shape[1]
    place = (run.n_scans, run.kept)
    case = pickle.dumps((cleaning, *place, n_confounds))
    if case not in checked:
        told = ""
        if cleaning.t_r is None and cleaning.needs_t_r:
            told = " and ".join(map(str, told_times(run.run.img, run.scans.t_r)))
        cleaning.check(f" {told[0].upper()}{told[1:]}." if told else "")
        checked.add(case)
    if not _leaves_enough(case):
        check_cleaning(cleaning, *place, run.confounds)


@lru_cache(maxsize=64)
def _leaves_enough(case):
    """Return `leaves_enough` of what is pickled: a grid search asks again and again."""
    return leaves_enough(*pickle.loads(case))


# Warnings


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
    told = [name for name in differing if name not in unsaid]
    if told:
        is_shared = {"low_pass", "high_pass", "t_r"} >= set(differing)
        cure = "Set both alike"
        cure += ", or those of SeedCorrelationMap." if is_shared else "."
        warn(
            "seed_masker and brain_masker clean differently, in "
            f"{differences_in_words(ours, theirs, told)}. {cure}"
        )


def differences_in_words(ours, theirs, names):
    """Return the words for what some parameters of two cleanings are."""
    return ", ".join(
        f"{name} ({getattr(ours, name)!r} and {getattr(theirs, name)!r})"
        for name in names
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


# Plans


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
    run : OpenedRun
        As the masker sees it.
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
    run: Any
    cleaning: Any
    spatial: Any = None
    path: str = "streamed"
    told: str = "streamed"

    @cached_property
    def key(self):
        """The key of the signals but for what the masker does to space."""
        run, confounds = self.run, self.run.confounds
        if confounds is not None:
            confounds = confounds[run.kept]
        cleaning = [(name, key_of(own)) for name, own in vars(self.cleaning).items()]
        versions = nilearn.__version__, __version__
        return digest(versions, run.scans.fingerprint, run.kept, cleaning, confounds)

    def compiled(self):
        """Return the `CleaningOperator` of the signals."""
        run, confounds = self.run, self.run.confounds
        if self.cleaning.high_variance_confounds:
            confounds = run.scans.with_high_variance(confounds, run.kept)
        return compile_cleaning(self.cleaning, run.n_scans, run.kept, confounds)


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
        return any(s.path == "compiled" and s.run.scans is scans for s in sides)


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
    is_shared = seeds.run is brain.run and seeds.path == brain.path == "streamed"
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
    if cleaning.high_variance_confounds and seeds.run is not brain.run:
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
    run = opened.seen_by(adapter.name)
    adapter = adapter.in_run(run)
    side = Side(adapter, run, cleaning_of(adapter, brain, opened), path=adapter.path)
    try:
        return replace(side, spatial=adapter.on(run.scans.grid))
    except NotLinearError as reason:
        path = "compiled" if adapter.path == "streamed" else adapter.path
        told = f"{path}: {reason}"
        return replace(side, spatial=reason.spatial, path=path, told=told)


def members_in_brain(plan):
    """Return which members of seeds lie within the brain mask, bool `(n_members,)`.

    Where the brain masker has no mask, or it is of another kind than the seeds' image,
    all count as within.
    """
    members, grid = plan.seeds.spatial.members, plan.seeds.run.scans.grid
    mask = plan.brain.adapter.still("mask_img")
    if mask is None or mask.grid.kind != grid.kind:
        return np.ones(len(members), bool)
    return grid.values_at(mask, members) != 0
