"""`PreparedRun`: all that cleaning leaves of a run, for maps of any seed."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import clone

from .._arrays.correlation import (
    FEW_SEEDS,
    CleanedSignals,
    cleaned_rows,
    unit_variance,
)
from .._arrays.streaming import look_up, lookup
from .._signals.adapters import Adapter
from .._signals.kinds import adapter_of_clone
from .._signals.reading import Positions, read_positions, seeds_of
from .._signals.sides import (
    Plan,
    Side,
    differences_in_words,
    plan_brain,
    plan_run,
    side_of,
)
from .._support.checks import check_option
from .._support.entries import SpoiltEntryError
from .._support.messages import naming
from .._support.threads import workers
from ..runs._opened import OpenedRun
from ..runs._sent import sent
from .mapping import RunSignals
from .seeds import MEASURES, SUMMARIES, check_seeds, measured, summarised
from .statistics import statistics

if TYPE_CHECKING:
    from sklearn.utils import Bunch

    from .._arrays.dimensions import Bands
    from ..maskers._base import Masker
    from .mapping import Mapper
    from .seeds import Measure, Summary


class PreparedRun:
    """A run that is cleaned, so that the map of any other seed takes milliseconds.

    :meth:`SeedCorrelationMap.prepare` makes it. Close it, or use it in a ``with``.

    Attributes
    ----------
    rank : int
        Number of directions of time that the cleaning of voxels keeps.

    Notes
    -----
    One pass over the scans leaves the coordinates of each position in the directions of
    time that cleaning keeps: plain, as seeds are read, and as the brain masker maps
    them. The map of a seed is one product. A seed elsewhere in the image costs one
    reading of its positions, which are then kept.

    With a `memory` at `memory_level` 2 of the estimator the arrays lie in files there.
    Pickled, a prepared run is what finds these files, no signals: it can be sent to
    other processes that see them. Of a surface its mesh goes along, of grayordinates
    their places. Of an image that is no file, only seeds whose
    positions have been prepared can be mapped there.

    Examples
    --------
    >>> from nilearn.maskers import NiftiMasker
    >>> from sbc_estimators import SeedCorrelationMap, datasets
    >>> from sbc_estimators.maskers import SphereSeeds
    >>> sample = datasets.load_sample_run()
    >>> brain = NiftiMasker(sample.mask_img, detrend=True)
    >>> sbc = SeedCorrelationMap(SphereSeeds([(0, -52, 18)]), brain).fit(sample.run)
    >>> with sbc.prepare(sample.run) as prepared:
    ...     r = prepared.map(SphereSeeds([(0, 52, -6), (-36, -22, 56)], radius=6))
    >>> r.shape == (2, sbc.n_voxels_)
    True
    """

    def __init__(self, mapper: Mapper, opened: OpenedRun) -> None:
        self._kept, self._opened = mapper.kept, opened
        self._defaults = mapper.summary, mapper.measure
        with naming(opened.where):
            self._seeds = mapper.seeds.in_run(opened.seen_by("seed_masker"))
            plan = plan_run(self._seeds, mapper.brain, opened)
            self._brain = plan.brain
            _check_brain(self._brain)
            if not plan.is_shared or plan.seeds.adapter.smoothing_fwhm is not None:
                plan = plan_brain(mapper.brain, opened)
            with workers() as crew:
                self._read(plan, crew)

    def _read(self, plan, crew):
        """Read the run, or find what is kept of it."""
        positions = read_positions(plan, self._kept, crew)
        brain = positions.brain
        if brain.key is not None:
            # Mapped into memory rather than in it.
            kept = self._kept.get(brain.key)
            if kept is not None:
                positions = replace(positions, brain=kept, read={})
        self._positions, self._key = positions, brain.key

    @property
    def rank(self) -> int:
        """Number of directions of time that the cleaning of voxels keeps."""
        return self._open().brain.operator.basis.shape[1]

    def map(
        self,
        seed_masker: Masker | Adapter | None = None,
        seed_summary: Summary | None = None,
        measure: Measure | None = None,
    ) -> np.ndarray:
        """Return r of seeds with all voxels.

        Parameters
        ----------
        seed_masker : masker or None, default=None
            Seeds that are cleaned like the brain and not smoothed: one of
            :mod:`sbc_estimators.maskers`, or one of nilearn's. None means that of the
            estimator.
        seed_summary : {"mean", "median", "pca", "standardized_mean"} or None, \
                default=None
        measure : {"correlation", "partial", "semipartial"} or None, default=None
            As in :class:`SeedCorrelationMap`. None means what the estimator was fitted
            with.

        Returns
        -------
        r : ndarray of shape (n_seeds, n_voxels), float32

        Raises
        ------
        TypeError, ValueError
            If there is no such masker, summary or measure; if the seeds are cleaned or
            smoothed otherwise than the brain, are no linear map of voxels that is known
            beforehand, lie outside of the image, or have no signal; or if the run is
            closed.
        FileNotFoundError
            If it was pickled and its files are gone.
        """
        measure = self._measure(measure)
        with self._crew_for(seed_masker) as (side, crew):
            seeds, names = self._signals(side, seed_summary, crew)
            voxels = self._positions.brain.outputs
            return measured(measure, seeds, voxels, names).r(voxels, crew)[0]

    def laid(self, seed_masker: Masker) -> Adapter:
        """Return seeds laid on the grid of the run, to be passed in place of a masker.

        For many questions about the same seeds, to this run and to others on its grid.

        Parameters
        ----------
        seed_masker : masker
            As in :meth:`map`.

        Raises
        ------
        TypeError, ValueError
            If there is no such masker, or seeds lie outside of the image.
        """
        return self._adapter(seed_masker)

    def signals(
        self,
        seed_masker: Masker | Adapter | None = None,
        seed_summary: Summary | None = None,
    ) -> np.ndarray:
        """Return the cleaned time series of seeds.

        Parameters
        ----------
        seed_masker, seed_summary
            As in :meth:`map`.

        Returns
        -------
        signals : ndarray of shape (n_kept_scans, n_seeds)
            Mean 0 and variance 1 (``ddof=1``).

        Raises
        ------
        TypeError, ValueError, FileNotFoundError
            As :meth:`map`.
        """
        with self._crew_for(seed_masker) as (side, crew):
            seeds, _ = self._signals(side, seed_summary, crew)
            return unit_variance(np.asarray(seeds.series(), dtype=np.float64))

    def statistics(
        self,
        seed_masker: Masker | Adapter | None = None,
        seed_summary: Summary | None = None,
        measure: Measure | None = None,
        *,
        voxels: np.ndarray | None = None,
    ) -> Bunch:
        """Return how sure the maps of seeds are.

        Parameters
        ----------
        seed_masker, seed_summary, measure
            As in :meth:`map`.
        voxels : sequence of int or None, default=None
            Those to be looked at, in the order of the brain masker, which for a few
            takes milliseconds; None for all.

        Returns
        -------
        statistics : sklearn.utils.Bunch
            ``effect``, ``variance``, ``dof``, ``z_score`` and ``weight``, as in
            :meth:`SeedCorrelationMap.statistics`.

        Raises
        ------
        TypeError, ValueError, FileNotFoundError
            As :meth:`map`.
        """
        measure = self._measure(measure)
        with self._crew_for(seed_masker) as (side, crew):
            seeds, names = self._signals(side, seed_summary, crew)
            brain = self._positions.brain
            products = measured(measure, seeds, brain.outputs, names)
            signals, bands = brain.outputs, brain.operator.bands
            if voxels is not None:
                chosen = signals.coordinates[:, voxels], signals.norms[voxels]
                signals = CleanedSignals(*chosen, signals.basis)
            return statistics(RunSignals(signals, bands, products, [], names), crew)

    @property
    def basis(self) -> np.ndarray:
        """Orthonormal directions of time, `(n_kept_scans, rank)`."""
        return self._open().brain.operator.basis

    @property
    def bands(self) -> Bands:
        """How the directions of time are cut into bands, as `Bands`."""
        return self._open().brain.operator.bands

    def coordinates(
        self, voxels: np.ndarray | None = None, *, plain: bool = False
    ) -> np.ndarray:
        """Return the cleaned signals of voxels by their coordinates in `basis`.

        Parameters
        ----------
        voxels : sequence of int or None, default=None
            Some of the voxels, in the order of the brain masker; None for all.
        plain : bool, default=False
            As seeds are made of them, rather than as they are mapped. Both are the same
            where the brain masker does not smooth.

        Returns
        -------
        coordinates : ndarray of shape (rank, n_voxels)
            0 where there is no signal. Not to be written to.

        Raises
        ------
        ValueError
            If plain signals are asked for and the brain is not made of voxels, or the
            run was pickled; or if it is closed.
        """
        signals = self._plain_voxels() if plain else self._open().brain.outputs
        chosen = slice(None) if voxels is None else voxels
        coordinates, has_signal = signals.coordinates, signals.norms[chosen] > 0
        coordinates = coordinates[:, chosen]
        return coordinates if has_signal.all() else np.where(has_signal, coordinates, 0)

    def _plain_voxels(self):
        """Return the signals of the brain's voxels before smoothing."""
        brain, spatial = self._open().brain, self._brain.spatial
        if spatial is None:
            raise ValueError(
                "plain=True needs the brain masker, which is not sent along when a "
                "prepared run is pickled: here are only the signals as they are "
                "mapped. Ask for plain signals before, or call prepare once more."
            )
        if spatial.weights is not None:
            raise ValueError("plain signals are those of voxels, not of regions.")
        if spatial.smoothing is None:
            return brain.outputs
        positions, rows = brain.plain.rows_at(spatial.members)
        places = look_up(lookup(positions), spatial.members)
        rows = np.stack([row[places] for row in rows])
        return cleaned_rows(rows, brain.operator.basis)[0]

    def close(self) -> None:
        """Let go of the arrays, and of their files."""
        # The last to hold a mapped file closes it.
        self._positions = self._key = None

    def __enter__(self) -> PreparedRun:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __getstate__(self):
        if self._key is None:
            self._open()
            raise TypeError(
                "a prepared run can be pickled where its arrays lie in files: set "
                "memory= and memory_level=2 of the SeedCorrelationMap, and prepare it "
                "anew."
            )
        masker = getattr(self._seeds, "masker", self._seeds)
        own = {"_positions": None, "_brain": self._brain.cleaning}
        own |= {"_opened": vars(sent(self._opened)), "_seeds": clone(masker)}
        return vars(self) | own

    def __setstate__(self, state):
        opened = OpenedRun(**state["_opened"])
        brain = Side(None, opened, state["_brain"])
        vars(self).update(state, _opened=opened, _brain=brain)

    def _open(self):
        """Return the positions; raises where it is closed or the files are gone."""
        if self._positions is None:
            if self._key is None:
                raise ValueError("this prepared run is closed. Call prepare once more.")
            brain = self._kept.get(self._key)
            if brain is None:
                raise FileNotFoundError(
                    f"what was prepared is gone from {self._kept.place!r}. Call "
                    "prepare once more."
                )
            scans, kept = self._opened.scans, self._opened.kept
            self._positions = Positions(brain, scans, kept, self._kept, {})
        return self._positions

    @contextmanager
    def _crew_for(self, seed_masker):
        """Give the `Side` of seeds, and a crew that is worth its while for them."""
        with naming(self._opened.where):
            positions = self._open()
        adapter = self._adapter(seed_masker)
        with naming(self._opened.where):
            side = side_of(adapter, self._brain, self._opened)
            _check_alike(side, self._brain)
            is_soon_done = side.path == "given" or (
                side.spatial.n_outputs < FEW_SEEDS and positions.holds(side.spatial)
            )
            with workers(1 if is_soon_done else None) as crew:
                yield side, crew

    def _measure(self, measure):
        """Return a measure, that of the estimator for None."""
        measure = self._defaults[1] if measure is None else measure
        return check_option(measure, "measure", MEASURES)

    def _signals(self, side, summary, crew):
        """Return the signals of seeds as `CleanedSignals`, and their names."""
        summary = self._defaults[0] if summary is None else summary
        check_option(summary, "seed_summary", SUMMARIES)
        plan = Plan(self._opened, side, self._brain, is_alike=True)
        seeds = summarised(self._whole(plan, crew), summary)
        names = side.adapter.names(len(seeds.norms), "seed")
        check_seeds(seeds, names)
        return seeds, names

    def _adapter(self, seed_masker):
        """Return the `Adapter` of a seed masker that is fitted to the run."""
        if isinstance(seed_masker, Adapter):
            return seed_masker
        if seed_masker is None and isinstance(self._seeds, Adapter):
            return self._seeds
        masker = self._seeds if seed_masker is None else seed_masker
        adapter = adapter_of_clone(masker, "seed_masker", {})
        with naming() as about:
            run = self._opened.seen_by(adapter.name)
            about.name, about.part = self._opened.where, adapter.name
            adapter.check_run(run)
            about.name = ""  # which it says where the run is at fault
            adapter.fit([run])
        if seed_masker is None:
            self._seeds = adapter
        return adapter

    def _whole(self, plan, crew):
        """Return the `SeedSignals` of a plan; what is spoilt on disk is made anew."""
        try:
            return seeds_of(plan, self._positions, crew)
        except SpoiltEntryError:
            self._positions = None
        if self._brain.adapter is None:
            self._open()
        else:
            self._read(plan_brain(self._brain.adapter, self._opened), crew)
        return seeds_of(plan, self._positions, crew)


def _check_brain(side):
    """Raise ValueError where a brain masker is no known linear map."""
    if side.path != "streamed":
        raise ValueError(
            "brain_masker must be a linear map that is known for a run to be "
            f"prepared, but its signals are {side.told}. Use fit_transform."
        )


def _check_alike(seeds, brain):
    """Raise ValueError where seeds cannot be had from what is prepared of a brain.

    Signals that come with the run and are clean need no cleaning like the brain's.
    """
    adapter = seeds.adapter
    if adapter.smoothing_fwhm is not None:
        raise ValueError(
            f"seed_masker has smoothing_fwhm={adapter.smoothing_fwhm!r}, but seeds of "
            "a prepared run are not smoothed. Set it to None, or use fit_transform."
        )
    if seeds.path == "given" and adapter.has_own_cleaning:
        return
    if seeds.path not in ("streamed", "given"):
        raise ValueError(
            "seed_masker must be a linear map of voxels that is known beforehand, but "
            f"its signals are {seeds.told}. Use fit_transform."
        )
    if seeds.path == "streamed" and seeds.run is not brain.run:
        raise ValueError(
            "the seeds are in seed_img, and only img is prepared. Use fit_transform."
        )
    differing = seeds.cleaning.differences(brain.cleaning)
    if differing:
        words = differences_in_words(seeds.cleaning, brain.cleaning, differing)
        raise ValueError(
            "seeds of a prepared run are cleaned like the brain, but seed_masker and "
            f"brain_masker differ in {words}. Set both alike, or use fit_transform."
        )
