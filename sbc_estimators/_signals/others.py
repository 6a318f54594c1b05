"""Adapters of nilearn's maskers of surfaces, of our own seeds, and of all others."""

import copy
import inspect

import numpy as np
from sklearn.base import clone

from .._images.grids import NotLinearError, Still
from .._support.digests import digest
from .._support.messages import naming
from .adapters import Adapter
from .extraction import saying_what_failed
from .nilearn_own import OnSurface, OnVolume
from .parameters import check_parameters


class Ours(Adapter):
    """Our own places of seeds: cleaned as the brain masker says, never smoothed."""

    has_own_cleaning = False
    smoothing_fwhm = None

    def _set_shared(self, values):
        """Leave the cleaning to the brain masker, which this is not, or cleans."""
        if self.name == "brain_masker":
            super()._set_shared(values)

    def check_run(self, opened):
        """Raise an error where a run brings no places for seeds that are its own.

        All else is left to the grid, which refuses what cannot be laid on it.
        """
        if not self.masker.takes_places:
            return
        if self.name == "brain_masker":
            raise TypeError(
                "maps are compared voxel by voxel, so that places that come with each "
                f"run cannot be targets, got {self.masker!r}. Pass it as seed_masker."
            )
        if opened.run.seed_places is None:
            self.masker.with_places(None)

    def in_run(self, opened):
        """Return the adapter of the seeds with the places that a run brings."""
        if not self.masker.takes_places:
            return self
        masker = self.masker.with_places(opened.run.seed_places)
        return type(self)(self.name, masker)

    def fit(self, opened):
        """Fit to the grid of the first run, or to the places that it brings."""
        run, scans = opened[0], self.scans_of(opened[0])
        if self.masker.takes_places:
            with naming(run.where):
                self.masker.fit(run.run.seed_places)
            return
        try:
            self.masker.fit_on(scans.grid)
        except Exception:
            clone(self.masker).fit()  # fails too where the run is not at fault
            with naming(run.where), run.naming_image(scans):
                raise

    def lay(self, grid):
        """Return the places of the seeds on a grid."""
        return self.masker.on(grid)

    def _own_names(self):
        return self.masker.seed_names_

    def seed_table(self):
        """Return what a table of seeds tells beside their places, or None."""
        return getattr(self.masker, "seed_table_", None)

    def sphere(self, position):
        """Return centre and radius in mm of one sphere, None for other seeds."""
        place = getattr(self.masker, "sphere", None)
        return place(position) if place and not self.masker.takes_places else None

    def image_of(self, position, n_signals):
        """Return the image in which one seed is 1; None where each run has its own."""
        if self.masker.takes_places:
            return None
        return super().image_of(position, n_signals)


class Given(Adapter):
    """Signals that come with the run."""

    path = "given"
    smoothing_fwhm = None

    @property
    def has_own_cleaning(self):
        """Whether the signals are clean already."""
        return not self.masker.clean

    def _set_shared(self, values):
        """Leave the cleaning to the brain masker."""

    def check_run(self, opened):
        """Raise an error where a run brings no signals, or not these."""
        if self.name == "brain_masker":
            raise TypeError(
                "it must give signals of the run's voxels, got GivenSignals. Pass it "
                "as seed_masker."
            )
        if opened.run.seed_signals is None:
            raise ValueError(
                "it is a GivenSignals, but the run brings no signals. Pass "
                "Run(img, seed_signals=...)."
            )

    def fit(self, opened):
        """Fit to the signals of the first run."""
        with naming(opened[0].where), naming("seed_signals"):
            self.masker.fit(opened[0].run.seed_signals)

    def read(self, opened):
        """Return the signals of a run, `(n_kept_scans, n_seeds)`."""
        own, kept = opened.run.seed_signals, opened.kept
        with naming("seed_signals"):
            return self.masker.read(own, opened.n_scans, kept)[kept]

    def check_fitted(self, opened):
        """Raise ValueError where a run's signals are not those of `fit`."""
        self.read(opened)

    def identity_in(self, opened):
        """Return what determines the signals of a run: their numbers."""
        return digest("given", self.read(opened))

    def lay(self, grid):
        """Refuse: the signals lie nowhere."""
        raise NotLinearError("the signals come with the run")

    def _own_names(self):
        return self.masker.seed_names_

    def image_of(self, position, n_signals):
        """Return None: the signals lie nowhere."""


class Grayordinates(Adapter):
    """Our masker of CIFTI images."""

    grid_kind = "a CIFTI image"

    def check_parameters(self):
        """Raise ValueError where a parameter of the masker makes no sense."""
        check_parameters(self.parameters)

    def fit(self, opened):
        """Fit to the grayordinates of the first run."""
        scans = self.scans_of(opened[0])
        with naming(opened[0].where), opened[0].naming_image(scans):
            self.masker.fit_on(scans.grid)

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

    def check_run(self, opened):
        """Leave it to the masker."""

    def fit(self, opened):
        """Fit to the first run as it was passed."""
        with saying_what_failed(self.masker, opened[0].where):
            self.masker.fit(self._image(opened[0]))

    def _image(self, opened):
        """Return the image of a run as the user passed it."""
        own = self.scans_of(opened) is opened.scans
        return opened.run.img if own else opened.run.seed_img

    def check_fitted(self, opened):
        """Leave it to the masker."""

    def lay(self, grid):
        """Refuse: nobody knows what the masker does."""
        kind = type(self.masker).__name__
        raise NotLinearError(f"{kind} is none of nilearn's own maskers, nor of ours")

    def identity_in(self, opened):
        """Return None: nobody knows what its signals depend on."""

    def read(self, opened):
        """Return what the masker gives for a run, `(n_kept_scans, n_signals)`.

        Raises
        ------
        ValueError
            If the run has confounds or a sample mask and `transform` takes none, or
            what it returns is not a matrix of signals.
        """
        masker = self.masker
        if opened.t_r is not None and "t_r" in self.parameters:
            masker = copy.copy(masker).set_params(t_r=opened.t_r)
        arguments = {}
        if opened.confounds is not None:
            arguments["confounds"] = opened.confounds
        if opened.run.sample_mask is not None:
            arguments["sample_mask"] = opened.kept
        self._check_accepts(arguments)
        signals = masker.transform(self._image(opened), **arguments)
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

    def _what_fit_needs(self, opened):
        """Return the arguments for the masker's `fit`."""
        needed = super()._what_fit_needs(opened)
        return [self._image(opened[0])] if needed else []


class HeirOnVolume(_Heir, OnVolume):
    """A subclass of one of nilearn's maskers of volumes."""

    fit = OnVolume.fit


class HeirOnSurface(_Heir, OnSurface):
    """A subclass of one of nilearn's maskers of surfaces."""

    fit = OnSurface.fit
