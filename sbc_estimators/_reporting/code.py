"""Values as Python code, and what code cannot say of them."""

import inspect
import math
import os
import pprint
from dataclasses import fields
from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator

from .._support.messages import file_of

WIDTH = 80
"""Characters of a line."""

PLAIN = (str, int, float, bool, type(None))
"""What Python reads back as it writes it."""

MOST_NUMBERS = 1000
"""How many numbers of an array code may hold."""

FROM_FOLDERS = ("nilearn", "sbc_estimators")
"""Packages whose classes are imported from the top, or from a folder below it."""


class Code:
    """Values as Python code, with all that it needs.

    Attributes
    ----------
    needed : dict of str to (str, str)
        What is imported, by its name in the code: module and name there.
    missing : dict of str to str
        Names that stand for what code cannot say, and what these are.
    """

    def __init__(self):
        self.needed = {}
        self.missing = {}

    def imports(self):
        """Return the lines that import what is needed."""
        by_module = {}
        for known_as, (module, name) in sorted(
            self.needed.items(), key=lambda own: (*own[1], own[0])
        ):
            words = name if known_as == name else f"{name} as {known_as}"
            by_module.setdefault(module, []).append(words)
        return [f"from {m} import {', '.join(names)}" for m, names in by_module.items()]

    def imported(self, module, name):
        """Import a name; return it, or another one where it is taken."""
        known_as, count = name, 1
        while self.needed.setdefault(known_as, (module, name)) != (module, name):
            count += 1
            known_as = f"{name}_{count}"
        return known_as

    def asked(self, known=()):
        """Return the lines of comment that ask for what is missing, but for some."""
        asked = [own for own in self.missing.items() if own[0] not in known]
        lines = [f"#   {name}: {what}" for name, what in asked]
        return ["# Only in memory, so bring your own:", *lines] if lines else []

    def expression(self, value, name):
        """Return the code of a value, or a name that is missing.

        Parameters
        ----------
        value : object
        name : str
            What to call it where code cannot say it.
        """
        if isinstance(value, BaseEstimator):
            return self.estimator(value, name)
        try:
            return _written(_absolute(value))
        except TypeError:
            return self.file(value, name)

    def file(self, value, name):
        """Return the code of what may lie in a file: the path, which is absolute."""
        path = path_of(value)
        if path is not None:
            return repr(path)
        self.missing[name] = _described(value)
        return name

    def run(self, run, suffix=""):
        """Return the code of a run; the suffix tells its names from another run's."""
        given = {field.name: getattr(run, field.name) for field in fields(run)}
        given = {
            name: self._part_of_run(value, f"{name}{suffix}")
            for name, value in given.items()
            if value is not None
        }
        name = self.imported("sbc_estimators", "Run")
        return self.call(name, [given.pop("img")], given)

    def _part_of_run(self, value, name):
        """Return the code of what belongs to a run, of which any text is a path."""
        is_text = isinstance(value, str)
        return self.file(value, name) if is_text else self.expression(value, name)

    def estimator(self, value, name):
        """Return the code of a masker or of the estimator itself."""
        given = {
            key: self.expression(own, f"{name}_{key}")
            for key, own in not_defaults(value).items()
        }
        return self.made(type(value), [], given)

    def made(self, kind, places, given):
        """Return the code that makes an object of a class, which is imported."""
        name = self.imported(_module_of(kind), kind.__name__)
        return self.call(name, places, given)

    def call(self, name, places, given):
        """Return the code of a call, on one line if it is short.

        Parameters
        ----------
        name : str
        places : list of str
            The code of arguments without a name.
        given : dict of str to str
            The code of those with one.
        """
        items = [*places, *(f"{key}={text}" for key, text in given.items())]
        short = f"{name}({', '.join(items)})"
        if len(short) <= WIDTH and "\n" not in short:
            return short
        return f"{name}{on_lines(items, '()')}"


def on_lines(items, brackets):
    """Return items in brackets, each on lines of its own."""
    lines = [line for item in items for line in f"{item},".split("\n")]
    body = "".join(f"    {line}\n" for line in lines)
    return f"{brackets[0]}\n{body}{brackets[1]}"


# What there is to write


def path_of(value):
    """Return the absolute path of a file, or of the file an image is from, or None."""
    file = file_of(value)
    return str(Path(file).absolute()) if file else None


def _absolute(value):
    """Return a value with the absolute paths of the files that texts in it name."""
    if isinstance(value, list | tuple):
        return type(value)(map(_absolute, value))
    is_file = isinstance(value, str) and os.path.isfile(value)
    return path_of(value) if is_file else value


def not_defaults(estimator):
    """Return the parameters of a masker or estimator that are not its defaults."""
    defaults = inspect.signature(type(estimator)).parameters
    return {
        name: value
        for name, value in estimator.get_params(deep=False).items()
        if not _is_same(value, defaults[name].default)
    }


def _is_same(value, default):
    """Whether a parameter has its default."""
    try:
        return value is default or _plain(value) == _plain(default)
    except TypeError:
        return False


def _module_of(kind):
    """Return from where a class is imported."""
    if kind.__module__.partition(".")[0] not in FROM_FOLDERS:
        return kind.__module__
    public = [part for part in kind.__module__.split(".") if not part.startswith("_")]
    return ".".join(public[:2])


# In words


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
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        raise TypeError(f"no code says {value}")
    if isinstance(value, PLAIN):
        return value
    if isinstance(value, os.PathLike):
        return path_of(value)
    if isinstance(value, np.ndarray) and value.size <= MOST_NUMBERS:
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return type(value)(map(_plain, value))
    if isinstance(value, dict):
        return {_plain(key): _plain(own) for key, own in value.items()}
    raise TypeError(f"no code says {type(value).__name__}")


def _described(value):
    """Return in one line what a value is."""
    if isinstance(value, float):
        return str(value)
    shape = getattr(value, "shape", None)
    words = type(value).__name__ + (f" of shape {shape}" if shape else "")
    columns = getattr(value, "columns", None)
    if columns is not None:
        words += f": {', '.join(map(str, columns))}"
    return " ".join(words.split())
