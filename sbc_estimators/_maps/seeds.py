"""What is taken of seeds: one signal each, what of it counts, and how good it is."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from .._arrays.correlation import (
    CHUNK_SIZE,
    REMAINDER_RATIO,
    CleanedSignals,
    cleaned_signals,
    column_norms,
    correlate,
    correlate_remainders,
    dependent_seeds,
    without_others,
)
from .._arrays.dimensions import band_shares, directions_of_seeds, effective_dof
from .._arrays.uncertainty import directions_of_remainders, partial_dof
from .._support.messages import some_of


@dataclass(frozen=True)
class SeedQuality:
    """What the voxels of a seed are like; NaN where it is not known.

    Attributes
    ----------
    n_voxels : int, or NaN
        Voxels (vertices) of the seed.
    coverage : float
        Fraction of them that have a signal; of a map, the fraction of its weight; of a
        seed whose own mask takes its centre, the fraction of what was asked for.
    in_mask : float
        Fraction of them within the brain mask.
    homogeneity, homogeneity_sd : float
        Mean and standard deviation of the correlations among the voxels that have a
        signal, after cleaning.
    tsnr : float
        Temporal signal-to-noise ratio of the raw signals, mean over voxels.
    effective_dof : float
        Effective degrees of freedom of the seed's correlations, median over the voxels
        of the brain.
    """

    n_voxels: int | float = np.nan
    coverage: float = np.nan
    in_mask: float = np.nan
    homogeneity: float = np.nan
    homogeneity_sd: float = np.nan
    tsnr: float = np.nan
    effective_dof: float = np.nan


# One signal for each seed


def mean(signals):
    """Return the mean over each seed's voxels, as the masker weights them."""
    if signals.spatial.weights is None:
        return signals.members
    sums = signals.spatial.sums
    coordinates = _weighted(signals.members.coordinates, sums)
    probes = _weighted(signals.probes, sums)
    return cleaned_signals(coordinates, column_norms(probes), signals.members.basis)


def _weighted(rows, sums):
    """Return ``(sums @ rows.T).T`` in float64, never with all rows in float64."""
    total = np.empty((len(rows), sums.shape[0]))
    step = max(1, CHUNK_SIZE // max(1, rows.shape[1]))
    for start in range(0, len(rows), step):
        chunk = slice(start, start + step)
        total[chunk] = (sums @ rows[chunk].T.astype(np.float64)).T
    return total


def _of_each(combine):
    """Return a summary that takes each seed's voxels that have a signal."""

    def summary(signals):
        basis, members = signals.operator.basis, signals.members
        columns = []
        for places, _ in signals.spatial.members_of_outputs():
            places = places[members.norms[places] > 0]
            series = np.zeros(len(basis))
            if len(places):
                coordinates = members.coordinates[:, places].astype(np.float64)
                series = combine(coordinates, members.norms[places], basis)
            columns.append(series)
        series = np.stack(columns, axis=1)
        return CleanedSignals(series, column_norms(series))

    return summary


@_of_each
def median(coordinates, norms, basis):
    """Return the median over voxels, scan by scan, centred."""
    series = np.median(basis @ coordinates, axis=1)
    return series - series.mean()


@_of_each
def principal(coordinates, norms, basis):
    """Return the time course of the first component, its sign that of the mean."""
    left, scales, _ = np.linalg.svd(coordinates, full_matrices=False)
    component = left[:, 0] * scales[0]
    sign = 1.0 if component @ coordinates.mean(axis=1) >= 0 else -1.0
    return basis @ (sign * component)


@_of_each
def unit_mean(coordinates, norms, basis):
    """Return the mean of voxels scaled to the same norm."""
    return basis @ (coordinates / norms).mean(axis=1)


SUMMARIES = {
    "mean": mean,
    "median": median,
    "pca": principal,
    "standardized_mean": unit_mean,
}
"""Ways from the signals of a seed's voxels to one signal: `SeedSignals` to one each."""

Summary = Literal["mean", "median", "pca", "standardized_mean"]
"""Their names for annotations."""


def summarised(signals, summary):
    """Return one cleaned signal for each seed as `CleanedSignals`.

    Raises
    ------
    ValueError
        If seeds are not made of voxels that the summary can take.
    """
    if summary != "mean":
        _check_applies(summary, signals.spatial)
    if signals.spatial is None:
        return signals.outputs
    return SUMMARIES[summary](signals)


def _check_applies(summary, spatial):
    """Raise ValueError where seeds are not regions of equally weighted voxels."""
    if spatial is None:
        problem = "the voxels of these seeds are not known"
    elif not spatial.has_equal_weights():
        problem = "the voxels of these seeds have different weights"
    else:
        return
    raise ValueError(
        f"seed_summary={summary!r} needs seeds that are regions of voxels, but "
        f'{problem}. Use seed_summary="mean", or a masker of spheres or labels.'
    )


# What is correlated with voxels


@dataclass(frozen=True, eq=False)
class Plain:
    """Signals that are correlated with voxels as these are.

    Attributes
    ----------
    series : ndarray of shape (rank, n_seeds)
        In the basis of the voxels.
    norms : ndarray of shape (n_seeds,)
        Of the whole signals, whatever part of them the basis holds.
    """

    series: np.ndarray
    norms: np.ndarray

    def r(self, voxels, crew):
        """Return r `(n_seeds, n_voxels)`, and 0: the voxels are left as they are."""
        signals = self.series, voxels.coordinates
        return correlate(*signals, self.norms, voxels.norms, crew), 0

    def directions(self, bands):
        """Return the `Directions` of the signals."""
        return directions_of_seeds(self.series, self.norms, bands)

    def dof(self, directions, voxels, crew):
        """Return effective degrees of freedom, `(n_seeds, n_voxels)`."""
        shares, bands = voxels.shares, directions.bands
        if shares is None:
            shares = band_shares(voxels.coordinates, voxels.norms, bands, crew)
        return effective_dof(directions, shares, crew)


@dataclass(frozen=True, eq=False)
class Remainders:
    """What is each seed's own, to be correlated with what the others leave of voxels.

    Attributes
    ----------
    span : ndarray of shape (rank, n_seeds)
        In the basis of the voxels, as `without_others` returns it.
    own : ndarray of shape (n_seeds, n_seeds)
    """

    span: np.ndarray
    own: np.ndarray

    def r(self, voxels, crew):
        """Return r, and of how many voxels the others of some seed leave nothing."""
        signals = self.span, self.own, voxels.coordinates
        return correlate_remainders(*signals, voxels.norms, crew)

    def directions(self, bands):
        """Return the `Directions` of what is each seed's own."""
        return directions_of_remainders(self.span, self.own, bands)

    def dof(self, directions, voxels, crew):
        """Return effective degrees of freedom, `(n_seeds, n_voxels)`."""
        return partial_dof(directions, voxels.coordinates, voxels.norms, crew)


def correlation(seeds, voxels, names):
    """Return each seed, for its plain correlation with each voxel."""
    return Plain(seeds.in_basis(voxels.basis), seeds.norms)


def semipartial(seeds, voxels, names):
    """Return what is left of each seed after the others are regressed out of it."""
    span, own = _without_others(seeds, names, "semipartial")
    return Plain(_in_basis(voxels, span @ own), np.ones(len(names)))


def partial(seeds, voxels, names):
    """Return what is each seed's own, the others to be regressed out of voxels, too."""
    span, own = _without_others(seeds, names, "partial")
    if _directions_left(span, voxels) < 1:
        raise ValueError(
            "measure='partial' takes the other seeds out of voxels, but "
            f"{len(names)} seeds take up all directions of time that cleaning keeps, "
            "so that r would be 1 or -1 everywhere. Use fewer seeds, a wider band or "
            'more scans, or measure="semipartial".'
        )
    return Remainders(_in_basis(voxels, span), own)


MEASURES = {
    "correlation": correlation,
    "partial": partial,
    "semipartial": semipartial,
}
"""A function of seeds and voxels, both `CleanedSignals`, and of the seeds' names, to
what is correlated with voxels: `Plain` or `Remainders`, or what has their methods."""

Measure = Literal["correlation", "partial", "semipartial"]
"""Their names for annotations."""


def measured(measure, seeds, voxels, names):
    """Return what is correlated with voxels by a measure; for a single seed, itself.

    Raises
    ------
    ValueError
        If the other seeds cannot be taken out, as seeds are sums of one another or
        take up all directions of time.
    """
    return MEASURES[measure_of(measure, len(names))](seeds, voxels, names)


def measure_of(measure, n_seeds):
    """Return the measure that r is: of a single seed, the plain correlation."""
    is_plain = n_seeds == 1 and measure in ("partial", "semipartial")
    return "correlation" if is_plain else measure


def _without_others(seeds, names, measure):
    """Return the span of the seeds and what is each one's own; see `without_others`."""
    series = seeds.series()
    dependent = dependent_seeds(series)
    if len(dependent):
        shown = [
            f"{names[i]!r}" if names[i] != f"seed{i}" else f"{i}" for i in dependent
        ]
        raise ValueError(
            f"measure={measure!r} takes the other seeds out of each, but nothing is "
            f"left of seeds {some_of(shown, 5)} of seed_masker: of its {len(names)} "
            "seeds these are copies or sums of one another. Leave out seeds until each "
            "has a signal of its own (there can be no more of them than directions of "
            'time that cleaning keeps), or use measure="correlation".'
        )
    return without_others(series)


def _in_basis(voxels, series):
    """Return series scan by scan as coordinates in the basis of voxels."""
    return series if voxels.basis is None else voxels.basis.T @ series


def _directions_left(span, voxels):
    """Return how many directions of the voxels' time lie beyond the seeds'."""
    n_seeds = span.shape[1]
    if voxels.basis is None:
        return len(span) - 1 - n_seeds
    if n_seeds < voxels.basis.shape[1]:
        return voxels.basis.shape[1] - n_seeds
    # Only seeds that are cleaned otherwise than voxels leave something here.
    beyond = voxels.basis - span @ (span.T @ voxels.basis)
    return int(np.sum(np.linalg.svd(beyond, compute_uv=False) > REMAINDER_RATIO))


# How good each seed is


def seed_qualities(signals, is_in_brain, n_seeds, crew):
    """Return the `SeedQuality` of each seed.

    Parameters
    ----------
    signals : SeedSignals
    is_in_brain : ndarray of bool of shape (n_members,) or None
        Which members lie within the brain mask.
    n_seeds : int
    crew : OneWorker or Workers
    """
    if signals.spatial is None:
        return [SeedQuality()] * n_seeds
    lost = signals.spatial.lost
    lost = np.zeros(n_seeds) if lost is None else lost
    seeds = zip(signals.spatial.members_of_outputs(), lost, strict=True)
    return crew.map(lambda seed: _quality(signals, is_in_brain, *seed), list(seeds))


def _quality(signals, is_in_brain, seed, lost):
    """Return the `SeedQuality` of one seed from its members and how much is in each."""
    places, extents = seed
    norms, snr = signals.members.norms[places], signals.snr[places]
    has_signal = norms > 0
    covered = extents[has_signal].sum()
    coordinates = signals.members.coordinates[:, places[has_signal]]
    average, deviation = _homogeneity(coordinates, norms[has_signal])
    return SeedQuality(
        n_voxels=len(places),
        coverage=float(covered / (extents.sum() + lost)) if covered else 0.0,
        in_mask=float(extents[is_in_brain[places]].sum() / extents.sum()),
        homogeneity=average,
        homogeneity_sd=deviation,
        tsnr=float(np.nanmean(snr)) if np.isfinite(snr).any() else np.nan,
    )


def _homogeneity(coordinates, norms):
    """Return mean and standard deviation of the correlations of all pairs.

    The sums over pairs are those of the Gram matrix, whichever side is smaller.
    """
    n = len(norms)
    if n < 2:
        return np.nan, np.nan
    units = coordinates / norms
    gram = units.T @ units if n < len(units) else units @ units.T
    # Not quite 1, as float32 rounds coordinates: a small deviation is lost in that.
    own = np.einsum("ij,ij->j", units, units)
    n_pairs = n * (n - 1)
    average = (np.sum(units.sum(axis=1) ** 2) - own.sum()) / n_pairs
    mean_square = (np.sum(gram**2) - np.sum(own**2)) / n_pairs
    return float(average), float(np.sqrt(max(mean_square - average**2, 0.0)))


def check_seeds(seeds, names):
    """Raise ValueError where a seed has nothing to correlate."""
    silent = np.flatnonzero(seeds.norms == 0)
    if len(silent):
        raise ValueError(
            f"{_described(names, silent[0])} has no signal: it is constant, not "
            "finite, or nothing of it is left after cleaning. Move the seed into the "
            "brain, or leave it out."
        )


def taken(signals, voxels, how, names, is_in_brain, crew):
    """Return what is correlated with voxels, and the quality of each seed.

    Parameters
    ----------
    signals : SeedSignals
    voxels : CleanedSignals
    how : tuple of 2 str
        Summary and measure.
    names : list of str
        Of the seeds.
    is_in_brain : ndarray of bool of shape (n_members,) or None
        Which members lie within the brain mask.
    crew : OneWorker or Workers

    Returns
    -------
    products : Plain or Remainders
    qualities : list of SeedQuality

    Raises
    ------
    ValueError
        If a seed has no signal, or its masker keeps other scans.
    """
    summary, measure = how
    seeds = summarised(signals, summary)
    check_seeds(seeds, names)
    _check_same_scans(seeds, voxels)
    qualities = seed_qualities(signals, is_in_brain, len(names), crew)
    return measured(measure, seeds, voxels, names), qualities


def _described(names, position):
    """Return the words that name a seed in messages: its name, or its position."""
    name = names[position]
    own = f"{position}" if name == f"seed{position}" else f"{name!r}"
    return f"seed {own} of seed_masker"


def _check_same_scans(seeds, voxels):
    """Raise ValueError where maskers keep other scans."""
    n_seeds, n_voxels = (
        len(own.coordinates if own.basis is None else own.basis)
        for own in (seeds, voxels)
    )
    if n_seeds != n_voxels:
        raise ValueError(
            f"seed_masker returned {n_seeds} scans and brain_masker {n_voxels}. Both "
            "must keep the same scans: let both take sample_mask, or neither."
        )
