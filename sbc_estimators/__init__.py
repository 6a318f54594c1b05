"""Seed-based correlation maps of functional MRI as a scikit-learn transformer.

- `SeedCorrelationMap`: the estimator.
- `Run`: an image with its confounds, sample mask and repetition time.
- `explore`: a page on which a click is a seed.
- `runs_from_fmriprep`: the runs in a folder that fMRIPrep wrote.
- `save_to_bids`: maps of many runs as files with BIDS names.
- `maskers`: kinds of seeds beside nilearn's own.
- `plotting`: pictures of a fitted estimator.
- `datasets`: a sample run that ships with the package, and simulated runs.
"""

import importlib

__version__ = "0.1.0"

_HOMES = {
    "PreparedRun": "._maps.prepared",
    "Run": ".runs._run",
    "SeedCorrelationMap": "._seed_correlation_map",
    "explore": "._explore.explorer",
    "runs_from_fmriprep": ".runs._fmriprep",
    "save_to_bids": "._reporting.bids",
}

_MODULES = ("datasets", "maskers", "plotting")

__all__ = [
    "PreparedRun",
    "Run",
    "SeedCorrelationMap",
    "__version__",
    "explore",
    "runs_from_fmriprep",
    "save_to_bids",
]


def __getattr__(name):
    # nilearn takes seconds to import, and the command line's --help needs none of it.
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name], __name__), name)
    if name in _MODULES:
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted([*__all__, *_MODULES])
