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

import lazy_loader

__version__ = "0.1.0"

# nilearn takes seconds to import, and the command line's --help needs none of it. What
# there is, and where, stands in __init__.pyi, which editors read too.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
