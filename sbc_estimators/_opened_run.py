"""A run with its header and tables read and checked, and its scans not yet."""

from dataclasses import dataclass

import numpy as np

from ._checks import check_confounds, check_sample_mask, describe_run
from ._images import open_image
from .runs import Run, load_confounds


@dataclass(frozen=True)
class OpenedRun:
    """A run whose header and tables are read and checked, and whose scans are not.

    Attributes
    ----------
    run : Run
        As the user passed it.
    image : nibabel image or SurfaceImage
    kept : ndarray of shape (n_kept_scans,)
        Indices of the scans that are not censored.
    confounds : ndarray of shape (n_scans, n_confounds) or None
    where : str
        Names the run in messages.
    """

    run: Run
    image: object
    kept: np.ndarray
    confounds: np.ndarray | None
    where: str

    @property
    def n_scans(self):
        """Number of scans, censored ones included."""
        return self.image.shape[-1]

    @property
    def t_r(self):
        """Repetition time of the run itself in seconds, or None."""
        return self.run.t_r


def open_run(run, position):
    """Read and check everything of a run but its scans.

    Parameters
    ----------
    run : Run
    position : int
        Place of the run in X, for messages.

    Returns
    -------
    opened : OpenedRun

    Raises
    ------
    FileNotFoundError, ValueError
        If a file is missing, the image is not 4D, or confounds or sample mask do not
        fit its scans.
    """
    where = describe_run(position, run.img)
    image = open_image(run.img, where)
    n_scans = image.shape[-1]
    kept = check_sample_mask(run.sample_mask, n_scans, where)
    confounds = load_confounds(run.confounds, where)
    confounds = check_confounds(confounds, n_scans, kept, where)
    return OpenedRun(run, image, kept, confounds, where)
