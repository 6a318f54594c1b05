"""One run in a folder of its own: maps, pictures, time series, and what was done."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .._arrays.correlation import fisher_z
from .._reporting.bids import FORMATS
from .._reporting.bids_sidecars import key_to_fit, measure_in_words
from .._reporting.used import parameters, versions
from .._support.files import (
    left_over,
    listed_files,
    read_json,
    staged,
    write_figure,
    write_json,
    write_table,
)
from ..maskers._places import coordinates
from .estimators import (
    in_file_name,
    keep_in_mask,
    make_estimator,
    report_threshold,
    spheres_of,
    threshold_of,
)
from .inputs import NO_CONFOUNDS
from .pictures import draw_map, draw_signals
from .rows import quality_rows, run_row

SIDECAR = "sbc_z.json"
"""The file that says what was done, and which files were written."""

REPORT = "report.html"
"""The page that --report writes beside the maps."""

QUALITIES = (
    *("n_voxels", "coverage", "in_mask", "homogeneity", "tsnr", "effective_dof"),
)
"""What is said of each seed, as `seed_report_` names it."""

STEMS = {"fisher_z": "sbc_z", "z_score": "sbc_zscore"}
"""Begins the names of files, by the scale of maps."""

DESCRIPTIONS = {
    "sbc_z": "Fisher z",
    "sbc_zscore": "z score, no correlation as null",
    "sbc_variance": "variance of Fisher z",
}
"""What headers of files say."""

QUANTITIES = {
    "fisher_z": "Fisher z of the {} with each seed",
    "z_score": "z score of the {} with each seed, standard normal where nothing "
    "correlates",
}
"""What the sidecar says of the maps, by their scale."""


@dataclass(frozen=True, eq=False)
class MapsInFolder:
    """The maps of one run, under the same names in the folder of any run.

    Attributes
    ----------
    name : str
        What to call the run.
    options : argparse.Namespace
        As `__main__` parses them.
    source : Source
    out : Path
        The folder.
    seeds : list of str
        Names of the seeds.
    """

    name: str
    options: Any
    source: Any
    out: Path
    seeds: list

    @property
    def file(self):
        """The image of the run."""
        return self.source.func

    @property
    def report(self):
        """The page about the run, None where none is asked for."""
        return self.out / REPORT if self.options.report else None

    @property
    def n_maps(self):
        """How many maps there are."""
        return len(self.seeds)

    def paths(self):
        """Return the files that will be written."""
        stem = STEMS[self.options.scale]
        maps = [stem, "sbc_variance"] if stem == "sbc_zscore" else [stem]
        ending, _ = FORMATS[self.source.kind]
        names = [f"{own}{ending}" for own in maps]
        drawn = _stems(stem, self.seeds) if self.source.is_drawn else []
        for own in (*drawn, "seed_signals"):
            names += [f"{own}.png", f"{own}.pdf"]
        names += ["seed_signals.tsv", SIDECAR, *([REPORT] if self.report else [])]
        return [self.out / name for name in names]

    def is_done(self):
        """Whether all is there, from the same sources, parameters and versions."""
        found = read_json(self.out / SIDECAR)
        names = listed_files(self.out / SIDECAR)
        is_same = found.get("key") == self._key()
        return is_same and all((self.out / name).is_file() for name in names)

    def make(self):
        """Map the run and write all files; return the summary, as `map_seeds` does."""
        return map_seeds(self.options, self.source, self.out, self._key())

    def rows(self):
        """Return the rows of the run and of its seeds, as they were written."""
        summary = read_json(self.out / SIDECAR)
        return summary["run_report"], summary["seed_report"]

    def _key(self):
        """Return what changes with any of the files."""
        estimator = make_estimator(self.options, self.source)
        told = {
            "threshold": threshold_of(self.options),
            "mask_seeds": self.options.mask_seeds,
            "scale": self.options.scale,
            "report": self.options.report,
        }
        return key_to_fit(estimator, self.source.run, told)


def map_seeds(options, source, out, key):
    """Map seeds in a run, and write all files.

    Parameters
    ----------
    options : argparse.Namespace
        As `__main__` parses them.
    source : Source
    out : Path
    key : str
        Changes with any of the files.

    Returns
    -------
    summary : dict
        What was asked, found and used, as it was written to sbc_z.json; and under
        "removed" the names of files of an earlier call that are gone.
    """
    estimator, run = make_estimator(options, source), source.run
    if options.mask_seeds:
        keep_in_mask(estimator, run)
    maps = estimator.fit_transform(run)
    signals = estimator.seed_signals(run)
    summary = {**_summarize(options, source, estimator), "key": key}
    before = listed_files(out / SIDECAR)
    with staged(out, before) as stage:
        ending, write = FORMATS[source.kind]
        for stem, rows in _maps_to_write(estimator, run, maps).items():
            img = estimator.inverse_transform(rows)
            write(img, None, stage / f"{stem}{ending}", DESCRIPTIONS[stem])
        if source.is_drawn:
            _draw(estimator, source, maps[0], threshold_of(options), stage)
        figure = draw_signals(estimator, run, signals)
        write_figure(figure, stage / "seed_signals")
        write_table(signals, estimator.seed_names_, stage / "seed_signals.tsv")
        if options.report:
            from .pages import page_about

            page = page_about(estimator, run, report_threshold(options))
            (stage / REPORT).write_text(page, encoding="utf-8")
        written = [path.name for path in stage.iterdir()]
        summary["files"] = sorted([*written, SIDECAR])
        write_json(summary, stage / SIDECAR)
        removed = left_over(out, before, summary["files"])
    return {**summary, "removed": [path.name for path in removed]}


def _draw(estimator, source, row, threshold, folder):
    """Write the picture of each map."""
    stems = _stems(STEMS[estimator.scale], estimator.seed_names_)
    for position, stem in enumerate(stems):
        figure = draw_map(estimator, source.kind, row, position, threshold)
        write_figure(figure, folder / stem)


def _stems(stem, seeds):
    """Return what the files of each seed's picture begin with."""
    if len(seeds) == 1:
        return [stem]
    return [f"{stem}_{in_file_name(name)}" for name in seeds]


def describe(summary, out):
    """Return as text the shapes, the ranges, and where each file is.

    Parameters
    ----------
    summary : dict
        From `map_seeds`.
    out : Path
        The folder of the files.

    Returns
    -------
    text : str
    """
    low, high = summary["high_pass_hz"] or 0, summary["low_pass_hz"] or np.inf
    n_kept = summary["n_kept_scans"]
    t_r = "unknown" if summary["t_r_s"] is None else f"{summary['t_r_s']:g} s"
    lines = [
        ("run", f"{summary['func']}, shape {summary['shape']}"),
        ("t_r", f"{t_r} ({summary['t_r_source']})"),
        ("confounds", ", ".join(summary["confounds"]) or NO_CONFOUNDS),
        (
            "band",
            f"{low:g} to {high:g} Hz; {_text_of_dof(summary['effective_dof'])} are "
            f"left of {n_kept} scans",
        ),
        ("seed signals", f"shape ({n_kept}, {len(summary['seeds'])})"),
        ("brain signals", f"shape ({n_kept}, {summary['n_voxels']})"),
    ]
    for seed in summary["seeds"]:
        lines.append(("seed", _describe_seed(seed)))
    for seed in summary["seeds"]:
        r, z = (
            f"{seed[f'{key}_min']:.3f} to {seed[f'{key}_max']:.3f}"
            for key in ("r", "z")
        )
        lines.append(("map", f"{seed['name']}, r {r}, z {z}"))
    lines += [
        (verb, str(out / name))
        for verb, key in (("removed", "removed"), ("wrote", "files"))
        for name in summary[key]
    ]
    return "\n".join(f"{label:<14}{text}" for label, text in lines)


def _text_of_dof(dof):
    """Return as text how many degrees of freedom there are."""
    return "unknown" if dof is None else f"{dof:.0f} effective degrees of freedom"


def _describe_seed(seed):
    """Return as text where a seed is, and how good it is."""
    n_voxels, centre = seed["n_voxels"], seed["centre_mm"]
    centre = "" if centre is None else f" {coordinates(centre)}"
    tsnr = "unknown" if seed["tsnr"] is None else f"{seed['tsnr']:.0f}"
    return (
        f"{seed['name']}{centre}, {n_voxels} voxel{'' if n_voxels == 1 else 's'}, "
        f"{100 * seed['in_mask']:.0f} % in the brain, tSNR {tsnr}"
    )


def _maps_to_write(estimator, run, maps):
    """Return the rows of each file of maps by its stem."""
    stem = STEMS[estimator.scale]
    if estimator.scale == "fisher_z":
        return {stem: maps}
    (statistics,) = estimator.statistics(run)
    # Where there is no signal there is no variance; a file holds 0 there.
    variance = np.nan_to_num(statistics.variance).reshape(1, -1)
    return {stem: maps, "sbc_variance": variance}


def _summarize(options, source, estimator):
    """Return all that was asked, found and used, as JSON has it."""
    report, qualities = run_row(estimator), quality_rows(estimator)
    maps = fisher_z(estimator.correlations_)
    names = estimator.seed_names_
    spheres = spheres_of(estimator.seed_masker_, len(names))
    return {
        "quantity": QUANTITIES[options.scale].format(
            measure_in_words(estimator.measure_, len(names))
        ),
        "func": source.func.absolute(),
        "shape": source.shape,
        "mask": source.mask and source.mask.absolute(),
        "confounds_file": source.confounds_file and source.confounds_file.absolute(),
        "confounds": [] if source.confounds is None else list(source.confounds),
        "smoothing_mm": source.smoothing,
        "threshold": threshold_of(options),
        "high_pass_hz": estimator.high_pass,
        "low_pass_hz": estimator.low_pass,
        "t_r_s": source.t_r,
        "t_r_source": source.t_r_source,
        "n_scans": report["n_scans"],
        "n_kept_scans": report["n_kept_scans"],
        "effective_dof": _known(report["effective_dof"]),
        "n_voxels": estimator.n_voxels_,
        "n_voxels_without_signal": report["n_without_signal"],
        "seeds": [
            _summarize_seed(*seed)
            for seed in zip(
                names,
                spheres,
                qualities,
                estimator.correlations_,
                maps,
                strict=True,
            )
        ],
        "paths": estimator.paths_,
        "run_report": report,
        "seed_report": qualities,
        "parameters": parameters(estimator, lambda value: value),
        "versions": versions(),
    }


def _summarize_seed(name, sphere, quality, r, z):
    """Return a seed's name, its sphere in mm, its quality, and the range of its map."""
    centre, radius = (None, None) if sphere is None else sphere
    return {
        "name": name,
        "centre_mm": centre,
        "radius_mm": radius,
        **{key: _known(quality[key]) for key in QUALITIES},
        "r_min": float(r.min()),
        "r_max": float(r.max()),
        "z_min": float(z.min()),
        "z_max": float(z.max()),
    }


def _known(value):
    """Return a number, None if it is missing."""
    return None if pd.isna(value) or np.isinf(value) else value
