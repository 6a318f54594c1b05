"""nilearn's own maskers, of volumes and of surfaces."""

from contextlib import contextmanager
from dataclasses import replace

import numpy as np
from nilearn.maskers import (
    MultiNiftiMasker,
    NiftiLabelsMasker,
    NiftiMapsMasker,
    NiftiMasker,
    NiftiSpheresMasker,
    SurfaceLabelsMasker,
    SurfaceMapsMasker,
    SurfaceMasker,
)

from .._arrays.spatial import SpatialMap, fitted_map, label_map
from .._images.grids import NotLinearError, VolumeGrid
from .._images.headers import space_of
from .._images.meshes import SurfaceGrid
from .._images.opening import key_of, read_still
from .._support.checks import check_each
from .._support.digests import digest
from .._support.messages import is_said_by_us
from ..maskers._places import check_spheres, coordinates
from .adapters import Adapter
from .extraction import IRRELEVANT, extracted, on_places_of, spoilt
from .masks import computed_mask
from .parameters import CHECKS, IMAGES, read_files

ELEMENTS = {
    "sphere": (NiftiSpheresMasker,),
    "map": (NiftiMapsMasker, SurfaceMapsMasker),
    "region": (NiftiLabelsMasker, SurfaceLabelsMasker),
    "vertex": (SurfaceMasker,),
}
"""What each signal of a masker is of, if that is no voxel."""

RESAMPLED = "the run is not on the grid of the mask and has to be resampled"
"""Why the voxels of a mask are not streamed; beyond the run they have no signal."""


class Nilearn(Adapter):
    """What nilearn's maskers have in common."""

    @property
    def element(self):
        """What each signal is of, where it has no other name."""
        for element, kinds in ELEMENTS.items():
            if isinstance(self.masker, kinds):
                return element
        return "voxel"

    def check_parameters(self):
        """Raise ValueError where a parameter of the masker makes no sense."""
        check_each(self.parameters, CHECKS)

    def still(self, name):
        """Return an image of the fitted masker as a `Still`, or None."""
        if name not in self.stills:
            img = getattr(self.masker, f"{name}_", None)
            self.stills[name] = None if img is None else read_still(img, name)
        return self.stills[name]

    def space(self, run):
        """Return the `Space` of maps; of a mask on the run's own grid, the run's."""
        names = [name for name in reversed(IMAGES) if self.still(name) is not None]
        space = run.scans.space
        if not names:
            return space
        is_run_s = run.scans.grid.same_as(self.still(names[0]).grid)
        if is_run_s and space is not None:
            return space
        return space_of(getattr(self.masker, f"{names[0]}_"))

    def lay(self, grid):
        """Return the fitted masker's `SpatialMap` on a grid; raises as `on`."""
        for kind, build in self.builders().items():
            if isinstance(self.masker, kind):
                spatial = build(grid)
                if self.smoothing_fwhm is None:
                    return spatial
                try:
                    smoothing = grid.smoothing(self.smoothing_fwhm)
                except NotLinearError as reason:
                    raise NotLinearError(str(reason), spatial) from None
                return replace(spatial, smoothing=smoothing)
        return super().lay(grid)

    def check_run(self, run):
        """Raise an error where a run is not one that the masker can take."""
        super().check_run(run)
        grid = run.scans.grid
        is_mask = isinstance(self.masker, NiftiMasker | SurfaceMasker)
        if not is_mask or self.masker.mask_img is not None:
            return
        if self.part_of(grid) is not grid:
            raise ValueError(
                f"mask_img=None: a {type(self.masker).__name__} computes no mask of a "
                f"part of {grid.kind}. Pass mask_img, or use GrayordinateMasker."
            )

    def fit(self, runs):
        """Fit to the grid of the first run, computing a mask where there is none."""
        scans = runs[0].scans
        part = self.part_of(scans.grid)
        stills, given = read_files(vars(self.masker), part)
        if "mask_img" in stills and self.parameters.get("target_affine") is None:
            self.stills["mask_img"] = stills["mask_img"]
        with saying_what_failed(self.masker, runs[0].where), self._given(given):
            self.masker.fit(*self._what_fit_needs(runs[0], part))

    @contextmanager
    def _given(self, values):
        """Let the masker have other values of parameters for a while."""
        own = {name: getattr(self.masker, name) for name in values}
        try:
            vars(self.masker).update(values)
            yield
        finally:
            vars(self.masker).update(own)

    def _what_fit_needs(self, run, part):
        """Return the arguments for the masker's `fit`: a grid, and no scans."""
        is_complete = isinstance(self.masker, NiftiSpheresMasker) or (
            isinstance(self.masker, NiftiMasker | MultiNiftiMasker | SurfaceMasker)
            and self.masker.mask_img is not None
        )
        return [] if is_complete else [part.ones()]

    def check_on(self, grid):
        """Raise ValueError where nothing of the fitted masker lies on such a part."""
        for name in IMAGES:
            still = self.still(name)
            if still is not None:
                self._check_resampling(name, still, grid)
                is_given = self.parameters.get(name) is not None
                what = name if is_given else "the first run of fit"
                grid.check_holds(self._without_background(name, still), what)

    def _check_resampling(self, name, still, grid):
        """Raise ValueError where grids differ and the masker was told to leave them."""
        target = getattr(self.masker, "resampling_target", "data")
        if target is None and name != "mask_img" and not grid.same_as(still.grid):
            raise ValueError(
                f"the image is not on the grid of {name}, and resampling_target=None "
                'leaves both as they are. Set resampling_target="data", or bring both '
                "to one grid."
            )

    def _without_background(self, name, still):
        """Return a still that is 0 outside of all regions."""
        if name != "labels_img":
            return still
        is_region = still.values != self.masker.background_label
        return type(still)(still.grid, is_region)

    def identity_in(self, run):
        """Return what determines the raw signals in a run, as text."""
        try:
            return super().identity_in(run)
        except NotLinearError:
            given = self.parameters
            counting = {name: given[name] for name in given.keys() - IRRELEVANT}
            for name in counting.keys() & {*IMAGES, "seeds"}:
                counting[name] = getattr(self.masker, f"{name}_", None)
            kind = f"{type(self.masker).__module__}.{type(self.masker).__qualname__}"
            return digest(
                kind, *((name, key_of(counting[name])) for name in sorted(counting))
            )

    def extract(self, image, not_finite):
        """Return what the masker extracts, not cleaned, and which signals are spoilt.

        Parameters
        ----------
        image : Nifti1Image or SurfaceImage
            The kept scans, in memory.
        not_finite : Still or None
            Which positions had a scan that was not finite, and are 0 now.

        Returns
        -------
        signals : ndarray of shape (n_kept_scans, n_signals)
        spoilt : ndarray of bool of shape (n_signals,) or None
            Which had a scan that was not finite, where the signals do not show it.
        """
        own = on_places_of(image, {name: self.still(name) for name in IMAGES})
        maps = self.still("maps_img")
        if maps is not None and not self.masker.allow_overlap:
            # Here, as nilearn sets what is negative to 0 to look for overlaps.
            check_no_overlap(maps.values)
            own["allow_overlap"] = True
        signals = extracted(self.masker, image, own)
        is_voxelwise = isinstance(self.masker, NiftiMasker | SurfaceMasker)
        if not_finite is None or not is_voxelwise or self.smoothing_fwhm is None:
            return signals, None
        # Only smoothing hides them, without it they are constant.
        return signals, spoilt(self.masker, not_finite)

    def _own_names(self):
        """Return the names of labelled regions in the order of the signals, or None."""
        if not isinstance(self.masker, NiftiLabelsMasker | SurfaceLabelsMasker):
            return None
        # Not nilearn's region_names_, which know of the mask only after transform.
        lut = self.masker.lut_
        names = dict(zip(lut["index"], map(str, lut["name"]), strict=True))
        _, wanted = self._regions()
        return [names.get(label, f"{label:g}") for label in wanted]

    def _mask(self, grid):
        """Return each position of a mask."""
        self._why_not_here(grid, "mask_img")
        return SpatialMap(np.flatnonzero(self.still("mask_img").values))

    def _labels(self, grid):
        """Return labelled regions, those that the mask leaves, ascending."""
        strategy = self.masker.strategy
        if strategy not in ("mean", "sum"):  # of which r is the same
            raise NotLinearError(f"strategy={strategy!r} is no mean")
        self._why_not_here(grid, "labels_img")
        return means_over(*self._regions())

    def _maps(self, grid):
        """Return maps, those that the mask leaves anything of."""
        self._why_not_here(grid, "maps_img")
        still, mask = self.still("maps_img"), self.still("mask_img")
        maps = still.values.reshape(len(still.values), -1)
        if not self.masker.allow_overlap:
            check_no_overlap(maps)
        if mask is not None:
            maps = np.where(mask.values[:, np.newaxis] != 0, maps, 0)
            # On a surface nilearn keeps one of which nothing is left; it has no signal.
            if not self.parameters.get("keep_masked_maps", True):
                maps = maps[:, maps.any(axis=0)]
        if not maps.any():
            raise NotLinearError("no map is left")
        return fitted_map(maps)

    def _regions(self):
        """Return the labels of positions, and those of the signals, ascending."""
        labels = self.still("labels_img").values
        wanted = np.unique(labels)
        return labels, wanted[wanted != self.masker.background_label]


@contextmanager
def saying_what_failed(masker, where):
    """Let an error that a masker raises in `fit` say so, and what may help."""
    try:
        yield
    # A labels file that is no image fails in the way of its format's parser.
    except Exception as error:
        if is_said_by_us(error):
            raise
        kinds = TypeError, FileNotFoundError, OSError
        # Its own class may want other arguments, or more of them.
        kind = next((kind for kind in kinds if isinstance(error, kind)), ValueError)
        regions = [name for name in IMAGES[1:] if hasattr(masker, name)]
        cure = "".join(
            f" Check its {name}, and that it lies in the space of the run."
            for name in regions
        )
        raise kind(
            f"it could not be fitted to {where}: {_said(error)}{cure}"
        ) from error


def _said(error):
    """Return what an error says, with its class where this is all that it says."""
    is_plain = isinstance(error, TypeError | ValueError | OSError)
    return f"{error}" if is_plain else f"{type(error).__name__}: {error}"


def check_no_overlap(maps):
    """Raise ValueError where two maps `(n_positions, n_maps)` share a position.

    Whatever the sign and the unit of weights: what is rounding beside the largest
    weight of a map is none.
    """
    maps = maps.reshape(len(maps), -1)
    least = np.finfo(np.float32).eps * np.abs(maps).max(axis=0, initial=0.0)
    shared = (np.abs(maps) > least).sum(axis=1) > 1
    if shared.any():
        first, second, *_ = np.flatnonzero((np.abs(maps) > least)[np.argmax(shared)])
        raise ValueError(
            f"maps {first} and {second} of maps_img overlap, in {shared.sum()} "
            "positions in all. Pass others, or allow_overlap=True."
        )


def means_over(labels, wanted):
    """Return the map of labelled regions."""
    if not len(wanted):
        raise NotLinearError("no label is left")
    return label_map(labels, wanted)


# Volumes


class OnVolume(Nilearn):
    """nilearn's maskers of volumes."""

    grid_kind = VolumeGrid.kind

    def fit(self, runs):
        """Fit to the grid of the first run, computing a mask where there is none."""
        if isinstance(self.masker, NiftiMasker) and self.masker.mask_img is None:
            with saying_what_failed(self.masker, runs[0].where):
                mask_img = computed_mask(self.masker, self.name, runs)
            self.masker.set_params(mask_img=mask_img)
        super().fit(runs)
        if isinstance(self.masker, NiftiSpheresMasker):
            check_spheres(self.masker.seeds_, self.masker.radius)

    def _why_not_here(self, grid, name):
        """Raise NotLinearError where regions or mask don't lie on a grid."""
        for what in dict.fromkeys((name, "mask_img")):
            still = self.still(what)
            if still is not None and not grid.same_as(still.grid):
                words = what.removesuffix("_img")
                is_mask = name == "mask_img"
                raise NotLinearError(
                    RESAMPLED
                    if is_mask
                    else f"the run is not on the grid of the {words}"
                )

    def _regions(self):
        """Return the labels that the mask leaves, and those of the signals."""
        labels, wanted = super()._regions()
        mask = self.still("mask_img")
        if mask is None or not mask.grid.same_as(self.still("labels_img").grid):
            return labels, wanted
        labels = np.where(mask.values, labels, self.masker.background_label)
        if not self.masker.keep_masked_labels:
            wanted = wanted[np.isin(wanted, labels)]
        return labels, wanted

    def _spheres(self, grid):
        """Return spheres."""
        masker, names = self.masker, self._own_names()
        words = [f"seed {i} at {name} mm" for i, name in enumerate(names)]
        mask = self.still("mask_img")
        return grid.lay_spheres(
            words, masker.seeds_, masker.radius, mask, masker.allow_overlap
        )

    def builders(self):
        """Return what lays each kind of masker on a grid."""
        return {
            NiftiMasker: self._mask,
            NiftiLabelsMasker: self._labels,
            NiftiMapsMasker: self._maps,
            NiftiSpheresMasker: self._spheres,
        }

    def _own_names(self):
        if isinstance(self.masker, NiftiSpheresMasker):
            return [coordinates(seed) for seed in self.masker.seeds_]
        return super()._own_names()

    def placed(self):
        """Return what spheres are made of, None for other seeds."""
        if not isinstance(self.masker, NiftiSpheresMasker):
            return None
        centres = [tuple(map(float, seed)) for seed in self.masker.seeds_]
        return [([centre], [None], self.masker.radius or 0) for centre in centres]


# Surfaces


class OnSurface(Nilearn):
    """nilearn's maskers of surfaces."""

    grid_kind = SurfaceGrid.kind

    def _what_fit_needs(self, run, part):
        """Return the arguments for the masker's `fit`: none where there is no mesh."""
        is_whole = part is run.scans.grid
        return super()._what_fit_needs(run, part) if is_whole else []

    def _why_not_here(self, grid, name):
        """Raise NotLinearError where regions don't lie on a mesh."""
        if not grid.same_as(self.still(name).grid):
            raise NotLinearError("the run is on another mesh")

    def builders(self):
        """Return what lays each kind of masker on a grid."""
        return {
            SurfaceMasker: self._mask,
            SurfaceLabelsMasker: self._labels,
            SurfaceMapsMasker: self._maps,
        }
