"""`SphereSeeds`: spheres, each with its own radius."""

from .._images.images import read_mask_volume
from .._support.checks import check_spheres
from ._base import SeedMasker
from ._placed import Spheres, coordinates


class SphereSeeds(SeedMasker):
    """Mean signals of spheres, each with its own radius.

    Parameters
    ----------
    seeds : sequence of n_seeds triplets of float
        Coordinates of the centres in mm.
    radius : float, None, or a sequence with one of these per seed, default=8.0
        In mm; None means only the voxel that contains the seed.
    mask_img : str, path, nibabel image or None, default=None
        Voxels where it is 0 are left out of all spheres. It may be on any grid. The
        centre of a sphere may lie outside the mask if the sphere reaches in: its
        coverage in `SeedCorrelationMap.seed_report_` is then the fraction of the sphere
        that the mask keeps.
    allow_overlap : bool, default=False
        Whether spheres may share voxels.
    smoothing_fwhm : float or None, default=None
        Full width at half maximum, in mm, of smoothing before averaging.
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
    seeds_ : list of tuple of 3 float
        The centres in mm.
    mask_img_ : Nifti1Image or None
        `mask_img` in memory: 1 inside, 0 outside.
    seed_names_ : list of str
        The centres in words, such as "(0, -52, 18)".
    grid_ : grid or None
        The `shape` and `affine` of the image passed to `fit`, on which
        `inverse_transform` places its images; None without an image.

    See Also
    --------
    nilearn.maskers.NiftiSpheresMasker : One radius for all seeds.

    Notes
    -----
    A sphere contains the voxels whose centres lie within its radius, and always the
    voxel that contains the seed, which must lie in the image. Integer images are
    averaged in float64.

    Examples
    --------
    >>> from sbc_estimators.datasets import load_sample_run
    >>> from sbc_estimators.maskers import SphereSeeds
    >>> sample = load_sample_run()
    >>> seeds = SphereSeeds([(0, -52, 18), (-44, -62, 36)], radius=[8, 6])
    >>> seeds.fit_transform(sample.func).shape
    (200, 2)
    >>> seeds.seed_names_
    ['(0, -52, 18)', '(-44, -62, 36)']
    """

    is_on_surface = False

    def __init__(
        self,
        seeds,
        radius=8.0,
        *,
        mask_img=None,
        allow_overlap=False,
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
        self.seeds = seeds
        self.radius = radius
        self.mask_img = mask_img
        self.allow_overlap = allow_overlap
        self.smoothing_fwhm = smoothing_fwhm
        self.detrend = detrend
        self.standardize = standardize
        self.standardize_confounds = standardize_confounds
        self.high_variance_confounds = high_variance_confounds
        self.low_pass = low_pass
        self.high_pass = high_pass
        self.t_r = t_r
        self.clean_args = clean_args

    def fit(self, X=None, y=None):
        """Check the spheres, also against the grid of an image if one is given.

        Parameters
        ----------
        X : str, path, nibabel image or None, default=None
            Its grid is used by `inverse_transform`; its scans are not read.
        y : None
            Ignored.

        Returns
        -------
        self : SphereSeeds

        Raises
        ------
        TypeError, ValueError
            If seeds are not coordinates, a radius is missing or not a length, the
            centre of a sphere lies outside the image, a whole sphere lies outside the
            mask, or spheres overlap.
        FileNotFoundError
            If a file does not exist.
        """
        check_spheres(self.seeds, self.radius, type(self).__name__)
        self.seeds_ = [tuple(map(float, seed)) for seed in self.seeds]
        self.mask_img_ = read_mask_volume(self.mask_img, type(self).__name__)
        self.seed_names_ = [coordinates(seed) for seed in self.seeds_]
        self._keep_grid(self._grid_of(X))
        return self

    def _regions(self, image, where, name):
        """Return the spheres as `SeedRegions` on an image's grid."""
        spheres = Spheres(
            self.seeds_, self.radius, self.mask_img_, self.allow_overlap, name
        )
        return spheres.on(image, where)
