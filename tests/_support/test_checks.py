"""What each kind of parameter may be: plain values come back, all else is an error."""

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from sbc_estimators._support.checks import (
    LONGEST,
    check_count,
    check_dict,
    check_fraction,
    check_length,
    check_name,
    check_number,
    check_option,
    check_positive,
    check_switch,
)


def check_word(value, name, **options):
    """Check an option as any other kind is checked."""
    return check_option(value, ("mean", "pca"), name, **options)


RIGHT = [
    (check_length, 6, 6.0),
    (check_length, np.float32(6), 6.0),
    (check_length, np.int8(6), 6.0),
    (check_length, 0, 0.0),
    (check_length, LONGEST, LONGEST),
    (check_length, Fraction(1, 2), 0.5),
    (check_positive, 0.01, 0.01),
    (check_positive, np.float64(1e9), 1e9),
    (check_positive, 5e-324, 5e-324),
    (check_number, -3, -3.0),
    (check_number, np.int64(0), 0.0),
    (check_fraction, 0, 0.0),
    (check_fraction, 1, 1.0),
    (check_fraction, np.float16(0.5), 0.5),
    (check_count, 1, 1),
    (check_count, np.uint8(200), 200),
    (check_switch, True, True),
    (check_switch, np.False_, False),
    (check_word, "pca", "pca"),
    (check_word, np.str_("mean"), "mean"),
    (check_name, "L IPS", "L IPS"),
    (check_name, np.str_("007"), "007"),
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
    check_fraction: [*NOT_NUMBERS, -0.1, 1.1, 30],
    check_count: [*NOT_NUMBERS, 0, -1, 1.0, 1.5, np.float64(2)],
    check_switch: [*NEVER, 0, 1, np.int8(1), "no", "True", np.nan],
    check_word: [*NEVER, "Mean", "me", True, 0],
    check_name: [v for v in NEVER if type(v) is not str or not v]
    + [" ", "\t\n", 6, True, np.nan],
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


@pytest.mark.parametrize("check", [check for check in WRONG if check != check_switch])
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
    "a number from 0 to 1": lambda: check_fraction(2, "x"),
    "an integer of at least 0": lambda: check_count(-1, "x", 0),
    "True or False": lambda: check_switch("no", "x"),
    "'mean' or 'pca'": lambda: check_word("a", "x"),
    "'mean', 'pca' or None": lambda: check_word("a", "x", or_none=True),
    "'a'": lambda: check_option("b", ["a"], "x"),
    "a text that is not empty": lambda: check_name("", "x"),
    "a dict of names and values": lambda: check_dict([], "x"),
}


@pytest.mark.parametrize("words", WORDS)
def test_errors_say_what_is_expected(words):
    with pytest.raises(ValueError, match=rf"^x must be {words}, got "):
        WORDS[words]()
