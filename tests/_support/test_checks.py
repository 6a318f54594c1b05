"""What each kind of parameter may be: plain values come back, all else is an error."""

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from sbc_estimators._support.checks import (
    LONGEST,
    check_count,
    check_dict,
    check_length,
    check_lengths,
    check_number,
    check_option,
    check_place,
    check_positive,
    check_switch,
    check_verbosity,
)


def check_word(value, name, **options):
    """Check an option as any other kind is checked."""
    return check_option(value, name, ("mean", "pca"), **options)


RIGHT = [
    (check_length, 6, 6.0),
    (check_length, np.float32(6), 6.0),
    (check_length, np.int8(6), 6.0),
    (check_length, 0, 0.0),
    (check_length, LONGEST, LONGEST),
    (check_length, Fraction(1, 2), 0.5),
    (check_lengths, 6, 6.0),
    (check_lengths, [6, np.int8(4), None], [6.0, 4.0, None]),
    (check_positive, 0.01, 0.01),
    (check_positive, np.float64(1e9), 1e9),
    (check_positive, 5e-324, 5e-324),
    (check_number, -3, -3.0),
    (check_number, np.int64(0), 0.0),
    (check_count, 1, 1),
    (check_count, np.uint8(200), 200),
    (check_verbosity, True, 1),
    (check_verbosity, 3, 3),
    (check_switch, True, True),
    (check_switch, np.False_, False),
    (check_word, "pca", "pca"),
    (check_word, np.str_("mean"), "mean"),
    (check_dict, {"a": 1}, {"a": 1}),
    (check_dict, {}, {}),
]


@pytest.mark.parametrize(("check", "value", "expected"), RIGHT)
def test_right_values_come_back_as_plain_ones(check, value, expected):
    found = check(value, "radius")
    assert found == expected
    assert type(found) is type(expected)


NEVER = ["6", "", b"6", [1, 2], [6], (), {1: 2}, {"a"}, object(), 1j, len]
NEVER += [np.array([6.0]), np.array(6), pd.NA, pd.NaT, np.timedelta64(1), None]
NOT_NUMBERS = [*NEVER, True, False, np.True_, np.nan, np.inf, -np.inf]
NOT_NUMBERS += [np.float32("nan"), {"a": 1}]
WRONG = {
    check_length: [*NOT_NUMBERS, -4, -1e-9, 1000.1, 1e9, 10**400],
    check_positive: [*NOT_NUMBERS, 0, -0.0, -1, 10**400],
    check_number: NOT_NUMBERS,
    check_count: [*NOT_NUMBERS, 0, -1, 1.0, 1.5, np.float64(2)],
    check_verbosity: [-1, 1.0, "much", None],
    check_lengths: [[6, 6], [[6, 6, 6]], "fast", None],
    check_switch: [*NEVER, 0, 1, np.int8(1), "no", "True", np.nan],
    check_word: [*NEVER, "Mean", "me", True, 0],
    check_dict: [v for v in NEVER if type(v) is not dict] + [[("a", 1)], {1: 2}],
}
CASES = [(check, value) for check, values in WRONG.items() for value in values]


def shown(value):
    """Return the name of a case."""
    return getattr(value, "__name__", repr(value)[:20])


@pytest.mark.parametrize(("check", "value"), CASES, ids=shown)
def test_wrong_values_are_errors_that_name_parameter_and_value(check, value):
    with pytest.raises(ValueError, match=r"^radius must be ") as caught:
        check(value, "radius")
    assert str(caught.value).endswith(f", got {value!r}.")


MAY_BE_NONE = [own for own in WRONG if own not in (check_switch, check_verbosity)]


@pytest.mark.parametrize("check", MAY_BE_NONE)
def test_none_where_it_may_be(check):
    assert check(None, "radius", or_none=True) is None
    with pytest.raises(ValueError, match=r"radius must be .* or None, got \[6\]"):
        check([6], "radius", or_none=True)
    with pytest.raises(ValueError, match=r"radius must be .*, got None"):
        check(None, "radius")


WORDS = {
    "a length from 0 to 1000 mm": lambda: check_length(-4, "x"),
    "a positive number": lambda: check_positive(0, "x"),
    "a positive number in Hz or None": lambda: check_positive(
        0, "x", "Hz", or_none=True
    ),
    "a finite number": lambda: check_number("a", "x"),
    "a finite number of at least 2": lambda: check_number(1, "x", 2),
    "a finite number of at most 2": lambda: check_number(3, "x", high=2),
    "a number from 2 to 3": lambda: check_number(1, "x", 2, 3),
    "an integer of at least 0": lambda: check_count(-1, "x", 0),
    "True or False": lambda: check_switch("no", "x"),
    "'mean' or 'pca'": lambda: check_word("a", "x"),
    "'mean', 'pca' or None": lambda: check_word("a", "x", or_none=True),
    "'a'": lambda: check_option("b", "x", ["a"]),
    "a dict of names and values": lambda: check_dict([], "x"),
}


@pytest.mark.parametrize("words", WORDS)
def test_errors_say_what_is_expected(words):
    with pytest.raises(ValueError, match=rf"^x must be {words}, got "):
        WORDS[words]()


def test_lengths_may_be_one_of_some_words():
    assert check_lengths("fast", "x", ("fast",)) == "fast"
    assert check_lengths(None, "x", or_none=True) is None
    with pytest.raises(ValueError, match=r"^x must be one length .*, three .*\[1\]"):
        check_lengths([1], "x")
    with pytest.raises(ValueError, match=r"^x, of \[1, 2, -3\]: each must be a length"):
        check_lengths([1, 2, -3], "x")


def test_what_a_dict_holds_is_checked_by_another():
    seen = []
    check_dict({"a": 1}, "x", lambda *own: seen.append(own))
    assert seen == [("a", 1, "x")]


# Folders


@pytest.mark.parametrize("path", [3, None, True, b"there", ["there"]])
def test_place_that_is_no_path(path):
    with pytest.raises(TypeError, match=r"^out_dir must be the path of a folder, got "):
        check_place(path, "out_dir")


def test_places_to_write_to(tmp_path):
    assert check_place(str(tmp_path), "out_dir") == tmp_path
    assert check_place(tmp_path / "new" / "er", "out_dir") == tmp_path / "new" / "er"
    with pytest.raises(ValueError, match=r"^out_dir must be the path .* Pass '\.'"):
        check_place("", "out_dir")
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name, what in (("file", "a file"), ("link", "a link to nowhere")):
        for path in (tmp_path / name, tmp_path / name / "deeper"):
            expected = rf"^out_dir: '{tmp_path / name}' is {what}\. Pass another folder"
            with pytest.raises(NotADirectoryError, match=expected):
                check_place(path, "out_dir")
