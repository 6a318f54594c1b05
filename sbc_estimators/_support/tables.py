"""Tables of numbers in files."""

import os
from functools import partial
from pathlib import Path

import pandas as pd

from .checks import check_file


def load_confounds(confounds, where):
    """Return confounds as they were passed, and a file's as a DataFrame.

    A table without a header gets the column numbers as names.
    """
    if not isinstance(confounds, str | os.PathLike):
        return confounds
    return load_table(confounds, f"{where}: confounds")


def load_table(path, name):
    """Return a file's table as a DataFrame; `name` names it in errors.

    Without a header it gets the column numbers as names.
    """
    check_file(path, name)
    try:
        return _read_table(path)
    except (ValueError, OSError) as error:
        raise ValueError(
            f"{name} {os.fspath(path)!r} is not a table that can be read: {error}"
        ) from error


def _read_table(path):
    """Return a table as a DataFrame; the file's ending says what separates columns."""
    separator = {".tsv": "\t", ".csv": r"[,\t]"}.get(Path(path).suffix, r"[\s,]+")
    # Of these only the first needs no regular expressions, and is read in a tenth.
    read = partial(
        pd.read_csv, path, sep=separator, engine="c" if separator == "\t" else "python"
    )
    table = read(header=0)
    names = pd.Series(table.columns, dtype=str)
    as_written = names.str.replace(r"\.\d+$", "", regex=True)  # 0.0.1 is a second 0.0
    numbers = [pd.to_numeric(n, errors="coerce") for n in (names, as_written)]
    has_names = (numbers[0].isna() & numbers[1].isna()).any()
    return table if has_names else read(header=None)
