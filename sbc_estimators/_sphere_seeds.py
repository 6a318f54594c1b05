"""`SphereSeeds`: spheres, each with a radius of its own."""

from ._checks import check_spheres
from ._placed_seeds import Spheres, coordinates, read_mask_volume
from ._seed_masker import SeedMasker


class SphereSeeds(SeedMasker):
    """Means over spheres of voxels, each with a radius of its own.

    Parameters
    ----------
    seeds : sequence of n_seeds triplets of float
        Coordinates of the centres in mm.
    radius : float, None, or a sequence with one for each seed, default=8.0
        In mm; None means the voxel that holds the seed alone.
    mask_img : str, path, nibabel image or None, default=None
        Voxels where it is 0 belong to no sphere. On any grid. The centre of a sphere
        may lie outside of it, if the sphere reaches in: its coverage in
        `SeedCorrelationMap.seed_report_` then counts the voxels that the mask takes.
    allow_overlap : bool, default=False
        Whether spheres may share voxels.
    smoothing_fwhm : float or None, default=None
        Full width at half maximum in mm of the smoothing before the mean.
    detrend : bool, default=False
        Whether to take the linear trend out of each signal.
    standardize : "zscore_sample", "psc" or None, default=None
        How signals are scaled in the end. It has no part in a correlation.
    standardize_confounds : bool, default=True
        Whether to centre and scale confounds.
    high_variance_confounds : bool, default=False
        Whether to regress out what :func:`nilearn.image.high_variance_confounds`
        finds in the run.
    low_pass, high_pass : float or None, default=None
        Cut-off frequencies in Hz.
    t_r : float or None, default=None
        Repetition time in seconds.
    clean_args : dict or None, default=None
        More arguments of :func:`nilearn.signal.clean`.

    Attributes
    ----------
    seed_names_ : list of str
        Coordinates in mm.
    grid_ : object or None
        The grid of the image passed to `fit`.

    See Also
    --------
    nilearn.maskers.NiftiSpheresMasker : One radius for all.

    Notes
    -----
    A sphere holds the voxels whose centres lie within its radius, and always the voxel
    that holds the seed, which must be one of the image. Whole numbers are averaged in
    float64.

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
        """Check the spheres, and lay them on the grid of an image.

        Parameters
        ----------
        X : str, path, nibabel image or None, default=None
            Its grid is the one of `inverse_transform`; its scans are not read.
        y : None
            Ignored.

        Returns
        -------
        self : SphereSeeds

        Raises
        ------
        ValueError
            If seeds are no coordinates, a radius is missing or no length, the centre of
            a sphere lies outside the image, a whole sphere outside its mask, or spheres
            overlap.
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
