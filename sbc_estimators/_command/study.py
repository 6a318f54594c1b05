"""What `sbc-map` does with all runs: plan, check, map what is not there, sum up."""

import re
import warnings
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pandas as pd
from sklearn.utils.parallel import Parallel, delayed
from tqdm import tqdm

from .._reporting.bids import DESCRIPTION, write_description
from .._reporting.bids_names import has_person, places_of
from .._reporting.tables import run_labels
from .._support.files import check_targets, replacing
from .._support.messages import some_of, warn
from ..runs._bids import acquisition
from .bids_maps import MapsInBids, run_of, targets_in_run
from .estimators import in_file_name, make_seeds, names_in
from .inputs import find_sources
from .mapping import MapsInFolder, describe
from .summary import text_of_study
from .together import check_out

INDEX = "index.html"
"""The page that leads to the reports of a study."""

OF_ALL_RUNS = ("run_report.tsv", "seed_report.tsv", DESCRIPTION)
"""What is written of a study beside its maps."""

WORKER_DIED = (
    "a worker process died before it was done, perhaps for want of memory. Map fewer "
    "runs at a time with --n-jobs"
)


def map_all(options):
    """Map the seeds in all runs, and write all files.

    Parameters
    ----------
    options : argparse.Namespace
        As `__main__` parses them.

    Returns
    -------
    text : str
        What was done.
    failed : dict of str
        By run, why it could not be mapped.

    Raises
    ------
    ValueError, TypeError, FileNotFoundError, OSError
        If something cannot be used, before any work; of a run whose name is not one of
        BIDS and which is the only one, also where it fails.
    """
    sources = find_sources(options)
    by_bids = bool(options.func) and all(has_person(own.func) for own in sources)
    plan = _planned_by_bids if by_bids else _planned_in_folders
    runs = plan(options, sources)
    is_alone = len(runs) == 1 and not by_bids
    further = () if is_alone else (*OF_ALL_RUNS, INDEX)
    _check_targets(runs, [options.out / name for name in further])
    if is_alone:
        return describe(runs[0].make(), runs[0].out), {}
    if by_bids:
        options.out.mkdir(parents=True, exist_ok=True)
        write_description(options.out)
    done = [own for own in runs if own.is_done()]
    failed = _made([own for own in runs if own not in done], options.n_jobs)
    mapped = [own for own in runs if own.name not in failed]
    tables = _write_tables(options.out, runs, mapped)
    if options.report:
        options.out.mkdir(parents=True, exist_ok=True)  # though nothing was mapped
        _write_index(options.out, runs, failed)
    return text_of_study(options, runs, done, failed, tables), failed


# Plan


def _planned_by_bids(options, sources):
    """Return the maps of all runs, under names by BIDS."""
    seeds = _seeds(options, sources)
    runs = [run_of(own) for own in sources]
    places_of(runs, runs, seeds[0])  # whether two runs would get one name
    labels = run_labels([str(own.func) for own in sources])
    planned = []
    for source, run, own, label in zip(sources, runs, seeds, labels, strict=True):
        (places,) = places_of([run], [run], own)
        targets = targets_in_run(options, source, own, places)
        is_one = len(sources) == 1
        planned.append(MapsInBids(label, options, source, options.out, targets, is_one))
    return planned


def _planned_in_folders(options, sources):
    """Return the maps of all runs, under the same names in a folder each."""
    seeds = _seeds(options, sources)
    endings = r"(\.dtseries)?(\.nii)?(\.\w+)?$"
    stems = [re.sub(endings, "", own.func.name) for own in sources]
    folders = [options.out]
    if len(sources) > 1:
        folders = [options.out / stem for stem in stems]
        _check_different("runs", stems, stems)
    for own in seeds:
        _check_different("seeds", own, map(in_file_name, own))
    return [
        MapsInFolder(stem, options, *own)
        for stem, *own in zip(stems, sources, folders, seeds, strict=True)
    ]


def _seeds(options, sources):
    """Return the names of the seeds in each run, which must hold all of them."""
    names, by_grid = [], {}
    for own in sources:
        key = own.grid.key
        if key not in by_grid:
            by_grid[key] = names_in(make_seeds(options), own.func, own.grid)
        names.append(by_grid[key])
    return names


def _check_different(what, names, in_files):
    """Raise ValueError where the files of two seeds or runs would get one name."""
    seen = {}  # some file systems do not tell PCC from pcc
    for position, own in enumerate(in_files):
        other = seen.setdefault(own.casefold(), position)
        if other != position:
            raise ValueError(
                f"{what} {names[other]!r} and {names[position]!r} would have files of "
                f"one name, {own!r}. Call one of them something else"
            )


def _check_targets(runs, further):
    """Raise an error where a file of a run, or a further one, cannot be written."""
    paths = [*(path for own in runs for path in own.paths()), *further]
    for path in paths:
        check_targets(path.parent, [path.name])
    for folder in dict.fromkeys(path.parent for path in paths):
        check_out(folder)


# Work


def _made(runs, n_jobs):
    """Map runs, tell what there is to warn of; return by name why some failed."""
    failed, heard = {}, {}
    outcomes = _outcomes(runs, n_jobs)
    # Without a terminal there is no bar, and of one run nothing to show.
    hidden = True if len(runs) < 2 else None
    bar = tqdm(outcomes, "runs", len(runs), unit="run", leave=False, disable=hidden)
    for own, (texts, error) in zip(runs, bar, strict=True):
        for text in texts:
            heard.setdefault(text, []).append(own.name)
        if error is not None:
            failed[own.name] = error
    for text, names in heard.items():
        warn(f"{some_of(names, most=3)}: {text}")
    return failed


def _outcomes(runs, n_jobs):
    """Yield for each run what it warned of, and why it failed, None if it did not."""
    n_told = 0
    try:
        with Parallel(n_jobs=n_jobs, return_as="generator") as parallel:
            for outcome in parallel(delayed(_outcome)(own) for own in runs):
                yield outcome
                n_told += 1
    except BrokenProcessPool:
        for own in runs[n_told:]:
            yield [], None if own.is_done() else WORKER_DIED


def _outcome(own):
    """Map one run; return what it warned of, and why it failed."""
    error = None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            own.make()
        except Exception as reason:  # whatever it is, the other runs go on
            error = _named(own, reason)
    heard = [
        _named(own, warning.message)
        for warning in caught
        if warning.category in (UserWarning, RuntimeWarning)
    ]
    return list(dict.fromkeys(heard)), error


def _named(own, message):
    """Return what is said of a run on one line, in which it has no number."""
    text = " ".join(str(message).split())
    here = rf"run (0 \()?{re.escape(repr(str(own.file)))}\)?"
    text = re.sub(here, "the run", re.sub(f"^{here}[:,] ", "", text))
    return text or type(message).__name__


# What is written of all runs


def _write_tables(out, runs, mapped):
    """Write what is told of the runs and of their seeds; return both tables.

    The position of a run is that among all, mapped or not.
    """
    run_rows, seed_rows = [], []
    for own in mapped:
        run, seeds = own.rows()
        first = {"run": runs.index(own), **acquisition(str(own.file))}
        last = {"img": str(Path(own.file).absolute())}
        run_rows.append({**first, **run, **last})
        seed_rows += [{**first, **seed, **last} for seed in seeds]
    tables = pd.DataFrame(run_rows), pd.DataFrame(seed_rows)
    for name, table in zip(OF_ALL_RUNS[:2], tables, strict=True):
        if not len(table):
            (out / name).unlink(missing_ok=True)  # of another time
            continue
        with replacing(out / name) as file:
            table.to_csv(file, sep="\t", index=False, na_rep="n/a")
    return tables


def _write_index(out, runs, failed):
    """Write the page that leads to the reports."""
    from .pages import page_of_pages

    with replacing(out / INDEX) as file:
        file.write_text(page_of_pages(out, runs, failed), encoding="utf-8")
