"""What the scans of a run have in common, whatever their format."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from nilearn import image

SECONDS_PER_UNIT = {"sec": 1.0, "msec": 1e-3, "usec": 1e-6}
"""How long the units of time of NIfTI headers are."""


@dataclass(frozen=True)
class Scaling:
    """What turns the numbers of a file into signals: ``slope * number + intercept``."""

    slope: float = 1.0
    intercept: float = 0.0


@dataclass(frozen=True)
class Block:
    """Some consecutive scans of a run, as they lie in the file.

    Attributes
    ----------
    numbers : array or dict of arrays
        Unscaled, in the file's dtype and byte order; not to be written to.
    rows : ndarray of shape (n_kept_in_block,)
        The scans of the block that are kept.
    kept : slice
        Where these lie among all kept scans.
    """

    numbers: object
    rows: np.ndarray
    kept: slice


def split_into_blocks(n_scans, kept, step):
    """Yield start and stop of each block of scans, with its kept ones.

    Yields
    ------
    start, stop : int
    rows : ndarray of int
        The scans of the block that are kept, counted from `start`.
    place : slice
        Where these lie among all kept scans.
    """
    for start in range(0, n_scans, step):
        stop = min(start + step, n_scans)
        first, last = np.searchsorted(kept, (start, stop))
        yield start, stop, kept[first:last] - start, slice(int(first), int(last))


class Scans:
    """The scans of one image on a grid; its header is read, its numbers are not.

    A class of a format has the attributes ``grid`` (of its positions), ``n_scans``,
    ``time_step`` (the time between scans that its header tells, and its unit as NIfTI
    calls it), ``is_t_r_sure``, ``doubts`` (words for what the header leaves open of
    where it lies), ``scaling`` (a `Scaling`, what `take` leaves to be done) and
    ``fingerprint`` (a text that changes with it); ``blocks(kept)``, which
    yields each `Block` once; ``slabs(positions)``, which cuts positions into
    pieces that lie together in the file, as a list of (slab, places among the
    positions); ``take(block, slab)``, the kept numbers of a slab in a block,
    ``(n_kept_in_block, n_positions)``; and ``image_of(kept)``, the kept scans in memory
    as an image that maskers take, with a `Still` of the positions that are not finite.

    Of an image before it is opened, the class itself has ``marks``, the attributes by
    which one of the format is known; ``check_run(image)``, which raises ValueError
    unless it is one of scans; and ``still(image, missing)``, the `Still` of a mask, an
    atlas or maps, in which what is not finite becomes ``missing`` (to nilearn it is 0).
    """

    marks: tuple[str, ...]

    space = None
    """What a header says of the space that maps lie in, where it says anything."""

    is_t_r_sure = False
    """Whether the header's repetition time holds where nobody tells another one.

    Software leaves 1 s in headers of volumes where it does not know the time.
    """

    @cached_property
    def t_r(self):
        """Repetition time that the header tells in seconds, with its unit, or None."""
        step, unit = self.time_step
        is_told = unit in SECONDS_PER_UNIT and np.isfinite(step) and step > 0
        return step * SECONDS_PER_UNIT[unit] if is_told else None

    @classmethod
    def like(cls, image, values, affine=None):
        """Return values of positions as an image like another one.

        On another affine where it is given and images of the format have one.
        """
        return cls(image).grid.image_of(values)

    @staticmethod
    def as_maps(image, names):
        """Return an image of maps as files hold it: as it is, without names."""
        return image

    def high_variance_confounds(self, kept):
        """Return nilearn's confounds of high variance at the kept scans.

        Shape (n_kept_scans, n_confounds), of all positions.
        """
        return image.high_variance_confounds(self.image_of(kept)[0])

    def with_high_variance(self, confounds, kept):
        """Return confounds, or none, after those of high variance.

        Computed of the kept scans, so that a censored one has no say.
        """
        computed = self.high_variance_confounds(kept)
        full = np.zeros((self.n_scans, computed.shape[1]))
        full[kept] = computed
        return full if confounds is None else np.hstack([full, confounds])

    def series(self, positions, kept=None):
        """Return the raw signals of some positions in float64, 0 where not finite.

        Parameters
        ----------
        positions : ndarray of int of shape (n_positions,)
        kept : ndarray of int or None, default=None
            The scans to read, ascending; None for all.

        Returns
        -------
        signals : ndarray of shape (n_kept_scans, n_positions)
        """
        kept = np.arange(self.n_scans) if kept is None else kept
        signals = np.empty((len(kept), len(positions)))
        slabs = self.slabs(positions)
        for block in self.blocks(kept):
            for slab, places in slabs:
                signals[block.kept, places] = self.take(block, slab)
        signals *= self.scaling.slope
        signals += self.scaling.intercept
        finite = np.isfinite(signals).all(axis=0)
        return signals if finite.all() else np.where(finite, signals, 0.0)

    def signals(self, spatial_map, kept=None):
        """Return the raw outputs of a `SpatialMap`, `(n_kept_scans, n_outputs)`."""
        series = self.series(spatial_map.members, kept)
        if spatial_map.weights is None:
            return series
        return (spatial_map.weights.T @ series.T).T

    def mean(self, kept):
        """Return the mean over the kept scans, float64 of shape `(n_positions,)`."""
        positions = np.arange(self.grid.n_positions)
        slabs, total = self.slabs(positions), np.zeros(len(positions))
        with np.errstate(invalid="ignore"):  # infinities of both signs
            for block in self.blocks(kept):
                for slab, places in slabs:
                    total[places] += self.take(block, slab).sum(0, dtype=np.float64)
        return self.scaling.slope * (total / len(kept)) + self.scaling.intercept


def finite(data):
    """Return data with zeros in positions that are not finite, and those positions."""
    with np.errstate(invalid="ignore", over="ignore"):  # inf - inf, or large numbers
        bad = ~np.isfinite(data.sum(axis=-1))
    if bad.any():
        bad = ~np.isfinite(data).all(axis=-1)
        data = np.where(bad[..., np.newaxis], 0.0, data)
    return data, bad
