"""Keys: equal where contents are equal, and only there."""

import itertools
import tracemalloc
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sbc_estimators._support import digests
from sbc_estimators._support.digests import digest

ARRAY = np.arange(24.0).reshape(2, 3, 4)

SAME = {
    "numbers": [
        6,
        6.0,
        np.float32(6),
        np.int8(6),
        6 + 0j,
        Fraction(6),
        np.array(6)[()],
    ],
    "fractions": [0.1, np.float64(0.1), np.longdouble(0.1)],
    "zero": [0.0, -0.0, 0],
    "large": [2**70, float(2**70)],
    "not a number": [np.nan, float("nan"), np.float32("nan")],
    "complex": [1 + 2j, np.complex64(1 + 2j)],
    "truth": [True, np.True_],
    "text": ["a/b", Path("a/b"), np.str_("a/b")],
    "bytes": [b"ab", np.bytes_(b"ab")],
    "lists": [[1, [2, "c"]], (1.0, (2, "c")), [np.int32(1), [np.float64(2), "c"]]],
    "dicts": [{"a": 1, "b": [2]}, {"b": (2.0,), "a": 1}],
    "arrays": [
        ARRAY,
        ARRAY.copy(),
        np.asfortranarray(ARRAY),
        np.repeat(ARRAY, 2, axis=2)[..., ::2],
        ARRAY.astype(">f8"),
        np.ascontiguousarray(ARRAY.T).T,
    ],
    "objects": [np.array(["a", 1], object), np.array(["a", 1.0], object)],
}

DIFFERENT = [
    (),
    (None,),
    (None, None),
    ([],),
    ([None],),
    ([[]],),
    ({},),
    ("",),
    (b"",),
    ("a",),
    (b"a",),
    ("ab",),
    ("a", "b"),
    (("a", "b"),),
    (["a"], "b"),
    ("a", ["b"]),
    ({"a": "b"},),
    ({"a": "b", "b": "a"},),
    ([("a", "b")],),
    ("\udcff",),
    ("1",),
    (1,),
    (True,),
    (False,),
    (0,),
    (-1,),
    (1.5,),
    (2**53 + 1,),
    (float(2**53),),
    (np.inf,),
    (-np.inf,),
    (np.nan,),
    ("nan",),
    (1j,),
    (ARRAY,),
    (ARRAY + 1,),
    (ARRAY.astype(int),),
    (ARRAY.astype(np.float32),),
    (ARRAY.ravel(),),
    (ARRAY.reshape(4, 3, 2),),
    (ARRAY[..., np.newaxis],),
    (ARRAY.tolist(),),
    (ARRAY, None),
    (ARRAY, ARRAY),
    ([ARRAY, ARRAY],),
    (np.zeros((0, 3)),),
    (np.zeros((3, 0)),),
    (np.zeros(3, bool),),
    (np.zeros(3, np.uint8),),
    (np.array(1),),
    (np.array(["a", "b"]),),
    (np.array(["a", "b"], object),),
    (np.array(["2020-01-01"], "M8[D]"),),
    (np.array([(1, 2.0)], [("a", int), ("b", float)]),),
    (np.array([(1, 2.0)], [("a", int), ("c", float)]),),
    (ARRAY.tobytes(),),
]


@pytest.mark.parametrize("kind", SAME)
def test_equal_contents_have_one_digest(kind):
    assert len({digest(value) for value in SAME[kind]}) == 1
    assert len({digest("x", [value]) for value in SAME[kind]}) == 1


def test_other_contents_have_other_digests():
    found = {}
    for parts in DIFFERENT:
        found.setdefault(digest(*parts), []).append(parts)
    assert [same for same in found.values() if len(same) > 1] == []


def test_no_two_sequences_of_small_parts_run_together():
    parts = ["", "a", "aa", b"a", 1, 11, None, (), ("a",), ("a", 1), True]
    sequences = [
        sequence
        for length in range(4)
        for sequence in itertools.product(parts, repeat=length)
    ]
    assert len({digest(*sequence) for sequence in sequences}) == len(sequences)


def test_digest_is_the_same_in_each_process():
    """Keys are kept on disk: these may change with a new version only."""
    assert digest("maps", 6, None, [1.5]) == "664ab69510f861240604e9f4f2d9098a"
    assert len(digest()) == 32
    assert int(digest(), 16)


@pytest.mark.parametrize(
    "value",
    [object(), {1, 2}, pd.DataFrame({"a": [1]}), np.ma.array([1.0], mask=[True]), len],
)
def test_what_cannot_be_told_has_no_digest(value):
    with pytest.raises(TypeError, match="key of a cache"):
        digest("x", [value])


@pytest.mark.parametrize("order", ["C", "F"])
def test_large_arrays_are_not_copied(order, monkeypatch):
    monkeypatch.setattr(digests, "COPIED_BYTES", 2**16)
    array = np.asarray(np.random.default_rng(0).random((64, 64, 128)), order=order)
    expected = digest(array.copy("C"))
    tracemalloc.start()
    assert digest(array) == expected
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < array.nbytes / 10
