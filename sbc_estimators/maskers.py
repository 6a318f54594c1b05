"""Seed maskers for what nilearn has none for; each has a nilearn masker's methods."""

from ._given_signals import GivenSignals
from ._region_seeds import RegionSeeds
from ._sphere_seeds import SphereSeeds
from ._surface_seeds import SurfaceSeeds

__all__ = ["GivenSignals", "RegionSeeds", "SphereSeeds", "SurfaceSeeds"]
