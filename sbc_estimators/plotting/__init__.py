"""Pictures of a fitted `SeedCorrelationMap`: its maps and its seeds' time series."""

# Those that are named twice are for the rest of the package.
from ._colours import colour_limit as colour_limit
from ._nilearn import nilearn_plotting as nilearn_plotting
from ._seed_map import plot_seed_map
from ._seeds import SeedInImage as SeedInImage
from ._signals import plot_signals
from ._signals import signals_size as signals_size
from ._volume_views import MAP_SIZE as MAP_SIZE

__all__ = ["plot_seed_map", "plot_signals"]


def __dir__():
    return __all__
