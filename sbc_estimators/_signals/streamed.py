"""Signals that are obtained while a run is read, a block of scans at a time."""

import numpy as np

from .._arrays.operator import BrainPart
from .._arrays.smoothing import smoothed_from, smoothing_matrices
from .._arrays.streaming import SeedStream, VoxelStream, consume
from .._images.images import scaling, scan_blocks
from .._support.threads import workers
from .seeds import RawSeeds
from .sources import compiled_operator

PART_BYTES = 3 * 2**28
"""How large the projected volumes of a part of the brain may become."""

MAX_DRIFT = 32.0
"""How many times larger than what cleaning leaves of it a signal may be in float32.

The error of r is some 1e-7 times that.
"""


def streamed(task, opened, names):
    """Return the `RawSeeds` and the first `BrainPart` of a run, those that are named.

    Parameters
    ----------
    task : Task
    opened : OpenedRun
        As the named sources see the run.
    names : list of str
        "seed_masker", "brain_masker" or both.

    Returns
    -------
    results : dict of str to RawSeeds or BrainPart
    """
    streams, results = {}, {}
    with workers() as crew:
        if "seed_masker" in names:
            regions = task.plans["seed_masker"].regions
            seeds = SeedStream(regions.inputs, opened.image.shape[:3])
            streams["seed_masker"] = seeds
        if "brain_masker" in names:
            brain = _Brain(task, opened)
            streams["brain_masker"] = brain.stream(0)
        read = _consumed(opened, streams, crew)
        streams.clear()
        if "seed_masker" in names:
            values = read["seed_masker"]
            results["seed_masker"] = RawSeeds(values, scaling(opened.image), regions)
        if "brain_masker" in names:
            results["brain_masker"] = brain.part(0, read.pop("brain_masker"), crew)
    return results


def further_part(task, i):
    """Read the scans once more, for part i of the brain; return the `BrainPart`."""
    with workers() as crew:
        brain = _Brain(task, task.opened)
        read = _consumed(task.opened, {"brain_masker": brain.stream(i)}, crew)
        return brain.part(i, read.pop("brain_masker"), crew)


def _consumed(opened, streams, crew):
    """Return what streams make of the scans of a run, by name."""
    brain = streams.get("brain_masker")
    sums_bytes = 0 if brain is None else brain.sums_bytes
    blocks = scan_blocks(opened.image, opened.kept, opened.where, sums_bytes=sums_bytes)
    results = consume(blocks, list(streams.values()), crew)
    return dict(zip(streams, results, strict=True))


class _Brain:
    """The brain of a run, in as few parts as fit into memory when projected.

    Parameters
    ----------
    task : Task
    opened : OpenedRun
    """

    def __init__(self, task, opened):
        masker = task.sources["brain_masker"].masker
        self.opened = opened
        self.operator = compiled_operator(
            task.sources["brain_masker"], opened, tolerance=task.tolerance
        )
        self.mask = np.asarray(masker.mask_img_.dataobj) != 0
        self.smoothing = smoothing_matrices(
            masker.smoothing_fwhm, opened.image.affine, opened.image.shape[:3]
        )
        self.parts = self._parts()

    def _parts(self):
        """Return masks of disjoint ranges of z; one for all but the largest runs."""
        layers = np.flatnonzero(self.mask.any(axis=(0, 1)))
        n_parts = 1
        while True:
            parts = [self._only(own) for own in np.array_split(layers, n_parts)]
            largest = max(self._sums_bytes(part) for part in parts)
            if largest <= PART_BYTES or n_parts == len(layers):
                return parts
            n_parts = min(n_parts + max(1, n_parts // 4), len(layers))

    def _only(self, layers):
        """Return the part of the mask in some layers."""
        part = np.zeros_like(self.mask)
        part[:, :, layers] = self.mask[:, :, layers]
        return part

    def _sums_bytes(self, part):
        """Return how large the projected voxels are that a part is smoothed from."""
        inputs = part
        if self.smoothing is not None:
            inputs = smoothed_from(part, self.smoothing)
        n_numbers = np.count_nonzero(inputs) * self.operator.rank
        return n_numbers * self.operator.dtype.itemsize

    def stream(self, i, dtype=None):
        """Return what takes in scans and gives the signals of part i."""
        scale = scaling(self.opened.image)
        return VoxelStream(self.operator, self.parts[i], self.smoothing, scale, dtype)

    def part(self, i, signals, crew):
        """Return part i from its `VoxelSignals`.

        Where signals drift so far that float32 will not do, they are read once more.
        """
        n_parts = len(self.parts)
        columns = None
        if n_parts > 1:
            columns = np.flatnonzero(self.parts[i][self.mask])
        cleaned = self._cleaned(signals)
        if self.operator.dtype == np.float32 and _drifts(signals, cleaned):
            del signals, cleaned
            streams = {"brain_masker": self.stream(i, np.dtype(np.float64))}
            read = _consumed(self.opened, streams, crew)
            cleaned = self._cleaned(read["brain_masker"])
        return BrainPart(cleaned, self.operator, columns, n_parts)

    def _cleaned(self, signals):
        """Return `VoxelSignals` as `CleanedSignals`."""
        cleaned = self.operator.cleaned(signals.coordinates, signals.raw_norms)
        cleaned.norms[signals.not_finite] = 0.0
        return cleaned


def _drifts(signals, cleaned):
    """Whether a raw signal is far larger than what cleaning leaves of it."""
    has_signal = cleaned.norms > 0
    left = cleaned.norms[has_signal]
    return bool((signals.raw_norms[has_signal] > MAX_DRIFT * left).any())
