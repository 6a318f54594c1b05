"""What arguments of `sbc-map` must have in common: defaults, contradictions, files.

Only the standard library is imported here, as a mistake must be told at once.
"""

import os

DEFAULT_SEEDS = {"PCC": (0.0, -52.0, 18.0)}
"""The posterior cingulate, hub of the default mode network (mm, MNI space)."""

STRATEGIES = ("simple", "scrubbing", "compcor", "ica_aroma")
"""Sets of confounds by name; all of them have cosines against slow drifts."""

BANDS = {True: (0.0, 0.1), False: (0.01, 0.1)}
"""The default of --band, by whether confounds remove slow drifts already."""

KINDS_OF_SEEDS = ("seed", "seeds", "atlas", "seed_mask")
"""Options that say where seeds are; one of them at a time."""

DEFAULT_RADIUS = 8.0
"""Of spheres, in mm."""

DEFAULT_SMOOTHING = 6.0
"""Full width at half maximum in mm."""

FILES = (
    *("confounds", "mask", "sample_mask", "mesh"),
    *("seeds", "atlas", "lut", "seed_mask"),
)
"""Options that are a file, or several."""


def check_paths(options):
    """Raise an error where a file is missing or the folder cannot be written to."""
    for path in options.func:
        if not path.exists():
            raise FileNotFoundError(f"FUNC: there is no file or folder {str(path)!r}")
    for name in FILES:
        value = getattr(options, name)
        for path in value if isinstance(value, list) else [value]:
            if path is not None and not path.is_file():
                raise FileNotFoundError(
                    f"{option(name)}: there is no file {str(path)!r}"
                )
    check_out(options.out)


def check_out(folder):
    """Raise an error where a folder to write to cannot be one."""
    place = folder.absolute()
    nearest = next(
        path for path in (place, *place.parents) if path.exists() or path.is_symlink()
    )
    if not nearest.exists():
        raise NotADirectoryError(
            f"--out: {str(nearest)!r} is a link to {os.readlink(nearest)!r}, which "
            "does not exist; make that folder, or give another one"
        )
    if not nearest.is_dir():
        raise NotADirectoryError(
            f"--out: {str(nearest)!r} is in the place of a folder to write to. Remove "
            "it, or give another folder"
        )
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise PermissionError(f"--out: cannot write to {str(nearest)!r}")


def option(name):
    """Return an option as it is typed."""
    return f"--{name.replace('_', '-')}"


def check_together(fail, options):
    """Fill in defaults, and exit where options contradict each other.

    Parameters
    ----------
    fail : callable
        Takes the words for what is wrong, and does not return.
    options : argparse.Namespace
        Changed in place. It has `is_folder` from here on: whether all of FUNC are
        folders that fMRIPrep wrote.
    """
    are_folders = [_is_folder(path) for path in options.func]
    options.is_folder = any(are_folders)
    if options.is_folder and not all(are_folders):
        fail("FUNC must be files or folders, not both")
    if not options.func:
        for name in ("confounds", "mask", "mesh", "t_r", "strategy"):
            if getattr(options, name) is not None:
                fail(f"{option(name)} needs FUNC: the sample run has its own")
    for name in ("task", "space"):
        if getattr(options, name) is not None and not options.is_folder:
            fail(f"{option(name)} needs a folder that fMRIPrep wrote as FUNC")
    if options.explore and (options.is_folder or len(options.func) > 1):
        fail("--explore needs a single run as FUNC")
    _check_confounds(fail, options)
    _check_sample_masks(fail, options)
    _check_seeds(fail, options)
    if options.band is None:
        options.band = BANDS[_removes_drifts(options.strategy)]


def _is_folder(path):
    """Whether a path is a folder, or one that is not there was meant as such."""
    return path.is_dir() or not (path.suffix or path.exists())


def _check_confounds(fail, options):
    """Exit where it is not clear which confounds are meant; fill in the default."""
    tables, n_runs = options.confounds, len(options.func)
    if tables is not None and options.is_folder:
        fail("--confounds is for files: a folder has those of its runs")
    if tables is not None and len(tables) != n_runs:
        fail(
            "--confounds must be given once for each FUNC, in their order, got "
            f"{len(tables)} for {n_runs}"
        )
    for name in ("confounds", "columns"):
        if options.strategy is not None and getattr(options, name) is not None:
            fail(f"--strategy and {option(name)}: give one of them")
    if options.columns is not None and n_runs and not (tables or options.is_folder):
        fail("--columns needs --confounds, the table that has them")
    if options.is_folder and options.strategy is None and options.columns is None:
        options.strategy = STRATEGIES[0]


def _check_sample_masks(fail, options):
    """Exit where it is not clear which scans of a run are meant."""
    n_masks, n_runs = len(options.sample_mask or ()), len(options.func) or 1
    if n_masks > 1 and (options.is_folder or n_masks != n_runs):
        fail(
            "--sample-mask must be given once for all runs, or once for each FUNC that "
            f"is a file, got {n_masks} for {n_runs}"
        )


def _check_seeds(fail, options):
    """Fill in the default seeds and radius; exit where seeds are said twice."""
    given = [name for name in KINDS_OF_SEEDS if getattr(options, name) is not None]
    if len(given) > 1:
        fail(f"{' and '.join(map(option, given))}: give one of them")
    if not given:
        options.seed = DEFAULT_SEEDS
    for name in ("lut", "regions"):
        if getattr(options, name) is not None and options.atlas is None:
            fail(f"{option(name)} needs --atlas")
    is_spheres = options.seed is not None or options.seeds is not None
    if options.radius is not None and not is_spheres:
        fail(f"--radius is for spheres, and {option(given[0])} gives regions")
    options.radius = DEFAULT_RADIUS if options.radius is None else options.radius


def _removes_drifts(strategy):
    """Whether confounds by a strategy have cosines against slow drifts."""
    return strategy in STRATEGIES or "high_pass" in (strategy or ())
