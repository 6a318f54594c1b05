"""The cleaned signals of a run's two sides, from one pass over its scans, or kept."""

from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from nilearn.image import smooth_img

from .._arrays.correlation import (
    cleaned_rows,
    cleaned_signals,
    column_norms,
    of_one_size,
)
from .._arrays.streaming import Joined, Wanted, beside, project
from .._images.opening import open_scans
from .._support.digests import digest
from .._support.entries import SpoiltEntryError
from .._support.messages import naming
from .._support.threads import room_for

MAX_DRIFT = 32.0
"""How many times what cleaning leaves a float32 signal may be; r errs 1e-7 times it."""

LEAST_SNR = 1e-3
"""Below this the mean of a signal is the rounding of one that was taken away."""

# Cleaning


class Operators:
    """The operators of a run's sides, compiled when they are first asked for."""

    def __init__(self, plan):
        self.plan = plan
        self.known = {}

    def of(self, side):
        """Return what cleans a side, one and the same for two that are alike."""
        if side not in self.known:
            kept, tolerance = self.plan.opened.kept, self.plan.tolerance
            self.set(side, side.compiled().settled(tolerance, kept))
        return self.known[side]

    def set(self, side, operator):
        """Take note of what cleans a side, and so of one that is alike."""
        alike = [self.plan.seeds, self.plan.brain] if self.plan.is_alike else []
        self.known |= dict.fromkeys([side, *alike], operator)


# Signals

READ = ("streamed", "compiled")
"""Paths on which signals are prepared, and may be kept."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """What cleaning leaves of some positions of a run, and of a masker's outputs.

    Attributes
    ----------
    operator : CleaningOperator
    plain : Projected, StoredPositions, Joined or None
        Has ``positions``, and their rows of coordinates and probes; None where the
        masker is no known map of positions.
    outputs : CleanedSignals or None
        Of the brain.
    seeds : SeedSignals or None
        Where they have been taken from the positions already.
    key : str or None
        Under which it is kept.
    """

    operator: Any
    plain: Any = None
    outputs: Any = None
    seeds: Any = None
    key: Any = None


@dataclass(frozen=True, eq=False)
class SeedSignals:
    """The cleaned signals of seeds, or of the positions that they are made of.

    Attributes
    ----------
    outputs : CleanedSignals or None
        Of the seeds, where a masker does not reveal what they are made of.
    operator : CleaningOperator or None
    spatial : SpatialMap or None
    members : CleanedSignals or None
        Of the positions of `spatial`.
    probes : ndarray of shape (n_probes, n_members) or None
        Of their raw signals.
    raw_norms : ndarray of shape (n_members,) or None
        Estimates of the norms of the raw signals.
    snr : ndarray of shape (n_members,) or None
        Temporal signal-to-noise ratio: mean over standard deviation of raw signals.
    """

    outputs: Any = None
    operator: Any = None
    spatial: Any = None
    members: Any = None
    probes: Any = None
    raw_norms: Any = None
    snr: Any = None


def read_run(plan, kept_runs, crew):
    """Return the cleaned signals of a run, of the sides that its plan has.

    What turns out to be spoilt on disk is read anew.

    Parameters
    ----------
    plan : Plan
    kept_runs : KeptRuns or None
    crew : OneWorker or Workers

    Returns
    -------
    brain : Prepared or None
    seeds : SeedSignals or None
    """
    return _whole(_read, plan, kept_runs, crew)


def read_positions(plan, kept_runs, crew):
    """Return the `Positions` of a run, read with those of seeds beside the brain."""
    return _whole(_positions, plan, kept_runs, crew)


def seeds_of(plan, positions, crew):
    """Return the `SeedSignals` of seeds that share positions, or come with the run."""
    if plan.seeds.path != "given":
        return positions.signals(plan.seeds, crew)
    operators = Operators(plan)
    operators.set(plan.brain, positions.brain.operator)
    return seed_signals(plan.seeds, _by_itself(plan.seeds, operators, plan), crew)


def _whole(function, plan, kept_runs, crew):
    """Return what a function makes of a run, anew where an entry is found spoilt."""
    try:
        return function(plan, kept_runs, crew)
    except SpoiltEntryError:
        return function(plan, kept_runs, crew)


def _read(plan, kept_runs, crew):
    """Return what `read_run` does."""
    if plan.is_shared:
        positions = _positions(plan, kept_runs, crew)
        return positions.brain, positions.signals(plan.seeds, crew)
    operators = Operators(plan)
    prepared = _prepared(plan, operators, kept_runs, crew)
    brain = seeds = None
    if plan.brain is not None:
        brain = prepared.get(plan.brain) or _by_itself(plan.brain, operators, plan)
    if plan.seeds is not None:
        own = prepared.get(plan.seeds) or _by_itself(plan.seeds, operators, plan)
        seeds = own.seeds or seed_signals(plan.seeds, own, crew)
    return brain, seeds


def _positions(plan, kept_runs, crew):
    """Return what `read_positions` does."""
    prepared = _prepared(plan, Operators(plan), kept_runs, crew)
    brain = prepared[plan.brain]
    positions = Positions(brain, plan.brain.run.scans, plan.opened.kept, kept_runs, {})
    if plan.seeds in prepared:
        positions.add(prepared[plan.seeds], crew)
    return positions


def _prepared(plan, operators, kept_runs, crew):
    """Return what is prepared of each side, from disk or from the scans."""
    prepared = _held(plan, operators, kept_runs)
    missing = _missing(plan, prepared)
    if missing:
        prepared |= _prepare(plan, missing, operators, kept_runs, crew)
    return prepared


def _held(plan, operators, kept_runs):
    """Return what is kept of each side, and let its operator be known."""
    held = {}
    for side in (plan.brain, plan.seeds):
        if side is None or side.path not in READ or kept_runs is None:
            continue
        if side is plan.seeds and plan.is_shared:
            continue
        found = kept_runs.get(kept_runs.key_of(plan, side))
        if found is not None:
            operators.set(side, found.operator)
            held[side] = found
    return held


def _missing(plan, held):
    """Return the sides of which scans are to be read.

    Of seeds that share the brain's positions those beside them are read along with the
    brain; else they wait until they are needed.
    """
    sides = [side for side in (plan.brain, plan.seeds) if side is not None]
    missing = [side for side in sides if side.path in READ and side not in held]
    if plan.is_shared and (plan.brain in held or not len(_inputs(plan, plan.seeds))):
        missing.remove(plan.seeds)
    return missing


def _inputs(plan, side):
    """Return the positions that are read for a side, ascending."""
    inputs = side.spatial.inputs
    if side is plan.seeds and plan.is_shared:
        return beside(inputs, plan.brain.spatial.inputs)
    return inputs


@dataclass(frozen=True, eq=False)
class Positions:
    """Cleaned signals of any positions of a run, prepared with its brain or read now.

    Attributes
    ----------
    brain : Prepared
    scans : Scans
    kept : ndarray of int of shape (n_kept_scans,)
    kept_runs : KeptRuns or None
    read : dict of str to Prepared
        Of positions beside the brain; grows.
    """

    brain: Any
    scans: Any
    kept: np.ndarray
    kept_runs: Any
    read: dict

    def signals(self, side, crew):
        """Return the `SeedSignals` of seeds that are cleaned like the brain.

        Where raw signals are far larger than what cleaning leaves of them, and float32
        will not do, these positions are read by themselves.
        """
        inputs, brain = side.spatial.inputs, self.brain.plain
        others = inputs[brain.places_of(inputs) < 0]
        plain = brain
        if len(others):
            plain = self._of(others, brain.dtype, crew).plain
        if 0 < len(others) < len(inputs):
            plain = Joined(brain, plain)
        own = Prepared(self.brain.operator, plain)
        signals = seed_signals(side, own, crew)
        if plain.dtype == np.float64 or not _drifts(signals.members, signals.raw_norms):
            return signals
        own = self._of(inputs, np.dtype(np.float64), crew)
        return seed_signals(side, own, crew)

    def holds(self, spatial):
        """Whether all positions that a map reads are those of the brain."""
        return bool((self.brain.plain.places_of(spatial.inputs) >= 0).all())

    def add(self, prepared, crew):
        """Take, and keep, what has been read beside the brain."""
        plain = prepared.plain
        place = digest(np.sort(plain.positions), plain.dtype.name)
        if self.kept_runs is not None:
            key = self._key(place)
            prepared = self.kept_runs.put(key, prepared, crew)
        self.read[place] = prepared

    def _of(self, positions, dtype, crew):
        """Return what is prepared of some positions, from disk or from the scans."""
        place = digest(positions, dtype.name)
        if place not in self.read and self.kept_runs is not None:
            found = self.kept_runs.get(self._key(place))
            if found is not None:
                self.read[place] = found
        if place not in self.read:
            operator = self.brain.operator
            wanted = [Wanted(operator, positions, dtype)]
            (plain,) = project(self.scans, self.kept, wanted, crew, room_for)
            self.add(Prepared(operator, plain), crew)
        return self.read[place]

    def _key(self, place):
        """Return the key under which positions are kept."""
        return None if self.brain.key is None else digest(self.brain.key, place)


def _by_itself(side, operators, plan):
    """Return the signals of a side that come as they are, as `Prepared`."""
    signals = of_one_size(side.adapter.read(side.run))
    if side.path == "given" and not side.adapter.has_own_cleaning:
        operator = operators.of(side)
        return Prepared(operator, outputs=operator.clean(signals))
    finite = np.isfinite(signals).all(axis=0)
    signals = np.where(finite, signals, 0.0)
    centred = signals - signals.mean(axis=0)
    return Prepared(None, outputs=cleaned_signals(centred, column_norms(signals)))


def seed_signals(side, prepared, crew):
    """Return the `SeedSignals` of a side from what is prepared for it."""
    if side.spatial is None:
        return SeedSignals(prepared.outputs, prepared.operator)
    spatial, plain = side.spatial, prepared.plain
    rows = spatial.member_rows(*plain.rows_at(spatial.inputs), crew)
    members, raw_norms = cleaned_rows(rows, prepared.operator.basis)
    places = plain.places_of(spatial.members)
    means, deviations = plain.means[places], plain.deviations[places]
    snr = np.full(len(means), np.nan)
    np.divide(np.abs(means), deviations, out=snr, where=deviations > 0)
    snr[snr < LEAST_SNR] = np.nan
    probes = rows[len(members.coordinates) :]
    return SeedSignals(
        None, prepared.operator, spatial, members, probes, raw_norms, snr
    )


# From the scans


def _prepare(plan, sides, operators, kept_runs, crew):
    """Return what is prepared of some sides, each image read once, and keep it."""
    prepared = {}
    for scans in {id(side.run.scans): side.run.scans for side in sides}.values():
        own = [side for side in sides if side.run.scans is scans]
        part = own[0].run.part
        with naming(part) if part else nullcontext():
            if plan.is_whole(scans):
                prepared |= _in_memory(plan, own, operators, crew)
            else:
                kept = plan.opened.kept
                prepared |= _streamed(plan, own, scans, kept, operators, crew)
    if kept_runs is None:
        return prepared
    return {
        side: found
        if side is plan.seeds and plan.is_shared
        else kept_runs.put(kept_runs.key_of(plan, side), found, crew)
        for side, found in prepared.items()
    }


def _in_memory(plan, sides, operators, crew):
    """Return what is prepared of the sides of an image all of which is read.

    Also of a side that could be streamed, so that it is the same to the last bit
    whether or not the other one is kept.
    """
    image, not_finite = sides[0].run.scans.image_of(plan.opened.kept)
    kept, prepared = np.arange(image.shape[-1]), {}
    for side in sides:
        operator = operators.of(side)
        if side.spatial is None:
            signals, spoilt = side.adapter.extract(image, not_finite)
            outputs = operator.clean(signals)
            if spoilt is not None:
                outputs.norms[spoilt] = 0.0
            prepared[side] = Prepared(operator, outputs=outputs)
            continue
        own = image
        if side.path == "compiled":
            own = smooth_img(image, side.adapter.smoothing_fwhm)
        prepared |= _streamed(plan, [side], open_scans(own), kept, operators, crew)
    return prepared


def _streamed(plan, sides, scans, kept, operators, crew):
    """Return what is prepared of sides whose maps of space are known, in one pass.

    In float64 and another pass where raw signals are far larger than what cleaning
    leaves of them. What is read beside the brain goes with it.
    """
    wanted = {
        side: Wanted(operators.of(side), _inputs(plan, side), operators.of(side).dtype)
        for side in sides
    }
    prepared = _projected(wanted, scans, kept, crew)
    again = {}
    for side, (found, drifts) in prepared.items():
        if side is plan.seeds and plan.is_shared:
            drifts = plan.brain in again
        if drifts and found.plain.dtype == np.float32:
            again[side] = replace(wanted[side], dtype=np.dtype(np.float64))
    for side in again:
        del prepared[side]
    prepared |= _projected(again, scans, kept, crew)
    return {side: found for side, (found, _) in prepared.items()}


def _projected(wanted, scans, kept, crew):
    """Return what is prepared of each side, and whether its signals drift."""
    if not wanted:
        return {}
    read = project(scans, kept, [*wanted.values()], crew, room_for)
    return {
        side: _with_outputs(side, plain, crew)
        for side, plain in zip(wanted, read, strict=True)
    }


def _with_outputs(side, plain, crew):
    """Return positions with the outputs or seeds that are made of them, and drifts.

    That is whether a raw signal is far larger than what cleaning leaves of it.
    """
    if side.adapter.name == "brain_masker":
        outputs, raw_norms = _outputs(side.spatial, plain, crew)
        return Prepared(plain.operator, plain, outputs), _drifts(outputs, raw_norms)
    if len(plain.positions) < len(side.spatial.inputs):
        return Prepared(plain.operator, plain), False
    seeds = seed_signals(side, Prepared(plain.operator, plain), crew)
    found = Prepared(plain.operator, plain, seeds=seeds)
    return found, _drifts(seeds.members, seeds.raw_norms)


def _outputs(spatial, plain, crew):
    """Return the outputs of a map, and estimates of the norms of the raw ones."""
    positions, rows = plain.rows_at(spatial.inputs)
    rows = spatial.output_rows(positions, rows, crew, room_for)
    outputs, raw_norms = cleaned_rows(rows, plain.operator.basis)
    if spatial.weights is None:
        places = plain.places_of(spatial.members)
        outputs.norms[plain.not_finite[places]] = 0.0
    return outputs, raw_norms


def _drifts(cleaned, raw_norms):
    """Whether a raw signal is far larger than what cleaning leaves of it."""
    has_signal = cleaned.norms > 0
    left = cleaned.norms[has_signal]
    return bool((raw_norms[has_signal] > MAX_DRIFT * left).any())
