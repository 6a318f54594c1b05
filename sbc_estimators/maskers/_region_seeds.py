"""`RegionSeeds`: regions of an atlas, by name or number."""

import numpy as np

from .._images.grids import is_surface
from .._support.checks import check_hemispheres
from .._support.messages import warn
from ._atlas import chosen_labels, names_of_labels, read_atlas
from ._base import SeedMasker


class RegionSeeds(SeedMasker):
    """Mean signals of regions of an atlas, all of them or those that you name.

    Parameters
    ----------
    labels_img : str, path, nibabel image or SurfaceImage
        An integer label for each voxel (vertex), the same throughout a region. A
        binary mask is an atlas with one region.
    regions : sequence of str or int, one of these, or None, default=None
        Names or labels of the regions to use as seeds, in this order. None means all.
    lut : DataFrame, str, path, dict, list of str, or None, default=None
        Names of the labels: a table with the columns index and name, such as the
        ``.lut`` of an atlas that nilearn fetches or the path of a BIDS dseg.tsv; a dict
        from label to name; or a list with the names of all labels in the image, in
        ascending order, optionally with "Background" first.
    hemisphere : "left", "right", None, or a sequence with one of these per region, \
            default=None
        The hemisphere whose vertices make up a seed, for atlases with the same labels
        in both. None means both, and is the only choice for a volume.
    background_label : int, default=0
        The label of voxels (vertices) outside all regions.
    mask_img : str, path, nibabel image, SurfaceImage or None, default=None
        Voxels (vertices) where it is 0 are left out of all regions.
    smoothing_fwhm : float or None, default=None
        Full width at half maximum, in mm, of smoothing before averaging. Must be None
        on a surface.
    detrend : bool, default=False
        Whether to remove the linear trend of each signal.
    standardize : "zscore_sample", "psc" or None, default=None
        How `transform` scales the signals. It does not affect correlations.
    standardize_confounds : bool, default=True
        Whether to centre and scale confounds.
    high_variance_confounds : bool, default=False
        Whether to regress out the confounds that
        :func:`nilearn.image.high_variance_confounds` finds in the run.
    low_pass, high_pass : float or None, default=None
        Cut-off frequencies in Hz.
    t_r : float or None, default=None
        Repetition time in seconds.
    clean_args : dict or None, default=None
        Further arguments for :func:`nilearn.signal.clean`.

    Attributes
    ----------
    labels_ : list of int
        The label of each seed.
    seed_names_ : list of str
        The name of each seed, or its label if it has no name.
    hemispheres_ : list of str or None
        The hemisphere of each seed; None means both, or a volume.
    labels_img_ : Nifti1Image or SurfaceImage
        `labels_img` in memory.
    mask_img_ : Nifti1Image, SurfaceImage or None
        `mask_img` in memory.
    grid_ : grid or None
        The `shape` and `affine` (on a surface the `mesh`) of the image passed to `fit`,
        on which `inverse_transform` places its images; None without an image.

    See Also
    --------
    nilearn.maskers.NiftiLabelsMasker, nilearn.maskers.SurfaceLabelsMasker : All
        regions, and summaries other than the mean.
    nilearn.maskers.NiftiMapsMasker : Probabilistic atlases.

    Notes
    -----
    An atlas on another grid is resampled to the grid of the run by nearest neighbours,
    always from the original atlas. If a region that you named has no voxel left there,
    an error is raised. With ``regions=None``, regions that have no voxel left on the
    grid of `fit` are dropped, with a warning.

    Examples
    --------
    >>> import nibabel
    >>> import numpy as np
    >>> from sbc_estimators.datasets import load_sample_run
    >>> from sbc_estimators.maskers import RegionSeeds
    >>> sample = load_sample_run()
    >>> mask_img = nibabel.load(sample.mask_img)
    >>> half = np.indices(mask_img.shape)[0] >= 17
    >>> labels = np.where(mask_img.dataobj, 1 + half, 0).astype("uint8")
    >>> atlas = nibabel.Nifti1Image(labels, mask_img.affine)
    >>> seeds = RegionSeeds(atlas, ["right"], lut={1: "left", 2: "right"})
    >>> seeds.fit_transform(sample.func).shape
    (200, 1)
    """

    def __init__(
        self,
        labels_img,
        regions=None,
        *,
        lut=None,
        hemisphere=None,
        background_label=0,
        mask_img=None,
        smoothing_fwhm=None,
        detrend=False,
        standardize=None,
        standardize_confounds=True,
        high_variance_confounds=False,
        low_pass=None,
        high_pass=None,
        t_r=None,
        clean_args=None,
    ):
        self.labels_img = labels_img
        self.regions = regions
        self.lut = lut
        self.hemisphere = hemisphere
        self.background_label = background_label
        self.mask_img = mask_img
        self.smoothing_fwhm = smoothing_fwhm
        self.detrend = detrend
        self.standardize = standardize
        self.standardize_confounds = standardize_confounds
        self.high_variance_confounds = high_variance_confounds
        self.low_pass = low_pass
        self.high_pass = high_pass
        self.t_r = t_r
        self.clean_args = clean_args

    @property
    def is_on_surface(self):
        """Whether the atlas is on a surface."""
        return is_surface(self.labels_img)

    def fit(self, X=None, y=None):
        """Read the atlas and find the regions, also on the grid of an image if given.

        Parameters
        ----------
        X : str, path, nibabel image, SurfaceImage or None, default=None
            Its grid is used by `inverse_transform`; its scans are not read.
        y : None
            Ignored.

        Returns
        -------
        self : RegionSeeds

        Raises
        ------
        TypeError, ValueError
            If the atlas is not an image of integer labels, a region does not exist, or
            no voxel of it is left on the grid of the image or within the mask.
        FileNotFoundError
            If a file does not exist.

        Warns
        -----
        UserWarning
            If regions are dropped, see Notes.
        """
        name = type(self).__name__
        self._check_parameters(name)
        self._atlas = read_atlas(
            self.labels_img, self.mask_img, self.background_label, name
        )
        self.labels_img_ = self._atlas.labels_img
        self.mask_img_ = self._atlas.mask_img
        chosen, names = self._chosen(name)
        grid = self._grid_of(X)
        if self.regions is None and grid is not None:
            chosen = self._left_of(chosen, grid, name)
        self.labels_ = [label for label, _ in chosen]
        self.hemispheres_ = [side for _, side in chosen]
        self.seed_names_ = [
            " ".join(filter(None, [side, names.get(label, str(label))]))
            for label, side in chosen
        ]
        self._keep_grid(grid)
        return self

    def _regions(self, image, where, name):
        """Return the regions as `SeedRegions` on an image's grid."""
        chosen = list(zip(self.labels_, self.hemispheres_, strict=True))
        regions = self._atlas.regions(chosen, image, where)
        lost = np.flatnonzero(regions.sizes() == 0)
        if len(lost):
            inside = "" if self.mask_img is None else ", within its mask_img"
            raise ValueError(
                f"{where}: no {self._atlas.element} is left of region "
                f"{self.seed_names_[lost[0]]!r} of {name} on the grid of the "
                f"run{inside}. Leave it out of regions, or check that both are in the "
                "same space."
            )
        return regions

    def _check_parameters(self, name):
        """Raise ValueError where parameters do not go together."""
        if not self.is_on_surface and self.hemisphere is not None:
            raise ValueError(
                f"{name}: hemisphere={self.hemisphere!r} is for an atlas of a surface, "
                "but labels_img is a volume. Leave it out."
            )
        if self.is_on_surface and self.smoothing_fwhm is not None:
            raise ValueError(
                f"{name}: smoothing_fwhm={self.smoothing_fwhm!r} is for volumes. Leave "
                "it out, or smooth the run on its surface first."
            )

    def _chosen(self, name):
        """Return labels and sides of the seeds, and the names of labels."""
        side = self.hemisphere if isinstance(self.hemisphere, str) else None
        present = self._atlas.labels()
        names = names_of_labels(self.lut, present, name)
        if self.regions is None:
            present = self._atlas.labels(side)
        if not present:
            raise ValueError(
                f"{name}: labels_img holds nothing but the background label "
                f"{self.background_label!r}{f' in the {side} hemisphere' * bool(side)}."
            )
        labels = chosen_labels(self.regions, names, present, name)
        sides = check_hemispheres(self.hemisphere, len(labels), name)
        chosen = list(zip(labels, sides, strict=True))
        twice = [label for label, side in chosen if chosen.count((label, side)) > 1]
        if twice:
            raise ValueError(
                f"{name}: regions holds label {twice[0]} more than once. Name each "
                "region once."
            )
        return chosen, names

    def _left_of(self, chosen, grid, name):
        """Return the labels that are left on a grid, and warn of those that are not."""
        sizes = self._atlas.regions(chosen, grid, "X").sizes()
        lost = [chosen[i][0] for i in np.flatnonzero(sizes == 0)]
        if len(lost) == len(chosen):
            raise ValueError(
                f"{name}: none of the {len(chosen)} regions of labels_img has a "
                f"{self._atlas.element} on the grid of X. Are both in the same space?"
            )
        if lost:
            warn(
                f"{name}: {len(lost)} of {len(chosen)} regions have no "
                f"{self._atlas.element} on the grid of X and are left out: labels "
                f"{', '.join(map(str, lost[:10]))}{', ...' if len(lost) > 10 else ''}."
            )
        return [chosen[i] for i in np.flatnonzero(sizes)]
