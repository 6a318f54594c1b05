"""Seed maskers for what nilearn's maskers do not offer.

==============  ===============================================================
`SphereSeeds`   spheres, each with its own radius
`RegionSeeds`   regions of an atlas by name or label, in a volume or on a
                surface; a binary mask as one seed
`SurfaceSeeds`  discs on a surface, around vertices or coordinates
`GivenSignals`  signals measured or computed elsewhere, from `Run.seed_signals`
==============  ===============================================================

Each has the methods of a nilearn masker, and its parameters can be set as
``seed_masker__radius`` and so on. nilearn's own maskers make all other seeds:

==========================================  =======================================
`NiftiSpheresMasker`                        spheres of one radius
`NiftiLabelsMasker`, `SurfaceLabelsMasker`  all regions of an atlas
`NiftiMapsMasker`, `SurfaceMapsMasker`      probabilistic maps
`NiftiMasker`, `SurfaceMasker`              each voxel (vertex) of a mask as a seed
==========================================  =======================================

So does any object with ``fit``, ``transform``, ``inverse_transform`` and
``get_params``/``set_params``, such as any :class:`~sklearn.base.BaseEstimator`.

Examples
--------
>>> from sbc_estimators.maskers import (
...     GivenSignals, RegionSeeds, SphereSeeds, SurfaceSeeds
... )
>>> spheres = SphereSeeds([(0, -52, 18), (-44, -62, 36)], radius=[8, 6])
>>> mask = RegionSeeds("pcc_mask.nii.gz")
>>> regions = RegionSeeds("atlas.nii.gz", ["Precuneus", 12], lut="atlas_dseg.tsv")
>>> at_coordinates = SurfaceSeeds([(-5, -52, 22)], radius=8)
>>> at_vertex = SurfaceSeeds([2393], radius=8, hemisphere="left")
>>> heart_rate = GivenSignals("heart_rate")  # of Run(img, seed_signals="physio.tsv")

Seeds in a volume can be mapped on a surface, and the reverse, with
``Run(surface_img, seed_img="bold.nii.gz")``.
"""

from ._given_signals import GivenSignals
from ._region_seeds import RegionSeeds
from ._sphere_seeds import SphereSeeds
from ._surface_seeds import SurfaceSeeds

__all__ = ["GivenSignals", "RegionSeeds", "SphereSeeds", "SurfaceSeeds"]
