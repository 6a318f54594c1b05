"""What a store keeps comes back as it was, or not at all."""

import json
import os
import pickle
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import zlib
from contextlib import contextmanager
from pathlib import Path

import joblib
import numpy as np
import pytest

from sbc_estimators._support import entries, store
from sbc_estimators._support.entries import CHUNK, END, WORD, SpoiltEntryError
from sbc_estimators._support.store import Store, opened_memory

FACTS = {
    "rank": 115,
    "t_r": 1.5,
    "names": ["PCC", "mPFC", "né"],
    "of": {"path": "a/b", "none": None, "is_kept": True},
}


def values(seed=0):
    """Return arrays of several kinds: more than one chunk, less, and none."""
    rng = np.random.default_rng(seed)
    return {
        "plain": rng.standard_normal((3000, 50)).astype(np.float32),
        "norms": rng.random(7),
        "kept": rng.random(5) < 0.5,
        "spectrum": rng.random(4) + 1j,
        "scalar": np.array(3, np.int16),
        "empty": np.zeros((0, 3)),
    }


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def cache(folder):
    return Store(opened_memory(folder), 2)


@pytest.fixture
def kept(cache):
    """A store with one entry."""
    cache.write("maps", "key", values(), FACTS)
    return cache


def file_of(cache, kind="maps", key="key"):
    """Return the path of an entry's file."""
    return Path(cache._path(kind, key))


def drafts(folder):
    """Return the files that are being written."""
    return sorted((folder / "joblib/sbc_estimators/.writing").iterdir())


def files(folder):
    """Return all entries."""
    return sorted((folder / "joblib").rglob("entry"))


def assert_entry(entry, seed=0, facts=FACTS):
    """Check that an entry is what was written, to the last bit."""
    expected = values(seed)
    assert entry.facts == facts
    assert entry.shapes == {name: array.shape for name, array in expected.items()}
    for name, array in expected.items():
        found = entry.whole(name)
        assert found.dtype == array.dtype
        assert not found.flags.writeable
        np.testing.assert_array_equal(found, array)


def fill(cache, key, arrays, error=None):
    """Return what is left of writing an entry."""
    with cache.writing("maps", key) as writing:
        for name, array in arrays.items():
            filled = writing.array(name, array.shape, array.dtype)
            filled[...] = array
            np.testing.assert_array_equal(filled, array)
            del filled  # which Windows cannot put in place
        writing.facts = FACTS
        if error is not None:
            raise error
    return writing


# What is kept


def holds(cache, kind, key):
    """Whether there is an entry, whole or not."""
    path = cache._path(kind, key)
    return path is not None and os.path.isfile(path)


def test_what_is_written_comes_back(kept):
    with kept.read("maps", "key") as entry:
        assert_entry(entry)
    with kept.opened("maps", "key") as entry:
        assert_entry(entry)


def test_other_kinds_and_keys_are_not_there(kept):
    assert holds(kept, "maps", "key")
    for kind, key in [("maps", "key2"), ("prepared", "key"), ("maps", "")]:
        assert not holds(kept, kind, key)
        assert kept.read(kind, key) is None
        assert kept.opened(kind, key) is None


def test_entry_is_filled_part_by_part(cache):
    expected = values()["plain"]
    with cache.writing("prepared", "key") as writing:
        plain = writing.array("plain", expected.shape, expected.dtype)
        assert not plain.any()
        assert cache.read("prepared", "key") is None
        for rows in (slice(1000, 3000), slice(0, 1000)):
            plain[rows] = expected[rows]
        writing.facts = {"rank": 50}
        assert not writing.kept
    assert writing.kept
    entry = cache.read("prepared", "key")
    assert entry.facts == {"rank": 50}
    np.testing.assert_array_equal(entry.whole("plain"), expected)
    np.testing.assert_array_equal(plain, expected)  # in Linux it may be held on to


def test_facts_are_those_that_json_knows(cache):
    facts = {"n": np.int64(3), "r": np.float32(0.5), "tuple": (1, 2)}
    facts |= {"array": np.arange(3), "nan": np.nan, "inf": -np.inf}
    cache.write("maps", "key", {}, facts)
    found = cache.read("maps", "key").facts
    assert np.isnan(found.pop("nan"))
    assert found == {
        "n": 3,
        "r": 0.5,
        "tuple": [1, 2],
        "array": [0, 1, 2],
        "inf": -np.inf,
    }


@pytest.mark.parametrize("key", ["", "\udcff/..\0", "é" * 5000])
def test_any_text_is_a_key(cache, key):
    cache.write("maps", key, values(), FACTS)
    assert_entry(cache.read("maps", key))


def test_nothing_else_than_numbers_is_kept(cache):
    for dtype in (object, "U3", "M8[s]", [("a", float)], np.longdouble):
        with (
            pytest.raises(TypeError, match="x must be of numbers"),
            cache.writing("maps", "key") as writing,
        ):
            writing.array("x", (3,), dtype)
    with pytest.raises(TypeError, match="facts must be of plain values"):
        cache.write("maps", "key", {}, {"a": object()})
    assert cache.read("maps", "key") is None


def test_the_last_writer_wins(kept):
    before = kept.read("maps", "key")
    kept.write("maps", "key", values(1), {"new": 1})
    assert_entry(before)
    assert_entry(kept.read("maps", "key"), 1, {"new": 1})


ROWS = {
    "slice": slice(1200, 1300),
    "steps": slice(2900, 100, -700),
    "list": [2999, 0, -1, 0],
    "none": [],
    "mask": np.arange(3000) % 999 == 5,
    "one": 17,
}


@pytest.mark.parametrize("rows", ROWS)
def test_some_rows(kept, rows):
    plain = values()["plain"]
    entry = kept.opened("maps", "key")
    found = entry.rows("plain", ROWS[rows])
    np.testing.assert_array_equal(found, plain[ROWS[rows]])
    np.testing.assert_array_equal(entry.rows("empty", slice(None)), np.zeros((0, 3)))
    with pytest.raises(IndexError):
        entry.rows("plain", [3000])


def test_rows_longer_than_a_chunk(cache):
    wide = np.random.default_rng(0).random((4, CHUNK // 8 + 3))
    cache.write("maps", "key", {"wide": wide}, {})
    for row in range(4):
        entry = cache.opened("maps", "key")
        np.testing.assert_array_equal(entry.rows("wide", [row]), wide[[row]])


def test_levels(folder):
    levels = range(3)
    assert list(map(Store(opened_memory(folder), 1).keeps, levels)) == [1, 1, 0]
    assert list(map(Store(opened_memory(None), 2).keeps, levels)) == [0, 0, 0]


def test_store_goes_to_other_processes(kept):
    assert_entry(pickle.loads(pickle.dumps(kept)).read("maps", "key"))


@pytest.mark.parametrize("key", ["key", None])
def test_without_folder_or_key_arrays_are_in_memory(folder, key):
    cache = Store(opened_memory(None if key else folder), 2)
    writing = fill(cache, key, values())
    assert not writing.kept
    assert cache.read("maps", key) is None
    assert cache.opened("maps", key) is None
    assert not holds(cache, "maps", key)
    assert files(folder) == []


# Files are closed


def n_open():
    """Return how many files this process has open."""
    return len(os.listdir("/dev/fd"))


def test_no_file_stays_open(cache):
    before = n_open()
    with cache.writing("maps", "key") as writing:
        writing.array("a", (3000, 50), float)[...] = 1
    assert n_open() == before
    with cache.read("maps", "key") as entry:
        entry.rows("a", [3])
        entry.whole("a")
        assert n_open() > before
    assert n_open() == before
    entry = cache.read("maps", "key")
    held = entry.whole("a")
    entry.close()
    entry.close()
    assert held.sum() == held.size  # what is held is still there
    del held, entry
    assert n_open() == before


def test_file_is_closed_before_it_is_put_in_place(cache, monkeypatch):
    """Windows could not move it otherwise."""
    before, seen, put = n_open(), [], store._put_in_place
    monkeypatch.setattr(
        store, "_put_in_place", lambda *paths: seen.append(n_open()) or put(*paths)
    )
    writing = fill(cache, "key", values())
    assert seen == [before]
    assert writing.kept
    with cache.read("maps", "key") as entry:
        np.testing.assert_array_equal(
            entry.rows("plain", [5, 3]), values()["plain"][[5, 3]]
        )

    def held(*_):
        raise PermissionError(13, "somebody holds it")

    monkeypatch.setattr(store, "_put_in_place", held)
    with pytest.warns(UserWarning, match=r"memory: .*somebody holds it"):
        writing = fill(cache, "key2", values())
    assert not writing.kept


def test_closed_entry_says_so(kept):
    entry = kept.read("maps", "key")
    entry.close()
    for use in (lambda: entry.whole("plain"), lambda: entry.rows("plain", [0])):
        with pytest.raises(ValueError, match="closed"):
            use()


# Never wrong: entries that are not what was written


def flipped(content, rng):
    content[rng.integers(len(content))] ^= 1 << rng.integers(8)


def overwritten(content, rng):
    start = rng.integers(len(content))
    stop = start + rng.integers(1, 5000)
    content[start:stop] = rng.bytes(len(content[start:stop]))


def zeroed(content, rng):
    start = rng.integers(len(content)) // 4096 * 4096
    content[start : start + 4096] = bytes(len(content[start : start + 4096]))


def cut(content, rng):
    del content[rng.integers(len(content)) :]


def missing(content, rng):
    start = rng.integers(len(content))
    del content[start : start + rng.integers(1, 100)]


def longer(content, rng):
    content += rng.bytes(rng.integers(1, 100))


def moved(content, rng):
    """Exchange two chunks."""
    one, other = rng.integers(len(content) - CHUNK, size=2) // 64 * 64
    a, b = content[one : one + CHUNK], content[other : other + CHUNK]
    content[one : one + CHUNK] = b
    content[other : other + CHUNK] = a


def in_words(content, rng):
    """Change one bit of what an entry says of itself."""
    start = content.rindex(b'{"kind')
    content[rng.integers(start, len(content))] ^= 1 << rng.integers(7)


SPOILS = [
    in_words,
    in_words,
    flipped,
    flipped,
    flipped,
    overwritten,
    zeroed,
    cut,
    missing,
    longer,
    moved,
]


@pytest.mark.parametrize("seed", range(3))
def test_spoilt_bytes_never_give_something_else(kept, seed):
    rng = np.random.default_rng(seed)
    path = file_of(kept)
    whole = path.read_bytes()
    n_noticed = 0
    for i in range(150):
        content = bytearray(whole)
        SPOILS[i % len(SPOILS)](content, rng)
        path.write_bytes(content)
        entry = kept.read("maps", "key")
        if entry is not None:
            assert_entry(entry)
        else:
            n_noticed += 1
            assert not _anything_wrong(kept)
    # Some change nothing, or what lies between two arrays.
    assert n_noticed > 140
    kept.write("maps", "key", values(), FACTS)
    assert_entry(kept.read("maps", "key"))


def _anything_wrong(cache):
    """Whether an entry that is checked on use gives anything but what was written."""
    expected = values()
    entry = cache.opened("maps", "key")
    for name in () if entry is None else expected:
        try:
            if not np.array_equal(entry.whole(name), expected[name]):
                return True
        except (SpoiltEntryError, ValueError):
            return False
    return False


def test_only_what_is_used_is_checked_and_once(kept, monkeypatch):
    path, plain = file_of(kept), values()["plain"]
    content = bytearray(path.read_bytes())
    content[2 * CHUNK + 5] ^= 1
    path.write_bytes(content)
    entry = kept.opened("maps", "key")
    sums, crc32 = [], entries.isal_zlib.crc32
    monkeypatch.setattr(
        entries.isal_zlib, "crc32", lambda part: sums.append(1) or crc32(part)
    )
    for _ in range(2):
        np.testing.assert_array_equal(entry.rows("plain", [7]), plain[[7]])
        assert len(sums) == 1
    spoilt = (2 * CHUNK + 5) // plain[0].nbytes
    with pytest.raises(SpoiltEntryError, match=r"memory: .*damaged.*Run the same once"):
        entry.rows("plain", [0, spoilt])
    assert not path.exists()
    assert kept.opened("maps", "key") is None


def test_swapped_entries_are_not_taken_for_each_other(kept):
    kept.write("maps", "other", values(1), {})
    kept.write("prepared", "key", values(2), {})
    one, other = file_of(kept), file_of(kept, key="other")
    content = one.read_bytes()
    file_of(kept, "prepared").write_bytes(content)
    shutil.copy(other, one)
    other.write_bytes(content)
    for kind, key in [("maps", "key"), ("maps", "other"), ("prepared", "key")]:
        assert holds(kept, kind, key)
        assert kept.read(kind, key) is None
    kept.write("maps", "key", values(), FACTS)
    assert_entry(kept.read("maps", "key"))


class Bomb:
    """Makes a folder when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_nothing_is_unpickled(kept, tmp_path):
    content = pickle.dumps(Bomb(tmp_path / "was here"))
    for name in ("output.pkl", "metadata.json", "func_code.py"):
        (file_of(kept).parent / name).write_bytes(content)
    assert_entry(kept.read("maps", "key"))
    file_of(kept).write_bytes(content)
    assert kept.read("maps", "key") is None
    kept.write("maps", "key", values(), FACTS)
    assert_entry(kept.read("maps", "key"))
    array = np.array([Bomb(tmp_path / "was here")], object)
    np.save(file_of(kept).with_suffix(".npy"), array, allow_pickle=True)
    file_of(kept).with_suffix(".npy").replace(file_of(kept))
    assert kept.read("maps", "key") is None
    assert not (tmp_path / "was here").exists()
    pickle.loads(content)
    assert (tmp_path / "was here").exists()  # it would have been


def crafted(about, size=64, facts="{}", length=None):
    """Return a file with a right seal and an array that is described so."""
    about = about if isinstance(about, str) else json.dumps({"x": about})
    text = f'{{"kind": "maps", "key": "key", "facts": {facts}, "arrays": {about}}}'
    text = text.encode()
    length = len(text) if length is None else length
    return bytes(size) + text + END.pack(entries._seal(text), length, WORD)


SUM = np.array(zlib.crc32(bytes(64)), "<u4").tobytes().hex()
ABOUT = {"dtype": "<f8", "shape": [8], "start": 0, "checksums": SUM}
CRAFTED = {
    "objects": crafted(ABOUT | {"dtype": "|O8"}),
    "other dtype": crafted(ABOUT | {"dtype": "<f8,O"}),
    "two fields": crafted(ABOUT | {"dtype": "<f4,<f4"}),
    "no dtype": crafted(ABOUT | {"dtype": 8}),
    "unknown dtype": crafted(ABOUT | {"dtype": "<f3"}),
    "negative": crafted(ABOUT | {"shape": [-1]}),
    "two negative": crafted(ABOUT | {"shape": [-2, -4]}),
    "huge": crafted(ABOUT | {"shape": [2**61]}),
    "huge and nothing": crafted(ABOUT | {"shape": [2**61, 0]}),
    "a word": crafted(ABOUT | {"shape": "ab"}),
    "half": crafted(ABOUT | {"shape": [2.5]}),
    "behind": crafted(ABOUT | {"start": 2**40}),
    "before": crafted(ABOUT | {"start": -8}),
    "no start": crafted({"dtype": "<f8", "shape": [8]}),
    "few checksums": crafted(ABOUT | {"checksums": ""}),
    "many checksums": crafted(ABOUT | {"checksums": SUM * 2}),
    "odd checksums": crafted(ABOUT | {"checksums": "758"}),
    "wrong checksum": crafted(ABOUT | {"checksums": SUM[::-1]}),
    "list of arrays": crafted("[]"),
    "deep": crafted("[" * 100_000),
    "no JSON": crafted("{"),
    "not text": crafted('"\udcff"'.encode("utf-8", "replace").decode()),
    "facts": crafted(ABOUT, facts="[1]"),
    "no facts": crafted(ABOUT, facts="null"),
    "longer than the file": crafted(ABOUT, length=2**40),
    "longer by a bit": crafted(ABOUT, size=0, length=10_000),
    "nothing": b"",
    "only an end": END.pack(entries._seal(b""), 0, WORD),
    "half an end": WORD,
    "text": b"hello",
}


def test_crafting_is_right_in_all_else(cache):
    file_of(cache).parent.mkdir(parents=True)
    file_of(cache).write_bytes(crafted(ABOUT))
    assert cache.read("maps", "key").whole("x").tolist() == [0.0] * 8


@pytest.mark.parametrize("case", CRAFTED)
def test_crafted_entries_are_not_there(cache, case):
    file_of(cache).parent.mkdir(parents=True)
    file_of(cache).write_bytes(CRAFTED[case])
    assert cache.read("maps", "key") is None


def make_folder(path):
    path.mkdir()
    (path / "file").touch()


def make_socket(path):
    with tempfile.TemporaryDirectory() as short:  # names of sockets must be short
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(f"{short}/s")
        os.rename(f"{short}/s", path)


FOREIGN = {
    "pipe": os.mkfifo,
    "folder": make_folder,
    "socket": make_socket,
    "dangling link": lambda path: path.symlink_to("nowhere"),
    "link to itself": lambda path: path.symlink_to(path),
}


@pytest.mark.parametrize("foreign", FOREIGN)
def test_foreign_things_are_replaced(kept, foreign):
    path = file_of(kept)
    path.unlink()
    FOREIGN[foreign](path)
    assert kept.read("maps", "key") is None
    kept.write("maps", "key", values(), FACTS)
    assert_entry(kept.read("maps", "key"))


@pytest.mark.parametrize("make", [Path.touch, lambda path: path.symlink_to("nowhere")])
def test_foreign_thing_instead_of_a_folder_is_replaced(kept, make):
    folder = file_of(kept).parent
    shutil.rmtree(folder)
    make(folder)
    assert kept.read("maps", "key") is None
    kept.write("maps", "key", values(), FACTS)
    assert_entry(kept.read("maps", "key"))


# Errors, full disks and kills


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, OSError])
def test_error_leaves_nothing(kept, folder, error):
    before = file_of(kept).read_bytes()
    for key in ("key", "new"):
        with pytest.raises(error, match="of the work"):
            fill(kept, key, values(), error("of the work"))
    assert drafts(folder) == []
    assert file_of(kept).read_bytes() == before
    assert files(folder) == [file_of(kept)]


NO_ROOM = r"memory: the folder .*cache.* no room left.*reduce_size.*another folder"


@contextmanager
def largest_file(n_bytes):
    """Let no file of this process grow beyond a size, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("can_allocate", [True, False])
@pytest.mark.parametrize("at", ["array", "second array", "facts", "last byte"])
def test_full_disk_is_said_and_done_without(
    cache, folder, monkeypatch, at, can_allocate
):
    cache.write("maps", "key", values(), FACTS)
    n_bytes = file_of(cache).stat().st_size
    room = {"array": 0, "second array": 600_000, "last byte": n_bytes - 1}
    room["facts"] = sum(array.nbytes for array in values().values()) + 300
    cache.memory.clear(warn=False)
    if not can_allocate:
        monkeypatch.delattr(os, "posix_fallocate")
    with largest_file(room[at]), pytest.warns(UserWarning, match=NO_ROOM) as caught:
        writing = fill(cache, "key", values())
    assert len(caught) == 1
    assert not writing.kept
    assert drafts(folder) == []
    assert files(folder) == []
    cache.write("maps", "key", values(), FACTS)
    assert_entry(cache.read("maps", "key"))


def test_room_is_asked_for_first(cache, folder, monkeypatch):
    usage = shutil.disk_usage(folder)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    cache.write("maps", "small", {"a": np.ones(3)}, {})
    assert cache.read("maps", "small") is not None
    with pytest.warns(UserWarning, match=NO_ROOM):
        cache.write("maps", "key", values(), FACTS)
    assert cache.read("maps", "key") is None


def test_system_that_cannot_give_room_beforehand(cache, monkeypatch):
    def unknown(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "posix_fallocate", unknown)
    cache.write("maps", "key", values(), FACTS)
    assert_entry(cache.read("maps", "key"))


UNUSABLE = r"memory: the folder .*cannot be used: .*computed without it.*another\."


@pytest.mark.parametrize("place", ["sbc_estimators", "sbc_estimators/maps"])
def test_folder_that_cannot_be_written_to(cache, folder, place):
    path = folder / "joblib" / place
    path.parent.mkdir(exist_ok=True)
    path.touch()
    with pytest.warns(UserWarning, match=UNUSABLE) as caught:
        writing = fill(cache, "key", values())
    assert len(caught) == 1
    assert not writing.kept
    assert cache.read("maps", "key") is None


@contextmanager
def without_rights():
    """Act as a user who may do nothing, whoever runs the tests."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


def test_read_only_folder():
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)  # others may look into it
        cache = Store(opened_memory(folder), 2)
        cache.write("maps", "key", values(), FACTS)
        folders = [path for path in Path(folder).rglob("*") if path.is_dir()]
        for path in folders:
            path.chmod(0o555)
        with without_rights():
            assert_entry(cache.read("maps", "key"))
            with pytest.warns(UserWarning, match=f"Permission.*{UNUSABLE[-9:]}"):
                cache.write("maps", "other", values(), {})
            assert cache.read("maps", "other") is None
        for path in folders:
            path.chmod(0o755)


KILLS = """
import os, random, signal, sys, time, warnings
import joblib, numpy as np
from sbc_estimators._support import store
from sbc_estimators._support.store import Store

cache = Store(joblib.Memory(sys.argv[1], verbose=0), 2)
store.YOUNG = 0.0
random.seed(0)
n_read = n_left = 0

def write(value):
    with cache.writing("prepared", "key") as writing:
        a = writing.array("a", (200, 1000), np.float32)
        for row in a:
            row[:] = value
        b = writing.array("b", (1000,), int)
        b[:] = value
        writing.facts = {"value": value}

write(0)
ready, started = os.pipe()
for i in range(60):
    child = os.fork()
    if child == 0:
        os.write(started, b"!")
        for value in range(100 * i, sys.maxsize):
            write(value)
    os.read(ready, 1)
    time.sleep(0.01 * random.random())
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    n_left += len(os.listdir(cache._folder() + "/.writing"))
    entry = cache.read("prepared", "key")
    if entry is not None:
        n_read += 1
        value = entry.facts["value"]
        assert (entry.whole("a") == value).all() and (entry.whole("b") == value).all()
write(-1)
left = os.listdir(cache._folder() + "/.writing")
assert left == [], left
assert (cache.read("prepared", "key").whole("a") == -1).all()
print(n_read, n_left)
"""


def test_killed_writers_leave_nothing_that_counts(folder):
    """60 rounds of kill -9; each next writer clears what is left."""
    n_read, n_left = map(int, run(KILLS, folder).split())
    assert n_read > 10
    assert n_left > 10


@pytest.fixture
def left(cache, folder):
    """The function ``ages -> names``: which drafts of some ages a writer leaves."""
    cache.write("maps", "key", values(), FACTS)
    place = folder / "joblib/sbc_estimators/.writing"

    def written(ages):
        for name, age in ages.items():
            (place / name).touch()
            os.utime(place / name, (time.time() - age,) * 2)
        cache.write("maps", "key", values(), FACTS)
        return {path.name for path in place.iterdir()}

    written.place = place
    return written


OURS = store.HOST


def test_remains_are_told_from_what_is_being_written(left):
    ages = {f"{OURS}.young": 1, f"{OURS}.gone": 100, f"{OURS}.locked": 100}
    ages |= {"elsewhere.young": 100, "elsewhere.gone": 1e5}
    with open(left.place / f"{OURS}.locked", "wb") as file:
        store._lock(file)
        make_folder(left.place / "foreign")
        found = left(ages)
    assert found == {"foreign", f"{OURS}.young", f"{OURS}.locked", "elsewhere.young"}
    assert f"{OURS}.locked" not in left({f"{OURS}.locked": 100})


def test_remains_where_files_cannot_be_locked(left, monkeypatch):
    def no_locks(_):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(store, "_lock", no_locks)
    assert left({f"{OURS}.young": 100, f"{OURS}.gone": 1e5}) == {f"{OURS}.young"}


def test_long_writer_is_left_alone(cache, folder, monkeypatch):
    monkeypatch.setattr(store, "YOUNG", -1.0)
    with cache.writing("maps", "slow") as writing:
        writing.array("a", (3,), float)[...] = 1
        for key in range(3):
            cache.write("maps", str(key), values(), FACTS)
        assert len(drafts(folder)) == 1
    assert writing.kept
    assert drafts(folder) == []


# Several at once


WRITERS = """
import os, sys, threading, warnings
import joblib, numpy as np
from sbc_estimators._support.store import Store

cache = Store(joblib.Memory(sys.argv[1], verbose=0), 2)
n_wrong = []

def write_and_read(seed):
    rows = np.arange(seed, seed + 2000, dtype=np.float32)
    for _ in range(60):
        cache.write("maps", "key", {"a": rows, "b": rows * 2}, {"seed": seed})
        with cache.read("maps", "key") as entry:
            seen = entry.facts["seed"]
            expected = np.arange(seen, seen + 2000)
            if not (entry.whole("a") == expected).all():
                n_wrong.append("a")
            if not (entry.whole("b") == 2 * expected).all():
                n_wrong.append("b")

def work(seed):
    threads = [threading.Thread(target=write_and_read, args=[s]) for s in (seed, -seed)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os._exit(len(n_wrong))

def main(seed):
    child = os.fork()
    return child or work(seed)

children = [main(seed) for seed in range(1, 5)]
print([os.waitpid(child, 0)[1] for child in children])
"""


def run(script, folder):
    """Return what a script prints."""
    command = [sys.executable, "-W", "error::UserWarning", "-c", script, folder]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout


def test_many_writers_and_readers_of_one_key(folder):
    """Four processes of two threads each."""
    assert run(WRITERS, folder) == "[0, 0, 0, 0]\n"
    assert len(files(folder)) == 1
    assert drafts(folder) == []


def test_one_entry_in_many_threads(kept):
    entry, plain = kept.opened("maps", "key"), values()["plain"]
    rng = np.random.default_rng(0)
    picks = [rng.integers(3000, size=20) for _ in range(50)]
    found = joblib.Parallel(4, prefer="threads")(
        joblib.delayed(entry.rows)("plain", pick) for pick in picks
    )
    for pick, rows in zip(picks, found, strict=True):
        np.testing.assert_array_equal(rows, plain[pick])


# What joblib.Memory does with its folder


def test_reduce_size_removes_what_was_used_least(cache, folder):
    for key in "abcd":
        cache.write("maps", key, values(), FACTS)
        for path in file_of(cache, key=key).parent.iterdir():
            os.utime(path, (time.time() - 1000, time.time() - 1000))
    cache.read("maps", "a")
    cache.opened("maps", "c")
    size = file_of(cache, key="a").stat().st_size
    cache.memory.reduce_size(bytes_limit=2 * size + 100)
    assert [holds(cache, "maps", key) for key in "abcd"] == [True, False, True, False]
    cache.memory.reduce_size(items_limit=0)
    assert files(folder) == []
    assert cache.read("maps", "a") is None
    cache.write("maps", "a", values(), FACTS)
    assert_entry(cache.read("maps", "a"))


def test_use_is_noted_where_joblib_looks(kept, folder):
    path = file_of(kept).with_name("output.pkl")
    assert path.read_bytes() == b""
    path.unlink()
    kept.read("maps", "key")
    os.utime(path, (0, 0))
    kept.opened("maps", "key")
    assert time.time() - path.stat().st_atime < 100


def test_clear(kept, folder):
    kept.memory.clear(warn=False)
    assert files(folder) == []
    assert kept.read("maps", "key") is None
    kept.write("maps", "key", values(), FACTS)
    assert_entry(kept.read("maps", "key"))


def test_cleared_while_an_entry_is_written(kept, folder):
    with kept.writing("maps", "key") as writing:
        writing.array("a", (3,), float)[...] = 1
        kept.memory.clear(warn=False)
    assert not writing.kept
    assert kept.read("maps", "key") is None


def test_cleared_while_an_entry_is_read(kept):
    entry = kept.opened("maps", "key")
    kept.memory.clear(warn=False)
    assert_entry(entry)


@pytest.mark.parametrize("kind", [str, Path, lambda path: joblib.Memory(str(path))])
def test_kinds_of_memory(folder, kind):
    memory = opened_memory(kind(folder))
    assert isinstance(memory, joblib.Memory)
    Store(memory).write("maps", "key", values(), FACTS)
    assert_entry(Store(opened_memory(folder)).read("maps", "key"))


def test_memory_that_has_no_folder(folder):
    memory = joblib.Memory(folder, verbose=0)
    memory.backend = "elsewhere"
    with pytest.raises(ValueError, match=r"memory must .*folder, got .*'elsewhere'"):
        opened_memory(memory)
    assert opened_memory(None).location is None
    with pytest.raises(ValueError, match=r"memory.* (path|string).*joblib\.Memory"):
        opened_memory(3)
    (folder / "file").touch()
    with pytest.raises(OSError, match=r"memory=.*cache.*no folder.*Pass another path"):
        opened_memory(folder / "file")
