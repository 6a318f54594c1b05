"""Pictures of a fitted `SeedCorrelationMap`: its maps and its seeds' time series."""

from ._seed_map import plot_seed_map
from ._signals import plot_signals

__all__ = ["plot_seed_map", "plot_signals"]


def __dir__() -> list[str]:
    return __all__
