"""On which path the signals of a run are obtained, and why not on a faster one."""

from dataclasses import dataclass
from typing import Any

from nilearn.maskers import NiftiMasker

from .._arrays.regions import SeedRegions
from .._arrays.smoothing import is_separable
from .._images.grids import is_surface, same_grid
from .regions_of_maskers import seed_regions
from .sources import is_given, is_known_masker


@dataclass(frozen=True, eq=False)
class Plan:
    """How a source's signals are obtained from a run.

    Attributes
    ----------
    path : str
        "streamed", "compiled", "reference" or "given".
    reason : str
        Why not in a faster way.
    regions : SeedRegions or None
        What seeds are made of, where that is known beforehand.
    """

    path: str
    reason: str = ""
    regions: SeedRegions | None = None

    def __str__(self):
        return f"{self.path}: {self.reason}" if self.reason else self.path


@dataclass(frozen=True)
class Task:
    """What is to be read from one run, and how.

    Attributes
    ----------
    opened : OpenedRun
    sources : dict of str to SignalSource
    plans : dict of str to Plan
    tolerance : float
        Directions of time that the cleaning of voxels shrinks below this are left out.
    """

    opened: Any
    sources: dict
    plans: dict
    tolerance: float = 0.0

    def on_path(self, path, names):
        """Return those of some sources whose signals are obtained in one way."""
        return [name for name in names if self.plans[name].path == path]


def plan_sources(sources, opened):
    """Return a `Plan` for each source, by its name.

    Parameters
    ----------
    sources : list of SignalSource
        With fitted maskers.
    opened : OpenedRun

    Raises
    ------
    ValueError
        If a seed lies outside the run, or seeds overlap that must not.
    """
    by_name = {source.name: source for source in sources}
    plans = {}
    # Voxels first: where their scans are in memory anyway, the seeds take them there.
    if "brain_masker" in by_name:
        plans["brain_masker"] = _plan_voxels(by_name["brain_masker"], opened.image)
    if "seed_masker" in by_name:
        plans["seed_masker"] = _plan_seeds(
            by_name["seed_masker"], opened, plans.get("brain_masker")
        )
    return plans


def _plan_voxels(source, image):
    """Return how the voxels of the brain are obtained."""
    if not is_known_masker(source.masker):
        return _reference(source)
    reason = _why_no_voxel_stream(source.masker, image) or _why_no_stream(source, image)
    return Plan("compiled", reason) if reason else Plan("streamed")


def _plan_seeds(source, opened, brain):
    """Return how the seeds are obtained, given how the brain is."""
    if not is_known_masker(source.masker):
        return _reference(source)
    if is_given(source.masker):
        return Plan("given", "the signals come with the run")
    seen = opened.as_seen_by(source.name)
    image = seen.image
    regions = seed_regions(source, image, seen.where)
    if isinstance(regions, str):
        return Plan("compiled", regions)
    reason = _why_no_stream(source, image)
    if not reason and image is opened.image and brain and brain.path == "compiled":
        reason = "the scans are in memory for brain_masker"
    return Plan("compiled" if reason else "streamed", reason, regions)


def _reference(source):
    """Return the plan for a masker that does all by itself."""
    kind = type(source.masker).__name__
    return Plan("reference", f"{kind} is none of nilearn's own maskers, nor of ours")


def _why_no_stream(source, image):
    """Return why signals that are sums of voxels cannot be streamed, or ''."""
    if is_surface(image):
        return "the run is on a surface"
    if source.masker.high_variance_confounds:
        return "high_variance_confounds are computed from all voxels first"
    return ""


def _why_no_voxel_stream(masker, image):
    """Return why the voxels of a brain masker are not to be streamed, or ''."""
    if is_surface(image):
        return "the run is on a surface"
    if not isinstance(masker, NiftiMasker):
        return f"{type(masker).__name__} is not a linear map that is known beforehand"
    if not is_separable(masker.smoothing_fwhm):
        return f"smoothing_fwhm={masker.smoothing_fwhm!r} is not one matrix an axis"
    if not same_grid(masker.mask_img_, image):
        return "the run is not on the grid of the mask and has to be resampled"
    return ""
