"""Adapters of our own maskers, and of those of other packages."""

import copy
import inspect

import numpy as np
from sklearn.base import clone

from .._images.grayordinates import GrayordinateGrid
from .._images.grids import NotLinearError, Still
from .._support.checks import check_each
from .._support.digests import digest
from .._support.messages import naming
from .adapters import Adapter
from .nilearn_own import OnSurface, OnVolume, saying_what_failed
from .parameters import CHECKS

TOLD_BY = {
    "seeds": "sphere",
    "labels_img": "region",
    "maps_img": "map",
    "mask_img": "voxel",
}
"""What the signals of a masker of another package are of, by a parameter it has."""


class Ours(Adapter):
    """Our own places of seeds: cleaned as the brain masker says, never smoothed."""

    has_own_cleaning = False
    smoothing_fwhm = None

    @property
    def element(self):
        """What each signal is of."""
        return self.masker._element

    @property
    def takes_places(self):
        """Whether each run brings the places of its seeds."""
        return self.masker.takes_places

    def _set_shared(self, values):
        """Leave the cleaning to the brain masker, which this is not, or cleans."""
        if self.name == "brain_masker":
            super()._set_shared(values)

    def check_run(self, run):
        """Raise an error where a run brings no places for seeds that are its own.

        All else is left to the grid, which refuses what cannot be laid on it.
        """
        if not self.takes_places:
            return
        if self.name == "brain_masker":
            raise TypeError(
                "maps are compared voxel by voxel, so that places that come with each "
                f"run cannot be targets, got {self.masker!r}. Pass it as seed_masker."
            )
        if run.run.seed_places is None:
            self.masker.with_places(None)

    def in_run(self, run):
        """Return the adapter of the seeds with the places that a run brings."""
        return self.with_places(run.run.seed_places) if self.takes_places else self

    def with_places(self, places):
        """Return the adapter of the seeds with the places of a run."""
        return type(self)(self.name, self.masker.with_places(places))

    def fit(self, runs):
        """Fit to the grid of the first run, or to the places that it brings."""
        run = runs[0]
        if self.takes_places:
            with naming(run.where):
                self.masker.fit(run.run.seed_places)
            return
        try:
            self.masker.fit_on(run.scans.grid)
        except Exception:
            clone(self.masker).fit()  # fails too where the run is not at fault
            with naming(run.image):
                raise

    def lay(self, grid):
        """Return the places of the seeds on a grid."""
        return self.masker.on(grid)

    def _own_names(self):
        return self.masker.seed_names_

    def seed_table(self):
        """Return what a table of seeds tells beside their places, or None."""
        return getattr(self.masker, "seed_table_", None)

    def placed(self):
        """Return what spheres or discs are made of, None for other seeds."""
        if self.takes_places or self.element not in ("sphere", "disc"):
            return None
        places, radii = self.masker.places_, self.masker.radii_
        sides = [[None] * len(own) for own in places]
        sides = self.masker.hemispheres_ if self.element == "disc" else sides
        return list(zip(places, sides, radii, strict=True))

    def image_of(self, position, n_signals):
        """Return the image in which one seed is 1; None where each run has its own."""
        if self.takes_places:
            return None
        return super().image_of(position, n_signals)


class Given(Adapter):
    """Signals that come with the run."""

    path = "given"
    element = "signal"
    smoothing_fwhm = None

    @property
    def has_own_cleaning(self):
        """Whether the signals are clean already."""
        return not self.masker.clean

    def _set_shared(self, values):
        """Leave the cleaning to the brain masker."""

    def check_run(self, run):
        """Raise an error where a run brings no signals, or not these."""
        if self.name == "brain_masker":
            raise TypeError(
                "it must give signals of the run's voxels, got GivenSignals. Pass it "
                "as seed_masker."
            )
        if run.run.seed_signals is None:
            raise ValueError(
                "it is a GivenSignals, but the run brings no signals. Pass "
                "Run(img, seed_signals=...)."
            )

    def fit(self, runs):
        """Fit to the signals of the first run."""
        with naming(f"{runs[0].where}, seed_signals"):
            self.masker.fit(runs[0].run.seed_signals)

    def read(self, run):
        """Return the signals of a run, `(n_kept_scans, n_seeds)`."""
        own, kept = run.run.seed_signals, run.kept
        with naming("seed_signals"):
            return self.masker.read(own, run.n_scans, kept)[kept]

    def check_fitted(self, run):
        """Raise ValueError where a run's signals are not those of `fit`."""
        self.read(run)

    def identity_in(self, run):
        """Return what determines the signals of a run: their numbers."""
        return digest("given", self.read(run))

    def lay(self, grid):
        """Refuse: the signals lie nowhere."""
        raise NotLinearError("the signals come with the run")

    def _own_names(self):
        return self.masker.seed_names_

    def image_of(self, position, n_signals):
        """Return None: the signals lie nowhere."""


class Grayordinates(Adapter):
    """Our masker of CIFTI images."""

    grid_kind = GrayordinateGrid.kind

    def check_parameters(self):
        """Raise ValueError where a parameter of the masker makes no sense."""
        check_each(self.parameters, CHECKS)

    def fit(self, runs):
        """Fit to the grayordinates of the first run."""
        with naming(runs[0].image):
            self.masker.fit_on(runs[0].scans.grid)

    def lay(self, grid):
        """Return the chosen structures on a grid, smoothed as the masker says."""
        return self.masker.on(grid)

    def still(self, name):
        """Return which grayordinates the masker takes, where it leaves some out."""
        if name != "mask_img" or self.masker.structures is None:
            return None
        return Still(self.masker.grid_, self.masker.is_taken())


class Foreign(Adapter):
    """A masker of another package, which does everything itself."""

    path = "reference"
    is_known = False

    @property
    def element(self):
        """What each signal is of, as its parameters tell."""
        told = (own for name, own in TOLD_BY.items() if name in self.parameters)
        return next(told, "signal")

    def check_run(self, run):
        """Leave it to the masker."""

    def fit(self, runs):
        """Fit to the image of the first run, as the user passed it."""
        with saying_what_failed(self.masker, runs[0].where):
            self.masker.fit(runs[0].run.img)

    def check_fitted(self, run):
        """Leave it to the masker."""

    def lay(self, grid):
        """Refuse: nobody knows what the masker does."""
        kind = type(self.masker).__name__
        raise NotLinearError(f"{kind} is none of nilearn's own maskers, nor of ours")

    def identity_in(self, run):
        """Return None: nobody knows what its signals depend on."""

    def read(self, run):
        """Return what the masker gives for a run, `(n_kept_scans, n_signals)`.

        Raises
        ------
        ValueError
            If the run has confounds or a sample mask and `transform` takes none, or
            what it returns is not a matrix of signals.
        """
        masker = self.masker
        if run.t_r is not None and "t_r" in self.parameters:
            masker = copy.copy(masker).set_params(t_r=run.t_r)
        arguments = {}
        if run.confounds is not None:
            arguments["confounds"] = run.confounds
        if run.run.sample_mask is not None:
            arguments["sample_mask"] = run.kept
        self._check_accepts(arguments)
        signals = masker.transform(run.run.img, **arguments)
        signals = np.asarray(signals, dtype=np.float64)
        if signals.ndim != 2:
            raise ValueError(
                f"transform of {self.name} ({type(masker).__name__}) must return "
                f"shape (n_scans, n_signals), got shape {signals.shape}."
            )
        return signals

    def _check_accepts(self, arguments):
        """Raise ValueError where `transform` has no place for an argument."""
        parameters = inspect.signature(self.masker.transform).parameters
        if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            return
        for name in arguments:
            if name not in parameters:
                raise ValueError(
                    f"the run has {name}, but transform of {self.name} "
                    f"({type(self.masker).__name__}) takes no {name}: they would be "
                    "lost. Use a masker that takes them, or a run without."
                )


class _Heir(Foreign):
    """A subclass of one of nilearn's maskers: it may do anything, but is made alike."""

    def check_parameters(self):
        """Leave it to the masker."""

    def _what_fit_needs(self, run, part):
        """Return the arguments for the masker's `fit`."""
        return [run.run.img] if super()._what_fit_needs(run, part) else []


class HeirOnVolume(_Heir, OnVolume):
    """A subclass of one of nilearn's maskers of volumes."""

    fit, element = OnVolume.fit, OnVolume.element


class HeirOnSurface(_Heir, OnSurface):
    """A subclass of one of nilearn's maskers of surfaces."""

    fit, element = OnSurface.fit, OnSurface.element
