from . import datasets as datasets
from . import maskers as maskers
from . import plotting as plotting
from ._explore.explorer import explore as explore
from ._maps.prepared import PreparedRun as PreparedRun
from ._reporting.bids import save_to_bids as save_to_bids
from ._seed_correlation_map import SeedCorrelationMap as SeedCorrelationMap
from .runs._fmriprep import runs_from_fmriprep as runs_from_fmriprep
from .runs._run import Run as Run

__version__: str

__all__ = [
    "PreparedRun",
    "Run",
    "SeedCorrelationMap",
    "datasets",
    "explore",
    "maskers",
    "plotting",
    "runs_from_fmriprep",
    "save_to_bids",
]
