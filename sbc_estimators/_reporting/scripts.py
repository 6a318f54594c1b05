"""The script that makes the same maps again."""

import inspect
import os
import pprint
from dataclasses import fields

import numpy as np
from sklearn.base import BaseEstimator

PLAIN = (str, int, float, bool, type(None))
"""What Python reads back as it writes it."""

MOST_NUMBERS = 1000
"""How many numbers of an array a script may hold."""

FROM_FOLDERS = ("nilearn", "sbc_estimators")
"""Packages whose classes are imported from the top, or from a folder below it."""


def script_of(sbc, runs=None):
    """Return Python code that makes the maps of a fitted estimator again.

    Parameters
    ----------
    sbc : SeedCorrelationMap
    runs : list of Run or None, default=None
        Those of `fit`.

    Returns
    -------
    script : str
        What only exists in memory is a name at the top that has to be filled in.
    """
    code = Code()
    estimator = code.expression(sbc, "sbc")
    if runs is None:
        code.missing["runs"] = "the runs"
    else:
        listed = _on_lines([code.run(*run) for run in enumerate(runs)], "[]")
    lines = [*code.imports(), ""]
    if code.missing:
        lines.append("# Only in memory, so fill in:")
        lines += [f"{name} = ...  # {what}" for name, what in code.missing.items()]
        lines.append("")
    lines += [] if runs is None else [f"runs = {listed}"]
    lines += [f"sbc = {estimator}", "sbc.fit(runs)"]
    lines.append('sbc.generate_report(runs).save_as_html("report.html")')
    return "\n".join(lines) + "\n"


class Code:
    """Values as Python code, with all that it needs.

    Attributes
    ----------
    needed : set of (str, str)
        Modules and names to be imported.
    missing : dict of str to str
        Names that stand for what code cannot say, and what these are.
    """

    def __init__(self):
        self.needed = set()
        self.missing = {}

    def imports(self):
        """Return the lines that import what is needed."""
        by_module = {}
        for module, name in sorted(self.needed):
            by_module.setdefault(module, []).append(name)
        return [f"from {m} import {', '.join(names)}" for m, names in by_module.items()]

    def expression(self, value, name):
        """Return the code of a value, or a name that is missing.

        Parameters
        ----------
        value : object
        name : str
            What to call it where code cannot say it.
        """
        if isinstance(value, BaseEstimator):
            return self._estimator(value, name)
        try:
            return _written(value)
        except TypeError:
            self.missing[name] = _described(value)
            return name

    def run(self, position, run):
        """Return the code of a run."""
        self.needed.add(("sbc_estimators", "Run"))
        given = {field.name: getattr(run, field.name) for field in fields(run)}
        image = self.expression(given.pop("img"), f"img_{position}")
        return self._call(
            "Run",
            [image],
            {
                name: self.expression(value, f"{name}_{position}")
                for name, value in given.items()
                if value is not None
            },
        )

    def _estimator(self, value, name):
        """Return the code of a masker or of the estimator itself."""
        kind = type(value)
        self.needed.add((_module_of(kind), kind.__name__))
        defaults = inspect.signature(kind).parameters
        given = {
            key: self.expression(own, f"{name}_{key}")
            for key, own in value.get_params(deep=False).items()
            if not _is_same(own, defaults[key].default)
        }
        return self._call(kind.__name__, [], given)

    def _call(self, name, places, given):
        """Return the code of a call, on one line if it is short."""
        items = [*places, *(f"{key}={text}" for key, text in given.items())]
        short = f"{name}({', '.join(items)})"
        if len(short) <= 80 and "\n" not in short:
            return short
        return f"{name}{_on_lines(items, '()')}"


def in_words(value):
    """Return a value as code where code can say it, else what it is, on one line."""
    try:
        return " ".join(_written(value).split())
    except TypeError:
        return f"<{_described(value)}>"


def as_plain(value):
    """Return a value as numbers, texts, lists and dicts, else words for what it is."""
    try:
        return _plain(value)
    except TypeError:
        return f"<{_described(value)}>"


def _written(value):
    """Return a value as code; TypeError if no code says it."""
    return pprint.pformat(_plain(value), width=72, compact=True, sort_dicts=False)


def _plain(value):
    """Return a value in terms that Python reads back; TypeError if there are none."""
    if isinstance(value, np.generic):  # of which one is a float
        return value.item()
    if isinstance(value, PLAIN):
        return value
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, np.ndarray) and value.size <= MOST_NUMBERS:
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return type(value)(map(_plain, value))
    if isinstance(value, dict):
        return {_plain(key): _plain(own) for key, own in value.items()}
    raise TypeError(f"no code says {type(value).__name__}")


def _described(value):
    """Return in one line what a value is."""
    shape = getattr(value, "shape", None)
    words = type(value).__name__ + (f" of shape {shape}" if shape else "")
    columns = getattr(value, "columns", None)
    if columns is not None:
        words += f": {', '.join(map(str, columns))}"
    return " ".join(words.split())


def _is_same(value, default):
    """Whether a parameter has its default."""
    return value is default or (isinstance(value, PLAIN) and value == default)


def _module_of(kind):
    """Return from where a class is imported."""
    if kind.__module__.partition(".")[0] not in FROM_FOLDERS:
        return kind.__module__
    public = [part for part in kind.__module__.split(".") if not part.startswith("_")]
    return ".".join(public[:2])


def _on_lines(items, brackets):
    """Return items in brackets, each on lines of its own."""
    lines = [line for item in items for line in f"{item},".split("\n")]
    body = "".join(f"    {line}\n" for line in lines)
    return f"{brackets[0]}\n{body}{brackets[1]}"
