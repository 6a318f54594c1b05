"""Tables in files and in memory: read and turned into numbers with nothing guessed."""

import codecs
import csv
import os
from contextlib import suppress
from decimal import Decimal
from numbers import Real
from pathlib import Path

import numpy as np
import pandas as pd
from isal import igzip

from .checks import check_file
from .disks import READ_ERRORS

SEPARATORS = ("\t", ";", ",")
"""What separates columns, if each row has it; else blanks do."""

TEXT_COLUMN = "name"
"""The column in which "NA" and "007" are names."""

MISSING = {"", "na", "n/a", "nan", "-nan", "null", "none", "<na>", "#n/a", "#na"}
"""What stands for a missing number, in lower case."""

CODECS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""How files are encoded that begin so; others are UTF-8."""


def read_table(path, name):
    """Return the table in a file, with one name for each column.

    The columns of a table without a header are numbered. A header is a first row in
    which something is no number, or, above a row that begins with numbers, a line of
    comment that has as many words as there are columns.

    Parameters
    ----------
    path : str or path
        Text, gzip-compressed or not. Tabs, semicolons, commas or blanks separate the
        columns: the first of these that is in each row. Lines that begin with ``#``
        are comments.
    name : str
        Names the table in errors.

    Returns
    -------
    table : DataFrame
        Columns in which all is a number, or stands for a missing one, are float64.
        Others, and the column "name" in any case, hold the text as it is.

    Raises
    ------
    FileNotFoundError
        If there is no such file. Nothing is fetched.
    ValueError
        If it is not a table, or has not as many names as columns.
    """
    check_file(path, name)
    try:
        names, rows = _names_and_rows(_text_in(path))
    except (csv.Error, *READ_ERRORS) as error:
        raise ValueError(
            f"{name} {os.fspath(path)!r} is not a table that can be read: {error}"
        ) from error
    return _table(names, rows)


def separator_in(path):
    """Return what separates the columns of a table that `read_table` takes."""
    _, lines, _ = _lines_in(_text_in(path))
    return _separator(lines)


def _text_in(path):
    """Return the text in a file."""
    content = Path(path).read_bytes()
    if content.startswith(b"\x1f\x8b"):
        content = igzip.decompress(content)
    known = [codec for mark, codec in CODECS.items() if content.startswith(mark)]
    text = content.decode(known[0] if known else "utf-8")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _lines_in(text):
    """Return the comment above a table, None without one, its lines, their numbers."""
    comment, lines, numbers = None, [], []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.lstrip().startswith("#"):
            comment = line if not lines else comment
        elif line.strip(" "):
            lines.append(line)
            numbers.append(number)
    if not lines:
        raise ValueError("there is no row in it.")
    return comment, lines, numbers


def _names_and_rows(text):
    """Return the names of columns, None where there are none, and fields of rows."""
    comment, lines, numbers = _lines_in(text)
    separator = _separator(lines)
    rows = _fields(lines, separator)
    names = None
    if comment is not None:
        names = _names_above(comment, rows, separator)
    if names is None and not all(map(_is_number, rows[0])):
        names, rows, numbers = _names_in_header(lines[0], rows), rows[1:], numbers[1:]
    rows = _without_ends(names, rows)
    _check_widths(names, rows, numbers)
    return names, rows


def _separator(lines):
    """Return what separates the columns; the first line may be a header of one word."""
    for some in (lines, lines[1:]):
        for separator in SEPARATORS:
            if some and all(separator in line for line in some):
                return separator
    return " "


def _fields(lines, separator):
    """Return the fields of each line."""
    if not any('"' in line for line in lines):  # in a tenth of the time
        rows = [line.split(None if separator == " " else separator) for line in lines]
        if separator == " " or not any(" " in line for line in lines):
            return rows
        return [[field.strip() for field in row] for row in rows]
    if separator == " ":
        lines = [line.replace("\t", " ").strip() for line in lines]
    rows = csv.reader(lines, delimiter=separator, skipinitialspace=True, strict=True)
    rows = [[field.strip() for field in row] for row in rows]
    if len(rows) != len(lines):
        raise ValueError("a text in quotes goes over several lines.")
    return rows


def _names_above(comment, rows, separator):
    """Return the names of columns in a line of comment above them, None if it has none.

    Above a row of words it has none, as that is a header itself.
    """
    (names,) = _fields([comment.lstrip(" \t#")], separator)
    fits = len(names) == len(rows[-1]) and any(map(_is_number, rows[0]))
    return None if not fits or all(map(_is_number, names)) else names


def _names_in_header(line, rows):
    """Return the names of columns in a first line."""
    names, *rows = rows
    has_separator = any(separator in line for separator in SEPARATORS)
    if rows and len(rows[-1]) == 1 and not has_separator:
        return [" ".join(names)]  # of several words
    return names[:-1] if names[-1] == "" else names


def _without_ends(names, rows):
    """Return rows without what follows a separator at the end of each line."""
    ends = all(len(row) > 1 and row[-1] == "" for row in rows)
    if rows and ends and (names is None or len(rows[0]) > len(names)):
        return [row[:-1] for row in rows]
    return rows


def _check_widths(names, rows, numbers):
    """Raise ValueError unless all rows, given their lines, have a field a column."""
    if not rows:
        raise ValueError("there is no row below its header.")
    width = len(rows[0]) if names is None else len(names)
    for row, number in zip(rows, numbers, strict=True):
        if len(row) != width:
            what = "in lines above it" if names is None else "names of columns"
            raise ValueError(
                f"line {number} has {len(row)} fields, but there are {width} {what}."
            )
    if names is not None and "" in names:
        raise ValueError(
            f"column {names.index('')} has no name. pandas writes its index so: use "
            "to_csv(..., index=False)."
        )


def _table(names, rows):
    """Return rows of text as a DataFrame; columns without words hold numbers."""
    names = range(len(rows[0])) if names is None else names
    numbers, are_text = np.empty((len(rows), len(names))), set()
    for i, row in enumerate(rows):
        numbers[i] = _numbers_of_row(row, are_text)
    are_text.update(i for i, name in enumerate(names) if name == TEXT_COLUMN)
    table = pd.DataFrame(numbers)
    for i in sorted(are_text):
        table[i] = pd.Series([row[i] for row in rows], dtype=object)
    # Only now, as a name may be there twice.
    return table.set_axis(names, axis=1)


def _numbers_of_row(row, are_text):
    """Return the numbers in a row, and note in which columns there are words."""
    if "_" not in "".join(row):
        with suppress(ValueError):
            return list(map(float, row))
    numbers = []
    for i, text in enumerate(row):
        try:
            numbers.append(_number_in(text))
        except ValueError:
            are_text.add(i)
            numbers.append(np.nan)
    return numbers


def _is_number(text):
    """Whether a text is a number, or stands for a missing one."""
    try:
        _number_in(text)
    except ValueError:
        return False
    return True


def _number_in(text):
    """Return the number in a text, NaN for what stands for a missing one."""
    try:
        number = float(text)
    except ValueError:
        if text.strip().lower() in MISSING:
            return np.nan
        raise
    if "_" in text:  # Python's way to write 1000 is nobody else's
        raise ValueError(text)
    return number


# Numbers


def table_of(values, name):
    """Return a table as a DataFrame, whatever holds it.

    Parameters
    ----------
    values : path, DataFrame of pandas or polars, Series, or array-like
        Of one dimension, which is one column, or two.
    name : str
        Names the table in errors.

    Raises
    ------
    ValueError
        If it has no rows and columns, or values that are masked.
    FileNotFoundError
        If there is no such file.
    """
    if isinstance(values, str | os.PathLike):
        return read_table(values, name)
    if isinstance(values, pd.DataFrame | pd.Series):
        return pd.DataFrame(values)
    if hasattr(values, "columns") and hasattr(values, "to_numpy"):  # as of polars
        cells = {i: np.asarray(values[c]) for i, c in enumerate(values.columns)}
        return pd.DataFrame(cells).set_axis(list(values.columns), axis=1)
    cure = "Fill them, such as with .filled(np.nan), and leave out their scans with "
    array = whole_array(values, name, f"{cure}sample_mask.")
    if array.dtype.names is None and array.ndim not in (1, 2):
        raise ValueError(
            f"{name} must be a table of rows and columns, a DataFrame or a path, got "
            f"{type(values).__name__} of shape {array.shape}."
        )
    return pd.DataFrame(array)


def whole_array(values, name, cure="Fill them first, with .filled(...)."):
    """Return an array-like as an array; raise ValueError where something is masked."""
    parts = values if isinstance(values, list | tuple) else [values]
    if any(np.ma.is_masked(part) for part in parts):
        raise ValueError(
            f"{name} must be numbers, got a MaskedArray with masked values. {cure}"
        )
    try:
        return np.asarray(values)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name} must be an array of rows and columns, got "
            f"{type(values).__name__}: {error}"
        ) from error


def numbers_of(values, name):
    """Return a table in float64 and the names of its columns, if they have names.

    The same values give the same numbers, whatever holds them. None and `pandas.NA` are
    NaN, as are an empty text, "n/a" and the like.

    Parameters
    ----------
    values : path, DataFrame of pandas or polars, Series, or array-like
    name : str
        Names the table in errors.

    Returns
    -------
    numbers : ndarray of shape (n_rows, n_columns)
        A copy.
    names : list of str or None

    Raises
    ------
    ValueError
        If it is no table, or holds anything but real numbers: words, dates, booleans,
        complex or masked numbers.
    FileNotFoundError
        If there is no such file.
    """
    table = table_of(values, name)
    has_names = any(isinstance(column, str) for column in table.columns)
    names = [str(column) for column in table.columns] if has_names else None
    if all(isinstance(d, np.dtype) and d.kind in "iuf" for d in table.dtypes):
        return np.array(table, np.float64), names
    numbers = np.empty(table.shape)
    for i, column in enumerate(table.columns):
        numbers[:, i] = _numbers_in(table.iloc[:, i], column, name)
    return numbers, names


def _numbers_in(column, label, name):
    """Return a column in float64."""
    if column.dtype.kind in "iuf":
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    numbers = np.empty(len(column))
    for row, value in enumerate(column.to_numpy(dtype=object)):
        try:
            numbers[row] = _number(value)
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError(
                f"{name} must be numbers, column {label!r} holds {value!r} in row "
                f"{row}, its dtype is {column.dtype}. Choose other columns, or turn it "
                "into numbers first."
            ) from error
    return numbers


def _number(value):
    """Return a value as float, or raise an error if it is no real number."""
    if isinstance(value, str):
        return _number_in(value)
    if value is None or value is pd.NA:
        return np.nan
    # numpy counts spans of time as integers.
    is_other = isinstance(value, bool | np.bool_ | np.timedelta64)
    if is_other or not isinstance(value, Real | Decimal):
        raise TypeError(type(value).__name__)
    return float(value)
