"""`SeedCorrelationMap`: store, check, clone, call the engine, keep the result."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.metadata_routing import UNUSED
from sklearn.utils.validation import check_is_fitted

from ._arrays.correlation import unit_variance
from ._images.opening import as_maps, in_space, the_only
from ._maps.many import Attempts, MeanMap, check_out, each_row, rows_of
from ._maps.mapping import CHECKS, Mapper
from ._maps.prepared import PreparedRun
from ._maps.reports import told_of
from ._maps.statistics import clean_signals, statistics_of_runs
from ._signals.kept import KeptRuns
from ._signals.kinds import adapter_of, adapter_of_clone, default_brain
from ._signals.sides import check_fitted, fit_maskers
from ._support.checks import check_each
from ._support.messages import naming
from ._support.store import Store, opened_memory
from ._support.tables import whole_array
from .runs._like_fit import BESIDE, CARRIED, carried, check_like_fit
from .runs._opened import as_run, as_runs, index_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from joblib import Memory
    from numpy.typing import ArrayLike
    from sklearn.utils import Bunch

    from ._images.annotations import Image, PathLike
    from ._maps.seeds import Measure, Summary
    from ._reporting.report import Report
    from .maskers._base import Masker
    from .runs._annotations import Confounds, RunLike, Runs, SampleMasks


class SeedCorrelationMap(TransformerMixin, BaseEstimator):
    """Correlation of a seed's time series with every voxel's.

    Parameters
    ----------
    seed_masker : masker
        A masker whose signals are the seeds: any of nilearn's (spheres, labels, maps,
        the voxels of a mask, and their surface kinds), one of
        :mod:`sbc_estimators.maskers`, or any object with ``fit``, ``transform``,
        ``inverse_transform`` and ``get_params``/``set_params``, such as any
        :class:`~sklearn.base.BaseEstimator`.
    brain_masker : masker or None, default=None
        A masker whose signals are the voxels (vertices, regions). None means a
        :class:`~nilearn.maskers.NiftiMasker` (for a run on a surface a
        :class:`~nilearn.maskers.SurfaceMasker`, for a CIFTI run a
        :class:`~sbc_estimators.maskers.GrayordinateMasker`) with the cleaning of a seed
        masker of nilearn and no smoothing. If it has no mask, `fit` computes one over
        all runs. It also says how seeds of :mod:`sbc_estimators.maskers` are cleaned.
    low_pass, high_pass : float, None or "masker", default="masker"
        Cut-off frequencies of both maskers in Hz; None means no cut-off, "masker"
        leaves each masker its own value.
    t_r : float, None or "masker", default="masker"
        Repetition time of both maskers in seconds. A run's own `t_r` takes precedence.
    seed_summary : {"mean", "median", "pca", "standardized_mean"}, default="mean"
        How the voxels of a seed become one signal: "mean" is their mean as the masker
        weights them. The others start from the cleaned, centred signals of the voxels:
        their median, their first principal component with the sign of their mean, or
        their mean after scaling each to the same variance. These need seeds that are
        regions of equally weighted voxels.
    measure : {"correlation", "partial", "semipartial"}, default="correlation"
        What r is: the plain correlation of each seed with each voxel, their
        correlation after the other seeds are regressed out of both ("partial"), or
        after they are regressed out of the seed only ("semipartial"). For a single
        seed all three are the same.
    scale : {"fisher_z", "z_score", "r"}, default="fisher_z"
        What rows of maps hold: Fisher z, arctanh(r); a test of "no correlation",
        standard normal where nothing correlates; or r. See Notes.
    memory : None, str, path or joblib.Memory, default=None
        Where to cache results; None caches nothing. See Notes. Use this rather than the
        `memory` of a Pipeline, which knows a file by its name alone and would return
        an old map for a file that has been edited.
    memory_level : int, default=1
        1 caches maps, 2 also prepared runs, 0 nothing.
    n_jobs : int or None, default=None
        Number of runs to map at the same time, as in joblib.
    verbose : int, default=0
        Any value but 0 shows the progress over runs and the time left, where there are
        several and they take more than 2 s.
    on_error : {"raise", "skip"}, default="raise"
        What becomes of a run that cannot be mapped: its file is spoilt, say, or a seed
        has no signal in it. "raise" ends with the error. "skip" leaves it out with a
        warning: its row of `transform` is NaN, it has no part in `correlations_`, and
        `run_report_` tells why. Where no run can be mapped, it is an error anyway.

    Attributes
    ----------
    correlations_ : ndarray of shape (n_seeds, n_voxels), float32
        r as defined by `measure`; with several runs, the tanh of their mean Fisher z.
    seed_summary_, measure_ : str
        The `seed_summary` and `measure` used in `fit`, which `transform` uses too.
    seed_masker_, brain_masker_ : masker
        Fitted clones of the maskers. Where `fit` computed a mask, it is the clone's
        `mask_img`.
    valid_voxels_ : ndarray of bool of shape (n_voxels,)
        Which voxels had a signal in every run of `fit`. Others have z = 0 in some,
        which a mean over runs takes for no correlation: leave them out.
    n_seeds_, n_voxels_, n_runs_ : int
        Numbers of seeds, of voxels in the brain mask, and of runs in `fit` that were
        mapped.
    seed_names_ : list of str
        Coordinates in mm for spheres, names for labelled regions, otherwise numbers.
    paths_ : dict
        How the signals of "seed_masker" and "brain_masker" were obtained in `fit`:
        "streamed" (while reading the scans) or, with the reason why they were not,
        "compiled" (the masker extracts them from scans in memory, and a matrix cleans
        them), "reference" (the masker does everything itself) or "given" (they come
        with the run).
    run_report_ : DataFrame
        One row for each run of `fit`, with the index of X if it has one: ``run`` (its
        position), ``subject``, ``session`` and ``task`` (such as "sub-01", "ses-1" and
        "rest", where the name of the file tells them), ``img`` (the file), ``n_scans``,
        ``n_kept_scans``, ``effective_dof`` (effective degrees of freedom of its
        correlations, median over seeds of that over voxels, of some 5,000 of these;
        missing where a masker cleans by itself; below 10 gives a warning),
        ``n_without_signal`` (voxels whose r is 0 because they have no signal),
        ``n_explained`` (voxels whose partial r is 0 because the other seeds explain all
        of them), ``error`` (what is wrong with a run that was left out, else None; its
        numbers are missing). A table of participants is joined by
        ``run_report_.merge(participants, left_on="subject",
        right_on="participant_id")``.
    seed_report_ : DataFrame
        One row for each run and seed of `fit`, with the index of X if it has one:
        ``run``, ``subject``, ``session``, ``task``, ``img``, ``seed``, ``n_voxels`` (in
        the seed), ``coverage`` (the fraction of these voxels that have a signal; for a
        probabilistic map, the fraction of its weight; for a sphere whose centre the
        seed masker's own mask leaves out, the fraction of the whole sphere),
        ``in_mask`` (the fraction within the brain mask: a seed may lie anywhere in the
        image), ``homogeneity`` and ``homogeneity_sd`` (mean and standard deviation of
        the correlations among their cleaned signals), ``tsnr`` (temporal
        signal-to-noise ratio: mean over standard deviation of their raw signals,
        averaged over voxels), ``effective_dof``, and what a table of seeds tells beside
        places and names. Values are missing where a masker does not reveal the voxels
        of its seeds. A coverage below one half gives a warning, a seed without a signal
        raises an error. Where seeds and brain come from images of different kinds
        (volume and surface), every voxel counts as within the mask.

    See Also
    --------
    Run : An image with its confounds, sample mask and repetition time.
    PreparedRun : A run from which the map of any other seed takes milliseconds.

    Notes
    -----
    *Correlation.* r is exactly Pearson's. It does not depend on how signals are scaled,
    so the maskers' `standardize` is ignored. All other cleaning follows
    :func:`nilearn.signal.clean`, compiled to one matrix per run and masker. A voxel
    without a signal (constant, not finite, or with nothing left after cleaning) has
    r = z = 0, with one warning per run. abs(r) is kept 1.2e-7 below 1, so that
    z = arctanh(r) is finite.

    *Partial correlation.* With seed s and voxel v, cleaned and centred, and P the
    projection onto the other seeds of the run, the partial correlation [1]_ is the
    correlation of :math:`(1 - P) s` and :math:`(1 - P) v`, the semipartial one that of
    :math:`(1 - P) s` and v. Both are computed from the products of seeds with seeds and
    with voxels. Seeds that are linear combinations of others raise an error. Where the
    other seeds leave less than 1e-4 of a voxel, which may be rounding, its partial r is
    0, with one warning per run: a voxel that is itself a seed has a partial r of 1 with
    this seed and 0 with the others.

    *Several runs* are averaged as Fisher z, whose distribution is closer to normal than
    that of r [2]_. Each run has the same weight, whatever its length.

    *Precision.* Streamed signals are summed in float32. Where cleaning amplifies them,
    or they are more than 32 times larger than what cleaning leaves of them, it is
    float64; in the latter case the scans are read twice.

    *Statistics.* `scale="z_score"` and :meth:`statistics` say how sure each r is. The
    axes of time that cleaning leaves are cut into narrow bands, in which a voxel's
    noise is taken as white, with any power in each. Given that power and any seed, r of
    signals that do not correlate has the variance ::

        1 / D = sum_k f_k w_k,  f_k = |v_k|^2 / |v|^2,  w_k = sum_i E_i u_i^2 / |u|^2

    where v_k are a voxel's coordinates in band k, u_i the seed's on its axes, and E_i
    the expected share of axis i in the power of its band under white noise [3]_ [4]_.
    D are the effective degrees of freedom, mostly far fewer than scans. With
    v = max(D - 1, 1), the z score ::

        sign(r) (8 v + 1) / (8 v + 3) sqrt(-v log(1 - r^2))

    is standard normal where nothing correlates [5]_. The variance is that of Fisher z
    by the delta method in bands; 1 / (D - 2) is right only where nothing correlates, or
    where what two signals share has the spectrum of what they don't.

    The null is "no correlation". Global signal, vessels and motion do correlate: a z
    map is honest about sampling, not about cause. z scores are too large where strongly
    red noise is left (simulated spreads, which should be 1: about 1.13 without a
    filter, 1.09 with a high-pass, 1.05 with a band-pass), where confounds meet a
    high-pass alone (1.05 to 1.13 between real runs of two people, 1.2 at worst), where
    the variance of noise changes within a run, and where a burst of motion is not
    censored. Use a high-pass, and censor. They are mostly too small below 20 degrees of
    freedom, mean little below 10, and fall behind Fisher z for strong r: rank strong
    voxels by Fisher z. They grow with sqrt(D), so that run length, repetition time and
    site show in them: for classifiers across sites take Fisher z. D and variance of a
    voxel depend on its own r and bias a mean that they weigh voxel by voxel: weigh each
    run by one number, its median D. Tails as far as Bonferroni over all voxels are not
    verified.

    *Cache.* With `memory`, two stages of each run are cached: maps (level 1), and what
    cleaning leaves of the run (level 2), from which another radius, place, summary or
    measure needs no scan. The key of each is the content of the run and the masks, and
    only those parameters that it depends on. A file counts by its path, size, times of
    change (ns) and place on disk, so one that was edited or replaced is a new run;
    images in memory count by their values. On disk a map takes 8 bytes per seed and
    voxel, a prepared run 4 bytes per voxel and dimension that cleaning leaves in time,
    twice where voxels are smoothed: for 70,000 voxels and a band of 0.01 to 0.1 Hz in
    176 scans about 0.6 and 95 MB. Entries are arrays and text with checksums, and know
    their keys: nothing of them is ever run, and what does not fit is computed anew.
    Nothing is ever deleted: call :meth:`joblib.Memory.reduce_size`. Maskers of any
    other package are run anew each time.

    References
    ----------
    .. [1] Marrelec et al. (2006). Partial correlation for functional brain
       interactivity investigation in functional MRI. NeuroImage, 32(1), 228-237.
       https://doi.org/10.1016/j.neuroimage.2005.12.057

    .. [2] Silver & Dunlap (1987). Averaging correlation coefficients: should Fisher's
       z transformation be used? Journal of Applied Psychology, 72(1), 146-148.
       https://doi.org/10.1037/0021-9010.72.1.146

    .. [3] Theiler et al. (1992). Testing for nonlinearity in time series: the method of
       surrogate data. Physica D, 58(1-4), 77-94.
       https://doi.org/10.1016/0167-2789(92)90102-S

    .. [4] Langsrud (2005). Rotation tests. Statistics and Computing, 15(1), 53-60.
       https://doi.org/10.1007/s11222-005-4789-5

    .. [5] Wallace (1959). Bounds on normal approximations to Student's and the
       chi-square distributions. Annals of Mathematical Statistics, 30(4), 1121-1130.

    Examples
    --------
    >>> from nilearn.maskers import NiftiMasker, NiftiSpheresMasker
    >>> from sbc_estimators import SeedCorrelationMap
    >>> from sbc_estimators.datasets import load_sample_run
    >>> sample = load_sample_run()
    >>> seed = NiftiSpheresMasker([(0, -52, 18)], radius=8, detrend=True)
    >>> brain = NiftiMasker(mask_img=sample.mask_img, detrend=True)
    >>> sbc = SeedCorrelationMap(seed, brain, low_pass=0.1, high_pass=0.01)
    >>> z = sbc.fit_transform([sample.run])
    >>> z.shape == (1, sbc.n_voxels_)
    True
    >>> sbc.inverse_transform(z).shape
    (33, 39, 31, 1)
    """

    # It is said in the call itself, and nobody hands it on.
    __metadata_request__transform: ClassVar = {"out": UNUSED}

    def __init__(
        self,
        seed_masker: Masker,
        brain_masker: Masker | None = None,
        *,
        low_pass: float | Literal["masker"] | None = "masker",
        high_pass: float | Literal["masker"] | None = "masker",
        t_r: float | Literal["masker"] | None = "masker",
        seed_summary: Summary = "mean",
        measure: Measure = "correlation",
        scale: Literal["fisher_z", "z_score", "r"] = "fisher_z",
        memory: PathLike | Memory | None = None,
        memory_level: int = 1,
        n_jobs: int | None = None,
        verbose: int = 0,
        on_error: Literal["raise", "skip"] = "raise",
    ) -> None:
        self.seed_masker = seed_masker
        self.brain_masker = brain_masker
        self.low_pass = low_pass
        self.high_pass = high_pass
        self.t_r = t_r
        self.seed_summary = seed_summary
        self.measure = measure
        self.scale = scale
        self.memory = memory
        self.memory_level = memory_level
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.on_error = on_error

    def fit(
        self,
        X: Runs,
        y: None = None,
        *,
        confounds: Confounds = None,
        sample_mask: SampleMasks = None,
    ) -> SeedCorrelationMap:
        """Compute the correlation map over all runs.

        Parameters
        ----------
        X : run or sequence of runs
            A run is a 4D image (path, nibabel image, SurfaceImage), a ``.dtseries.nii``
            (path, Cifti2Image) or a :class:`Run`; a sequence is a list, a tuple, an
            object array, a Series, or a DataFrame of one column.
        y : None
            Ignored.
        confounds : sequence with one entry per run, or None, default=None
            For each run an array of shape (n_scans, n_confounds), a DataFrame, a path
            or None.
        sample_mask : sequence with one entry per run, or None, default=None
            For each run the indices of the scans to keep, one boolean per scan, or
            None.

        Returns
        -------
        self : SeedCorrelationMap

        Raises
        ------
        TypeError, ValueError
            If a parameter, a masker or a run cannot be used. Headers and tables of all
            runs are checked before any scan is read.
        FileNotFoundError
            If a file does not exist.
        OSError
            If an image is truncated or corrupt, or the folder of `memory` cannot be
            made.
        RuntimeError
            If mapping a run fails in any other way. The message names the run, and the
            original error is its cause.

        Warns
        -----
        UserWarning
            If the maskers clean differently, voxels have no signal, or less than half
            of a seed is covered.
        """
        beside = {"confounds": confounds, "sample_mask": sample_mask}
        for _ in self._fit(X, beside, as_runs(X, **beside)):
            pass
        return self

    def fit_transform(
        self,
        X: Runs,
        y: None = None,
        *,
        confounds: Confounds = None,
        sample_mask: SampleMasks = None,
    ) -> np.ndarray:
        """Compute the correlation map and return the map of each run.

        Each run is read once. The result is that of :meth:`fit` and :meth:`transform`.

        Parameters
        ----------
        X, y, confounds, sample_mask
            As in :meth:`fit`.

        Returns
        -------
        z : ndarray of shape (n_runs, n_seeds * n_voxels), float32
            As :meth:`transform` returns it.

        Raises
        ------
        TypeError, ValueError, FileNotFoundError, OSError, RuntimeError
            As :meth:`fit`.
        """
        beside = {"confounds": confounds, "sample_mask": sample_mask}
        runs = as_runs(X, **beside)
        return rows_of(self._fit(X, beside, runs), len(runs), self.scale)

    def transform(
        self,
        X: Runs,
        *,
        confounds: Confounds = None,
        sample_mask: SampleMasks = None,
        out: np.ndarray | None = None,
    ) -> np.ndarray:
        """Return the map of each run, on the `scale` of the estimator.

        Parameters
        ----------
        X, confounds, sample_mask
            As in :meth:`fit`.
        out : ndarray of shape (n_runs, n_seeds * n_voxels) or None, default=None
            An array of float32 or float64 to be filled run by run and returned, such as
            a :class:`numpy.memmap` of more runs than memory holds. None makes one.

        Returns
        -------
        z : ndarray of shape (n_runs, n_seeds * n_voxels), float32 or as `out`
            Fisher z, z score or r, as `scale` says. Voxel j of seed i is column
            ``i * n_voxels + j``.

        Raises
        ------
        NotFittedError
            Before :meth:`fit`.
        ValueError
            If a run lacks the confounds or sample mask that every run had in `fit` (or
            that some had beside X), if its map has another shape, or if `out` cannot
            hold the maps.
        TypeError, ValueError, FileNotFoundError, OSError, RuntimeError
            As :meth:`fit`.

        See Also
        --------
        iter_transform : One row at a time.
        """
        check_is_fitted(self)
        beside = {"confounds": confounds, "sample_mask": sample_mask}
        runs = as_runs(X, **beside)
        check_out(out, (len(runs), self.n_seeds_ * self.n_voxels_))
        maps = self._maps_like_fit(X, runs, beside)
        return rows_of(maps, len(runs), self.scale, out)

    def iter_transform(
        self,
        X: Runs,
        *,
        confounds: Confounds = None,
        sample_mask: SampleMasks = None,
    ) -> Iterator[np.ndarray]:
        """Return an iterator over the rows of :meth:`transform`, as runs are mapped.

        Only the runs in flight are held, so that there may be more of them than memory
        holds: for ``partial_fit``, or to load data for training. All headers and tables
        are checked at once, scans are read as rows are asked for.

        Parameters
        ----------
        X, confounds, sample_mask
            As in :meth:`fit`.

        Returns
        -------
        rows : iterator of ndarray of shape (n_seeds * n_voxels,), float32
            One for each run, in their order. With `n_jobs` up to 16 runs a job are
            mapped ahead, fewer where maps are large.

        Raises
        ------
        NotFittedError
            Before :meth:`fit`.
        TypeError, ValueError, FileNotFoundError, OSError, RuntimeError
            As :meth:`transform`.

        Examples
        --------
        >>> from itertools import islice
        >>> import numpy as np
        >>> from nilearn.maskers import NiftiMasker
        >>> from sklearn.decomposition import IncrementalPCA
        >>> from sbc_estimators import SeedCorrelationMap, datasets
        >>> from sbc_estimators.maskers import SphereSeeds
        >>> data = datasets.make_runs(12, n_scans=60, n_voxels=300, random_state=0)
        >>> seed = SphereSeeds(data.seeds[:1], radius=4)
        >>> sbc = SeedCorrelationMap(seed, NiftiMasker(data.mask_img)).fit(data.runs[0])
        >>> pca, rows = IncrementalPCA(3), sbc.iter_transform(data.runs)
        >>> while batch := [*islice(rows, 4)]:
        ...     _ = pca.partial_fit(np.array(batch))
        >>> pca.components_.shape
        (3, 300)
        """
        check_is_fitted(self)
        beside = {"confounds": confounds, "sample_mask": sample_mask}
        runs = as_runs(X, **beside)
        shape = len(runs), self.n_seeds_ * self.n_voxels_
        return each_row(self._maps_like_fit(X, runs, beside), shape, self.scale)

    def statistics(
        self,
        X: Runs,
        *,
        confounds: Confounds = None,
        sample_mask: SampleMasks = None,
    ) -> list[Bunch]:
        """Return the map of each run with how sure it is.

        Parameters
        ----------
        X, confounds, sample_mask
            As in :meth:`fit`.

        Returns
        -------
        statistics : list of Bunch
            For each run, of float32 and shape (n_seeds, n_voxels): ``effect``, Fisher
            z; ``variance``, that of Fisher z, for intervals; ``dof``, effective degrees
            of freedom; and ``z_score``, standard normal where nothing correlates. And
            ``weight``, the median of ``dof`` over voxels, of shape (n_seeds,), by which
            to weigh runs. :meth:`inverse_transform` makes images of any of them. Where
            a voxel has no signal, effect and z_score are 0, variance and dof NaN.

        Raises
        ------
        NotFittedError
            Before :meth:`fit`.
        ValueError
            If a masker cleans by itself, so that nobody knows what it leaves.
        TypeError, ValueError, FileNotFoundError, OSError, RuntimeError
            As :meth:`transform`.
        """
        check_is_fitted(self)
        beside = {"confounds": confounds, "sample_mask": sample_mask}
        runs, attempts = as_runs(X, **beside), Attempts(self.on_error)
        mapper, opened = self._like_fit(X, runs, beside, attempts)
        return statistics_of_runs(mapper, opened, attempts, len(runs))

    def prepare(self, run: RunLike) -> PreparedRun:
        """Clean a run, so that the map of any other seed takes milliseconds.

        Parameters
        ----------
        run : run
            One run, as in :meth:`fit`.

        Returns
        -------
        prepared : PreparedRun
            Close it, or use it in a ``with``.

        Raises
        ------
        NotFittedError
            Before :meth:`fit`.
        ValueError
            If the brain masker is no linear map of voxels that is known beforehand.
        TypeError, ValueError, FileNotFoundError, OSError, RuntimeError
            As :meth:`transform`.
        """
        check_is_fitted(self)
        mapper, (opened,) = self._like_fit(run, [as_run(run)], {}, Attempts())
        return PreparedRun(mapper, opened)

    def inverse_transform(self, X: ArrayLike) -> Image:
        """Return rows of maps as one image of the brain; nothing is rescaled.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_seeds * n_voxels) or (n_seeds * n_voxels,)
            Rows as returned by :meth:`transform`, or anything of the same width, such
            as the coefficients of a classifier.

        Returns
        -------
        img : Nifti1Image, SurfaceImage or Cifti2Image
            Volume ``i * n_seeds + j`` is seed j of row i; maps of a Cifti2Image are
            called so. Of a single row of shape
            (n_voxels,) for one seed it is without that axis: 3D for volumes. The
            header tells the same space (sform and qform codes) as that of the mask, or
            of the runs on its grid.

        Raises
        ------
        NotFittedError
            Before :meth:`fit`.
        ValueError
            If X has another number of columns.
        """
        check_is_fitted(self)
        rows = np.atleast_2d(whole_array(X, "X"))
        if rows.dtype.kind not in "biuf":
            raise ValueError(
                f"X must hold real numbers, got dtype {rows.dtype}. Pass rows as "
                "transform returns them."
            )
        # nilearn warns of images of integers, nibabel knows no other floats than two.
        if rows.dtype.kind != "f" or rows.dtype.itemsize not in (4, 8):
            rows = rows.astype(np.float32)
        width = self.n_seeds_ * self.n_voxels_
        if rows.ndim != 2 or rows.shape[1] != width:
            raise ValueError(
                f"X must have n_seeds * n_voxels = {self.n_seeds_} * {self.n_voxels_} "
                f"= {width} columns, got shape {np.shape(X)}. Pass rows as transform "
                "returns them."
            )
        rows = rows.reshape(-1, self.n_voxels_)
        img = self.brain_masker_.inverse_transform(rows)
        img = as_maps(img, _names_of_maps(self.seed_names_, len(rows)))
        img = in_space(img, self._space)
        return the_only(img) if np.ndim(X) == 1 and len(rows) == 1 else img

    def seed_signals(self, run: RunLike) -> np.ndarray:
        """Return the cleaned seed time series of one run.

        Parameters
        ----------
        run : run
            One run, as in :meth:`fit`.

        Returns
        -------
        signals : ndarray of shape (n_kept_scans, n_seeds)
            Mean 0 and variance 1 (``ddof=1``).

        Raises
        ------
        NotFittedError
            Before :meth:`fit`.
        TypeError, ValueError, FileNotFoundError, OSError, RuntimeError
            As :meth:`transform`.
        """
        check_is_fitted(self)
        return self._signals("seed_masker", run)

    def brain_signals(self, run: RunLike) -> np.ndarray:
        """Return the cleaned voxel time series of one run.

        Parameters
        ----------
        run : run
            One run, as in :meth:`fit`.

        Returns
        -------
        signals : ndarray of shape (n_kept_scans, n_voxels)
            Mean 0 and variance 1 (``ddof=1``); all 0 for a voxel without a signal.

        Raises
        ------
        NotFittedError
            Before :meth:`fit`.
        TypeError, ValueError, FileNotFoundError, OSError, RuntimeError
            As :meth:`transform`.
        """
        check_is_fitted(self)
        return self._signals("brain_masker", run)

    def generate_report(self, X: Runs | None = None) -> Report:
        """Return a page about this estimator: its runs, seeds, maps, and methods.

        Parameters
        ----------
        X : run, sequence of runs or None, default=None
            The runs of :meth:`fit`, each with its own confounds and sample mask, as in
            ``Run(img, confounds=...)``. With them, which are mapped once more, the page
            also has time series, correlations among seeds, how much the maps of
            runs agree, all warnings, and the confounds by name.

        Returns
        -------
        report : Report
            With the methods ``save_as_html(path)`` and ``open_in_browser()``; in a
            notebook it shows itself. The page is one file and loads nothing from
            elsewhere. It is stored nowhere else.

        Raises
        ------
        NotFittedError
            Before :meth:`fit`.
        ValueError
            If X holds other runs than `fit` saw.
        TypeError, ValueError, FileNotFoundError, OSError, RuntimeError
            As :meth:`fit`.

        Notes
        -----
        Maps are Fisher z over all runs, coloured beyond 0.4, whatever `transform`
        returns. Of more than 12 seeds, the 12 of lowest quality have pictures: by the
        mean rank of coverage, homogeneity and tSNR. With nilearn 0.14.1 or newer, all
        maps can be looked at from all sides, which takes most of the file's 3 MB; the
        page has some of the maps' data in it, and the names of files. Of grayordinates
        that are voxels and, where a masker has a mesh, cortex, with the clusters of
        each.

        Examples
        --------
        >>> from sbc_estimators import SeedCorrelationMap
        >>> from sbc_estimators.datasets import load_sample_run
        >>> from sbc_estimators.maskers import SphereSeeds
        >>> sample = load_sample_run()
        >>> sbc = SeedCorrelationMap(SphereSeeds([(0, -52, 18)]), high_pass=0.01)
        >>> report = sbc.fit(sample.run).generate_report(sample.run)
        >>> report.save_as_html("report.html")  # doctest: +SKIP
        """
        check_is_fitted(self)
        # Imports matplotlib and templates, which nobody needs before.
        from ._reporting.report import report_on

        return report_on(self, X)

    def get_feature_names_out(self, input_features: None = None) -> np.ndarray:
        """Return the names of the columns of :meth:`transform`.

        Each is the name of a seed and that of a target: the region's where the brain
        masker has regions ("PCC Left Hippocampus"), else a number ("PCC voxel0", or
        "PCC map0").

        Parameters
        ----------
        input_features : None
            Ignored: runs have no features.

        Returns
        -------
        names : ndarray of str objects of shape (n_seeds * n_voxels,)

        Raises
        ------
        NotFittedError
            Before :meth:`fit`.
        """
        check_is_fitted(self)
        brain = adapter_of(self.brain_masker_, "brain_masker")
        targets = brain.names(self.n_voxels_, brain.element)
        names = [f"{seed} {target}" for seed in self.seed_names_ for target in targets]
        return np.asarray(names, dtype=object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.no_validation = True
        return tags

    def _fit(self, X, beside, runs):
        """Fit the maskers, then yield each run's map while averaging them."""
        self._check("seed_summary", "measure")
        attempts = Attempts(self.on_error)
        mapper, opened = self._fitted(runs, attempts)
        mean = MeanMap(len(opened))
        for position, seed_map in attempts.maps(mapper, opened):
            mean.add(seed_map)
            yield position, seed_map
        self.seed_masker_, self.brain_masker_ = mapper.seeds.masker, mapper.brain.masker
        self.seed_summary_, self.measure_ = mapper.summary, mapper.measure
        self.correlations_, self.valid_voxels_ = mean.r, mean.has_signal
        self.n_seeds_, self.n_voxels_ = self.correlations_.shape
        self.n_runs_, self.seed_names_ = len(mean.maps), mean.maps[0].names
        for name, value in told_of(mean.maps, attempts.failed, index_of(X)).items():
            setattr(self, name, value)
        self._space = mapper.brain.space(opened[0])
        self._in_fit = carried(runs, beside)

    def _fitted(self, runs, attempts):
        """Return what maps runs, with fitted clones of maskers, and the opened runs."""
        made, mappers = [self._clones()], []  # of wrong parameters before any run
        opened = attempts.opened(runs)

        def fit(own):
            seeds, brain, shared = made.pop() if made else self._clones()
            if brain is None:
                brain = default_brain(seeds, own[0].scans.grid, shared)
            mappers.append(self._mapper(seeds, brain, self.seed_summary, self.measure))
            fit_maskers(seeds, brain, own)

        opened = attempts.passing(fit, opened)
        return mappers[-1], opened

    def _clones(self):
        """Return adapters of clones of both maskers, and what is set for both.

        The brain's is None where its masker is made for the runs.
        """
        given = {"low_pass": self.low_pass, "high_pass": self.high_pass}
        given["t_r"] = self.t_r
        shared = {k: v for k, v in given.items() if not _is_masker_own(v)}
        seeds, brain = adapter_of_clone(self.seed_masker, "seed_masker", shared), None
        if self.brain_masker is not None:
            brain = adapter_of_clone(self.brain_masker, "brain_masker", shared)
        return seeds, brain, shared

    def _like_fit(self, X, runs, beside, attempts):
        """Return what maps runs, and the runs, opened and checked against `fit`."""
        self._check()
        check_like_fit(self._in_fit, X, runs, beside)
        mapper = self._fitted_mapper()

        def check(own):
            check_fitted([mapper.seeds, mapper.brain], mapper.brain, own)

        return mapper, attempts.passing(check, attempts.opened(runs))

    def _maps_like_fit(self, X, runs, beside):
        """Check runs at once, and return a generator of the map of each."""
        attempts = Attempts(self.on_error)
        mapper, opened = self._like_fit(X, runs, beside, attempts)
        return attempts.maps(mapper, opened, (self.n_seeds_, self.n_voxels_))

    def _signals(self, name, run):
        """Return one run's cleaned signals with unit variance."""
        self._check()
        runs = [as_run(run)]
        needed = CARRIED if name == "seed_masker" else BESIDE
        check_like_fit(self._in_fit, run, runs, {}, needed)
        mapper = self._fitted_mapper()
        (opened,) = Attempts().opened(runs)
        side = mapper.seeds if name == "seed_masker" else mapper.brain
        check_fitted([side], mapper.brain, [opened])
        with naming(opened.where):
            return unit_variance(clean_signals(mapper, name, opened))

    def _fitted_mapper(self):
        """Return what maps a run, from the fitted maskers."""
        seeds = adapter_of(self.seed_masker_, "seed_masker")
        brain = adapter_of(self.brain_masker_, "brain_masker")
        return self._mapper(seeds, brain, self.seed_summary_, self.measure_)

    def _mapper(self, seeds, brain, summary, measure):
        """Return what maps a run."""
        kept = None
        if self.memory is not None:
            kept = KeptRuns(Store(opened_memory(self.memory), self.memory_level))
        how = summary, measure, kept, self.scale, self.n_jobs, self.verbose
        return Mapper(seeds, brain, *how)

    def _check(self, *of_fit):
        """Raise ValueError where a parameter makes no sense; some only `fit` uses."""
        names = "scale", "memory_level", "n_jobs", "verbose", "on_error"
        check_each({name: getattr(self, name) for name in (*names, *of_fit)}, CHECKS)


def _names_of_maps(seed_names, n_maps):
    """Return a name for each map, which tells its row where there are several."""
    n_rows = n_maps // len(seed_names)
    if n_rows == 1:
        return list(seed_names)
    return [f"{name}, row {row}" for row in range(n_rows) for name in seed_names]


def _is_masker_own(value):
    """Whether a shared parameter leaves each masker its own value."""
    if isinstance(value, str) and value != "masker":
        raise ValueError(
            f'low_pass, high_pass and t_r must be a number, None or "masker", got '
            f"{value!r}."
        )
    return isinstance(value, str)
