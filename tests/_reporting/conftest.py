"""A report that tests share and leave as it is."""

import pytest

from sbc_estimators._reporting.render import render
from sbc_estimators._reporting.summary import summarise


@pytest.fixture(scope="session")
def summary(fitted, two_runs):
    """What the report of two runs says."""
    return summarise(fitted, two_runs)


@pytest.fixture(scope="session")
def html(summary):
    """Its page."""
    return render(summary)
