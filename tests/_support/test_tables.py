"""Tables: what a file holds and no more, and the same numbers from any container."""

import datetime
import gzip
import os
import time
from decimal import Decimal

import nibabel
import numpy as np
import pandas as pd
import pytest
from nilearn.maskers import NiftiMasker

from sbc_estimators import Run, SeedCorrelationMap
from sbc_estimators._support.tables import numbers_of, read_table
from sbc_estimators.datasets import make_runs
from sbc_estimators.maskers import GivenSignals, RegionSeeds, SphereSeeds

MOTION = np.random.default_rng(0).standard_normal((30, 6))
NAMES = [f"trans_{axis}" for axis in "xyz"] + [f"rot_{axis}" for axis in "xyz"]


@pytest.fixture
def write(tmp_path):
    """The function ``(text, name) -> path``."""

    def written(text, name="table.txt"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return written


def lines_of(values, separator="\t", names=None):
    """Return a table as text."""
    rows = [] if names is None else [names]
    rows += [[repr(float(x)) for x in row] for row in values]
    return "\n".join(map(separator.join, rows)) + "\n"


def assert_read(path, values, names):
    """Check that a file gives numbers and names."""
    table = read_table(path, "table")
    assert list(table.columns) == (names or list(range(np.shape(values)[1])))
    numbers, found = numbers_of(path, "table")
    assert found == names
    np.testing.assert_array_equal(numbers, values)
    assert numbers.dtype == np.float64


# Headers and comments


@pytest.mark.parametrize("name", ["m.txt", "m.tsv", "m.csv", "m.par", "m"])
@pytest.mark.parametrize("separator", ["\t", ";", ",", ", ", " ", "   ", " \t "])
def test_separators_are_found_whatever_the_file_is_called(write, name, separator):
    assert_read(write(lines_of(MOTION, separator), name), MOTION, None)
    assert_read(write(lines_of(MOTION, separator, NAMES), name), MOTION, NAMES)


HEADERS = {
    "motion": None,
    "as fsl has them": None,
    "two names": None,
    " ".join(NAMES): NAMES,
    "three lines\nof comment\n" + " ".join(NAMES): NAMES,
    " ".join(NAMES) + "\nmotion of a run": None,
    "1 2 3 4 5 6": None,
    "": None,
}


@pytest.mark.parametrize("header", HEADERS)
def test_comments_of_numpy(tmp_path, header):
    """Five of six columns were lost where the header was one word."""
    path = tmp_path / "m.txt"
    np.savetxt(path, MOTION, header=header, footer="the end")
    assert_read(path, np.loadtxt(path), HEADERS[header])


def test_comment_of_another_separator_gives_names_too(write):
    text = "# motion\n# a, b\n1,2\n# in between\n3,4\n"
    assert_read(write(text), [[1, 2], [3, 4]], ["a", "b"])


def test_comment_gives_names_to_a_table_with_words(write):
    table = read_table(write("# index name\n1 PCC\n2 NA\n"), "lut")
    assert table.to_dict("list") == {"index": [1, 2], "name": ["PCC", "NA"]}
    table = read_table(write("# some words\nindex name\n1 PCC\n"), "lut")
    assert table.to_dict("list") == {"index": [1], "name": ["PCC"]}


@pytest.mark.parametrize("separator", ["\t", " ", ",", ";"])
def test_names_must_be_as_many_as_columns(write, separator):
    """A header of two names over three columns lost the first column."""
    for names in (NAMES[:2], NAMES[:1], NAMES[:4]):
        path = write(lines_of(MOTION[:, :3], separator, names))
        with pytest.raises(ValueError, match=rf"line 2 has 3 fields.*{len(names)} "):
            read_table(path, "confounds")


def test_one_column_may_be_called_by_several_words(write):
    assert_read(write("global signal\n1\n2\n"), [[1], [2]], ["global signal"])
    assert_read(write("a\n1\n2\n"), [[1], [2]], ["a"])
    assert_read(write("# motion\n1\n2\n"), [[1], [2]], ["motion"])
    assert_read(write("1\n2\n"), [[1], [2]], None)


def test_index_of_pandas_is_no_confound(write, tmp_path):
    pd.DataFrame(MOTION, columns=NAMES).to_csv(tmp_path / "c.csv")
    with pytest.raises(ValueError, match=r"column 0 has no name.*index=False"):
        read_table(tmp_path / "c.csv", "confounds")


def test_first_row_may_have_a_missing_number(write):
    path = write("n/a\t1\t2\n3\t4\t5\n")
    assert_read(path, [[np.nan, 1, 2], [3, 4, 5]], None)


def test_names_may_be_there_twice(write):
    assert_read(write("a,b,a\n1,2,3\n"), [[1, 2, 3]], ["a", "b", "a"])


def test_separator_at_the_end_of_lines_is_no_column(write):
    ends = "1\t2\t\n3\t4\t\n"
    assert_read(write(ends), [[1, 2], [3, 4]], None)
    assert_read(write("a\tb\t\n" + ends), [[1, 2], [3, 4]], ["a", "b"])
    assert_read(write("a\tb\n" + ends), [[1, 2], [3, 4]], ["a", "b"])
    assert_read(write("1 2 \n3 4 \n"), [[1, 2], [3, 4]], None)
    empty = [[1, 2, np.nan], [3, 4, np.nan]]
    assert_read(write("a\tb\tc\n" + ends), empty, ["a", "b", "c"])


MISSING = ["n/a", "NA", "NaN", "nan", "", "null", "None", "<NA>", "N/A"]


@pytest.mark.parametrize("missing", MISSING)
def test_missing_numbers(write, missing):
    path = write(f"a\tb\n{missing}\t1.5\n2\t{missing}\n", "c.tsv")
    assert_read(path, [[np.nan, 1.5], [2, np.nan]], ["a", "b"])


@pytest.mark.parametrize("number", ["1e3", "+1.5", "-.5", "5.", "1E-300", "inf", "007"])
def test_ways_to_write_a_number(write, number):
    assert_read(write(f"a,b\n{number},1\n"), [[float(number), 1]], ["a", "b"])


@pytest.mark.parametrize("word", ["rest", "1_000", "1+2j", "0x10", "True", "1.5.2"])
def test_what_is_no_number_is_none(write, word):
    path = write(f"a,b\n{word},1\n{word},2\n")
    assert str(read_table(path, "x")["a"][0]) == word
    with pytest.raises(ValueError, match=r"confounds must be numbers, column 'a' hold"):
        numbers_of(path, "confounds")


def test_decimal_commas_are_no_separators(write):
    path = write("a;b\n1,5;2,5\n")
    with pytest.raises(ValueError, match="column 'a' holds '1,5' in row 0"):
        numbers_of(path, "confounds")


# Names in a column


def test_na_is_a_name(write):
    """A region called "NA" became "nan"."""
    rows = "".join(f"{i}\t{name}\n" for i, name in enumerate(["NA", "007", "", "1e5"]))
    table = read_table(write("index\tname\n" + rows), "lut")
    assert table["name"].tolist() == ["NA", "007", "", "1e5"]
    assert table["index"].tolist() == [0, 1, 2, 3]
    only = read_table(write("index,name\n1,NA\n"), "lut")
    assert only["name"].tolist() == ["NA"]


def test_names_hold_what_stands_in_quotes(write):
    text = 'name;x\n"L; IPS";1\n"the ""best"""; 2\n  PCC ;3\n'
    table = read_table(write(text), "seeds")
    assert table["name"].tolist() == ["L; IPS", 'the "best"', "PCC"]
    assert table["x"].tolist() == [1, 2, 3]
    table = read_table(write('name x\n"L IPS" 1\n'), "seeds")
    assert table["name"].tolist() == ["L IPS"]


def test_words_of_other_columns_stay_as_they_are(write):
    text = "name,x,network\nPCC,1,NA\nIPS,2,dorsal, attention\n".replace(", a", " a")
    table = read_table(write(text), "seeds")
    assert table["network"].tolist() == ["NA", "dorsal attention"]


# Files


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("is_compressed", [True, False])
def test_encodings(write, encoding, end, is_compressed):
    """A mark of the byte order is no part of a name."""
    content = "größe\tb\n1\t2\n\n3\t4".replace("\n", end).encode(encoding)
    if is_compressed:
        content = gzip.compress(content)
    assert_read(write(content, "c.tsv"), [[1, 2], [3, 4]], ["größe", "b"])


def test_compressed_file_is_read_as_fast(tmp_path):
    values = np.random.default_rng(0).standard_normal((200, 200))
    table = pd.DataFrame(values, columns=[f"c{i}" for i in range(200)])
    times = {}
    for name in ("c.tsv", "c.tsv.gz", "c.csv", "c.csv.gz"):
        sep = "\t" if "tsv" in name else ","
        table.to_csv(tmp_path / name, sep=sep, index=False)
        tries = []
        for _ in range(5):
            start = time.process_time()
            read_table(tmp_path / name, "c")
            tries.append(time.process_time() - start)
        times[name] = min(tries)
    assert max(times.values()) < 3 * times["c.tsv"]


NOT_TABLES = {
    "empty": b"",
    "blank lines": b"\n \n\r\n",
    "comments": b"# a\n# b\n",
    "header": b"a\tb\n",
    "ragged": b"a\tb\n1\t2\n1\t2\t3\t4\n",
    "short": b"a\tb\tc\n1\t2\t3\n1\t2\n",
    "ragged numbers": b"1 2 3\n4 5\n6 7 8\n",
    "not text": bytes(range(256)),
    "zeros": bytes(100),
    "latin": "a\tgrößer\n1\t2\n".encode("latin-1"),
    "cut gzip": gzip.compress(b"a\tb\n1\t2\n" * 100)[:-12],
    "spoilt gzip": gzip.compress(b"a\tb\n1\t2\n" * 100)[:20] + b"\xff" * 20,
    "half a quote": b'a\tb\n"1\t2\n3\t4\n',
    "quote over lines": b'a\tb\n"1\n2"\t2\n3\t4\n',
    "text behind a quote": b'a,b\n"1"x,2\n',
}


@pytest.mark.parametrize("kind", NOT_TABLES)
def test_files_that_are_no_tables(write, kind):
    path = write(NOT_TABLES[kind], "c.tsv")
    with pytest.raises(ValueError, match=r"confounds '.*c\.tsv' is not a table that"):
        read_table(path, "confounds")


def test_text_in_quotes_is_on_one_line(write):
    path = write('a\tb\n"1\n2"\t2\n3\t4\n')
    with pytest.raises(ValueError, match="a text in quotes goes over several lines"):
        read_table(path, "confounds")


def test_nothing_is_fetched(tmp_path, monkeypatch):
    """Not even where a file that has the name of an address is there."""
    monkeypatch.chdir(tmp_path)
    address = "http://127.0.0.1:9/table.tsv"
    for use in (
        lambda: read_table(address, "confounds"),
        lambda: SphereSeeds(address).fit(),
        lambda: GivenSignals().fit(address),
    ):
        with pytest.raises(FileNotFoundError, match=r"no file 'http://127"):
            use()
    os.makedirs("http:/127.0.0.1:9")
    with open(address, "w") as file:
        file.write("a\n1\n2\n")
    assert_read(address, [[1], [2]], ["a"])


def test_folder_is_no_table(tmp_path):
    with pytest.raises(FileNotFoundError, match="confounds: there is no file"):
        read_table(tmp_path, "confounds")


def spoilt(content, rng):
    """Return a file's content with something changed."""
    content = bytearray(content)
    start = int(rng.integers(len(content)))
    kind = rng.integers(4)
    if kind == 0:
        content[start] ^= 1 << rng.integers(8)
    elif kind == 1:
        del content[start : start + int(rng.integers(1, 9))]
    elif kind == 2:
        some = [b"\t", b"\n", b",", b" ", b"#", b'"', b"NA", b"\xff", b"-", b"a", b"\0"]
        content[start:start] = some[rng.integers(len(some))]
    else:
        del content[start:]
    return bytes(content)


def read_strictly(content):
    """Return names and rows of a table with tabs that pandas and csv had no part in."""
    text = content.decode("utf-8")
    lines = [line for line in text.split("\n") if line.strip(" ") and line[0] != "#"]
    names, *rows = [[field.strip() for field in line.split("\t")] for line in lines]
    return names, rows


def read_or_refused(path):
    """Return a table, None where it was refused with an error that names the file."""
    try:
        return read_table(path, "table")
    except ValueError as error:
        if f"table {str(path)!r}" not in str(error):
            raise
    return None


@pytest.mark.parametrize("seed", range(4))
def test_spoilt_tables_are_read_as_they_are_or_refused(write, seed):
    """Each of 150 changed files gives what it says, or an error that names it."""
    rng = np.random.default_rng(seed)
    whole = lines_of(MOTION[:6, :3], "\t", NAMES[:3]).encode()
    n_read = 0
    for _ in range(150):
        content = spoilt(whole, rng)
        table = read_or_refused(write(content))
        if table is None or set(content) & set(b'"\r,'):
            continue
        names, rows = read_strictly(content)
        n_read += 1
        assert list(table.columns) == names
        assert len(table) == len(rows)
        for found, texts in zip(
            table.to_numpy(object).ravel(), np.ravel(rows), strict=True
        ):
            if isinstance(found, str):
                assert found == texts
            else:
                expected = np.nan if texts in MISSING else float(texts)
                np.testing.assert_array_equal(found, expected)
    assert n_read > 30


@pytest.mark.parametrize("seed", range(2))
def test_spoilt_gzip_is_refused_or_what_it_was(write, seed):
    rng = np.random.default_rng(seed)
    whole = gzip.compress(lines_of(MOTION, "\t", NAMES).encode())
    expected = read_table(write(whole), "table")
    tables = [read_or_refused(write(spoilt(whole, rng))) for _ in range(100)]
    read = [table for table in tables if table is not None]
    assert len(read) < 50
    for table in read:
        pd.testing.assert_frame_equal(table, expected)


# The same numbers from any container


class LikePolars:
    """The part of a polars DataFrame that counts."""

    def __init__(self, table):
        self.table = table
        self.columns = list(table.columns)

    def __getitem__(self, column):
        return self.table[column]

    def to_numpy(self):
        raise NotImplementedError


TABLE = pd.DataFrame(MOTION, columns=NAMES)
GAPS = TABLE.mask(TABLE > 1.5)
INTEGERS = (10 * TABLE).round().astype(int)
CONTAINERS = {
    "float": lambda t: t,
    "nullable": lambda t: t.astype("Float64"),
    "object": lambda t: t.astype(object),
    "object with None": lambda t: t.astype(object).where(t.notna(), None),
    "object with NA": lambda t: t.astype(object).where(t.notna(), pd.NA),
    "text": lambda t: t.map(repr),
    "text of strings": lambda t: t.map(repr).astype("string"),
    "decimal": lambda t: t.map(lambda x: Decimal(repr(x))),
    "sparse": lambda t: t.astype(pd.SparseDtype(float)),
    "categories": lambda t: t.astype("category"),
    "one column of objects": lambda t: t.assign(trans_y=t["trans_y"].astype(object)),
    "one nullable column": lambda t: t.assign(trans_y=t["trans_y"].astype("Float64")),
    "other index": lambda t: t.set_axis(range(7, 7 + len(t))),
    "like polars": LikePolars,
}


@pytest.mark.parametrize("has_gaps", [False, True])
@pytest.mark.parametrize("container", CONTAINERS)
def test_same_values_give_the_same_numbers(container, has_gaps):
    table = GAPS if has_gaps else TABLE
    numbers, names = numbers_of(CONTAINERS[container](table), "confounds")
    np.testing.assert_array_equal(numbers, table.to_numpy())
    assert numbers.dtype == np.float64
    assert names == NAMES


ARRAYS = {
    "array": np.array,
    "list": lambda t: t.to_numpy().tolist(),
    "tuples": lambda t: list(t.itertuples(index=False, name=None)),
    "objects": lambda t: t.to_numpy(object),
    "fortran": lambda t: np.asfortranarray(t),
    "not masked": lambda t: np.ma.array(t.to_numpy()),
    "big-endian": lambda t: t.to_numpy().astype(">f8"),
    "without names": lambda t: t.set_axis(range(t.shape[1]), axis=1),
}


@pytest.mark.parametrize("container", ARRAYS)
def test_arrays_have_no_names(container):
    numbers, names = numbers_of(ARRAYS[container](GAPS), "confounds")
    np.testing.assert_array_equal(numbers, GAPS.to_numpy())
    assert names is None


def test_one_dimension_is_one_column():
    for one in (MOTION[:, 0], MOTION[:, 0].tolist(), pd.Series(MOTION[:, 0])):
        numbers, names = numbers_of(one, "confounds")
        np.testing.assert_array_equal(numbers, MOTION[:, :1])
        assert names is None
    assert numbers_of(TABLE["rot_x"], "confounds")[1] == ["rot_x"]


def test_integers_and_records():
    records = TABLE.to_records(index=False)
    numbers, names = numbers_of(np.asarray(records), "confounds")
    np.testing.assert_array_equal(numbers, MOTION)
    assert names == NAMES
    for table in (INTEGERS, INTEGERS.astype("Int64"), INTEGERS.astype(object)):
        np.testing.assert_array_equal(numbers_of(table, "x")[0], INTEGERS)
    assert numbers_of(np.zeros((5, 0)), "x")[0].shape == (5, 0)
    assert numbers_of(pd.DataFrame(index=range(5)), "x")[0].shape == (5, 0)


def test_numbers_are_a_copy():
    values = MOTION.copy()
    for held in (values, pd.DataFrame(values, copy=False)):
        numbers_of(held, "x")[0][:] = 0
        np.testing.assert_array_equal(values, MOTION)


OTHER = {
    "complex": np.array([1 + 0j, 2]),
    "booleans": np.array([True, False]),
    "dates": pd.to_datetime(["2020-01-01", "2020-01-02"]),
    "dates with a zone": pd.to_datetime(["2020-01-01", "2020-01-02"], utc=True),
    "times": np.array([1, 2], "m8[s]"),
    "periods": pd.period_range("2020", periods=2, freq="D"),
    "words": ["a", "b"],
    "bytes": np.array([b"1", b"2"]),
    "nullable booleans": pd.array([True, None], "boolean"),
    "objects: complex": np.array([1.0, 1j], object),
    "objects: boolean": np.array([1.0, True], object),
    "objects: numpy boolean": np.array([1.0, np.True_], object),
    "objects: date": np.array([1.0, datetime.date(2020, 1, 1)], object),
    "objects: no time": np.array([1.0, pd.NaT], object),
    "objects: time": np.array([1.0, np.timedelta64(1)], object),
    "objects: list": np.array([1.0, [2.0]], object),
    "objects: large": np.array([1.0, 10**400], object),
    "objects: masked": np.array([1.0, np.ma.masked], object),
}


@pytest.mark.parametrize("kind", OTHER)
def test_what_is_no_real_number_is_an_error(kind):
    """And it names the column that holds it."""
    table = pd.DataFrame({"a": np.array([1.5, 2]), "b": pd.Series(OTHER[kind])})
    with pytest.raises(ValueError, match=r"confounds must be numbers, column 'b' hold"):
        numbers_of(table, "confounds")
    if not isinstance(OTHER[kind], pd.PeriodIndex | pd.DatetimeIndex):
        with pytest.raises(ValueError, match="confounds must be numbers, column 0 hol"):
            numbers_of(np.asarray(OTHER[kind]), "confounds")


def test_masked_values_are_an_error():
    masked = np.ma.masked_greater(MOTION, 1)
    for values in (masked, list(masked), [row[:2] for row in masked]):
        with pytest.raises(ValueError, match=r"confounds must be numbers.*\.filled"):
            numbers_of(values, "confounds")


@pytest.mark.parametrize(
    "values", [np.zeros((2, 3, 4)), 3, None, {"a": [1]}, [[1, 2], [3]], object()]
)
def test_what_is_no_table_is_an_error(values):
    with pytest.raises(ValueError, match=r"must be an? (table|array) of rows"):
        numbers_of(values, "confounds")


# Where they are used


@pytest.fixture(scope="module")
def data():
    return make_runs(1, 30, 100, random_state=0)


@pytest.fixture
def r_of(data):
    """The function ``(confounds, sample_mask) -> r`` of a run."""
    masker = NiftiMasker(data.mask_img, standardize=None)
    sbc = SeedCorrelationMap(SphereSeeds(data.seeds[:1], 8), masker)

    def r(confounds, sample_mask=None):
        run = Run(data.runs[0].img, confounds, sample_mask, t_r=2.0)
        return sbc.fit(run).correlations_

    return r


def test_confounds_with_a_comment(r_of, tmp_path):
    path = tmp_path / "motion.txt"
    np.savetxt(path, MOTION, header="motion")
    np.testing.assert_allclose(r_of(path), r_of(MOTION), atol=1e-6)
    assert np.abs(r_of(path) - r_of(MOTION[:, 1:])).max() > 1e-3


def test_column_of_given_signals_with_a_comment(tmp_path):
    path = tmp_path / "signals.txt"
    np.savetxt(path, MOTION, header="motion")
    np.testing.assert_allclose(GivenSignals(0).fit_transform(path), MOTION[:, :1])
    np.savetxt(path, MOTION, header=" ".join(NAMES))
    np.testing.assert_allclose(
        GivenSignals("rot_x").fit_transform(path)[:, 0], MOTION[:, 3]
    )


@pytest.mark.parametrize("n_columns", [1, 3])
@pytest.mark.parametrize(
    "container", ["nullable", "object with NA", "object with None"]
)
def test_missing_confound_of_a_censored_scan(r_of, container, n_columns):
    """It was refused for three Float64 columns and taken for one."""
    kept = np.arange(1, 30)
    table = TABLE.iloc[:, :n_columns].copy()
    table.iloc[0, 0] = np.nan
    expected = r_of(table, kept)
    np.testing.assert_array_equal(r_of(CONTAINERS[container](table), kept), expected)
    with pytest.raises(ValueError, match=r"confounds must be finite, column 'trans_x'"):
        r_of(CONTAINERS[container](table))


def test_object_table_blames_the_right_column(r_of):
    table = TABLE.astype(object)
    table.loc[3, "rot_y"] = "rest"
    with pytest.raises(ValueError, match=r"confounds.*'rot_y' holds 'rest' in row 3"):
        r_of(table)


def test_names_of_regions_from_a_file(write):
    labels = np.zeros((4, 4, 4), np.int16)
    labels[:2], labels[2:] = 1, 2
    image = nibabel.Nifti1Image(labels, np.eye(4))
    lut = write("\ufeffindex;name\n1;NA\n2;L; IPS\n".replace("; I", " I"), "lut.csv")
    assert RegionSeeds(image, lut=lut).fit().seed_names_ == ["NA", "L IPS"]
    for rows, error in {"1\ta\n1\tb\n2\tc\n": "twice", "1.9\ta\n2\tb\n": "1.9"}.items():
        lut = write("index\tname\n" + rows, "lut.tsv")
        with pytest.raises(ValueError, match=f"lut .*{error}"):
            RegionSeeds(image, lut=lut).fit()


def test_table_of_seeds_from_a_file(write):
    path = write("name,x,y,z,radius\nNA,0,-52,18,6\n007,1.5,2,3,\n", "seeds.csv")
    with pytest.raises(ValueError, match="radius"):
        SphereSeeds(path).fit()
    path = write("name,x,y,z\nNA,0,-52,18\n007,1.5,2,3\n", "seeds.csv")
    assert SphereSeeds(path).fit().seed_names_ == ["NA", "007"]
