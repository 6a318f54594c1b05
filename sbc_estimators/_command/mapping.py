"""What `sbc-map` does once its arguments are understood: one run, mapped and written.

Apart from `__main__` because of its imports.
"""

import importlib.metadata
import platform

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from nilearn.maskers import NiftiMasker
from sklearn.base import clone

from .. import __version__, plotting
from .._arrays.correlation import fisher_z
from .._seed_correlation_map import SeedCorrelationMap
from .._support.files import (
    check_targets,
    left_over,
    listed_files,
    staged,
    write_figure,
    write_json,
    write_map,
    write_table,
)
from ..maskers import SphereSeeds
from ..plotting._signals import signals_size
from ..plotting._volume_views import MAP_SIZE
from ..runs._run import Run
from .inputs import find_source

SIDECAR = "sbc_z.json"
"""The file that says what was done, and which files were written."""

REPORT = "report.html"
"""The page that --report writes beside the maps."""

KINDS = ("png", "pdf")
"""How pictures are saved."""

NO_CONFOUNDS = "none (nuisance signals stay in the data; see --confounds)"

QUALITIES = (
    *("n_voxels", "coverage", "in_mask", "homogeneity", "tsnr", "effective_dof"),
)
"""What is said of each seed, as `seed_report_` names it."""

LEAST_Z_SCORE = 3.29
"""What pictures of z scores show: beyond this, two-sided p is 0.001."""

STEMS = {"fisher_z": "sbc_z", "z_score": "sbc_zscore"}
"""Begins the names of files, by the scale of maps."""

WORDS = {"fisher_z": "Fisher z", "z_score": "z score"}
"""What maps show, by their scale."""

DESCRIPTIONS = {
    "sbc_z": "Fisher z",
    "sbc_zscore": "z score, no correlation as null",
    "sbc_variance": "variance of Fisher z",
}
"""What headers of files say."""

QUANTITIES = {
    "fisher_z": "Fisher z of the Pearson correlation with each seed",
    "z_score": "z score of the Pearson correlation with each seed, standard normal "
    "where nothing correlates",
}
"""What the sidecar says of the maps, by their scale."""

LIBRARIES = (
    "nilearn",
    "numpy",
    "scipy",
    "scikit-learn",
    "nibabel",
    "pandas",
    "joblib",
    "matplotlib",
)


def map_seeds(options):
    """Map seeds in a run, and write all files.

    Parameters
    ----------
    options : argparse.Namespace
        As `__main__` parses them.

    Returns
    -------
    summary : dict
        What was asked, found and used, as it was written to sbc_z.json; and under
        "removed" the names of files of an earlier call that are gone.
    """
    check_targets(options.out, _names_of_files(options))
    source = find_source(options)
    estimator = make_estimator(options, source)
    run = Run(source.func, confounds=source.confounds)
    if options.mask_seeds:
        _keep_in_mask(estimator, run)
    maps = estimator.fit_transform(run)
    signals = estimator.seed_signals(run)
    summary = _summarize(options, source, estimator)
    before = listed_files(options.out / SIDECAR)
    with staged(options.out, before) as stage:
        for stem, rows in _maps_to_write(estimator, run, maps).items():
            img = estimator.inverse_transform(rows)
            write_map(img, stage / f"{stem}.nii.gz", DESCRIPTIONS[stem])
        _draw_maps(estimator, maps, options.seeds, stage)
        write_table(signals, list(options.seeds), stage / "seed_signals.tsv")
        _draw_signals(estimator, run, signals, options.seeds, stage / "seed_signals")
        if options.report:
            estimator.generate_report(run).save_as_html(stage / REPORT)
        written = [path.name for path in stage.iterdir()]
        summary["files"] = sorted([*written, SIDECAR])
        write_json(summary, stage / SIDECAR)
        removed = left_over(options.out, before, summary["files"])
    return {**summary, "removed": [path.name for path in removed]}


def _names_of_files(options):
    """Return the names of all files that a call writes."""
    stem = STEMS[options.scale]
    maps = [stem] if options.scale == "fisher_z" else [stem, "sbc_variance"]
    pictures = [stem] if len(options.seeds) == 1 else []
    pictures += [f"{stem}_{name}" for name in options.seeds if len(options.seeds) > 1]
    return [
        *(f"{name}.nii.gz" for name in maps),
        *(f"{name}.{kind}" for name in [*pictures, "seed_signals"] for kind in KINDS),
        "seed_signals.tsv",
        *([REPORT] if options.report else []),
        SIDECAR,
    ]


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
    n_voxels = seed["n_voxels"]
    tsnr = "unknown" if seed["tsnr"] is None else f"{seed['tsnr']:.0f}"
    return (
        f"{seed['name']} {_text(seed['centre_mm'])}, "
        f"{n_voxels} voxel{'' if n_voxels == 1 else 's'}, "
        f"{100 * seed['in_mask']:.0f} % in the brain, tSNR {tsnr}"
    )


def make_estimator(options, source):
    """Return the estimator that does what the options say."""
    low, high = options.band
    return SeedCorrelationMap(
        SphereSeeds(
            list(options.seeds.values()),
            radius=options.radius,
            names=list(options.seeds),
            allow_overlap=True,
        ),
        NiftiMasker(
            mask_img=source.mask, smoothing_fwhm=options.smoothing or None, detrend=True
        ),
        high_pass=low or None,
        low_pass=None if high == np.inf else high,
        t_r=source.t_r,
        scale=options.scale,
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


def _keep_in_mask(estimator, run):
    """Leave out of the seeds what lies outside the brain mask, computed if need be."""
    mask_img = estimator.brain_masker.mask_img
    if mask_img is None:
        mask_img = clone(estimator).fit(run).brain_masker_.mask_img_
        estimator.brain_masker.set_params(mask_img=mask_img)
    estimator.seed_masker.set_params(mask_img=mask_img)


def _text(centre):
    """Return coordinates as text, without needless digits."""
    return f"({', '.join(f'{value:g}' for value in centre)})"


def _draw_maps(estimator, maps, seeds, folder):
    """Write the picture of each seed's map, in files by the seeds' names if many."""
    words, stem = WORDS[estimator.scale], STEMS[estimator.scale]
    for position, (name, centre) in enumerate(seeds.items()):
        # A figure that pyplot does not know opens no window, whatever the backend.
        figure = Figure(figsize=MAP_SIZE)
        shown = {"title": f"{name} {_text(centre)}: {words}"}
        if estimator.scale == "z_score":
            shown |= {
                "threshold": LEAST_Z_SCORE,
                "label": f"{words}\n|z| > {LEAST_Z_SCORE:g}",
            }
        plotting.plot_seed_map(
            estimator, maps[0], seed=position, figure=figure, **shown
        )
        own = stem if len(seeds) == 1 else f"{stem}_{name.replace(' ', '_')}"
        write_figure(figure, folder / own)


def _draw_signals(estimator, run, signals, names, stem):
    """Write the picture of the seeds' time series."""
    size = signals_size(len(names))
    figure = Figure(figsize=size, layout="constrained")
    plotting.plot_signals(estimator, run, signals=signals, names=names, figure=figure)
    write_figure(figure, stem)


def _summarize(options, source, estimator):
    """Return all that was asked, found and used, as JSON has it."""
    report = estimator.run_report_.iloc[0]
    qualities = estimator.seed_report_.to_dict("records")
    maps = fisher_z(estimator.correlations_)
    return {
        "quantity": QUANTITIES[options.scale],
        "func": source.func.absolute(),
        "shape": source.shape,
        "mask": source.mask and source.mask.absolute(),
        "confounds_file": source.confounds_file and source.confounds_file.absolute(),
        "confounds": [] if source.confounds is None else list(source.confounds),
        "radius_mm": options.radius,
        "smoothing_mm": options.smoothing,
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
                options.seeds,
                options.seeds.values(),
                qualities,
                estimator.correlations_,
                maps,
                strict=True,
            )
        ],
        "paths": estimator.paths_,
        "parameters": _flat_parameters(estimator),
        "versions": _versions(),
    }


def _summarize_seed(name, centre, quality, r, z):
    """Return a seed's name, centre in mm, its quality, and the ranges of its map."""
    return {
        "name": name,
        "centre_mm": centre,
        **{key: _known(quality[key]) for key in QUALITIES},
        "r_min": float(r.min()),
        "r_max": float(r.max()),
        "z_min": float(z.min()),
        "z_max": float(z.max()),
    }


def _known(value):
    """Return a number, None if it is missing."""
    return None if pd.isna(value) or np.isinf(value) else value


def _flat_parameters(estimator):
    """Return every parameter of the estimator and its maskers, less the maskers."""
    return {
        name: value
        for name, value in estimator.get_params().items()
        if not hasattr(value, "get_params")
    }


def _versions():
    """Return the versions of Python, this package and the libraries it rests on."""
    found = {name: importlib.metadata.version(name) for name in LIBRARIES}
    return {
        "python": platform.python_version(),
        "sbc_estimators": __version__,
        **found,
    }
