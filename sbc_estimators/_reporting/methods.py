"""The paragraph on methods that a paper needs, made of what was done."""

import os

import numpy as np

from .._signals.kinds import adapter_of
from .._support.messages import in_mm
from .images import SURFACE, kind_of
from .references import REFERENCES, cite, cited_in
from .tables import known, mapped_runs
from .used import confound_names, own, repetition_time, versions

MOST_NAMED = 12
"""How many seeds a paragraph names; more are in a table."""

MOST_CONFOUNDS = 40
"""How many confounds it names."""

NOT_KNOWN = (
    "[Confounds: fit does not keep their names; pass the runs to generate_report to "
    "have them here.]"
)
"""What stands in the paragraph where the confounds should."""

SUMMARY_WORDS = {
    "mean": "the mean of its {unit}",
    "median": "the median of its {unit} after cleaning",
    "pca": "the first principal component of its {unit} after cleaning",
    "standardized_mean": "the mean of its {unit}, each cleaned and scaled to unit "
    "variance",
}

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
        Those of `fit`; without them confounds and repetition times are not known.

    Returns
    -------
    methods : dict of str
        text : the paragraph; references : in full; bibtex : the same as BibTeX.
    """
    sentences = [
        _software(),
        _data(sbc, runs),
        _seeds(sbc, maps),
        *_cleaning(sbc, maps, runs),
        _censoring(sbc),
        _smoothing(sbc),
        _summary(sbc),
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


# Words


def joined(words):
    """Return words as a list in a sentence.

    Examples
    --------
    >>> joined(["a", "b", "c"])
    'a, b and c'
    """
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last


def counted(number, noun):
    """Return a number with its noun, in the plural if need be."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def spanned(values):
    """Return numbers as one, or as their range."""
    low, high = min(values), max(values)
    return f"{low:,g}" if low == high else f"{low:,g} to {high:,g}"


def _named(names, most):
    """Return names, not too many of them."""
    more = [f"{len(names) - most} more"] if len(names) > most else []
    return joined([*map(str, names[:most]), *more])


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
    """Return how many runs there are, how long, and how fast."""
    scans = spanned([int(n) for n in mapped_runs(sbc)["n_scans"]])
    times = _repetition_times(sbc, runs)
    speed = f" (repetition time {spanned(times)} s)" if times else ""
    if sbc.n_runs_ == 1:
        return f"The data were one run of {scans} scans{speed}."
    return f"The data were {sbc.n_runs_} runs of {scans} scans{speed}."


def _repetition_times(sbc, runs):
    """Return the repetition times in seconds that are known."""
    if runs is None:
        times = [own(sbc.brain_masker_, "t_r")]
    else:
        times = [repetition_time(sbc, run) for run in runs]
    return [float(t_r) for t_r in times if t_r is not None]


# Seeds


def _seeds(sbc, maps):
    """Return what the seeds were."""
    names, masker = list(map(str, sbc.seed_names_)), sbc.seed_masker_
    adapter, one = adapter_of(masker, "seed_masker"), len(names) == 1
    subject = "The seed was" if one else f"The {len(names)} seeds were"
    is_many = len(names) > MOST_NAMED
    element = adapter.element
    if element in ("sphere", "disc"):
        what = _sized(element if one else f"{element}s", adapter)
        where = "" if is_many else f" around {joined(_centres(names, adapter))}"
        return f"{subject} {'a ' * one}{what}{placed_by_runs(adapter) or where}."
    said = "" if is_many else joined(names)
    signals = f"the signals of {type(masker).__name__}"
    if adapter.path == "given":
        signals = f"time series that came with the runs ({said})"
    words = {
        "region": f"the region{'' if one else 's'} {said} {_atlas(masker)}",
        "map": f"weighted map{'' if one else 's'} ({said})",
        "signal": signals,
    }
    words = words.get(element, f"single {maps.unit}")
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


def _sized(what, adapter):
    """Return the words for spheres or discs with their radius."""
    radii = [adapter.parameters.get("radius") or 0]
    if adapter.placed() is not None:
        radii = [radius for _, _, radius in adapter.placed()]
    if max(radii) == 0:
        return {"s": "single voxels"}.get(what[-1], "single voxel")
    along = " along the surface" if what.startswith("disc") else ""
    return f"{what} of {spanned(radii)} mm radius{along}"


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


def _summary(sbc):
    """Return how the voxels of a seed became one signal."""
    masker = sbc.seed_masker_
    element = adapter_of(masker, "seed_masker").element
    grid = getattr(masker, "grid_", None)
    if element == "map":
        return "The signals of the maps were found by least squares, all at once."
    if element not in ("sphere", "disc", "region"):
        return ""
    kind = kind_of(getattr(masker, "labels_img_", None)) if grid is None else grid.kind
    unit = "vertices" if element == "disc" or kind == SURFACE else "voxels"
    summary = sbc.seed_summary_
    others = f"the {summary!r} of its {{unit}} after cleaning"
    words = SUMMARY_WORDS.get(summary, others).format(unit=unit)
    return f"The signal of a seed was {words}."


# Cleaning


def _cleaning(sbc, maps, runs):
    """Return how time series were cleaned, seeds and voxels together if they were."""
    confounds = _confounds(runs)
    brain = _steps(sbc.brain_masker_, confounds)
    seeds = _steps(sbc.seed_masker_, confounds)
    unknown = [NOT_KNOWN] if runs is None else []
    if seeds is None or seeds == brain:
        return [_cleaned(f"The time series of seeds and {maps.unit}", brain), *unknown]
    return [
        _cleaned("The time series of seeds", seeds),
        _cleaned(f"Those of {maps.unit}", brain),
        *unknown,
    ]


def _cleaned(subject, steps):
    """Return the sentence for some steps of cleaning."""
    if not steps:
        return f"{subject} were used as they were, uncleaned."
    if isinstance(steps, str):
        return f"{subject} were cleaned by {steps}."
    order = (
        ", in one step so that none brings back what another removed "
        f"{cite('lindquist2019')}"
        if len(steps) > 1
        else ""
    )
    return f"{subject} were {joined(steps)}{order}."


def _steps(masker, confounds):
    """Return the steps of a masker's cleaning as words.

    None where it has no cleaning of its own, the name of its class where only it knows.
    """
    adapter = adapter_of(masker, "masker")
    parameters = adapter.parameters
    if not adapter.is_known:
        return type(masker).__name__
    if "detrend" not in parameters:
        return None
    steps = ["linearly detrended"] if parameters["detrend"] else []
    steps += _filter_words(parameters)
    removed = list(confounds)
    if parameters.get("high_variance_confounds"):
        removed.append(
            f"the principal components of the voxels of highest variance "
            f"{cite('behzadi2007')}"
        )
    if removed:
        steps.append(f"cleaned of {joined(removed)} by linear regression")
    return steps


def _filter_words(parameters):
    """Return what the filter of a masker does, as a list of no or one step."""
    low, high = parameters["low_pass"], parameters["high_pass"]
    options = parameters.get("clean_args") or {}
    chosen = options.get("filter", "butterworth")
    if chosen == "cosine" and high:
        return [f"freed of drifts below {high:g} Hz by discrete cosines"]
    if chosen != "butterworth" or not (low or high):
        return []
    order = options.get("butterworth__order", 5)
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
    return [f"{count} {noun} ({_named(names, MOST_CONFOUNDS)})"]


def _censoring(sbc):
    """Return how many scans were left out, and how."""
    report = mapped_runs(sbc)
    n_scans, n_kept = int(report["n_scans"].sum()), int(report["n_kept_scans"].sum())
    if n_scans == n_kept:
        return ""
    given = own(sbc.brain_masker_)
    is_filtered = "low_pass" in given and _filter_words(given)
    how = ", and filters saw splines through the kept scans instead"
    n_lost = n_scans - n_kept
    return (
        f"{counted(n_lost, 'scan')} of {n_scans:,} ({n_lost / n_scans:.1%}) "
        f"{'was' if n_lost == 1 else 'were'} censored {cite('power2014')}"
        f"{how if is_filtered else ''}."
    )


def _smoothing(sbc):
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


# Maps


def _correlation(sbc, maps):
    """Return what the maps are."""
    where = "" if maps.unit == "regions" else " in the brain mask"
    targets = f"{sbc.n_voxels_:,} {maps.unit}{where}"
    others = f"The measure {sbc.measure_!r} of each seed with each of {{targets}}"
    what = MEASURE_WORDS.get(sbc.measure_, others).format(targets=targets)
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
