"""The sides of a run: what is known of a cleaning from one fit to the next."""

import pickle

import numpy as np

from sbc_estimators._arrays.cleaning import CleaningParameters
from sbc_estimators._signals.sides import _leaves_enough


def leaves_enough(*case):
    """Return what is asked of a run whose confounds are not known yet."""
    return _leaves_enough(pickle.dumps(case))


def test_cleanings_that_differ_amid_many_labels_are_told_apart():
    # A line through each block of 2 scans takes all of it.
    pairs, kept = np.arange(2000) // 2, np.arange(2000)
    joined = pairs.copy()
    joined[500:1500] = pairs[500]
    for _ in range(2):
        answers = [
            leaves_enough(CleaningParameters(detrend=True, runs=runs), 2000, kept, 0)
            for runs in (pairs, joined, pairs.copy())
        ]
        assert answers == [False, True, False]


def test_kept_scans_and_confounds_count():
    parameters, kept = CleaningParameters(detrend=True), np.arange(0, 200, 2)
    for _ in range(2):
        assert leaves_enough(parameters, 200, kept, 96)
        assert not leaves_enough(parameters, 200, kept, 97)
        assert not leaves_enough(parameters, 200, kept[:60], 96)


def test_what_was_asked_is_known():
    parameters = CleaningParameters(low_pass=0.0987, high_pass=0.0123, t_r=2.0)
    asked = [leaves_enough(parameters, 100, np.arange(100), 3)]
    before = _leaves_enough.cache_info()
    asked.append(leaves_enough(parameters, 100, np.arange(100), 3))
    after = _leaves_enough.cache_info()
    assert (after.hits, after.misses) == (before.hits + 1, before.misses)
    assert after.maxsize is not None
    assert asked == [True, True]
