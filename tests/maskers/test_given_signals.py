"""`GivenSignals`: columns of tables, checked and not cleaned."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from helpers import words
from sbc_estimators.maskers import GivenSignals


@pytest.mark.parametrize(
    ("columns", "places"),
    [
        (None, [0, 1, 2]),
        ("breath", [1]),
        (["pupil", "heart rate"], [2, 0]),
        (1, [1]),
        ([2, "breath"], [2, 1]),
        (np.array([0, 2]), [0, 2]),
        (pd.Index(["pupil"]), [2]),
    ],
)
def test_columns(physiology, columns, places):
    seeds = GivenSignals(columns)
    expected = physiology.to_numpy()[:, places]
    np.testing.assert_array_equal(seeds.fit_transform(physiology), expected)
    assert seeds.seed_names_ == [physiology.columns[place] for place in places]


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("suffix", [".tsv", ".csv", ".txt"])
def test_signals_from_a_file(physiology, tmp_path, suffix, header):
    path = tmp_path / f"physio{suffix}"
    separator = {".tsv": "\t", ".csv": ",", ".txt": " "}[suffix]
    table = physiology.set_axis(["heart", "breath", "pupil"], axis=1)
    table.to_csv(path, sep=separator, index=False, header=header)
    seeds = GivenSignals("breath" if header else 1)
    found = seeds.fit_transform(path)
    np.testing.assert_allclose(found[:, 0], physiology["breath"], rtol=1e-12)
    assert seeds.seed_names_ == ["breath" if header else "signal1"]


def test_signals_in_other_containers(physiology):
    array = physiology.to_numpy()
    for signals in (array, array.tolist(), array.astype(np.float32)):
        seeds = GivenSignals().fit(signals)
        np.testing.assert_allclose(seeds.transform(signals), array, rtol=1e-5)
        assert seeds.seed_names_ == ["signal0", "signal1", "signal2"]
    for one in (array[:, 1], physiology["breath"], array[:, 1].tolist()):
        np.testing.assert_allclose(GivenSignals().fit_transform(one)[:, 0], array[:, 1])
    for dtype in ("Float64", object):
        found = GivenSignals().fit_transform(physiology.astype(dtype))
        np.testing.assert_array_equal(found, array)
    whole = GivenSignals().fit_transform(pd.DataFrame({"a": [1, 2, 2**40]}))
    np.testing.assert_array_equal(whole, [[1.0], [2], [2**40]])


def test_columns_of_words_beside_those_that_are_chosen(physiology):
    table = physiology.assign(task="rest")
    found = GivenSignals(["pupil"]).fit_transform(table)
    np.testing.assert_array_equal(found, physiology[["pupil"]])


@pytest.mark.parametrize("container", ["float", "Float64", object, "path", "one"])
@pytest.mark.parametrize("missing", [np.nan, None, pd.NA])
def test_censored_values_need_not_be_finite(physiology, tmp_path, container, missing):
    kept = np.delete(np.arange(200), [3, 90])
    signals = physiology.copy()
    dtype = {"path": "float", "one": "Float64"}.get(container, container)
    if dtype == "float":
        missing = np.nan
    signals = signals.astype(dtype)
    signals.iloc[[3, 90], 1] = missing
    if container == "one":
        signals = signals[["breath"]]
    passed = signals
    if container == "path":
        passed = tmp_path / "signals.tsv"
        signals.to_csv(passed, sep="\t", index=False, na_rep="n/a")
    seeds = GivenSignals("breath").fit(passed)
    raw = seeds.read(passed, 200, kept)
    np.testing.assert_allclose(
        raw[kept, 0], physiology["breath"].to_numpy()[kept], rtol=1e-12
    )
    np.testing.assert_allclose(raw[[3, 90], 0], raw[kept].mean())
    assert pd.isna(signals.iloc[3]["breath"])
    expected = words("must be finite", "column 'breath'", "scans 3, 90")
    with pytest.raises(ValueError, match=expected):
        seeds.transform(passed)


def test_names_before_any_run():
    seeds = GivenSignals(["breath", "pupil"]).fit()
    assert seeds.get_feature_names_out().tolist() == ["breath", "pupil"]
    for columns in (None, [0]):
        with pytest.raises(ValueError, match="are known from signals alone"):
            GivenSignals(columns).fit()


def test_columns_of_one_name(physiology):
    table = physiology.set_axis(["a", "b", "a"], axis=1)
    assert GivenSignals().fit(table).seed_names_ == ["a", "b", "a (2)"]
    assert GivenSignals([2]).fit(table).seed_names_ == ["a"]
    with pytest.raises(ValueError, match=words("several columns 'a'", "[0, 2]")):
        GivenSignals("a").fit(table)


def test_back_to_a_table(physiology):
    seeds = GivenSignals(["pupil", "breath"]).fit(physiology)
    table = seeds.inverse_transform(seeds.transform(physiology))
    pd.testing.assert_frame_equal(table, physiology[["pupil", "breath"]])
    assert seeds.inverse_transform([1, 2]).to_dict("list") == {
        "pupil": [1],
        "breath": [2],
    }


@pytest.mark.parametrize("shape", [(2, 3), (1,), (1, 2, 2), ()])
def test_back_from_a_wrong_width(physiology, shape):
    seeds = GivenSignals(["pupil", "breath"]).fit(physiology)
    expected = words("X must have", "a column for each of 2 seeds", shape, "transform")
    with pytest.raises(ValueError, match=expected):
        seeds.inverse_transform(np.zeros(shape))


FRAME = pd.DataFrame
ERRORS = {
    "name": (GivenSignals("breaht"), None, ("no column 'breaht'", "mean 'breath'")),
    "position": (GivenSignals(3), None, ("numbered from 0 to 2", "got 3")),
    "negative": (GivenSignals(-1), None, ("numbered from 0 to 2", "got -1")),
    "kind": (GivenSignals(1.5), None, ("a name, a position", "1.5")),
    "truth": (GivenSignals([True]), None, ("a name, a position", "True")),
    "generator": (
        GivenSignals(name for name in "ab"),
        None,
        ("a name, a position", "generator"),
    ),
    "none": (GivenSignals([]), None, ("columns must hold at least one",)),
    "twice": (GivenSignals(["pupil"] * 2), None, ("columns holds 'pupil' twice",)),
    "clean": (GivenSignals(clean="yes"), None, ("clean must be True or False", "yes")),
    "cube": (GivenSignals(), np.zeros((4, 3, 2)), ("ndarray of shape (4, 3, 2)",)),
    "nothing": (GivenSignals(), 3.0, ("float of shape ()",)),
    "words": (GivenSignals(), [["a"], ["b"]], ("must be numbers",)),
    "complex": (GivenSignals(), [1j, 2, 3], ("must be numbers", "complex128")),
    "truths": (GivenSignals(), [True, False], ("must be numbers", "bool")),
    "masked": (
        GivenSignals(),
        np.ma.masked_greater([1.0, 2, 3], 2),
        ("must be numbers", "MaskedArray"),
    ),
    "dates": (
        GivenSignals(),
        FRAME({"a": pd.date_range("2020-01-01", periods=3)}),
        ("must be numbers", "column 'a'", "2020"),
    ),
    "column-of-truths": (
        GivenSignals(),
        FRAME({"a": [1, 2, 3], "b": [True, False, True]}),
        ("must be numbers", "column 'b' holds", "True"),
    ),
    "column-of-words": (
        GivenSignals(),
        FRAME({"a": [1, 2, 3], "b": ["x", "y", "z"]}),
        ("must be numbers", "column 'b' holds 'x'", "Choose other columns"),
    ),
    "a-truth-in-a-column": (
        GivenSignals(),
        FRAME({"a": [1, 2, 3], "b": [1, True, 3]}, dtype=object),
        ("must be numbers", "column 'b' holds True"),
    ),
    "a-word-in-a-column": (
        GivenSignals(),
        FRAME({"a": [1, 2, 3], "b": [1, "rest", 3]}),
        ("must be numbers", "column 'b' holds 'rest'"),
    ),
    "nan": (
        GivenSignals(),
        FRAME({"a": [1.0, 2, 3], "b": [1.0, np.nan, np.inf]}),
        ("must be finite", "column 'b'", "scans 1, 2", "sample_mask"),
    ),
    "file": (GivenSignals(), "absent.tsv", ("signals: there is no file",)),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors(physiology, name):
    seeds, signals, parts = ERRORS[name]
    signals = physiology if signals is None else signals
    with pytest.raises((TypeError, ValueError, OSError), match=words(*parts)):
        seeds.fit_transform(signals)


def test_lengths(physiology):
    seeds = GivenSignals().fit(physiology)
    with pytest.raises(ValueError, match=words("one row per scan, 190", "200")):
        seeds.read(physiology, 190)
    with pytest.raises(ValueError, match=words("are 2 signals", "in fit there were 3")):
        seeds.transform(physiology.iloc[:, :2])
    assert seeds.read(physiology, 200).shape == (200, 3)


def test_names_agree_over_runs(physiology):
    seeds, turned = GivenSignals().fit(physiology), physiology.iloc[:, ::-1]
    expected = words("called ['pupil', 'breath'", "in fit they were ['heart rate'")
    with pytest.raises(ValueError, match=expected):
        seeds.transform(turned)
    # What has no names is taken by position, as is what was asked for so.
    array = physiology.to_numpy()
    np.testing.assert_array_equal(seeds.transform(array), array)
    by_position = GivenSignals([0, 1]).fit(physiology)
    np.testing.assert_array_equal(by_position.transform(turned), array[:, [2, 1]])
    by_name = GivenSignals(["breath"]).fit(physiology)
    np.testing.assert_array_equal(by_name.transform(turned), array[:, [1]])


def test_as_a_part_of_scikit_learn(physiology):
    seeds = GivenSignals(["pupil", 1], clean=False)
    with pytest.raises(NotFittedError):
        seeds.transform(physiology)
    before = physiology.copy()
    signals = seeds.fit_transform(physiology)
    pd.testing.assert_frame_equal(physiology, before)
    assert signals.dtype == np.float64
    assert vars(clone(seeds)) == {"columns": ["pupil", 1], "clean": False}
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(seeds)).transform(physiology), signals
    )
    table = clone(seeds).set_output(transform="pandas").fit_transform(physiology)
    pd.testing.assert_frame_equal(table, physiology[["pupil", "breath"]])
    assert clone(seeds).set_params(columns=0).fit(physiology).seed_names_ == [
        "heart rate"
    ]
