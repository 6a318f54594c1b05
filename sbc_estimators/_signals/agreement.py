"""Whether maskers and runs go together; maskers are fitted where they do."""

from contextlib import suppress

from .._arrays.cleaning import check_cleaning, leaves_enough
from .._support.messages import naming, run_in_warnings, warn
from ..runs._times import others_told, told_times
from .plans import cleaning_of


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
