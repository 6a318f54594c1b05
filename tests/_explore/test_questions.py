"""What a page may ask, and in which words it is told that it may not."""

import pytest

from sbc_estimators._explore.questions import read_question
from sbc_estimators._explore.seeding import Seeding

GOOD = {"place": "4", "radius": "6.5", "summary": "pca", "run": "1"}


def test_a_question():
    assert read_question(GOOD, 5, 2) == (4, Seeding(6.5, "pca", 1))
    mean = read_question({**GOOD, "run": "mean", "radius": "0"}, 5, 2)
    assert mean == (4, Seeding(0.0, "pca", None))


@pytest.mark.parametrize("name", GOOD)
def test_something_is_missing(name):
    rest = {key: value for key, value in GOOD.items() if key != name}
    with pytest.raises(ValueError, match=f"^{name} is missing"):
        read_question(rest, 5, 2)


@pytest.mark.parametrize(
    ("name", "values", "told"),
    [
        (
            "place",
            ["", "-1", "5", "1.0", "1e0", "x", "٣", "9" * 30],
            "from 0 to 4, got",
        ),
        ("radius", ["", "-1", "nan", "inf", "31", "x"], "from 0 to 30 mm, got"),
        ("summary", ["", "mode", "Mean"], "one of mean, median, pca, "),
        ("run", ["", "-1", "2", "all"], "from 0 to 1, got"),
    ],
)
def test_something_is_senseless(name, values, told):
    for value in values:
        with pytest.raises(ValueError, match=f"^{name} must be .*{told}"):
            read_question({**GOOD, name: value}, 5, 2)
