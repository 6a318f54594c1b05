"""Pictures that `sbc-map` draws: maps, and time series of seeds."""

from matplotlib.figure import Figure

from .. import plotting
from .._reporting.images import GRAYORDINATES
from ..maskers._places import coordinates
from ..plotting._grayordinate_views import size_of_picture
from ..plotting._signals import signals_size
from ..plotting._volume_views import MAP_SIZE
from .estimators import spheres_of

WORDS = {"fisher_z": "Fisher z", "z_score": "z score"}
"""What maps show, by their scale."""


def draw_map(estimator, kind, rows, position, threshold):
    """Return the picture of one seed's map.

    Parameters
    ----------
    estimator : SeedCorrelationMap
        Fitted.
    kind : str
        Of image that maps are.
    rows : ndarray of shape (n_seeds * n_voxels,)
        The maps of all seeds.
    position : int
        Of the seed.
    threshold : float
        Where the picture begins to show the map.
    """
    # A figure that pyplot does not know opens no window, whatever the backend.
    size = size_of_picture(estimator) if kind == GRAYORDINATES else MAP_SIZE
    figure = Figure(figsize=size)
    words, seed_masker = WORDS[estimator.scale], estimator.seed_masker_
    sphere = spheres_of(seed_masker, estimator.n_seeds_)[position]
    place = "" if sphere is None else f" {coordinates(sphere[0])}"
    shown = {"title": f"{estimator.seed_names_[position]}{place}: {words}"}
    if estimator.scale == "z_score":
        shown["label"] = f"{words}\n|z| > {threshold:g}"
    plotting.plot_seed_map(
        estimator, rows, seed=position, figure=figure, threshold=threshold, **shown
    )
    return figure


def draw_signals(estimator, run, signals):
    """Return the picture of the seeds' time series."""
    names = estimator.seed_names_
    size = signals_size(len(names))
    figure = Figure(figsize=size, layout="constrained")
    plotting.plot_signals(estimator, run, signals=signals, names=names, figure=figure)
    return figure
