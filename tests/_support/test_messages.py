"""What errors are about is said once, around them; whose errors they are is seen."""

import json
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from sbc_estimators._arrays.correlation import fisher_z
from sbc_estimators._images.grids import SeedPlaceError
from sbc_estimators._support.checks import check_switch
from sbc_estimators._support.messages import ignoring, is_said_by_us, naming
from sbc_estimators._support.tables import read_table


def caught(function, *args, **kwargs):
    """Return the error that a call raises."""
    with pytest.raises(Exception) as info:  # noqa: PT011 (each test looks at its kind)
        function(*args, **kwargs)
    return info.value


def test_errors_of_ours_keep_their_class_and_their_words():
    def check():
        with naming("run 3 ('a.nii')") as about:
            about.part = "brain_masker"
            check_switch(1, "detrend")

    error = caught(check)
    assert type(error) is ValueError
    expected = "run 3 ('a.nii'), brain_masker: detrend must be True or False, got 1."
    assert str(error) == expected
    assert str(error.__cause__) == "detrend must be True or False, got 1."


def test_of_several_names_the_outer_one_comes_first():
    def load():
        with naming("run 1") as about, naming("seed_img ('b.nii')"):
            about.part = "seed_masker"
            read_table("absent.tsv", "seeds")

    error = caught(load)
    assert type(error) is FileNotFoundError
    start = "run 1, seed_masker, seed_img ('b.nii'): seeds: there is no file 'absent."
    assert str(error).startswith(start)
    assert str(error.__cause__).startswith("seeds: there is no file")


def of_another_package():
    """Let another package raise an error of a class that we raise, too."""
    json.loads("{")


def of_numpy():
    """Let numpy raise one of its own, where no line of Python is between."""
    np.linalg.inv(np.zeros((2, 2)))


@pytest.mark.parametrize(
    ("function", "kind"),
    [(of_another_package, "JSONDecodeError"), (of_numpy, "LinAlgError")],
)
def test_errors_of_others_become_one_that_tells_their_class(function, kind):
    def call():
        with naming("run 0"), naming("seed_img"):
            function()

    error = caught(call)
    assert type(error) is RuntimeError
    assert str(error).startswith(f"run 0, seed_img could not be mapped: {kind}: ")
    assert type(error.__cause__).__name__ == kind


def test_whose_an_error_is():
    assert is_said_by_us(caught(check_switch, 1, "detrend"))
    assert is_said_by_us(caught(read_table, "absent.tsv", "seeds"))
    assert is_said_by_us(SeedPlaceError(2, "it is a class of ours"))
    assert not is_said_by_us(caught(of_another_package))
    # numpy raises this one from within a line of ours.
    assert not is_said_by_us(caught(fisher_z, np.array("x")))
    assert not is_said_by_us(ValueError("raised by nobody"))
    assert not is_said_by_us(KeyError("no class that we raise"))


@pytest.mark.parametrize(("words", "passes"), [((), False), (("one", "two"), True)])
def test_what_is_ignored(words, passes):
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        with ignoring(*words):
            warnings.warn("one and all", UserWarning, stacklevel=1)
            warnings.warn("all and one", FutureWarning, stacklevel=1)
        warnings.warn("one more", UserWarning, stacklevel=1)
    expected = ["all and one"] * passes + ["one more"]
    assert [str(warning.message) for warning in heard] == expected


def test_filters_of_warnings_stay_where_threads_overlap():
    before = list(warnings.filters)
    one_is_in, other_is_in = threading.Event(), threading.Event()

    def one():
        with ignoring("one"):
            one_is_in.set()
            other_is_in.wait(0.2)

    def other():
        one_is_in.wait()
        with ignoring("other"):
            other_is_in.set()
            first.result()

    with warnings.catch_warnings(), ThreadPoolExecutor(2) as pool:
        first = pool.submit(one)
        pool.submit(other).result()
        after = list(warnings.filters)
    assert after == before
