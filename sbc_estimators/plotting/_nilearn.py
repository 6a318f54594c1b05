"""nilearn's plotting, imported when something is drawn."""

from contextlib import contextmanager

import matplotlib

from .._support.messages import ignoring

LEAST_SHOWN = 1e-6
"""A map's values below are nothing to nilearn, and so to us."""


def nilearn_plotting():
    """Return nilearn.plotting, imported without its changes and words on backends."""
    with matplotlib.rc_context(), ignoring("You are using the 'agg'"):
        import nilearn.plotting
    return nilearn.plotting


@contextmanager
def weak_maps_are_no_news():
    """Leave out what nilearn says where nothing of a map is beyond a threshold."""
    with ignoring("Could not determine cut coords", "empty mask"):
        yield


def middle_of(img):
    """Return a point in mm in the middle of what is strongest in an image."""
    with weak_maps_are_no_news():
        return tuple(nilearn_plotting().find_xyz_cut_coords(img))
