"""Seeds from the raw signals of what they are made of: summary and quality."""

from dataclasses import dataclass, field

import numpy as np

from .._arrays.correlation import column_norms, typical_values
from .._arrays.operator import CleanedSignals
from .._arrays.regions import SeedRegions
from .._images.images import Scaling
from .._support.threads import workers

SUMMARIES = ("mean", "median", "pca", "standardized_mean")
"""Ways from the signals of a seed's voxels to one signal."""

CHUNK_BYTES = 2**26
"""About how large the float64 signals of some of the members may become."""


@dataclass(frozen=True, eq=False)
class RawSeeds:
    """Raw signals of what seeds are made of, as they lie in a run.

    Attributes
    ----------
    values : ndarray of shape (n_kept_scans, n_inputs)
        Numbers of a file, or signals. Of the seeds themselves where there are no
        regions.
    scaling : Scaling
        From the numbers to signals.
    regions : SeedRegions or None
        None where a masker does not tell what its seeds are made of.
    high_variance : ndarray of shape (n_kept_scans, n_confounds) or None
        Confounds that the seeds' cleaning takes from the scans themselves.
    """

    values: np.ndarray
    scaling: Scaling = field(default_factory=Scaling)
    regions: SeedRegions | None = None
    high_variance: np.ndarray | None = None

    def seeds(self):
        """Return the raw seeds, weighted sums of voxels, `(n_kept_scans, n_seeds)`."""
        if self.regions is None:
            return self._signals(slice(None))
        return _by_chunks(self._signals, self.regions.weights, len(self.values))

    def members(self, places):
        """Return raw signals of some of the members, `(n_kept_scans, n_places)`."""
        smoothing = self.regions.smoothing
        if smoothing is None:
            return self._signals(places)
        columns = smoothing[:, places]
        inputs = np.unique(columns.indices)
        return (columns[inputs].T @ self._signals(inputs).T).T

    def _signals(self, columns):
        """Return columns of values in float64, 0 where a scan is not finite."""
        values = self.values[:, columns].astype(np.float64)
        values *= self.scaling.slope
        values += self.scaling.intercept
        finite = np.isfinite(values).all(axis=0)
        return values if finite.all() else np.where(finite, values, 0.0)


def _chunks(n_columns, n_scans):
    """Yield the columns of an array in slices that fit into memory in float64."""
    step = max(1, CHUNK_BYTES // (8 * n_scans))
    for start in range(0, n_columns, step):
        yield slice(start, min(start + step, n_columns))


def _by_chunks(signals, weights, n_scans):
    """Return ``signals(all) @ weights``, never with all of them in memory."""
    rows = weights.tocsr()
    total = np.zeros((n_scans, weights.shape[1]))
    for places in _chunks(weights.shape[0], n_scans):
        total += (rows[places].T @ signals(places).T).T
    return total


@dataclass(frozen=True)
class MemberSignals:
    """Cleaned signals of the members of seeds, and how steady the raw ones are.

    Attributes
    ----------
    cleaned : CleanedSignals
        Coordinates in float32.
    snr : ndarray of shape (n_members,)
        Temporal signal-to-noise ratio: mean over standard deviation of raw signals.
    """

    cleaned: CleanedSignals
    snr: np.ndarray


def member_signals(raw, operator):
    """Return the `MemberSignals` of seeds with regions."""
    n_members, n_scans = len(raw.regions.members), len(raw.values)
    coordinates = np.empty((operator.rank, n_members), np.float32)
    norms, snr = np.empty(n_members), np.empty(n_members)
    for places in _chunks(n_members, n_scans):
        signals = raw.members(places)
        cleaned = operator.clean(signals)
        coordinates[:, places], norms[places] = cleaned.coordinates, cleaned.norms
        snr[places] = _temporal_snr(signals)
    return MemberSignals(CleanedSignals(coordinates, norms, operator.basis), snr)


def _temporal_snr(signals):
    """Return the mean of each column over its standard deviation, NaN without one."""
    # A mean is rounded, and a constant would differ from it: so from one of its values.
    deviations = (signals - typical_values(signals)).std(axis=0, ddof=1)
    snr = np.full(len(deviations), np.nan)
    return np.divide(
        np.abs(signals.mean(axis=0)), deviations, out=snr, where=deviations > 0
    )


# One signal for each seed


def summarised(raw, members, operator, summary):
    """Return one cleaned signal for each seed.

    Parameters
    ----------
    raw : RawSeeds
    members : MemberSignals or None
        None where `raw` has no regions.
    operator : CleaningOperator
    summary : str
        One of `SUMMARIES`.

    Returns
    -------
    seeds : CleanedSignals

    Notes
    -----
    The mean is linear, so it is taken of the raw signals and cleaned. All others are
    taken of the cleaned signals of the voxels, those without signal left out: the
    median scan by scan; the first principal component of all voxels' time courses,
    with the sign that it has in common with their mean; and the mean of voxels scaled
    to the same variance.
    """
    if summary == "mean" or members is None:
        return operator.clean(raw.seeds())
    combine = {"median": _median, "pca": _principal, "standardized_mean": _unit_mean}
    columns = [
        combine[summary](members.cleaned.coordinates[:, places], norms, operator.basis)
        for places, norms in _signals_of_seeds(members.cleaned, raw.regions)
    ]
    series = np.stack(columns, axis=1)
    return CleanedSignals(series, column_norms(series))


def _signals_of_seeds(cleaned, regions):
    """Yield for each seed its members that have a signal, and these signals' norms."""
    for places, _ in regions.members_of_seeds():
        places = places[cleaned.norms[places] > 0]
        yield places, cleaned.norms[places]


def _median(coordinates, norms, basis):
    """Return the median over voxels, scan by scan, centred."""
    if not len(norms):
        return np.zeros(len(basis))
    series = np.median(basis @ coordinates.astype(np.float64), axis=1)
    return series - series.mean()


def _principal(coordinates, norms, basis):
    """Return the time course of the first principal component."""
    if not len(norms):
        return np.zeros(len(basis))
    coordinates = coordinates.astype(np.float64)
    left, scales, _ = np.linalg.svd(coordinates, full_matrices=False)
    component = left[:, 0] * scales[0]
    sign = 1.0 if component @ coordinates.mean(axis=1) >= 0 else -1.0
    return basis @ (sign * component)


def _unit_mean(coordinates, norms, basis):
    """Return the mean of voxels scaled to the same norm."""
    if not len(norms):
        return np.zeros(len(basis))
    return basis @ (coordinates / norms).mean(axis=1)


# How good each seed is


@dataclass(frozen=True)
class SeedQuality:
    """What the voxels of a seed are like; NaN where it is not known.

    Attributes
    ----------
    n_voxels : int, or NaN
        Voxels (vertices) of the seed.
    coverage : float
        Fraction of them within the brain mask and with a signal; of a map, the fraction
        of its weight; of a seed whose own mask takes its centre, the fraction of what
        was asked for.
    homogeneity, homogeneity_sd : float
        Mean and standard deviation of the correlations among the voxels that have a
        signal, after cleaning.
    tsnr : float
        Temporal signal-to-noise ratio of the raw signals, mean over voxels.
    """

    n_voxels: int | float = np.nan
    coverage: float = np.nan
    homogeneity: float = np.nan
    homogeneity_sd: float = np.nan
    tsnr: float = np.nan


def seed_quality(regions, members, in_brain):
    """Return the `SeedQuality` of each seed.

    Parameters
    ----------
    regions : SeedRegions
    members : MemberSignals
    in_brain : ndarray of bool of shape (n_members,)
        Which members lie within the brain mask.
    """
    lost = np.zeros(regions.n_seeds) if regions.lost is None else regions.lost
    seeds = zip(regions.members_of_seeds(), lost, strict=True)
    with workers() as crew:
        return crew.map(lambda seed: _quality(members, in_brain, *seed), seeds)


def _quality(members, in_brain, seed, lost):
    """Return the `SeedQuality` of one seed from its members and how much is in each."""
    places, extents = seed
    norms, snr = members.cleaned.norms[places], members.snr[places]
    has_signal = norms > 0
    covered = extents[has_signal & in_brain[places]].sum()
    coordinates = members.cleaned.coordinates[:, places[has_signal]]
    mean, deviation = _homogeneity(coordinates, norms[has_signal])
    return SeedQuality(
        n_voxels=len(places),
        coverage=float(covered / (extents.sum() + lost)) if covered else 0.0,
        homogeneity=mean,
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
    mean = (np.sum(units.sum(axis=1) ** 2) - own.sum()) / n_pairs
    mean_square = (np.sum(gram**2) - np.sum(own**2)) / n_pairs
    return float(mean), float(np.sqrt(max(mean_square - mean**2, 0.0)))
