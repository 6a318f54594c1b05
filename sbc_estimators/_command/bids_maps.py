"""One run of a study: maps with names by BIDS, each with its sidecar."""

from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sklearn.base import clone

from .._arrays.correlation import fisher_z
from .._reporting.bids import endings_of, files_of_kind, write_target
from .._reporting.bids_sidecars import targets_to_fit
from .._support.files import (
    read_json,
    replacing,
    write_figure,
    write_json,
    write_table,
)
from .estimators import keep_in_mask, make_estimator, report_threshold, threshold_of
from .pictures import draw_map, draw_signals
from .rows import quality_rows, run_row

STATS = {"fisher_z": ("effect",), "z_score": ("zscore", "variance")}
"""What is written, by the scale of maps."""

SIGNALS = tuple(f"desc-seeds_timeseries.{end}" for end in ("tsv", "png", "pdf"))
"""The files of the seeds' time series: a table and its picture."""

RECORD = "desc-seeds_timeseries.json"
"""Says of which maps the files beside them are, as other seeds' have the same names."""

PICTURED = ("effect", "zscore")
"""Of which there are pictures."""


@dataclass(frozen=True, eq=False)
class MapsInBids:
    """The maps of one run in a folder of many runs.

    Attributes
    ----------
    name : str
        What to call the run.
    options : argparse.Namespace
        As `__main__` parses them.
    source : Source
    out : Path
        The folder of all runs.
    targets : list of Target
    has_pictures : bool
        Whether maps and time series are drawn, as for a run alone.
    """

    name: str
    options: Any
    source: Any
    out: Path
    targets: list
    has_pictures: bool

    @property
    def file(self):
        """The image of the run."""
        return self.source.func

    @property
    def report(self):
        """The page about the run, None where none is asked for."""
        return self._file("report.html") if self.options.report else None

    @property
    def n_maps(self):
        """How many maps there are."""
        return len(self.targets)

    def paths(self):
        """Return the files that will be written."""
        kind, paths = self.source.kind, []
        for own in self.targets:
            paths += [*files_of_kind(kind, own, self.out), own.sidecar(self.out)]
        return [*paths, *self._beside()]

    def _beside(self):
        """Return the files beside maps: pictures, time series, and the report."""
        pictures = [path for own in self.targets for path in self._pictures(own)]
        report = [self.report] if self.report else []
        further = [*self._signals(), *report]
        return [*pictures, *further, *([self._record] if further else [])]

    @property
    def _record(self):
        """The file that says of which maps time series and report are."""
        return self._file(RECORD)

    @property
    def _told_of_maps(self):
        """What that file holds."""
        seeds = dict.fromkeys(own.content["Seed"] for own in self.targets)
        keys = [own.content["Key"] for own in self.targets]
        what = "Of which maps the time series and the report of the run are"
        return {"Description": what, "Seeds": [*seeds], "Keys": keys}

    def _is_of_these(self):
        """Whether time series and report are those of these maps."""
        has_further = self._signals() or self.report is not None
        return not has_further or read_json(self._record) == self._told_of_maps

    def _pictures(self, target):
        """Return the files of a map's picture, none where it is not drawn."""
        is_drawn = self.has_pictures and self.source.is_drawn
        if not is_drawn or target.stat not in PICTURED:
            return []
        sidecar = target.sidecar(self.out)
        return [sidecar.with_suffix(f".{ending}") for ending in ("png", "pdf")]

    def _signals(self):
        """Return the files of the seeds' time series, none where there are none."""
        return list(map(self._file, SIGNALS)) if self.has_pictures else []

    def _file(self, ending):
        """Return the path of a file of the run, of which there is one."""
        place = self.targets[0].place
        return self.out / place.folder / f"{place.run_stem}_{ending}"

    def is_done(self):
        """Whether all is there, from the same sources, parameters and versions."""
        is_there = not self._missing() and _are_files(self._beside())
        return is_there and self._is_of_these()

    def _missing(self):
        """Return what is still to be written."""
        return [own for own in self.targets if not own.is_done(self.out)]

    def make(self):
        """Map the run, and write what is not there."""
        missing, is_of_these = self._missing(), self._is_of_these()
        if missing or not is_of_these:  # a report is that of the maps beside it
            self._file("report.html").unlink(missing_ok=True)
            self._record.unlink(missing_ok=True)
        sbc = make_estimator(self.options, self.source)
        run = run_of(self.source)
        if self.options.mask_seeds:
            keep_in_mask(sbc, run)
        results = self._fitted(sbc, run)
        (self.out / self.targets[0].place.folder).mkdir(parents=True, exist_ok=True)
        is_kept = is_of_these and not missing and _are_files(self._signals())
        if self.has_pictures and not is_kept:
            self._write_signals(sbc, run)
        told, endings = _told(sbc), endings_of(sbc)
        for target in self.targets:
            maps, pictures = results[target.stat], self._pictures(target)
            if pictures and (target in missing or not _are_files(pictures)):
                self._write_picture(sbc, target, maps)
            if target in missing:
                own = told[target.seed]
                write_target(sbc, target, maps[target.seed], own, self.out, endings)
        if self.report is not None:
            self._write_report(sbc, run)
        if self._signals() or self.report is not None:
            with replacing(self._record) as file:
                write_json(self._told_of_maps, file)

    def _fitted(self, sbc, run):
        """Fit the estimator to the run, and return its maps by statistic."""
        sbc.fit(run)
        if STATS[self.options.scale] == ("effect",):
            return {"effect": fisher_z(sbc.correlations_)}
        (found,) = sbc.statistics(run)
        return {"zscore": found.z_score, "variance": found.variance}

    def _write_signals(self, sbc, run):
        """Write the time series of the seeds, as a table and as a picture."""
        signals = sbc.seed_signals(run)
        with ExitStack() as stack:
            table, *pictures = (
                stack.enter_context(replacing(path)) for path in self._signals()
            )
            write_table(signals, sbc.seed_names_, table)
            write_figure(draw_signals(sbc, run, signals), pictures[0].with_suffix(""))

    def _write_report(self, sbc, run):
        """Write the page about the run."""
        from .pages import page_about

        page = page_about(sbc, run, report_threshold(self.options))
        with replacing(self.report) as file:
            file.write_text(page, encoding="utf-8")

    def _write_picture(self, sbc, target, maps):
        """Write the picture of a map."""
        threshold = threshold_of(self.options)
        figure = draw_map(sbc, self.source.kind, maps.ravel(), target.seed, threshold)
        with ExitStack() as stack:
            png, _ = (
                stack.enter_context(replacing(path)) for path in self._pictures(target)
            )
            write_figure(figure, png.with_suffix(""))

    def rows(self):
        """Return the rows of the run and of its seeds, as sidecars have them."""
        first = self.targets[0].stat
        sidecars = [
            read_json(target.sidecar(self.out))
            for target in self.targets
            if target.stat == first
        ]
        return sidecars[0]["RunReport"], [own["SeedReport"] for own in sidecars]


def _are_files(paths):
    """Whether all of some files are there."""
    return all(path.is_file() for path in paths)


def run_of(source):
    """Return the `Run` of a source, with its repetition time."""
    return replace(source.run, t_r=source.t_r)


def targets_in_run(options, source, seeds, places):
    """Return what is to be written of a run.

    Parameters
    ----------
    options : argparse.Namespace
    source : Source
    seeds : list of str
        Names of the seeds.
    places : list of Place
        One a seed.

    Returns
    -------
    targets : list of Target
    """
    files = [source.func, source.confounds_file, source.mask]
    told = {
        "Sources": [str(file.absolute()) for file in files if file is not None],
        "RepetitionTimeSource": source.t_r_source,
        "SeedsWithinMask": options.mask_seeds,
        "Threshold": threshold_of(options),
    }
    sbc = clone(make_estimator(options, source))
    stats = STATS[options.scale]
    return targets_to_fit(sbc, run_of(source), seeds, places, stats, told)


def _told(sbc):
    """Return what the sidecars of each seed say of a fitted estimator's only run."""
    of_run = {
        "NumberOfVoxels": int(sbc.n_voxels_),
        "Paths": sbc.paths_,
        "RunReport": run_row(sbc),
    }
    return [
        {"EffectiveDegreesOfFreedom": row["effective_dof"], **of_run, "SeedReport": row}
        for row in quality_rows(sbc)
    ]
