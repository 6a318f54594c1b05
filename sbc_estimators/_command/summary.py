"""What `sbc-map` says in the end of many runs."""

from .._reporting.images import VOLUME
from .inputs import NO_CONFOUNDS
from .rows import in_short


def text_of_study(options, runs, done, failed, tables):
    """Return as text what was done with all runs.

    Parameters
    ----------
    options : argparse.Namespace
        As `__main__` parses them.
    runs, done : list of MapsInBids or of MapsInFolder
        All of them, and those that were there already.
    failed : dict of str
        By name.
    tables : tuple of 2 DataFrame
        Of runs and of seeds.
    """
    low, high = options.band
    sources = [own.source for own in runs]
    lines = [
        ("t_r", _each(sources, _time)),
        ("confounds", _each(sources, _confounds)),
        ("band", f"{low:g} to {high:g} Hz"),
        ("mask", _each(sources, _mask)),
        ("", ""),
        *_rows(runs, done, failed),
        ("", ""),
        ("wrote", _counted(options, runs, done, failed)),
    ]
    names = [
        f"{n}_report.tsv"
        for n, t in zip(("run", "seed"), tables, strict=True)
        if len(t)
    ]
    if options.report:
        names.append("index.html")
    lines += [("wrote", str(options.out / name)) for name in names]
    return "\n".join(f"{label:<14}{text}".rstrip() for label, text in lines)


def _each(sources, words):
    """Return what is said of the runs, the same thing once."""
    said = {}
    for own in sources:
        said.setdefault(words(own), []).append(own)
    if len(said) == 1:
        return next(iter(said))
    return "; ".join(f"{text} in {len(own)} runs" for text, own in said.items())


def _time(source):
    """Return the words for a run's repetition time."""
    seconds = "unknown" if source.t_r is None else f"{source.t_r:g} s"
    return f"{seconds} ({source.t_r_source})"


def _confounds(source):
    """Return the words for a run's confounds."""
    if source.confounds is None:
        return NO_CONFOUNDS
    names = list(source.confounds)
    return ", ".join(names) if len(names) <= 8 else f"{len(names)} columns"


def _mask(source):
    """Return the words for a run's brain mask."""
    if source.kind != VOLUME:
        return "all grayordinates"
    return "computed of the run" if source.mask is None else "from files"


def _rows(runs, done, failed):
    """Return a line for each run, below a head."""
    width = max(len(own.name) for own in runs)
    yield "", f"{'':<{width}}  {'scans':>9}  {'dof':>5}  {'coverage':>8}"
    for own in runs:
        if own.name in failed:
            text = f"failed: {failed[own.name]}"
        else:
            text = _numbers(own, "there already" if own in done else "written")
        yield "run", f"{own.name:<{width}}  {text}"


def _numbers(own, verb):
    """Return what is said of a run that is mapped."""
    run, _, dof, coverage = in_short(own, "?")
    scans = f"{run['n_kept_scans']}/{run['n_scans']}"
    return f"{scans:>9}  {dof:>5}  {coverage:>8}  {_maps(own.n_maps)} {verb}"


def _counted(options, runs, done, failed):
    """Return how many maps there are, and where."""
    there = sum(own.n_maps for own in done)
    new = sum(own.n_maps for own in runs if own.name not in failed) - there
    also = f", beside {there} that were there already" if there else ""
    lost = f"; {len(failed)} of {len(runs)} runs failed" if failed else ""
    return f"{_maps(new)} to {options.out}{also}{lost}"


def _maps(count):
    """Return so many maps in words."""
    return f"{count} map{'' if count == 1 else 's'}"
