"""What the rest of the package needs to know of a masker."""

from contextlib import suppress

import numpy as np
from nilearn.maskers import (
    NiftiMasker,
    SurfaceMasker,
)

from .._arrays.cleaning import CleaningParameters
from .._images.grayordinates import GrayordinateGrid
from .._images.grids import NotLinearError, VolumeGrid
from .._images.meshes import SurfaceGrid
from ..maskers import GrayordinateMasker

DEFAULTS = {
    VolumeGrid.kind: NiftiMasker,
    SurfaceGrid.kind: SurfaceMasker,
    GrayordinateGrid.kind: GrayordinateMasker,
}
"""The masker of all positions, by the kind of grid."""


class Adapter:
    """A masker, and the answers that the rest of the package needs of it.

    Runs are `OpenedRun` as the masker sees them: see `OpenedRun.seen_by`.

    Parameters
    ----------
    name : str
        "seed_masker" or "brain_masker", as messages call it.
    masker : masker
        A clone, fitted in place by `fit`.

    Attributes
    ----------
    parameters : dict
        The masker's own parameters.
    cleaning : CleaningParameters
        What the masker's parameters do to signals over time.
    smoothing_fwhm : float, sequence of 3 float, str or None
        Width in mm that the masker smooths with.
    """

    path = "streamed"
    """How signals are obtained where `lay` gives a map."""

    element = "voxel"
    """What each signal is of: a voxel, vertex, sphere, disc, region or map, or nobody
    knows what, a signal."""

    grid_kind: str | None = None
    """The kind of the grid that the masker is for, None for any."""

    has_own_cleaning = True
    """Whether the masker says how its signals are cleaned; else the other side does."""

    takes_places = False
    """Whether each run brings the places of its seeds."""

    is_known = True
    """Whether what the masker does is known: a matrix cleans what it extracts."""

    def __init__(self, name, masker, shared=None):
        self.name, self.masker = name, masker
        self.laid, self.stills = {}, {}
        self.parameters = masker.get_params(deep=False)
        if shared:
            self._set_shared(shared)
        self.cleaning = CleaningParameters.of(self.parameters)
        self.smoothing_fwhm = self.parameters.get("smoothing_fwhm")

    @property
    def mesh(self):
        """Along which the masker measures or smooths, None without one."""
        return self.parameters.get("mesh")

    def __getstate__(self):
        # Maps and images are large, and made again where they are needed.
        return {**self.__dict__, "laid": {}, "stills": {}}

    def _set_shared(self, values):
        """Set the estimator's own values of parameters that hold for both maskers."""
        for name, value in values.items():
            if name not in self.parameters:
                raise ValueError(
                    f"{name}={value!r} is set for both maskers, but {self.name} "
                    f"({type(self.masker).__name__}) has no parameter {name}. Set it "
                    "on the other masker alone."
                )
        self.masker.set_params(**values)
        self.parameters |= values

    def check_parameters(self):
        """Raise ValueError where a parameter of the masker makes no sense."""

    def part_of(self, grid):
        """Return the grid of the part that the masker is for, None without."""
        is_whole = self.grid_kind in (None, grid.kind)
        return grid if is_whole else grid.part(self.grid_kind)

    def check_run(self, run):
        """Raise an error where a run is not one that the masker can take."""
        grid = run.scans.grid
        part = self.part_of(grid)
        # Seeds may lie in a part of the image, the brain is all of it.
        if part is None or (part is not grid and self.name == "brain_masker"):
            what = "its seed_img" if run.part else "the run"
            raise TypeError(
                f"a {type(self.masker).__name__} needs {self.grid_kind}, but {what} "
                f"is {grid.kind}. Use a masker of the run's kind "
                f"({DEFAULTS[grid.kind].__name__}), or Run(img, seed_img=...) where "
                "seeds and voxels are in images of their own."
            )

    def in_run(self, run):
        """Return the adapter of the fitted masker as it is in one run."""
        return self

    def fit(self, runs):
        """Fit the masker to runs, reading no more of them than it needs."""
        self.masker.fit()

    def on(self, grid):
        """Return the masker's `SpatialMap` on a grid, laid there once.

        Raises
        ------
        NotLinearError
            If it is no such map, or not known; says why.
        ValueError
            If something of it lies outside.
        """
        if grid.key not in self.laid:
            try:
                self.laid[grid.key] = self._laid_on(grid)
            except NotLinearError as reason:
                self.laid[grid.key] = reason
        laid = self.laid[grid.key]
        if isinstance(laid, NotLinearError):
            raise laid
        return laid

    def _laid_on(self, grid):
        """Return the `SpatialMap` on a grid, laid on the part that the masker is for.

        Of a part there are no scans that the masker itself could take.
        """
        part = self.part_of(grid)
        try:
            laid = self.lay(part)
            return laid if part is grid else grid.as_whole(self.grid_kind, laid)
        except NotLinearError as reason:
            if part is grid:
                raise
            raise ValueError(
                f"a {type(self.masker).__name__} in {grid.kind} must be a linear map "
                f"that is known beforehand, but {reason}. Use a seed masker of "
                "sbc_estimators.maskers, or Run(img, seed_img=...)."
            ) from reason

    def lay(self, grid):
        """Return the fitted masker's `SpatialMap` on a grid; raises as `on`."""
        raise NotLinearError(
            f"{type(self.masker).__name__} is not a linear map that is known beforehand"
        )

    def still(self, name):
        """Return an image of the fitted masker as a `Still`, or None."""

    def space(self, run):
        """Return the `Space` of maps, as the image says whose grid they are on."""
        return run.scans.space

    def check_fitted(self, run):
        """Raise ValueError where the fitted masker does not go with a run."""
        grid = run.scans.grid
        if grid.key not in self.laid:
            self.check_on(self.part_of(grid))
            with suppress(NotLinearError):
                self.on(grid)

    def check_on(self, grid):
        """Raise ValueError where nothing of the fitted masker lies on such a part."""

    def identity_in(self, run):
        """Return what determines the raw signals in a run, None if nobody knows."""
        return self.on(run.scans.grid).key

    def names(self, n_signals, prefix):
        """Return a name for each signal; numbers where there are no others."""
        names = self._own_names()
        if names is None or len(names) != n_signals or len(set(names)) < n_signals:
            names = [f"{prefix}{i}" for i in range(n_signals)]
        return names

    def _own_names(self):
        """Return the names that the masker has for its signals, or None."""

    def seed_table(self):
        """Return what a table of seeds tells beside their places, or None."""

    def placed(self):
        """Return what spheres or discs are made of.

        For each seed its places, the hemisphere of each or None in a volume, and its
        radius in mm. A place is coordinates in mm, or the number of a vertex. None for
        other seeds, and where each run brings its own.
        """

    def sphere(self, position):
        """Return centre and radius in mm of one sphere, None for other seeds."""
        placed = self.placed()
        if self.element != "sphere" or placed is None:
            return None
        places, _, radius = placed[position]
        return (places[0], radius) if len(places) == 1 else None

    def image_of(self, position, n_signals):
        """Return the image in which one signal is 1 and others are 0, or None."""
        row = np.zeros((1, n_signals))
        row[0, position] = 1
        return self.masker.inverse_transform(row)
