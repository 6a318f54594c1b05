"""The words that errors and warnings share, and how they are raised."""

import difflib
import inspect
import os
import warnings
from contextlib import contextmanager


def describe_run(position, img):
    """Return the words that name a run in messages: its position and its file."""
    return with_file(f"run {position}", img)


def with_file(name, img):
    """Return the name of an image in messages, with its file if it has one."""
    if isinstance(img, str | os.PathLike):
        return f"{name} ({os.fspath(img)!r})"
    filename = getattr(img, "get_filename", lambda: None)()
    return f"{name} ({filename!r})" if filename else name


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


@contextmanager
def naming(where):
    """Let no error pass that does not say which run it comes from."""
    try:
        yield
    except Exception as error:
        if where in str(error):
            raise
        raise RuntimeError(
            f"{where} could not be mapped: {type(error).__name__}: {error}"
        ) from error


def warn(message):
    """Warn the user, at the line outside this package that led here."""
    frame, level = inspect.currentframe(), 0
    while frame is not None and _is_ours(frame.f_globals.get("__name__", "")):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, UserWarning, stacklevel=level + 1)


def _is_ours(module):
    """Whether a module is ours, or one of those through which we call ourselves."""
    return module.partition(".")[0] in ("sbc_estimators", "sklearn", "joblib")
