"""The tests' own tools do what tests rely on."""

import itertools

import pytest

from helpers import every_pair, in_turn


@pytest.mark.parametrize("sizes", [(3, 4), (2, 3, 14), (2, 4, 2, 5), (7, 2, 2, 2)])
def test_every_two_values_meet_in_few_cases(sizes):
    cases = every_pair(*map(range, sizes))
    for a, b in itertools.combinations(range(len(sizes)), 2):
        met = {(case[a], case[b]) for case in cases}
        assert met == set(itertools.product(range(sizes[a]), range(sizes[b])))
    largest, second = sorted(sizes)[:-3:-1]
    assert len(cases) == largest * second


def test_values_that_need_not_meet_take_turns():
    # 2 x 10 cases have to be, for which the third factor could be the same throughout.
    cases = every_pair(range(2), range(10), range(2))
    for case in itertools.product(range(2), range(2)):
        assert sum((first, third) == case for first, _, third in cases) == 5


def test_each_value_takes_the_next_option():
    found = in_turn([1, (2, 3), 4], ["a", ("b", "c")])
    assert found == [(1, "a"), (2, 3, "b", "c"), (4, "a")]
