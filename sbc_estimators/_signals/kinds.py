"""The table of masker kinds.

What kind a masker is, is asked here and nowhere else. A new kind is one adapter and its
row in `KINDS`.
"""

import inspect
from collections.abc import Iterator

from nilearn.maskers import (
    MultiNiftiLabelsMasker,
    MultiNiftiMapsMasker,
    MultiNiftiMasker,
    NiftiLabelsMasker,
    NiftiMapsMasker,
    NiftiMasker,
    NiftiSpheresMasker,
    SurfaceLabelsMasker,
    SurfaceMapsMasker,
    SurfaceMasker,
)
from sklearn.base import clone

from ..maskers import (
    GivenSignals,
    GrayordinateMasker,
    MapSeeds,
    RegionSeeds,
    SphereSeeds,
    SurfaceSeeds,
)
from .adapters import DEFAULTS
from .nilearn_own import OnSurface, OnVolume
from .others import (
    Foreign,
    Given,
    Grayordinates,
    HeirOnSurface,
    HeirOnVolume,
    Ours,
)

METHODS = ("fit", "transform", "inverse_transform", "get_params", "set_params")
"""What every masker has."""


VOLUME_KINDS = (
    NiftiMasker,
    NiftiLabelsMasker,
    NiftiMapsMasker,
    NiftiSpheresMasker,
    MultiNiftiMasker,
    MultiNiftiLabelsMasker,
    MultiNiftiMapsMasker,
)
SURFACE_KINDS = (SurfaceMasker, SurfaceLabelsMasker, SurfaceMapsMasker)


def _is_one_of(*kinds):
    """Return what tells whether a masker's class is one of some: no subclass is."""
    return lambda masker: type(masker) in kinds


def _is_nilearn_own(*kinds):
    """Return whether a masker is nilearn's own; a subclass may do anything."""
    return lambda masker: (
        isinstance(masker, kinds)
        and type(masker).__module__.partition(".")[0] == "nilearn"
    )


def _is_heir(*kinds):
    """Return what tells whether a masker derives from one of some."""
    return lambda masker: isinstance(masker, kinds)


KINDS = [
    (_is_one_of(SphereSeeds, RegionSeeds, MapSeeds, SurfaceSeeds), Ours),
    (_is_one_of(GivenSignals), Given),
    (_is_one_of(GrayordinateMasker), Grayordinates),
    (_is_nilearn_own(*VOLUME_KINDS), OnVolume),
    (_is_nilearn_own(*SURFACE_KINDS), OnSurface),
    (_is_heir(*VOLUME_KINDS), HeirOnVolume),
    (_is_heir(*SURFACE_KINDS), HeirOnSurface),
    (lambda masker: True, Foreign),
]
"""What tells a kind of masker, and its adapter; the first that fits is taken."""


def adapter_of(masker, name, shared=None):
    """Return the `Adapter` of a masker, which may be fitted.

    Parameters that hold for both maskers are set where some are given.
    """
    kind = next(kind for is_kind, kind in KINDS if is_kind(masker))
    return kind(name, masker, shared)


def adapter_of_clone(masker, name, shared):
    """Return the `Adapter` of an unfitted clone of a masker.

    Parameters
    ----------
    masker : masker
    name : str
        "seed_masker" or "brain_masker".
    shared : dict
        Parameters that hold for both maskers.

    Raises
    ------
    TypeError
        If it is no masker.
    ValueError
        If it lacks one of the shared parameters.
    """
    _check_masker(masker, name)
    return adapter_of(clone(masker), name, shared)


def default_brain(seeds, grid, shared):
    """Return the `Adapter` of a masker of all of a grid's positions, not smoothed.

    Signals are cleaned as the seed masker says, where it says anything.

    Parameters
    ----------
    seeds : Adapter
    grid : grid
    shared : dict
        Parameters that hold for both maskers.

    Raises
    ------
    ValueError
        If the seed masker cleans as no masker of that kind can.
    """
    masker = DEFAULTS[grid.kind]()
    given, known = vars(seeds.cleaning), masker.get_params(deep=False)
    if "runs" not in known and given["runs"] is not None:
        raise ValueError(
            "seed_masker cleans blocks of scans by themselves (runs), but the brain "
            f"masker of {grid.kind} ({type(masker).__name__}) cannot. Pass each "
            "block as a run of its own, or a brain_masker."
        )
    cleaning = {name: given[name] for name in given.keys() & known.keys()}
    masker.set_params(standardize=None, **cleaning)
    return adapter_of(masker, "brain_masker", shared)


def _check_masker(masker, name):
    """Raise TypeError unless `masker` is an instance with a masker's methods."""
    if inspect.isclass(masker):
        raise TypeError(
            f"{name} must be a masker instance, got the class {masker.__name__}. "
            f"Pass {masker.__name__}(...)."
        )
    missing = [method for method in METHODS if not hasattr(masker, method)]
    if missing:
        raise TypeError(
            f"{name} must have the methods of a nilearn masker, got {masker!r}, "
            f"which lacks {', '.join(missing)}. Pass a nilearn masker, or an object "
            "that derives from sklearn.base.BaseEstimator and has fit, transform and "
            "inverse_transform."
        )
    for parameter, value in masker.get_params(deep=False).items():
        if isinstance(value, Iterator):
            raise TypeError(
                f"{name}: {parameter} must be a list or the like, got {value!r}, which "
                "can be read only once. Pass list(...)."
            )
