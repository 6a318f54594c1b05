"""Where results are kept: files in the folder of a `joblib.Memory`, under keys."""

import hashlib
import os
import platform
import re
import shutil
import time
import uuid
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec

import joblib
import numpy as np
from sklearn.utils.validation import check_memory

from .disks import FULL
from .entries import Draft, SpoiltEntryError, read_entry
from .messages import warn

fcntl = import_module("fcntl") if find_spec("fcntl") else None
"""None in Windows, where an open file cannot be removed anyway."""

HOST = re.sub(r"\W", "-", platform.node())
"""Begins the names of files that this machine is writing."""

YOUNG, OLD = 60.0, 86400.0
"""Seconds: what was written to since is being written, and what was not is given up.

In between a lock tells, which holds on one machine.
"""


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
    if opened.backend != "local":
        raise ValueError(
            "memory must keep its results in a folder, got a joblib.Memory with "
            f"backend={opened.backend!r}. Pass a path, or joblib.Memory(path)."
        )
    return opened


@dataclass(frozen=True)
class Store:
    """Where results are kept, and which.

    An entry is known by its kind, a short word, and its key, a text that says all that
    it depends on. It lies in a folder of its own in the memory's folder, in which
    ``memory.clear()`` and ``memory.reduce_size()`` find it, and is put in place whole:
    of two writers the last wins, and whoever reads an entry that is replaced meanwhile
    reads on in the old one.

    Attributes
    ----------
    memory : joblib.Memory
        Keeps nothing if its location is None.
    level : int
        What is worth more than this is not kept.
    """

    memory: joblib.Memory
    level: int = 1

    def keeps(self, level):
        """Whether results of a level are kept."""
        return self.memory.location is not None and level <= self.level

    def read(self, kind, key):
        """Return an `Entry` all of which has been checked, None if there is none."""
        entry = self.opened(kind, key)
        if entry is None:
            return None
        try:
            entry.check()
        except SpoiltEntryError:
            return None
        return entry

    def opened(self, kind, key):
        """Return an `Entry` whose arrays are checked when they are used, or None.

        None where nothing is kept under this kind and key, or what is there is not
        whole or of another key. `Entry.whole` and `Entry.rows` may raise
        SpoiltEntryError.
        """
        path = self._path(kind, key)
        if path is None:
            return None
        try:
            entry = read_entry(path, kind, key)
        except OSError:
            return None
        _note_use(os.path.dirname(path))
        return entry

    @contextmanager
    def writing(self, kind, key):
        """Give an entry to fill, and put it in place if all went well.

        Without a folder or a key (None), and where the disk is full or cannot be
        written to (a warning says so), the arrays are in memory and nothing is kept.

        Yields
        ------
        writing : Writing
        """
        path = self._path(kind, key)
        writing = Writing(self, kind, key, self._draft(path))
        try:
            yield writing
            writing.put_in_place(path)
        finally:
            writing.discard()

    def write(self, kind, key, arrays, facts):
        """Keep arrays, a dict by name, and facts."""
        with self.writing(kind, key) as writing:
            for name, array in arrays.items():
                writing.put(name, array)
            writing.facts = facts

    def warn_of(self, error):
        """Say that an error keeps results from being kept."""
        place = f"memory: the folder {self.memory.location!r}"
        if error.errno in FULL:
            warn(
                f"{place} has no room left on its disk. Results are computed, but not "
                "kept. Make room, for instance with joblib.Memory(...).reduce_size"
                "(bytes_limit=...), or pass another folder."
            )
            return
        # Not the whole message, in which the name of a file is another each time.
        warn(
            f"{place} cannot be used: {type(error).__name__}: "
            f"{error.strerror or error}. The result was computed without it. Check "
            "that the folder can be written to, or pass another."
        )

    def _folder(self):
        """Return the folder of all entries."""
        return os.path.join(self.memory.store_backend.location, "sbc_estimators")

    def _path(self, kind, key):
        """Return the file of an entry, None where nothing is kept."""
        if key is None or self.memory.location is None:
            return None
        text = f"{kind}/{key}".encode("utf-8", "surrogatepass")
        # joblib takes folders with 32 hexadecimal digits for results.
        name = hashlib.blake2b(text, digest_size=16).hexdigest()
        return os.path.join(self._folder(), kind, name, "entry")

    def _draft(self, path):
        """Return the file to write an entry to, None where nothing is kept."""
        if path is None:
            return None
        folder = os.path.join(self._folder(), ".writing")
        try:
            os.makedirs(folder, exist_ok=True)
            _clear_remains(folder)
            draft = Draft(os.path.join(folder, f"{HOST}.{uuid.uuid4().hex}"))
        except OSError as error:
            self.warn_of(error)
            return None
        with suppress(OSError):  # as on some network drives
            _lock(draft.file)
        return draft


class Writing:
    """An entry that is being written.

    Let go of its arrays before the end of the ``with``: Windows cannot put a file in
    place of which a part is held.

    Parameters
    ----------
    store : Store
    kind, key : str
    draft : Draft or None

    Attributes
    ----------
    facts : dict
        Numbers, texts, None, and lists and dicts of these, to be set.
    kept : bool
        Whether the entry is in place.
    """

    def __init__(self, store, kind, key, draft):
        self.facts, self.kept = {}, False
        self._store, self._kind, self._key, self._draft = store, kind, key, draft

    def array(self, name, shape, dtype):
        """Return an array of zeros, to be filled: in the file, or in memory.

        Parameters
        ----------
        name : str
        shape : tuple of int
        dtype : dtype
            Of real or complex numbers or bool.
        """
        with self._done_without():
            if self._draft is not None:
                return self._draft.array(name, shape, dtype)
        return np.zeros(shape, dtype)

    def put(self, name, values):
        """Write an array that is there already."""
        self.array(name, values.shape, values.dtype)[...] = values

    def put_in_place(self, path):
        """Make the file an entry, if there is one."""
        if self._draft is None:
            return
        with self._done_without():
            self._draft.finish(self._kind, self._key, self.facts)
            self._draft.close()
            # Where somebody has cleared the folder meanwhile, nothing is kept.
            with suppress(FileNotFoundError):
                _put_in_place(self._draft.path, path)
                self.kept = True

    def discard(self):
        """Remove the file, if it has not become an entry."""
        if self._draft is not None:
            self._draft.discard()
            self._draft = None

    @contextmanager
    def _done_without(self):
        """Go on without a file after an error of the disk, which is said."""
        try:
            yield
        except OSError as error:
            self._store.warn_of(error)
            self.discard()


def _put_in_place(source, target):
    """Move a file to its place; what is not a file there, or no folder, has to go."""
    folder = os.path.dirname(target)
    if os.path.lexists(folder) and not os.path.isdir(folder):
        os.unlink(folder)
    if os.path.isdir(target):
        shutil.rmtree(target)
    os.makedirs(folder, exist_ok=True)
    os.replace(source, target)
    _note_use(folder)


def _note_use(folder):
    """Say that an entry has been used, to joblib, which removes the oldest first.

    joblib takes the time of use from a file of this name, in which it keeps results of
    its own: here it is empty, and nobody reads it.
    """
    path = os.path.join(folder, "output.pkl")
    with suppress(OSError):
        try:
            os.utime(path)
        except FileNotFoundError:
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o666))


def _clear_remains(folder):
    """Remove files that nobody is writing to any more."""
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        with suppress(OSError):
            if _is_given_up(path, name):
                os.unlink(path)


def _is_given_up(path, name):
    """Whether the process that was writing a file is gone."""
    age = time.time() - os.stat(path).st_mtime
    if age < YOUNG or not name.startswith(f"{HOST}."):
        return age > OLD
    try:
        with open(path, "r+b") as file:
            _lock(file)
    except BlockingIOError:
        return False
    except OSError:
        return age > OLD
    return True


def _lock(file):
    """Lock a file until it is closed, or its process ends; raise OSError if it is."""
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
