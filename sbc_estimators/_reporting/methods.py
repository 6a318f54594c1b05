"""The paragraph on methods that a paper needs, made of what was done."""

from .._maps.seeds import measure_of
from .methods_cleaning import censoring, cleaning, smoothing
from .methods_seeds import seeds, signals
from .references import REFERENCES, cite, cited_in
from .tables import known, mapped_runs
from .used import repetition_time, versions
from .words import joined, spanned

MEASURE_WORDS = {
    "correlation": "Pearson's correlation of each seed with each of {targets}",
    "partial": "The partial correlation of each seed with each of {targets}, the other "
    f"seeds regressed out of both {cite('marrelec2006')},",
    "semipartial": "The semipartial correlation of each seed with each of {targets}, "
    f"the other seeds regressed out of the seed only {cite('marrelec2006')},",
}

SCALE_WORDS = {
    "fisher_z": "",
    "r": "Maps of single runs hold r itself.",
    "z_score": "Maps of single runs hold z scores, which are standard normal where "
    "nothing correlates, from the effective degrees of freedom that cleaning leaves "
    f"{cite('langsrud2005')}.",
}


def methods(sbc, maps, runs=None):
    """Return the methods as text, and what it refers to.

    Parameters
    ----------
    sbc : SeedCorrelationMap
        Fitted.
    maps : Maps
        Of the same.
    runs : list of Run or None, default=None
        Those of `fit` that were mapped; without them confounds and repetition times
        are not known.

    Returns
    -------
    methods : dict of str
        text : the paragraph; references : in full; bibtex : the same as BibTeX.
    """
    sentences = [
        _software(),
        _data(sbc, runs),
        seeds(sbc, maps, runs),
        *cleaning(sbc, maps, runs),
        censoring(sbc),
        smoothing(sbc),
        *signals(sbc, maps, runs),
        _correlation(sbc, maps),
        SCALE_WORDS.get(sbc.scale, f"Maps of single runs are on scale {sbc.scale!r}."),
        _without_signal(sbc, maps),
    ]
    text = " ".join(filter(None, sentences))
    keys = cited_in(text)
    return {
        "text": text,
        "references": "\n\n".join(REFERENCES[key].in_full() for key in keys),
        "bibtex": "\n\n".join(REFERENCES[key].in_bibtex(key) for key in keys),
    }


# What was used


def _software():
    """Return what made the maps."""
    used = {name: f"{name} {version}" for name, version in versions().items()}
    libraries = joined([used[name] for name in ("scikit-learn", "numpy", "scipy")])
    return (
        f"Seed-based correlation maps {cite('biswal1995')} were computed with "
        f"{used['sbc_estimators']}, which builds on {used['nilearn']} "
        f"{cite('abraham2014')}, {libraries} ({used['Python']})."
    )


def _data(sbc, runs):
    """Return how many runs there are, how long, how fast, and how many are missing."""
    scans = spanned([int(n) for n in mapped_runs(sbc)["n_scans"]])
    number = "one run" if sbc.n_runs_ == 1 else f"{sbc.n_runs_} runs"
    return f"The data were {number} of {scans} scans{_speed(sbc, runs)}{_missing(sbc)}."


def _speed(sbc, runs):
    """Return the words for the repetition times that are known.

    Without runs there are none: one of its own comes before that of a masker.
    """
    times = [repetition_time(sbc, run) for run in runs or ()]
    there = [float(t_r) for t_r in times if t_r is not None]
    if not there:
        return ""
    some = f", known of {len(there)} of them" if len(there) < len(times) else ""
    return f" (repetition time {spanned(there)} s{some})"


def _missing(sbc):
    """Return the words for runs that were left out."""
    n_runs = len(sbc.run_report_)
    n_missing = n_runs - sbc.n_runs_
    if not n_missing:
        return ""
    was, it = ("was", "it") if n_missing == 1 else ("were", "they")
    return f"; {n_missing} of {n_runs} runs {was} left out, as {it} could not be mapped"


# Maps


def _correlation(sbc, maps):
    """Return what the maps are."""
    where = "" if maps.unit == "regions" else " in the brain mask"
    targets = f"{sbc.n_voxels_:,} {maps.unit}{where}"
    others = f"The measure {sbc.measure_!r} of each seed with each of {{targets}}"
    what = MEASURE_WORDS.get(measure_of(sbc.measure_, sbc.n_seeds_), others).format(
        targets=targets
    )
    if sbc.n_runs_ == 1:
        mean = ""
    else:
        mean = f" and averaged over {sbc.n_runs_} runs {cite('silver1987')}"
    return f"{what} was transformed to Fisher z{mean}.{_degrees_of_freedom(sbc)}"


def _degrees_of_freedom(sbc):
    """Return what cleaning left, where it is known."""
    left = [known(value) for value in mapped_runs(sbc)["effective_dof"]]
    left = [round(value, 1) for value in left if value is not None]
    if not left:
        return ""
    return f" Cleaning left {spanned(left)} effective degrees of freedom in a run."


def _without_signal(sbc, maps):
    """Return what became of voxels without a signal."""
    most = int(mapped_runs(sbc)["n_without_signal"].max())
    if not most:
        return ""
    return f"In a run, up to {most:,} {maps.unit} had no signal; their z was set to 0."
