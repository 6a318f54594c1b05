"""What the paragraph on methods says of cleaning, censoring and smoothing."""

from .._signals.kinds import adapter_of
from .references import cite
from .tables import mapped_runs
from .used import confound_names, own
from .words import counted, joined, named, spanned

MOST_CONFOUNDS = 40
"""How many confounds a paragraph names."""

NOT_KNOWN = (
    "[Confounds: fit does not keep their names; pass the runs to generate_report to "
    "have them here.]"
)
"""What stands in the paragraph where the confounds should."""

CENSORED = {
    "butterworth": "filters saw splines through the kept scans instead",
    "cosine": "cosines were taken out of the kept scans alone",
}
"""What censoring means to a filter."""


def _adapters(sbc):
    """Return the adapters of the seed masker and of the brain masker."""
    return [
        adapter_of(sbc.seed_masker_, "seed_masker"),
        adapter_of(sbc.brain_masker_, "brain_masker"),
    ]


# Cleaning


def cleaning(sbc, maps, runs):
    """Return how time series were cleaned, seeds and voxels together if they were."""
    adapters, confounds = _adapters(sbc), _confounds(runs)
    seeds, brain = (_steps(own, adapters[1], confounds) for own in adapters)
    sides = {"The time series of seeds": seeds, f"Those of {maps.unit}": brain}
    if seeds == brain:
        sides = {f"The time series of seeds and {maps.unit}": brain}
    sentences = [_cleaned(side, steps, runs) for side, steps in sides.items()]
    return [*sentences, NOT_KNOWN] if runs is None else sentences


def _cleaned(subject, steps, runs):
    """Return the sentence for some steps of cleaning, or for words that say it all."""
    if isinstance(steps, str):
        return f"{subject} were {steps}."
    if not steps and runs is None:  # there may have been confounds
        return f"{subject} were neither detrended nor filtered."
    if not steps:
        return f"{subject} were used as they were, uncleaned."
    order = (
        ", in one step so that none brings back what another removed "
        f"{cite('lindquist2019')}"
        if len(steps) > 1
        else ""
    )
    return f"{subject} were {joined(steps)}{order}."


def _steps(adapter, brain, confounds):
    """Return the steps of a masker's cleaning, or words where there are none to tell.

    Where the masker has no cleaning of its own, the steps are those of the brain's.
    """
    if not adapter.is_known:
        return f"cleaned by {type(adapter.masker).__name__}"
    cleaning = _cleaning_of(adapter, brain)
    if cleaning is None:
        return "used as they came with the runs"
    steps = ["linearly detrended"] if cleaning.detrend else []
    steps += _filter_words(cleaning)
    removed = list(confounds)
    if cleaning.high_variance_confounds:
        removed.append(
            f"the principal components of the voxels of highest variance "
            f"{cite('behzadi2007')}"
        )
    if removed:
        steps.append(f"cleaned of {joined(removed)} by linear regression")
    return steps


def _cleaning_of(adapter, brain):
    """Return the `CleaningParameters` of a known masker; None for clean signals."""
    if not adapter.has_own_cleaning:
        return brain.cleaning
    return None if adapter.path == "given" else adapter.cleaning


def _filter_words(cleaning):
    """Return what a filter does, as a list of no or one step."""
    low, high = cleaning.low_pass, cleaning.high_pass
    if cleaning.filter_name == "cosine" and high:
        return [f"freed of drifts below {high:g} Hz by discrete cosines"]
    if cleaning.filter_name != "butterworth":
        return []
    order = (cleaning.clean_args or {}).get("butterworth__order", 5)
    kind = f"(Butterworth, order {order}, forwards and backwards)"
    if low and high:
        return [f"band-pass filtered from {high:g} to {low:g} Hz {kind}"]
    if high:
        return [f"high-pass filtered at {high:g} Hz {kind}"]
    return [f"low-pass filtered at {low:g} Hz {kind}"]


def _confounds(runs):
    """Return the words for the confounds of runs, as a list of none or one."""
    each = [confound_names(run) for run in runs or ()]
    sizes = [len(names) for names in each]
    if not any(sizes):
        return []
    count = spanned(sizes)
    noun = "confound" if count == "1" else "confounds"
    names = list(dict.fromkeys(name for names in each for name in names))
    if all(name.isdigit() for name in names):
        return [f"{count} {noun}"]
    return [f"{count} {noun} ({named(names, MOST_CONFOUNDS)})"]


# Censoring


def censoring(sbc):
    """Return how many scans were left out, and how."""
    report = mapped_runs(sbc)
    n_scans, n_kept = int(report["n_scans"].sum()), int(report["n_kept_scans"].sum())
    if n_scans == n_kept:
        return ""
    how = [CENSORED[name] for name in _filters(sbc)]
    n_lost = n_scans - n_kept
    return (
        f"{counted(n_lost, 'scan')} of {n_scans:,} ({n_lost / n_scans:.1%}) "
        f"{'was' if n_lost == 1 else 'were'} censored {cite('power2014')}"
        f"{', and ' if how else ''}{' and '.join(how)}."
    )


def _filters(sbc):
    """Return the names of the filters of maskers that are known, none twice."""
    adapters = _adapters(sbc)
    known = [_cleaning_of(own, adapters[1]) for own in adapters if own.is_known]
    used = [own for own in known if own is not None and _filter_words(own)]
    return sorted({own.filter_name for own in used})


# Smoothing


def smoothing(sbc):
    """Return how images were smoothed."""
    maskers = sbc.seed_masker_, sbc.brain_masker_
    widths = [own(masker, "smoothing_fwhm") for masker in maskers]
    words = "smoothed with a Gaussian kernel of {:g} mm full width at half maximum"
    if not any(widths):
        return ""
    seeds, brain = widths
    if seeds == brain or adapter_of(sbc.seed_masker_, "seed_masker").path == "given":
        return f"Images were {words.format(brain)}."
    if not seeds:
        return (
            f"Images were {words.format(brain)}; seeds were read from the images as "
            "they were."
        )
    rest = words.format(brain) if brain else "not smoothed"
    return f"Images were {words.format(seeds)} for seeds, and {rest} for the maps."
