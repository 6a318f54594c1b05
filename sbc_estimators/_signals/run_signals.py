"""The signals of a run, on one of four paths: from a cache, or all from one reading.

The stages are functions of a module, so that a cache can keep what they return.
"""

from functools import partial

from .._arrays.operator import CleanedSignals
from .._support.cache import sealed
from .._support.checks import check_summary_applies
from .compiled import compiled
from .keys import brain_key, seed_key
from .plans import Task, plan_sources
from .reference import given, reference
from .regions_of_maskers import members_in_brain
from .seeds import SeedQuality, member_signals, seed_quality, summarised
from .sources import compiled_operator
from .streamed import further_part, streamed

SEED_LEVEL, BRAIN_LEVEL = 1, 2
"""From which `memory_level` on each stage is kept."""

PATHS = {
    "streamed": streamed,
    "compiled": compiled,
    "reference": reference,
    "given": given,
}
"""What obtains the signals of the sources whose plan names that path."""


class RunSignals:
    """The signals of a run, obtained when they are asked for.

    Parameters
    ----------
    mapper : Mapper
    opened : OpenedRun
    sources : list of SignalSource or None, default=None
        The mapper's, or one of them.
    """

    def __init__(self, mapper, opened, sources=None):
        self.mapper, self.opened = mapper, opened
        self.cache = mapper.cache
        sources = mapper.sources if sources is None else sources
        self.task = Task(
            opened,
            {source.name: source for source in sources},
            plan_sources(sources, opened),
            mapper.tolerance(opened) if len(sources) == 2 else 0.0,
        )
        self.seed_key = self.brain_key = None
        # Of what is not asked for the run need not bring anything.
        keeps = self.cache.keeps(min(SEED_LEVEL, BRAIN_LEVEL))
        if keeps and "seed_masker" in self.task.sources:
            self.seed_key = seed_key(mapper.seeds, opened)
        if keeps and "brain_masker" in self.task.sources:
            self.brain_key = brain_key(mapper.brain, opened, self.task.tolerance)
        self.reading = Reading(self.task, self._missing())
        self.first_part = None

    def _missing(self):
        """Return the names of the sources whose signals are not on disk."""
        held = {
            "seed_masker": self.cache.holds(seed_stage, SEED_LEVEL, self.seed_key),
            "brain_masker": self.cache.holds(
                brain_stage, BRAIN_LEVEL, self._key_of_part(0)
            ),
        }
        return [name for name in self.task.sources if not held[name]]

    def _key_of_part(self, i):
        """Return the key of a part of the brain."""
        return self.brain_key and f"{self.brain_key} part {i}"

    def _part(self, i):
        """Return a `BrainPart`."""
        work = partial(self.reading.part, i)
        return self.cache.get(brain_stage, BRAIN_LEVEL, self._key_of_part(i), work)

    def parts(self):
        """Yield the parts of the brain, of which no more than one is in memory."""
        first = self._part(0) if self.first_part is None else self.first_part
        self.first_part = None
        n_parts = first.n_parts
        yield first
        del first
        for i in range(1, n_parts):
            yield self._part(i)

    def seeds(self):
        """Return the seeds as `CleanedSignals`, and the `SeedQuality` of each."""
        raw = self.cache.get(seed_stage, SEED_LEVEL, self.seed_key, self.reading.seeds)
        if isinstance(raw, CleanedSignals):
            check_summary_applies(self.mapper.summary, None, self.opened.where)
            return raw, [SeedQuality()] * len(raw.norms)
        operator = self._operator_of_seeds(raw)
        check_summary_applies(self.mapper.summary, raw.regions, self.opened.where)
        members = None if raw.regions is None else member_signals(raw, operator)
        seeds = summarised(raw, members, operator, self.mapper.summary)
        if members is None:
            return seeds, [SeedQuality()] * len(seeds.norms)
        in_brain = members_in_brain(raw.regions, self.mapper.brain, self.opened)
        return seeds, seed_quality(raw.regions, members, in_brain)

    def _operator_of_seeds(self, raw):
        """Return what cleans the seeds: what cleans the voxels, if that is the same."""
        if self.task.tolerance:
            self.first_part = self._part(0)
            return self.first_part.operator
        opened = self.opened.as_seen_by("seed_masker")
        return compiled_operator(self.mapper.seeds, opened, raw.high_variance)


def seed_stage(key, work):
    """Return the raw seeds of a run, sealed for a cache."""
    return sealed(work())


def brain_stage(key, work):
    """Return a part of a run's voxels, cleaned and sealed for a cache."""
    return sealed(work())


class Reading:
    """The signals of a run, read when they are first asked for, all at once.

    Parameters
    ----------
    task : Task
    wanted : collection of str
        "seed_masker", "brain_masker" or both: what will be asked for.
    """

    def __init__(self, task, wanted):
        self.task = task
        self.wanted = set(wanted)
        self.results = {}

    def seeds(self):
        """Return the `RawSeeds`; from a third-party masker `CleanedSignals`."""
        return self._take("seed_masker")

    def part(self, i):
        """Return part i of the brain as `BrainPart`.

        All parts but the first are read anew. There are more than one only where the
        projected run is too large to hold.
        """
        return self._take("brain_masker") if i == 0 else further_part(self.task, i)

    def _take(self, name):
        """Return a result, and let go of it."""
        if name not in self.results:
            self.results = _read(self.task, self.wanted | {name})
            self.wanted = set()
        return self.results.pop(name)


def _read(task, names):
    """Return what sources are to give, by name, from one reading of each image."""
    if task.opened.seed_image is not None and len(names) > 1:
        return {name: _read(task, {name})[name] for name in names}
    seen_by = "seed_masker" if names == {"seed_masker"} else "brain_masker"
    opened = task.opened.as_seen_by(seen_by)
    results = {}
    for path, obtain in PATHS.items():
        on_path = task.on_path(path, names)
        if on_path:
            results |= obtain(task, opened, on_path)
    return results
