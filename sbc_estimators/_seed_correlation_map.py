"""`SeedCorrelationMap`: store, check, clone, call the engine, keep the result."""

from dataclasses import replace

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from ._arrays.correlation import fisher_z, inverse_fisher_z, unit_variance
from ._maps.engine import Mapper, clean_signals, map_runs, rows_of_z
from ._maps.reports import paths_taken, run_report, seed_report, warn_of_map
from ._signals.fitting import (
    clone_masker,
    default_brain_masker,
    fit_maskers,
)
from ._signals.run_checks import check_regions_of_runs, check_seeds_in_brain
from ._signals.seeds import SUMMARIES
from ._signals.sources import SignalSource, signal_names
from ._support.cache import Cache, opened_memory
from ._support.checks import (
    MEASURES,
    check_kept_from_fit,
    check_map_shape,
    check_memory_level,
    check_n_jobs,
    check_option,
)
from ._support.messages import describe_run, naming
from .runs._opened import open_runs
from .runs._run import as_runs, is_bare

BESIDE = ("confounds", "sample_mask")
"""What may stand beside X instead of in a run."""

CARRIED = (*BESIDE, "seed_img")
"""What a run must not lack in `transform` if every run had it in `fit`."""

EVERY_RUN, SOME_RUNS = "every run", "some runs"
"""Who had something in `fit`, in the words of errors."""


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
        :class:`~nilearn.maskers.SurfaceMasker`) with the seed masker's cleaning and no
        smoothing. If it has no mask, `fit` computes one over all runs.
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
    memory : None, str, path or joblib.Memory, default=None
        Where to cache results; None caches nothing. See Notes. Use this rather than the
        `memory` of a Pipeline, which knows a file by its name alone and would return
        an old map for a file that has been edited.
    memory_level : int, default=1
        1 caches maps and raw seed signals, 2 also the cleaned voxel signals, 0 nothing.
    n_jobs : int or None, default=None
        Number of runs to map at the same time, as in joblib.
    verbose : int, default=0
        Any value but 0 shows the progress over runs and the time left.

    Attributes
    ----------
    correlations_ : ndarray of shape (n_seeds, n_voxels), float32
        r as defined by `measure`; with several runs, the tanh of their mean Fisher z.
    seed_summary_, measure_ : str
        The `seed_summary` and `measure` used in `fit`, which `transform` uses too.
    seed_masker_, brain_masker_ : masker
        Fitted clones of the maskers. Where `fit` computed a mask, it is the clone's
        `mask_img`.
    n_seeds_, n_voxels_, n_runs_ : int
        Numbers of seeds, of voxels in the brain mask, and of runs in `fit`.
    seed_names_ : list of str
        Coordinates in mm for spheres, names for labelled regions, otherwise numbers.
    paths_ : dict
        How the signals of "seed_masker" and "brain_masker" were obtained in `fit`:
        "streamed" (while reading the scans) or, with the reason why they were not,
        "compiled" (the masker extracts them from scans in memory, and a matrix cleans
        them), "reference" (the masker does everything itself) or "given" (they come
        with the run).
    run_report_ : DataFrame
        One row for each run of `fit`: ``run``, ``n_scans``, ``n_kept_scans``, ``rank``
        (number of dimensions that cleaning leaves in time), ``n_without_signal``
        (voxels whose r is 0 because they have no signal), ``n_explained`` (voxels
        whose partial r is 0 because the other seeds explain all of them).
    seed_report_ : DataFrame
        One row for each run and seed of `fit`: ``run``, ``seed``, ``n_voxels`` (in the
        seed), ``coverage`` (the fraction of these voxels that lie within the brain mask
        and have a signal; for a probabilistic map, the fraction of its weight; for a
        sphere whose centre the seed masker's own mask leaves out, the fraction of the
        whole sphere), ``homogeneity`` and ``homogeneity_sd`` (mean and standard
        deviation of the correlations among their cleaned signals), ``tsnr`` (temporal
        signal-to-noise ratio: mean over standard deviation of their raw signals,
        averaged over voxels). Values are missing where a masker does not reveal the
        voxels of its seeds. A coverage below one half gives a warning, a coverage of 0
        raises an error. Where seeds and brain come from images of different kinds
        (volume and surface), every voxel counts as within the mask.

    See Also
    --------
    Run : An image with its confounds, sample mask and repetition time.

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

    *Cache.* With `memory`, three stages of each run are cached: raw seed signals (level
    1), cleaned voxel signals (level 2) and maps (level 1). The key of each is the
    content of the run and the masks, and only those parameters that it depends on: with
    another radius, the cleaned voxels are reused; with another filter, the raw seeds.
    A file counts by its path, size, times of change (ns) and place on disk, so one that
    was edited or replaced is a new run; images in memory count by their values. On disk
    a map takes 4 bytes per seed and voxel, raw seeds as much as their voxels do in the
    run's own data type, cleaned voxels 4 bytes per voxel and dimension that cleaning
    leaves in time: for 70,000 voxels and a band of 0.01 to 0.1 Hz in 176 scans about
    0.3, 0.03 and 32 MB. Nothing is ever deleted: call
    :meth:`joblib.Memory.reduce_size`. Maskers of any other package are run anew each
    time.

    References
    ----------
    .. [1] Marrelec et al. (2006). Partial correlation for functional brain
       interactivity investigation in functional MRI. NeuroImage, 32(1), 228-237.
       https://doi.org/10.1016/j.neuroimage.2005.12.057

    .. [2] Silver & Dunlap (1987). Averaging correlation coefficients: should Fisher's
       z transformation be used? Journal of Applied Psychology, 72(1), 146-148.
       https://doi.org/10.1037/0021-9010.72.1.146

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

    def __init__(
        self,
        seed_masker,
        brain_masker=None,
        *,
        low_pass="masker",
        high_pass="masker",
        t_r="masker",
        seed_summary="mean",
        measure="correlation",
        memory=None,
        memory_level=1,
        n_jobs=None,
        verbose=0,
    ):
        self.seed_masker = seed_masker
        self.brain_masker = brain_masker
        self.low_pass = low_pass
        self.high_pass = high_pass
        self.t_r = t_r
        self.seed_summary = seed_summary
        self.measure = measure
        self.memory = memory
        self.memory_level = memory_level
        self.n_jobs = n_jobs
        self.verbose = verbose

    def fit(self, X, y=None, *, confounds=None, sample_mask=None):
        """Compute the correlation map over all runs.

        Parameters
        ----------
        X : run or sequence of runs
            A run is a 4D image (path, nibabel image, SurfaceImage) or a :class:`Run`.
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
        for _ in self._fit(as_runs(X, **beside), beside):
            pass
        return self

    def fit_transform(self, X, y=None, *, confounds=None, sample_mask=None):
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
        return rows_of_z(self._fit(runs, beside), len(runs))

    def transform(self, X, *, confounds=None, sample_mask=None):
        """Return the Fisher z map of each run.

        Parameters
        ----------
        X, confounds, sample_mask
            As in :meth:`fit`.

        Returns
        -------
        z : ndarray of shape (n_runs, n_seeds * n_voxels), float32
            Voxel j of seed i is column ``i * n_voxels + j``.

        Raises
        ------
        NotFittedError
            Before :meth:`fit`.
        ValueError
            If a run lacks the confounds or sample mask that every run had in `fit` (or
            that some had beside X), or if its map has another shape.
        TypeError, ValueError, FileNotFoundError, OSError, RuntimeError
            As :meth:`fit`.
        """
        check_is_fitted(self)
        beside = {"confounds": confounds, "sample_mask": sample_mask}
        runs = as_runs(X, **beside)
        self._check_like_fit(X, runs, beside, CARRIED)
        mapper = self._mapper()
        opened = open_runs(runs)
        mapper.check(opened)
        placed = check_regions_of_runs(mapper.seeds, opened)
        check_regions_of_runs(mapper.brain, opened)
        check_seeds_in_brain(*mapper.sources, placed)
        shape = self.n_seeds_, self.n_voxels_
        return rows_of_z(self._maps(mapper, opened, shape, "fit"), len(runs))

    def inverse_transform(self, X):
        """Return Fisher z maps as one image of the brain.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_seeds * n_voxels) or (n_seeds * n_voxels,)
            Rows as returned by :meth:`transform`, or anything of the same width, such
            as the coefficients of a classifier.

        Returns
        -------
        img : Nifti1Image or SurfaceImage
            Volume ``i * n_seeds + j`` is seed j of row i.

        Raises
        ------
        NotFittedError
            Before :meth:`fit`.
        ValueError
            If X has another number of columns.
        """
        check_is_fitted(self)
        rows = np.atleast_2d(np.asarray(X))
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
        img = self.brain_masker_.inverse_transform(rows.reshape(-1, self.n_voxels_))
        if hasattr(img, "set_data_dtype"):
            # Some versions of nilearn leave the mask's integer type in the header, in
            # which a file would be written.
            img.set_data_dtype(np.float32)
        return img

    def seed_signals(self, run):
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

    def brain_signals(self, run):
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

    def get_feature_names_out(self, input_features=None):
        """Return the names of the columns of :meth:`transform`.

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
        names = [
            f"{seed} voxel{voxel}"
            for seed in self.seed_names_
            for voxel in range(self.n_voxels_)
        ]
        return np.asarray(names, dtype=object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.no_validation = True
        return tags

    def _fit(self, runs, beside):
        """Fit the maskers, then yield each run's map while averaging them."""
        mapper = self._mapper(*self._unfitted_sources(runs[0].img))
        opened = open_runs(runs)
        mapper.check(opened)
        fit_maskers(*mapper.sources, opened)
        total, maps = 0.0, []
        for seed_map in self._maps(mapper, opened):
            if len(runs) > 1:
                total = total + fisher_z(seed_map.r.astype(np.float64))
            maps.append(replace(seed_map, r=None))
            yield seed_map
        r = seed_map.r if len(runs) == 1 else inverse_fisher_z(total / len(runs))
        self._keep(mapper, r.astype(np.float32, copy=False), maps)
        self._in_fit = {name: _who_had(name, runs, beside) for name in CARRIED}

    def _unfitted_sources(self, img):
        """Return clones of both maskers with the shared parameters set.

        The image of a run tells what kind a brain masker is that was not passed.
        """
        shared = {"low_pass": self.low_pass, "high_pass": self.high_pass}
        shared["t_r"] = self.t_r
        overrides = {k: v for k, v in shared.items() if not _is_masker_own(v)}
        seed_masker = clone_masker(self.seed_masker, "seed_masker", overrides)
        if self.brain_masker is None:
            brain_masker = default_brain_masker(seed_masker, img)
        else:
            brain_masker = clone_masker(self.brain_masker, "brain_masker", overrides)
        return (
            SignalSource("seed_masker", seed_masker),
            SignalSource("brain_masker", brain_masker),
        )

    def _keep(self, mapper, r, maps):
        """Set the fitted attributes."""
        self.seed_masker_, self.brain_masker_ = mapper.seeds.masker, mapper.brain.masker
        self.seed_summary_, self.measure_ = mapper.summary, mapper.measure
        self.correlations_ = r
        self.n_runs_ = len(maps)
        self.n_seeds_, self.n_voxels_ = r.shape
        self.seed_names_ = signal_names(mapper.seeds, self.n_seeds_, "seed")
        self.paths_ = paths_taken(maps)
        self.run_report_ = run_report(maps)
        self.seed_report_ = seed_report(maps, self.seed_names_)

    def _mapper(self, seeds=None, brain=None):
        """Return what maps a run, from the fitted maskers if no others are passed."""
        check_option(self.seed_summary, SUMMARIES, "seed_summary")
        check_option(self.measure, MEASURES, "measure")
        check_memory_level(self.memory_level)
        check_n_jobs(self.n_jobs)
        return Mapper(
            seeds or SignalSource("seed_masker", self.seed_masker_),
            brain or SignalSource("brain_masker", self.brain_masker_),
            self.seed_summary if seeds else self.seed_summary_,
            self.measure if seeds else self.measure_,
            Cache(opened_memory(self.memory), self.memory_level),
        )

    def _maps(self, mapper, opened, shape=None, others=None):
        """Yield the map of each run, with its warnings.

        All have the same shape: that of others before them, or of the first.
        """
        for seed_map in map_runs(mapper, opened, self.n_jobs, self.verbose):
            if shape is None:
                shape, others = seed_map.r.shape, seed_map.where
            check_map_shape(seed_map.r.shape, shape, seed_map.where, others)
            warn_of_map(seed_map, mapper.seeds)
            yield seed_map

    def _check_like_fit(self, X, runs, beside, needed):
        """Raise ValueError where a run lacks what is needed and runs had in `fit`."""
        descriptions = [describe_run(i, run.img) for i, run in enumerate(runs)]
        for name in needed:
            who = self._in_fit[name]
            missing = [getattr(run, name) is None for run in runs]
            if who == SOME_RUNS:
                # An image alone, with nothing said of all: as scikit-learn drops it.
                told = [beside.get(name) is not None or not bare for bare in is_bare(X)]
                missing = [m and not t for m, t in zip(missing, told, strict=True)]
            if who is not None:
                check_kept_from_fit(name, who, missing, descriptions)

    def _signals(self, name, run):
        """Return one run's cleaned signals with unit variance."""
        runs = as_runs(run)
        if len(runs) != 1:
            raise ValueError(f"run must be one run, got a sequence of {len(runs)}.")
        needed = CARRIED if name == "seed_masker" else BESIDE
        self._check_like_fit(run, runs, {}, needed)
        mapper, opened = self._mapper(), open_runs(runs)
        mapper.check(opened, [name])
        for source in mapper.sources:
            if source.name == name:
                check_regions_of_runs(source, opened)
        with naming(opened[0].where):
            return unit_variance(clean_signals(mapper, name, opened[0]))


def _who_had(name, runs, beside):
    """Return which runs had something in `fit`, or None if it can be left out.

    Where a run without is one among others, what it lacks was left out on purpose,
    unless all of them were said beside X.
    """
    had = [getattr(run, name) is not None for run in runs]
    if all(had):
        return EVERY_RUN
    return SOME_RUNS if any(had) and beside.get(name) is not None else None


def _is_masker_own(value):
    """Whether a shared parameter leaves each masker its own value."""
    if isinstance(value, str) and value != "masker":
        raise ValueError(
            f'low_pass, high_pass and t_r must be a number, None or "masker", got '
            f"{value!r}."
        )
    return isinstance(value, str)
