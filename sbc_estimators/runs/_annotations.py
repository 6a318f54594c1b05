"""What runs are in annotations, for editors and type checkers."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from .._images.annotations import ImageLike, TableLike
from ._run import Run

RunLike: TypeAlias = Run | ImageLike
"""One run."""

Runs: TypeAlias = RunLike | Sequence[RunLike] | np.ndarray | pd.Series
"""One run, or several."""

Confounds: TypeAlias = TableLike | Sequence[TableLike | None] | None
"""Of one run, or a table or None for each of several."""

SampleMasks: TypeAlias = ArrayLike | Sequence[ArrayLike | None] | None
"""Of one run, or a sample mask or None for each of several."""
