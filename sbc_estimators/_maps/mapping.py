"""One run to its correlation map, from scans or from what is kept."""

from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from .._arrays.correlation import fisher_z
from .._arrays.dimensions import median_dof, sampled
from .._arrays.uncertainty import z_score
from .._signals.kept import map_key
from .._signals.reading import read_run
from .._signals.sides import members_in_brain, plan_run
from .._support.checks import check_count, check_option, check_verbosity, is_integer
from .._support.messages import describe_run, file_of, naming, run_in_warnings
from .._support.threads import workers
from .seeds import (
    MEASURES,
    SUMMARIES,
    SeedQuality,
    taken,
)

FACTS = (
    *("n_scans", "n_kept_scans", "n_without_signal", "n_explained"),
    *("seed_path", "brain_path"),
)
"""What is kept beside r of a map, but for the qualities of seeds."""

ARRAYS = ("r", "dof", "has_signal")
"""The arrays of a map that are kept; of the second there may be none."""

SCALES = {
    "fisher_z": lambda r, dof: fisher_z(r),
    "z_score": z_score,
    "r": lambda r, dof: r,
}
"""What rows may hold: a function of r and its effective degrees of freedom."""


def check_jobs(value, name):
    """Raise ValueError unless `value` is None or an integer but 0, as joblib wants."""
    if value is not None and not (is_integer(value) and value != 0):
        raise ValueError(
            f"{name} must be None, a positive integer, or a negative one to count from "
            f"all cores down (-1: all), got {value!r}."
        )


CHECKS = {
    "seed_summary": partial(check_option, options=SUMMARIES),
    "measure": partial(check_option, options=MEASURES),
    "scale": partial(check_option, options=SCALES),
    "memory_level": partial(check_count, least=0),
    "n_jobs": check_jobs,
    "verbose": check_verbosity,
    "on_error": partial(check_option, options=("raise", "skip")),
}
"""What tells whether the value of a parameter will do."""


@dataclass(frozen=True)
class Mapper:
    """What turns a run into its map.

    Attributes
    ----------
    seeds, brain : Adapter
        Of fitted maskers.
    summary : str
        From the voxels of a seed to one signal.
    measure : str
        What r is.
    kept : KeptRuns or None
    scale : str
        What rows hold.
    n_jobs : int or None
        How many runs are mapped at the same time.
    verbose : int
        Any value but 0 shows the progress over runs.
    """

    seeds: Any
    brain: Any
    summary: str
    measure: str
    kept: Any = None
    scale: str = "fisher_z"
    n_jobs: Any = None
    verbose: int = 0

    def __post_init__(self):
        if self.scale == "z_score":
            self.check_known('scale="z_score"')

    def check_known(self, what):
        """Raise ValueError where a masker cleans by itself, so that nobody knows D."""
        for adapter in (self.seeds, self.brain):
            if not adapter.is_known:
                raise ValueError(
                    f"{what} needs to know how signals are cleaned, but "
                    f"{adapter.name} ({type(adapter.masker).__name__}) cleans them by "
                    "itself, and nobody knows how many degrees of freedom that leaves. "
                    'Use a nilearn masker, or scale="fisher_z".'
                )

    @property
    def needs_dof(self):
        """Whether degrees of freedom are needed voxel by voxel."""
        return self.scale == "z_score" or self.kept is not None


@dataclass(frozen=True)
class SeedMap:
    """The correlation map of one run.

    Attributes
    ----------
    r : ndarray of shape (n_seeds, n_voxels), float32
    dof : ndarray of shape (n_seeds, n_voxels), float32, or None
        Effective degrees of freedom, where they are needed of each voxel.
    has_signal : ndarray of bool of shape (n_voxels,)
        False for a voxel with nothing to correlate, whose r is 0.
    n_scans, n_kept_scans : int
    n_without_signal : int
        Voxels whose r is 0 because there is nothing to correlate.
    seed_path, brain_path : str
        How the signals of each side were obtained.
    qualities : list of SeedQuality
        One for each seed.
    n_explained : int
        Voxels whose partial r is 0 where other seeds leave nothing of them.
    names : list of str
        Of the seeds.
    seed_table : DataFrame of n_seeds rows or None
        What a table of seeds tells beside their places.
    position : int
        Of the run.
    img : str or None
        Its file.
    """

    r: np.ndarray
    dof: Any
    has_signal: Any
    n_scans: int
    n_kept_scans: int
    n_without_signal: int
    seed_path: str
    brain_path: str
    qualities: list
    n_explained: int
    names: list
    seed_table: Any = None
    position: int = 0
    img: str | None = None

    @property
    def where(self):
        """The words that name the run in errors."""
        return describe_run(self.position, self.img)

    @property
    def named(self):
        """The words that name the run in warnings."""
        return run_in_warnings(self.position, self.img)

    @property
    def effective_dof(self):
        """Median over seeds of their median over voxels."""
        return float(np.median([own.effective_dof for own in self.qualities]))

    def fill(self, row, scale):
        """Fill a row of a scale, seed by seed: what lies between stays in cache."""
        rows, scaled = row.reshape(self.r.shape), SCALES[scale]

        def fill(k):
            rows[k] = scaled(self.r[k], None if self.dof is None else self.dof[k])

        with workers(len(rows)) as crew:
            crew.fill(fill, len(rows))


def map_run(mapper, opened):
    """Return the correlation map of one run.

    Parameters
    ----------
    mapper : Mapper
    opened : OpenedRun or SentRun

    Returns
    -------
    seed_map : SeedMap

    Raises
    ------
    FileNotFoundError, ValueError
        If a run that was sent here cannot be opened.
    ValueError
        If a seed has no signal, or the maskers return different numbers of scans, or
        the other seeds are to be taken out of seeds that are sums of others.
    RuntimeError
        If something else went wrong: names the run, and has the error as its cause.
    """
    opened = opened.here()
    with naming(opened.where):
        plan = plan_run(mapper.seeds, mapper.brain, opened)
        if mapper.kept is not None:
            seed_map = _kept(mapper, plan)
        else:
            with workers() as crew:
                seed_map = _mapped(mapper, plan, crew)
        return replace(
            seed_map,
            seed_table=plan.seeds.adapter.seed_table(),
            position=opened.position,
            img=file_of(opened.run.img) or None,
        )


def _kept(mapper, plan):
    """Return the map of a run from where maps are kept, or keep it there."""
    key = map_key(plan, mapper.summary, mapper.measure)
    found = mapper.kept.map(key)
    if found is not None:
        arrays, facts = found
        facts["qualities"] = [SeedQuality(**own) for own in facts["qualities"]]
        names = mapper.seeds.names(len(arrays["r"]), "seed")
        arrays = arrays["r"], arrays.get("dof"), arrays["has_signal"]
        return SeedMap(*arrays, **facts, names=names)
    with workers() as crew:
        seed_map = _mapped(mapper, plan, crew)
    facts = {name: getattr(seed_map, name) for name in FACTS}
    facts["qualities"] = [asdict(quality) for quality in seed_map.qualities]
    arrays = {name: getattr(seed_map, name) for name in ARRAYS}
    arrays = {name: values for name, values in arrays.items() if values is not None}
    mapper.kept.keep_map(key, arrays, facts)
    return seed_map


def _mapped(mapper, plan, crew):
    """Return the map of a run from the scans or what is kept of them."""
    signals = RunSignals.of(mapper, plan, crew)
    products = signals.products
    r, n_explained = products.r(signals.voxels, crew)
    dof, medians = None, np.full(len(r), np.nan)
    if signals.bands is not None:
        directions = products.directions(signals.bands)
        # Of the same voxels whether or not all are asked for.
        some = products.dof(directions, sampled(signals.voxels), crew)
        medians = median_dof(some, crew)
        if mapper.needs_dof:
            dof = products.dof(directions, signals.voxels, crew)
    qualities = [
        replace(quality, effective_dof=float(own))
        for quality, own in zip(signals.qualities, medians, strict=True)
    ]
    has_signal = np.asarray(signals.voxels.norms) > 0
    return SeedMap(
        r,
        dof,
        has_signal,
        plan.opened.n_scans,
        len(plan.opened.kept),
        int(np.sum(~has_signal)),
        plan.seeds.told,
        plan.brain.told,
        qualities,
        n_explained,
        signals.names,
    )


@dataclass(frozen=True, eq=False)
class RunSignals:
    """The cleaned signals of a run, checked.

    Attributes
    ----------
    voxels : CleanedSignals
    bands : Bands or None
        Of the voxels' basis; None where nobody knows how signals are cleaned.
    products : Plain or Remainders
        What is correlated with voxels.
    qualities : list of SeedQuality
    names : list of str
        Of the seeds.
    """

    voxels: Any
    bands: Any
    products: Any
    qualities: list
    names: list

    @classmethod
    def of(cls, mapper, plan, crew):
        """Return the signals of a run from the scans or what is kept of them."""
        brain, signals = read_run(plan, mapper.kept, crew)
        voxels, in_brain = brain.outputs, None
        if signals.spatial is None:
            n_seeds = len(signals.outputs.norms)
        else:
            in_brain, n_seeds = members_in_brain(plan), signals.spatial.n_outputs
        names = mapper.seeds.names(n_seeds, "seed")
        how = mapper.summary, mapper.measure
        products, qualities = taken(signals, voxels, how, names, in_brain, crew)
        is_known = plan.seeds.adapter.is_known and plan.brain.adapter.is_known
        bands = brain.operator.bands if is_known else None
        return cls(voxels, bands, products, qualities, names)
