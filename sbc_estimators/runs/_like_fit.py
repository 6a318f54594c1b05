"""What the runs of `fit` had, and those after it must not lack."""

from .._support.messages import describe_run
from ._opened import is_bare

BESIDE = ("confounds", "sample_mask")
"""What may stand beside X instead of in a run."""

CARRIED = (*BESIDE, "seed_img")
"""What a run must not lack in `transform` if every run had it in `fit`."""

EVERY_RUN, SOME_RUNS = "every run", "some runs"
"""Who had something in `fit`, in the words of errors."""


def carried(runs, beside):
    """Return who had what in `fit`: words by name, None for what can be left out.

    Where a run without is one among others, what it lacks was left out on purpose,
    unless all of them were said beside X.

    Parameters
    ----------
    runs : list of Run
    beside : dict
        What was passed beside X, by name.
    """
    return {name: _who_had(name, runs, beside.get(name)) for name in CARRIED}


def _who_had(name, runs, said):
    """Return the words for which runs had something, None where it can be left out."""
    had = [getattr(run, name) is not None for run in runs]
    if all(had):
        return EVERY_RUN
    return SOME_RUNS if any(had) and said is not None else None


def check_like_fit(in_fit, X, runs, beside, names=CARRIED):
    """Raise ValueError where a run lacks what runs had in `fit`.

    Parameters
    ----------
    in_fit : dict
        As `carried` returns it.
    X : run or sequence of runs
        As the user passed it.
    runs : list of Run
        The same, with what was passed beside it.
    beside : dict
    names : sequence of str, default=CARRIED
        What is needed.
    """
    for name in names:
        missing = [getattr(run, name) is None for run in runs]
        if in_fit[name] == SOME_RUNS:
            # An image alone, with nothing said of all: as scikit-learn drops it.
            is_said = beside.get(name) is not None
            missing = [not is_said and own for own in is_bare(X)]
        if in_fit[name] is not None and any(missing):
            position = missing.index(True)
            raise ValueError(
                f"{describe_run(position, runs[position].img)}: {in_fit[name]} had "
                f"{name} in fit, this one has none, so its map would be of another "
                f"kind. {_cure(name)}"
            )


def _cure(name):
    """Return the words that say how a run does not lose something."""
    if name == "seed_img":
        return "Pass Run(img, seed_img=...)."
    return (
        f"scikit-learn does not hand {name} to transform in cross-validation: pass "
        "Run(img, confounds=..., sample_mask=...), which carries its own."
    )
