"""What is kept of runs on disk: maps, and what is prepared of their sides."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from .._arrays.cleaning import CleaningOperator
from .._arrays.correlation import CleanedSignals
from .._arrays.dimensions import Bands, band_shares
from .._arrays.streaming import look_up, lookup
from .._support.digests import digest
from .._support.entries import SpoiltEntryError
from .reading import Prepared

MAPS, PREPARED = "maps", "prepared"
"""Kinds of entries."""

BANDS = ("ends", "expected", "dimensions")
"""The arrays of `Bands`."""

LEVELS = {MAPS: 1, PREPARED: 2}
"""From which `memory_level` on each kind is kept."""


@dataclass(frozen=True)
class StoredPositions:
    """Cleaned signals of positions, position by position in a file.

    Attributes
    ----------
    operator : CleaningOperator
    positions : ndarray of int of shape (n_positions,)
        Ascending.
    entry : Entry
        Its array "plain" has shape (n_positions, n_rows).
    means, deviations : ndarray of shape (n_positions,)
        Mean and standard deviation (``ddof=1``) of the raw signals.
    """

    operator: Any
    positions: np.ndarray
    entry: Any
    means: np.ndarray
    deviations: np.ndarray

    @property
    def dtype(self):
        """In which the sums were taken."""
        return self.entry.dtype("plain")

    @cached_property
    def _places(self):
        """Where each position lies, -1 for one that does not."""
        return lookup(self.positions)

    def places_of(self, positions):
        """Return where some positions lie, -1 for one that does not."""
        return look_up(self._places, positions)

    def rows_at(self, positions):
        """Return the positions, and their rows of coordinates and probes."""
        rows = self.entry.rows("plain", self.places_of(positions))
        return positions, np.ascontiguousarray(rows.T)


@dataclass(frozen=True)
class KeptRuns:
    """Where maps and prepared runs are kept.

    Attributes
    ----------
    store : Store
    """

    store: Any

    @property
    def place(self):
        """The folder."""
        return self.store.memory.location

    @property
    def keeps_prepared(self):
        """Whether prepared runs are kept."""
        return self.store.keeps(LEVELS[PREPARED])

    def map(self, key):
        """Return the arrays and the facts of a map, None if it is not kept."""
        if not self.store.keeps(LEVELS[MAPS]):
            return None
        entry = self.store.read(MAPS, key)
        if entry is None:
            return None
        with entry:
            # Not mapped, so that nothing of ours holds the file.
            arrays = {name: np.array(entry.whole(name)) for name in entry.shapes}
            return arrays, entry.facts

    def keep_map(self, key, arrays, facts):
        """Keep a map: its arrays, and what JSON can hold beside them."""
        if self.store.keeps(LEVELS[MAPS]):
            self.store.write(MAPS, key, arrays, facts)

    def key_of(self, plan, side):
        """Return the key of what is prepared of a side, None if it is not kept."""
        return prepared_key(plan, side) if self.keeps_prepared else None

    def get(self, key):
        """Return what is prepared under a key as `Prepared`, None if there is none."""
        entry = self.store.opened(PREPARED, key)
        if entry is None:
            return None
        try:
            return _from_entry(entry, key)
        except SpoiltEntryError:
            return None

    def put(self, key, found, crew):
        """Keep what is prepared under a key, and return it as such, if it could be."""
        if key is None:
            return found
        if found.outputs is not None:
            outputs, bands = found.outputs, found.operator.bands
            signals = outputs.coordinates, outputs.norms
            shares = band_shares(*signals, bands, crew)
            found = replace(found, outputs=replace(outputs, shares=shares))
        with self.store.writing(PREPARED, key) as writing:
            _fill(writing, found, crew)
        return replace(found, key=key if writing.kept else None)


# Keys


def map_key(plan, summary, measure):
    """Return the key of a run's map, None where nobody knows what it depends on."""
    seeds, brain = plan.seeds, plan.brain
    identities = [side.adapter.identity_in(side.run) for side in (seeds, brain)]
    if None in identities:
        return None
    own = brain_key = brain.key
    if not plan.is_alike or seeds.run is not brain.run:
        own = seeds.key
    # Seeds are told how much of them lies in the mask.
    mask = brain.adapter.still("mask_img")
    mask = None if mask is None else mask.key
    return digest(brain_key, own, plan.tolerance, identities, mask, summary, measure)


def prepared_key(plan, side):
    """Return the key of a side of a run, None where nobody knows what it gives.

    Seeds count by the positions that are read, voxels by all that their masker does to
    space.
    """
    if not side.adapter.is_known or side.path == "given":
        return None
    what = side.adapter.identity_in(side.run)
    if side.spatial is not None and side.adapter.name == "seed_masker":
        is_smooth = side.path == "compiled"
        what = side.spatial.inputs, side.adapter.smoothing_fwhm if is_smooth else None
    how = side.adapter.name, plan.is_whole(side.run.scans)
    return digest(side.key, how, what, plan.tolerance)


def _fill(writing, found, crew):
    """Write what is prepared to an entry, position by position."""
    operator, plain, outputs = found.operator, found.plain, found.outputs
    writing.put("basis", operator.basis)
    writing.put("projection", operator.projection)
    for name in BANDS:
        writing.put(name, getattr(operator.bands, name))
    if plain is not None:
        order = np.argsort(plain.positions)
        writing.put("positions", plain.positions[order])
        writing.put("means", plain.means[order])
        writing.put("deviations", plain.deviations[order])
        array = writing.array("plain", (len(order), len(plain)), plain.dtype)
        place = np.empty(len(order), np.intp)
        place[order] = np.arange(len(order))
        ends = np.cumsum([0, *(sums.shape[1] for sums in plain.slabs)])

        def fill(i):
            array[place[ends[i] : ends[i + 1]]] = plain.slabs[i].T

        crew.map(fill, range(len(plain.slabs)))
    if outputs is not None:
        writing.put("outputs", outputs.coordinates)
        writing.put("norms", outputs.norms)
        writing.put("shares", outputs.shares)


def _from_entry(entry, key):
    """Return what an entry holds as `Prepared`."""
    bands = Bands(*map(entry.whole, BANDS))
    operator = CleaningOperator(entry.whole("basis"), entry.whole("projection"), bands)
    plain = outputs = None
    if "plain" in entry.shapes:
        names = "positions", "means", "deviations"
        positions, means, deviations = map(entry.whole, names)
        plain = StoredPositions(operator, positions, entry, means, deviations)
    if "outputs" in entry.shapes:
        signals = entry.whole("outputs"), entry.whole("norms")
        outputs = CleanedSignals(*signals, operator.basis, entry.whole("shares"))
    return Prepared(operator, plain, outputs, key=key)
