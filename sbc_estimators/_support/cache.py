"""Results kept on disk under keys, such that what comes back is whole."""

import os
import pickle
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
from isal import isal_zlib
from sklearn.utils.validation import check_memory

from .messages import warn


def digest(*parts):
    """Return a short text that two sequences share if their contents are equal.

    Parameters
    ----------
    *parts : anything that joblib can hash
        Arrays count by their numbers, not as objects.
    """
    # One by one: joblib's hash of a sequence tells equal objects from the same object.
    return joblib.hash("|".join(map(_digest, parts)))


def _digest(part):
    """Return a short text of one part."""
    is_plain = part is None or type(part) in (bool, int, float)
    return repr(part) if is_plain else joblib.hash(part)


def opened_memory(memory):
    """Return the `joblib.Memory` that a user means, which keeps nothing for None."""
    memory = os.fspath(memory) if isinstance(memory, os.PathLike) else memory
    try:
        opened = check_memory(memory)
    except OSError as error:
        raise OSError(
            f"memory={memory!r}: no folder can be made there: {error}. Pass another "
            "path, or None."
        ) from error
    if not isinstance(opened, joblib.Memory):
        raise ValueError(
            "memory must be None, a path or a joblib.Memory, got "
            f"{type(memory).__name__}."
        )
    return opened


@dataclass(frozen=True)
class Cache:
    """Where results are kept, and which.

    Attributes
    ----------
    memory : joblib.Memory
        Keeps nothing if its location is None.
    level : int
        What is worth more than this is not kept.
    """

    memory: Any
    level: int = 1

    def keeps(self, level):
        """Whether results of a level are kept."""
        return self.memory.location is not None and level <= self.level

    def holds(self, stage, level, key):
        """Whether there is an entry of a stage under a key, whole or not."""
        if not self.keeps(level):
            return False
        try:
            return self._stored(stage).check_call_in_cache(key, None)
        except Exception:  # `get` says so
            return False

    def get(self, stage, level, key, work):
        """Return the result of a stage, from disk where it is kept.

        Parameters
        ----------
        stage : callable
            A function of a module: ``stage(key, work)`` returns ``sealed(work())``.
        level : int
            The result is kept if this is not above the cache's own.
        key : str or None
            All that the result depends on; under None nothing is kept.
        work : callable
            Takes nothing and returns the result.

        Notes
        -----
        An entry that was cut off or changed on disk does not fit its checksum and is
        made anew. joblib puts entries in place whole, so two processes may share a
        cache, and one that was killed leaves no part of an entry. Where the cache fails
        before there is work, the result is computed without it, with a warning.
        """
        if key is None or not self.keeps(level):
            return work()
        has_begun = False

        def noted_work():
            nonlocal has_begun
            has_begun = True
            return work()

        try:
            return self._looked_up(stage, key, noted_work)
        except Exception as error:
            if has_begun:
                raise
            warn(
                f"memory: the folder {self.memory.location!r} cannot be used: "
                f"{type(error).__name__}: {error}. The result was computed without it. "
                "Check that the folder can be written to, or pass another."
            )
        return work()

    def _looked_up(self, stage, key, work):
        """Return the result of a stage from disk, or anew where it is not whole."""
        stored = self._stored(stage)
        result = unsealed(stored(key, work))
        if result is None:
            stored.call_and_shelve(key, work).clear()
            result = unsealed(stored(key, work))
        return result

    def _stored(self, stage):
        """Return a stage that looks on disk first."""
        stored = self.memory.cache(stage, ignore=["work"])
        _remove_spoilt_code(stored)
        return stored


CODE_BEGINS = re.compile(r"# first line: *\d+\n")
"""How the file begins in which joblib keeps a function's code."""


def _remove_spoilt_code(stored):
    """Remove the code that joblib keeps beside a stage's entries, if it is damaged.

    joblib compares it before it looks for entries, and fails each time where it cannot
    be read. Without it, joblib writes it anew.
    """
    path = Path(stored.store_backend.location, stored.func_id, "func_code.py")
    with suppress(OSError):
        try:
            is_whole = CODE_BEGINS.match(path.read_text("utf-8"))
        except UnicodeDecodeError:
            is_whole = False
        if not is_whole:
            path.unlink()


def sealed(result):
    """Return a result as bytes, with their checksum."""
    content = pickle.dumps(result, protocol=5)
    return content, isal_zlib.crc32(content)


def unsealed(entry):
    """Return the result in `sealed` bytes, None if they have changed."""
    content, checksum = entry
    if not isinstance(content, bytes):
        return None
    return pickle.loads(content) if isal_zlib.crc32(content) == checksum else None
