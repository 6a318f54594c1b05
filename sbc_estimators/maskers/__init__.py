"""Seed maskers for what nilearn's maskers do not offer.

==============  ===============================================================
`SphereSeeds`   spheres, each with its own radius, also from a table
`RegionSeeds`   regions of an atlas by name or label, in a volume or on a
                surface; binary masks, each a seed
`MapSeeds`      probabilistic maps, with names
`SurfaceSeeds`  discs on a surface, around vertices or coordinates
`GivenSignals`  signals measured or computed elsewhere, from `Run.seed_signals`
==============  ===============================================================

`GrayordinateMasker` is the brain, or some structures of it, in CIFTI images.

Each says where seeds lie and what they are called, not how signals are cleaned: in a
`SeedCorrelationMap` they are cleaned as its brain masker says, and never smoothed. By
themselves, `transform` gives raw signals. One seed may have several places, written as
a list within the list of seeds; and with "run" in the place of these, each run brings
its own. Parameters can be set as ``seed_masker__radius`` and so on.

nilearn's own maskers, which bring a cleaning of their own, make all other seeds:

==========================================  =======================================
`NiftiSpheresMasker`                        spheres of one radius
`NiftiLabelsMasker`, `SurfaceLabelsMasker`  all regions of an atlas
`NiftiMapsMasker`, `SurfaceMapsMasker`      probabilistic maps, without names
`NiftiMasker`, `SurfaceMasker`              each voxel (vertex) of a mask as a seed
==========================================  =======================================

So does any object with ``fit``, ``transform``, ``inverse_transform`` and
``get_params``/``set_params``, such as any :class:`~sklearn.base.BaseEstimator`.

Examples
--------
>>> from sbc_estimators.maskers import (
...     GivenSignals, MapSeeds, RegionSeeds, SphereSeeds, SurfaceSeeds
... )
>>> spheres = SphereSeeds([(0, -52, 18), (-44, -62, 36)], [8, 6], names=["PCC", "IPL"])
>>> table = SphereSeeds("seeds.tsv")  # columns name, x, y, z
>>> both = SphereSeeds([[(-26, -22, -16), (26, -22, -16)]], names=["hippocampi"])
>>> mask = RegionSeeds("pcc_mask.nii.gz")
>>> regions = RegionSeeds("atlas.nii.gz", ["Precuneus", 12], lut="atlas_dseg.tsv")
>>> maps = MapSeeds("components.nii.gz", names=["visual", "motor"])
>>> at_coordinates = SurfaceSeeds([(-5, -52, 22)], radius=8)
>>> at_vertex = SurfaceSeeds([2393], radius=8, hemisphere="left")
>>> heart_rate = GivenSignals("heart_rate")  # of Run(img, seed_signals="physio.tsv")
>>> of_each_person = RegionSeeds("run", names=["lesion"])

Seeds in a volume can be mapped on a surface, and the reverse, with
``Run(surface_img, seed_img="bold.nii.gz")``.
"""

from ._given_signals import GivenSignals
from ._grayordinate_masker import GrayordinateMasker
from ._map_seeds import MapSeeds
from ._region_seeds import RegionSeeds
from ._sphere_seeds import SphereSeeds
from ._surface_seeds import SurfaceSeeds

__all__ = [
    "GivenSignals",
    "GrayordinateMasker",
    "MapSeeds",
    "RegionSeeds",
    "SphereSeeds",
    "SurfaceSeeds",
]


def __dir__() -> list[str]:
    return __all__
