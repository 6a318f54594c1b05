"""A masker as a source of signals: its kind, its cleaning, its names and places."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from nilearn.image import high_variance_confounds
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

from .._arrays.cleaning import CleaningParameters, compile_cleaning
from .._arrays.spheres import one_each
from .._images.fingerprints import content
from .._images.grids import is_surface, n_vertices
from .._support.cache import digest
from .._support.threads import workers
from ..maskers import GivenSignals, RegionSeeds, SphereSeeds, SurfaceSeeds
from ..maskers._placed import coordinates

VOLUME_MASKERS = (
    NiftiMasker,
    NiftiLabelsMasker,
    NiftiMapsMasker,
    NiftiSpheresMasker,
    MultiNiftiMasker,
    MultiNiftiLabelsMasker,
    MultiNiftiMapsMasker,
)
SURFACE_MASKERS = (SurfaceMasker, SurfaceLabelsMasker, SurfaceMapsMasker)
VOXELWISE_MASKERS = (NiftiMasker, MultiNiftiMasker, SurfaceMasker)
OWN_MASKERS = (SphereSeeds, RegionSeeds, SurfaceSeeds)
"""Ours: they say themselves what their seeds are made of."""

FITTED = {"mask_img", "labels_img", "maps_img", "seeds"}
"""Parameters of nilearn's maskers that count by what `fit` makes of them."""

ONLY_FITTED = {"labels_img", "mask_img", "regions", "lut", "hemisphere", "seeds"}
"""Parameters of our own maskers that count by what `fit` makes of them."""

NOT_OF_SIGNALS = {"grid_", "seed_names_"}
"""What our own maskers keep and what plays no part in signals."""

NEUTRAL = {
    "detrend": False,
    "standardize": None,
    "standardize_confounds": True,
    "high_variance_confounds": False,
    "low_pass": None,
    "high_pass": None,
    "t_r": None,
    "runs": None,
    "clean_args": None,
    "dtype": None,
    "verbose": 0,
}
"""Parameters under which a nilearn masker extracts and does nothing else."""


IRRELEVANT = {
    *NEUTRAL,
    *("memory", "memory_level", "n_jobs", "reports", "cmap"),
    *("mask_strategy", "mask_args"),
}
"""Parameters that don't change what a fitted masker extracts."""


@dataclass(frozen=True)
class SignalSource:
    """A masker, under the name that messages call it by.

    Attributes
    ----------
    name : str
        "seed_masker" or "brain_masker".
    masker : masker
        In `fit` an unfitted clone, which `fit_masker` fits in place; fitted from then
        on. `identity` is that of a fitted masker.
    """

    name: str
    masker: object

    @cached_property
    def cleaning(self):
        """What the masker's parameters do to signals over time."""
        return CleaningParameters.from_masker(self.masker)

    @cached_property
    def identity(self):
        """What determines the raw signals that the fitted masker extracts, as text."""
        kind = f"{type(self.masker).__module__}.{type(self.masker).__qualname__}"
        counting = _what_counts(self.masker)
        return digest(
            kind, *(f"{name} {digest(content(value))}" for name, value in counting)
        )


def _what_counts(masker):
    """Return names and values of what a fitted masker's raw signals depend on."""
    given = masker.get_params(deep=False)
    given = {name: given[name] for name in sorted(given.keys() - IRRELEVANT)}
    if type(masker) not in OWN_MASKERS:
        for name in given.keys() & FITTED:
            given[name] = getattr(masker, f"{name}_", None)
        return given.items()
    kept = {name: value for name, value in vars(masker).items() if name[-1] == "_"}
    counting = (given.keys() - ONLY_FITTED) | (kept.keys() - NOT_OF_SIGNALS)
    return [(name, (given | kept)[name]) for name in sorted(counting)]


def is_known_masker(masker):
    """Whether a masker's class is nilearn's own or ours: a subclass may do anything."""
    if type(masker) in (*OWN_MASKERS, GivenSignals):
        return True
    is_nilearn = type(masker).__module__.partition(".")[0] == "nilearn"
    return is_nilearn and isinstance(masker, VOLUME_MASKERS + SURFACE_MASKERS)


def wants_surface(masker):
    """Whether a masker that is known is one of a surface."""
    if type(masker) in OWN_MASKERS:
        return masker.is_on_surface
    return isinstance(masker, SURFACE_MASKERS)


def is_given(masker):
    """Whether the signals of a masker come with the run."""
    return type(masker) is GivenSignals


def compiled_operator(source, opened, high_variance=None, tolerance=0.0):
    """Return the compiled cleaning of a source's signals in a run.

    Parameters
    ----------
    source : SignalSource
    opened : OpenedRun
    high_variance : ndarray of shape (n_kept_scans, n_confounds) or None
        As `high_variance_of` returns them.
    tolerance : float, default=0.0
        Directions of time that cleaning shrinks below this are left out.
    """
    confounds = opened.confounds
    if high_variance is not None:
        full = np.zeros((opened.n_scans, high_variance.shape[1]))
        full[opened.kept] = high_variance
        confounds = full if confounds is None else np.hstack([full, confounds])
    cleaning = source.cleaning.with_t_r(opened.t_r)
    place = (opened.n_scans, opened.kept)
    with workers():  # one thread factorises faster than several that share a core
        operator = compile_cleaning(cleaning, *place, confounds, opened.where)
    return operator.reduced(tolerance)


def high_variance_of(source, scans):
    """Return nilearn's high-variance confounds where a masker asks for them, or None.

    They are computed from the kept scans, so that a censored one has no say.
    """
    wanted = source.cleaning.high_variance_confounds
    return high_variance_confounds(scans) if wanted else None


def sphere_of_seed(masker, position):
    """Return centre and radius in mm of one of a fitted masker's spheres.

    None for other seeds; the radius is 0 for a single voxel.
    """
    if not isinstance(masker, NiftiSpheresMasker | SphereSeeds):
        return None
    radii = one_each(masker.radius, len(masker.seeds_))
    centre = tuple(float(value) for value in masker.seeds_[position])
    return centre, radii[position] or 0


def image_of_seed(masker, position, n_seeds, img):
    """Return the image in which one seed is 1 and the others are 0, or None.

    None where the seeds are in no image, or in one of another kind or mesh than `img`.
    """
    on_surface = is_surface(img)
    is_known = is_known_masker(masker)
    if is_given(masker) or (is_known and wants_surface(masker) != on_surface):
        return None
    row = np.zeros((1, n_seeds))
    row[0, position] = 1
    region = masker.inverse_transform(row)
    if not on_surface:
        return region if hasattr(region, "affine") else None
    is_same = is_surface(region) and n_vertices(region.mesh) == n_vertices(img.mesh)
    return region if is_same else None


def signal_names(source, n_signals, prefix):
    """Return a name for each signal: coordinates, names of regions, or numbers."""
    masker = source.masker
    names = None
    if type(masker) in (*OWN_MASKERS, GivenSignals):
        names = masker.seed_names_
    elif isinstance(masker, NiftiSpheresMasker):
        names = [coordinates(seed) for seed in masker.seeds_]
    elif isinstance(masker, NiftiLabelsMasker | SurfaceLabelsMasker):
        names = _region_names(masker)
    if names is None or len(names) != n_signals or len(set(names)) < n_signals:
        names = [f"{prefix}{i}" for i in range(n_signals)]
    return names


def describe_seed(source, position, n_seeds):
    """Return the words that name a seed in messages: its position and its name."""
    name = signal_names(source, n_seeds, "seed")[position]
    own = "" if name == f"seed{position}" else f" {name}"
    return f"seed {position}{own} of seed_masker"


def _region_names(masker):
    """Return the names of a labels masker's regions, in the order of its signals."""
    names = getattr(masker, "region_names_", None)
    names = getattr(masker, "label_names_", {}) if names is None else names
    names = names.values() if isinstance(names, dict) else names
    return [str(name) for name in names]
