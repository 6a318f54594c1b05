"""What `sbc-map` does once its arguments are understood: one run, mapped and written.

Apart from `__main__` because of its imports.
"""

import importlib.metadata
import platform

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from nilearn.maskers import NiftiMasker, NiftiSpheresMasker

from .. import __version__, plotting
from .._seed_correlation_map import SeedCorrelationMap
from .._support.files import (
    left_over,
    listed_files,
    staged,
    write_figure,
    write_json,
    write_map,
    write_table,
)
from ..runs._run import Run
from .inputs import find_source

SIDECAR = "sbc_z.json"
"""The file that says what was done, and which files were written."""

NO_CONFOUNDS = "none (nuisance signals stay in the data; see --confounds)"

QUALITIES = ("n_voxels", "coverage", "homogeneity", "tsnr")
"""What is said of each seed, as `seed_report_` names it."""

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
    source = find_source(options)
    estimator = _make_estimator(options, source)
    run = Run(source.func, confounds=source.confounds)
    z = estimator.fit_transform(run)
    signals = estimator.seed_signals(run)
    summary = _summarize(options, source, estimator, z)
    before = listed_files(options.out / SIDECAR)
    with staged(options.out, before) as stage:
        write_map(estimator.inverse_transform(z), stage / "sbc_z.nii.gz", "Fisher z")
        _draw_maps(estimator, options.seeds, stage)
        write_table(signals, list(options.seeds), stage / "seed_signals.tsv")
        _draw_signals(estimator, run, signals, options.seeds, stage / "seed_signals")
        written = [path.name for path in stage.iterdir()]
        summary["files"] = sorted([*written, SIDECAR])
        write_json(summary, stage / SIDECAR)
        removed = left_over(options.out, before, summary["files"])
    return {**summary, "removed": [path.name for path in removed]}


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
            f"{low:g} to {high:g} Hz; after cleaning, {summary['rank']} of {n_kept} "
            "dimensions in time are left",
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


def _describe_seed(seed):
    """Return as text where a seed is, and how good it is."""
    n_voxels = seed["n_voxels"]
    tsnr = "unknown" if seed["tsnr"] is None else f"{seed['tsnr']:.0f}"
    return (
        f"{seed['name']} {_text(seed['centre_mm'])}, "
        f"{n_voxels} voxel{'' if n_voxels == 1 else 's'}, "
        f"{100 * seed['coverage']:.0f} % in the brain, tSNR {tsnr}"
    )


def _make_estimator(options, source):
    """Return the estimator that does what the options say."""
    low, high = options.band
    return SeedCorrelationMap(
        NiftiSpheresMasker(
            list(options.seeds.values()),
            radius=options.radius,
            allow_overlap=True,
            detrend=True,
        ),
        NiftiMasker(
            mask_img=source.mask, smoothing_fwhm=options.smoothing or None, detrend=True
        ),
        high_pass=low or None,
        low_pass=None if high == np.inf else high,
        t_r=source.t_r,
    )


def _text(centre):
    """Return coordinates as text, without needless digits."""
    return f"({', '.join(f'{value:g}' for value in centre)})"


def _draw_maps(estimator, seeds, folder):
    """Write the picture of each seed's map, in files by the seeds' names if many."""
    for position, (name, centre) in enumerate(seeds.items()):
        # A figure that pyplot does not know opens no window, whatever the backend.
        figure = Figure(figsize=plotting.MAP_SIZE)
        title = f"{name} {_text(centre)}: Fisher z"
        plotting.plot_seed_map(estimator, seed=position, title=title, figure=figure)
        stem = "sbc_z" if len(seeds) == 1 else f"sbc_z_{name}"
        write_figure(figure, folder / stem)


def _draw_signals(estimator, run, signals, names, stem):
    """Write the picture of the seeds' time series."""
    size = plotting.signals_size(len(names))
    figure = Figure(figsize=size, layout="constrained")
    plotting.plot_signals(estimator, run, signals=signals, names=names, figure=figure)
    write_figure(figure, stem)


def _summarize(options, source, estimator, z):
    """Return all that was asked, found and used, as JSON has it."""
    report = estimator.run_report_.iloc[0]
    qualities = estimator.seed_report_.to_dict("records")
    maps = z.reshape(estimator.n_seeds_, -1)
    return {
        "quantity": "Fisher z of the Pearson correlation with each seed",
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
        "rank": report["rank"],
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
