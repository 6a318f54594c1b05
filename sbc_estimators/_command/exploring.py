"""What `sbc-map --explore` does: one run on a page."""

import numpy as np
import pandas as pd

from .._explore.explorer import Explorer, check_viewer
from .._explore.recipes import Origins, cleaning_words
from .._support.tables import read_table, separator_in
from .confounds import DERIVATIVE
from .estimators import make_estimator
from .inputs import find_sources
from .together import option


def open_page(options):
    """Return the `Explorer` of a run.

    Parameters
    ----------
    options : argparse.Namespace
        As `__main__` parses them.

    Raises
    ------
    ImportError
        If nilearn brings no viewer along.
    """
    check_viewer()
    (source,) = find_sources(options)
    estimator = make_estimator(options, source).fit(source.run)
    return Explorer(estimator, source.run, None, 0, origins_of(options, source))


def origins_of(options, source):
    """Return in which words a run was given whose confounds are in memory by now."""
    code = {}
    if source.confounds is not None and options.strategy is None:
        code["confounds"] = _code_of_confounds(options, source)
    if source.mesh is not None:
        left, right = (str(path.absolute()) for path in options.mesh)
        code["mesh"] = f"PolyMesh({left!r}, {right!r})"
    return Origins(code, tuple(_words(options, source)))


def _code_of_confounds(options, source):
    """Return the code that reads the confounds as they were used."""
    path, columns = source.confounds_file.absolute(), list(source.confounds)
    are_filled = any(DERIVATIVE in name for name in columns)
    if options.confounds and options.columns is None and not are_filled:
        return repr(str(path))  # all of the table, as it is
    how = {"sep": separator_in(path).replace(" ", r"\s+")}
    if not _is_read(path, how, source.confounds):
        names = list(map(str, read_table(path, "--confounds").columns))
        how |= {"comment": "#", "header": None, "names": names}
    words = "".join(f", {name}={value!r}" for name, value in how.items())
    table = f"pd.read_csv({str(path)!r}{words})[{columns!r}]"
    return f"{table}.bfill(limit=1)" if are_filled else table


def _is_read(path, how, confounds):
    """Whether pandas finds the same in a table, below the first row, which is filled.

    To pandas a row of numbers is a header, and so is a line of comment.
    """
    try:
        table = pd.read_csv(path, **how)[list(confounds)]
        found = table.apply(pd.to_numeric, errors="coerce").to_numpy(float)
    except (KeyError, ValueError):
        return False
    wanted = confounds.to_numpy(float)
    is_like = found.shape == wanted.shape
    return is_like and np.allclose(found[1:], wanted[1:], rtol=1e-9, equal_nan=True)


def _words(options, source):
    """Return the words of the command that make the run and its cleaning."""
    words = ["sbc-map", *(str(path.absolute()) for path in options.func)]
    for name in ("confounds", "mask", "sample_mask"):
        value = getattr(options, name)
        for path in value if isinstance(value, list) else [value]:
            if path is not None:
                words += [option(name), str(path.absolute())]
    if options.columns is not None:
        words += ["--columns", ",".join(options.columns)]
    if options.strategy is not None:
        is_one = isinstance(options.strategy, str)
        parts = [options.strategy] if is_one else options.strategy
        words += ["--strategy", ",".join(parts)]
    how = source.smoothing, options.band, options.t_r
    return words + cleaning_words(not options.no_detrend, *how)
