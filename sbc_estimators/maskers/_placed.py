"""Seeds laid on the grid or mesh of a run, and their raw signals from its scans."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from nilearn.image import smooth_img

from .._arrays.regions import mean_regions, smoothed_regions
from .._arrays.smoothing import is_separable, smoothing_matrices
from .._arrays.spheres import held_by, overlapping_pair, sphere_voxels
from .._images.grids import is_surface, mask_on_grid

# Spheres


@dataclass(frozen=True)
class Spheres:
    """Spheres as a masker's parameters tell of them.

    Attributes
    ----------
    seeds : sequence of n_seeds triplets of float
        In mm.
    radius : float, None, or a sequence with one a seed
        In mm.
    mask_img : nibabel image or None
        Read; on any grid.
    allow_overlap : bool
    name : str
        Names the masker in errors.
    """

    seeds: Any
    radius: Any
    mask_img: Any
    allow_overlap: bool
    name: str

    def on(self, image, where):
        """Return the spheres as `SeedRegions` on the grid of a run.

        What the mask takes of a sphere counts as lost where it takes the voxel that
        holds the centre too: what is left may lie to one side.

        Raises
        ------
        ValueError
            If the centre of a sphere lies outside of the run, or nothing of it within
            the mask, or two overlap that must not.
        """
        shape = image.shape[:3]
        whole = sphere_voxels(self.seeds, self.radius, image.affine, shape)
        self._check_inside(whole, image, where, "the image")
        mask = mask_on_grid(self.mask_img, image)
        if mask is None:
            self._check_overlap(whole, where)
            return mean_regions(whole)
        found = [voxels[mask.ravel()[voxels]] for voxels in whole]
        self._check_inside(found, image, where, "its mask_img")
        self._check_overlap(found, where)
        lost = [len(a) - len(b) for a, b in zip(whole, found, strict=True)]
        has_centre = mask[tuple(held_by(self.seeds, image.affine))]
        return mean_regions(found, np.where(has_centre, 0, lost))

    def _check_inside(self, spheres, image, where, what):
        """Raise ValueError where a sphere has no voxels."""
        for position, voxels in enumerate(spheres):
            if len(voxels):
                continue
            seed, shape = coordinates(self.seeds[position]), image.shape[:3]
            corners = np.array(np.meshgrid(*[(0, n - 1) for n in shape])).reshape(3, -1)
            corners = image.affine[:3, :3] @ corners + image.affine[:3, 3:]
            low, high = corners.min(axis=1).round(1), corners.max(axis=1).round(1)
            raise ValueError(
                f"{where}: seed {position} at {seed} mm of {self.name} lies outside "
                f"{what}; the image spans {low.tolist()} to {high.tolist()} mm. Move "
                "the seed, or check that seeds and image are in the same space."
            )

    def _check_overlap(self, spheres, where):
        """Raise ValueError where spheres share a voxel that must not."""
        pair = None if self.allow_overlap else overlapping_pair(spheres)
        if pair is not None:
            first, second = (coordinates(self.seeds[i]) for i in pair)
            raise ValueError(
                f"{where}: the spheres of seeds {pair[0]} {first} and {pair[1]} "
                f"{second} overlap at radius={self.radius!r} mm. Use a smaller radius, "
                f"or {self.name}.allow_overlap=True."
            )


def coordinates(seed):
    """Return coordinates in mm as people write them."""
    return f"({', '.join(f'{float(x):g}' for x in seed)})"


# Smoothing, and signals


def with_smoothing(regions, fwhm, image):
    """Return regions of smoothed voxels, or a str that says why there are none.

    Parameters
    ----------
    regions : SeedRegions
        Not smoothed.
    fwhm : float, sequence of 3 float, str or None
        As nilearn's maskers take it, in mm.
    image : nibabel image or SurfaceImage
        The grid of `regions`.
    """
    if fwhm is None:
        return regions
    if is_surface(image):
        return "surfaces are smoothed by nilearn"
    if not is_separable(fwhm):
        return f"smoothing_fwhm={fwhm!r} is not one matrix an axis"
    shape = image.shape[:3]
    matrices = smoothing_matrices(fwhm, image.affine, shape)
    if matrices is None:
        return regions
    smoothed = smoothed_regions(regions, matrices, shape)
    if smoothed is None:
        return f"{len(regions.members)} voxels are too many to smooth by one matrix"
    return smoothed


def signals_of_regions(regions, fwhm, scans):
    """Return the raw signals of seeds from scans in memory, `(n_scans, n_seeds)`.

    As in `series_of_regions`.
    """
    regions, series = series_of_regions(regions, fwhm, scans)
    return regions.signals(series)


def series_of_regions(regions, fwhm, scans):
    """Return what seeds are made of from scans in memory.

    Parameters
    ----------
    regions : SeedRegions
        Not smoothed.
    fwhm : float, sequence of 3 float, str or None
        As nilearn's maskers take it, in mm.
    scans : Nifti1Image or SurfaceImage
        As `read_scans` returns it.

    Returns
    -------
    regions : SeedRegions
        Smoothed, unless it is the scans that are.
    series : ndarray of shape (n_inputs, n_scans)
    """
    smoothed = with_smoothing(regions, fwhm, scans)
    if isinstance(smoothed, str):
        smoothed, scans = regions, smooth_img(scans, fwhm)
    return smoothed, _series(scans, smoothed.inputs)


def _series(image, places):
    """Return the scans of some voxels (vertices) in memory, `(n_places, n_scans)`."""
    if not is_surface(image):
        data = np.asarray(image.dataobj)
        return data[np.unravel_index(places, data.shape[:3])]
    parts = [np.asarray(part) for part in image.data.parts.values()]
    starts = np.cumsum([0, *(len(part) for part in parts)])
    edges = np.searchsorted(places, starts)
    pieces = [
        part[places[first:last] - start]
        for part, start, first, last in zip(
            parts, starts, edges[:-1], edges[1:], strict=False
        )
    ]
    return np.concatenate(pieces)
