"""The words that errors and warnings share, and how they are raised."""

import difflib
import inspect
import os
import re
import threading
import warnings
from contextlib import contextmanager
from dataclasses import dataclass

NEXT_TO_0 = 1e-4
"""In mm: coordinates closer to 0 are what rounding left of it."""


def describe_run(position, img):
    """Return the words that name a run in messages: its position and its file."""
    return with_file(f"run {position}", img)


def run_in_warnings(position, img):
    """Return the words that name a run in warnings: its file, if it has one.

    In each fold of a cross-validation these are the same, so that Python can tell what
    it has shown already.
    """
    file = file_of(img)
    return f"run {file!r}" if file else f"run {position}"


def with_file(name, img):
    """Return the name of an image in messages, with its file if it has one."""
    file = file_of(img)
    return f"{name} ({file!r})" if file else name


def file_of(img):
    """Return the path that an image is, or that it was read from, "" without one."""
    if isinstance(img, str | os.PathLike):
        return os.fspath(img)
    return getattr(img, "get_filename", lambda: None)() or ""


def some_of(words, most=10):
    """Return the words for a list of words, not too many of them."""
    more = f" and {len(words) - most} more" if len(words) > most else ""
    return ", ".join(words[:most]) + more


def close_matches(name, known):
    """Return the words that say which of some names a misspelt one may mean."""
    close = difflib.get_close_matches(str(name).lower(), [k.lower() for k in known])
    meant = [k for k in known if k.lower() in close]
    if meant:
        return f"Did you mean {' or '.join(map(repr, meant))}?"
    shown = ", ".join(map(repr, known[:10]))
    return f"There are {shown}{', ...' if len(known) > 10 else ''}."


def in_mm(place):
    """Return coordinates in mm as people write them: never as 1e-07, nor as -0.

    Examples
    --------
    >>> in_mm((-1e-7, -52.5, 18.0))
    '0, -52.5, 18'
    """
    return ", ".join(f"{float(x) if abs(x) >= NEXT_TO_0 else 0:g}" for x in place)


@dataclass
class About:
    """What an error is about; may be set anew within `naming`."""

    name: str = ""
    part: str = ""


@contextmanager
def naming(name="", img=None):
    """Say in each error that passes what it is about: a run, a masker, a file.

    The name of an image comes with its file, if it has one.

    An error that this package raised keeps its class, and what it says comes after the
    names; of several such blocks, the outer one's come first. Any other error becomes a
    RuntimeError, which has it as its cause.

    Yields
    ------
    about : About

    Examples
    --------
    >>> with naming("run 3") as about:
    ...     about.part = "seed_masker"
    ...     raise ValueError("radius must be positive.")
    Traceback (most recent call last):
    ValueError: run 3, seed_masker: radius must be positive.
    """
    about = About(with_file(name, img))
    try:
        yield about
    except Exception as error:
        names = ", ".join(filter(None, [about.name, about.part]))
        if not names:
            raise
        raise _named(error, names) from error.__cause__ or error


def _named(error, names):
    """Return an error that says what it is about."""
    if hasattr(error, "named"):
        named = _rebuilt(error, f"{names}, {error}")
    elif is_said_by_us(error):
        named = _rebuilt(error, f"{names}: {error}")
    else:
        named = RuntimeError(
            f"{names} could not be mapped: {type(error).__name__}: {error}"
        )
    named.named = True
    return named


def _rebuilt(error, message):
    """Return an error of the same kind that says something else."""
    kinds = (FileNotFoundError, NotADirectoryError, OSError, TypeError, ValueError)
    kind = next((kind for kind in kinds if isinstance(error, kind)), RuntimeError)
    return kind(message)


def is_said_by_us(error):
    """Whether it was this package that raised an error, and in its own words."""
    # Others that are raised here come of what is not written in Python, such as numpy.
    if not (isinstance(error, OSError) or type(error) in (TypeError, ValueError)):
        return _is_ours(type(error).__module__)
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    module = "" if trace is None else trace.tb_frame.f_globals.get("__name__", "")
    return _is_ours(module)


def _is_ours(module):
    """Whether a module is one of this package's."""
    return module.partition(".")[0] == __name__.partition(".")[0]


_FILTERS = threading.RLock()
"""Python's filters of warnings are one list for all threads."""


@contextmanager
def ignoring(*words):
    """Leave out warnings that begin with one of some patterns, or all without any.

    One thread at a time does so: of two, the last would set the filters to what the
    first had made of them.
    """
    with _FILTERS, warnings.catch_warnings():
        for pattern in words or ("",):
            warnings.filterwarnings("ignore", pattern)
        yield


_SHOWN: set[tuple] = set()
"""What was said at which lines, where Python shows it once a line."""


def warn(message):
    """Warn the user, at the line outside this package that led here.

    Where Python shows a warning once a line, it is shown once: Python itself forgets
    what it has shown whenever anybody catches warnings, as scikit-learn does for each
    fit of a grid search.
    """
    frame, level = inspect.currentframe(), 0
    while frame is not None and _leads_here(frame.f_globals.get("__name__", "")):
        frame, level = frame.f_back, level + 1
    module, file, line = _place_of(frame)
    if _is_shown_once(message, module, line):
        if (message, file, line) in _SHOWN:
            return
        _SHOWN.add((message, file, line))
    warnings.warn(message, UserWarning, stacklevel=level + 1)


def _place_of(frame):
    """Return the module, file and line of a frame; there may be none."""
    if frame is None:
        return "sys", "", 0
    module = frame.f_globals.get("__name__", "")
    return module, frame.f_code.co_filename, frame.f_lineno


def _is_shown_once(message, module, line):
    """Whether the filters that are set show a warning once, and not always or never."""
    for action, text, category, name, number in warnings.filters:
        is_meant = issubclass(UserWarning, category) and number in (0, line)
        if is_meant and _matches(text, message) and _matches(name, module):
            return action in ("default", "module", "once")
    return True


def _matches(pattern, text):
    """Whether a filter's pattern, None for any, fits the beginning of a text."""
    return pattern is None or re.match(pattern, text) is not None


def _leads_here(module):
    """Whether a module is ours, or one of those through which we call ourselves."""
    return module.partition(".")[0] in ("sbc_estimators", "sklearn", "joblib")
