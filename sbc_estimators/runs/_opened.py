"""A run with its headers and tables read and checked, and its scans not yet."""

import re
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from .._images.fingerprints import fingerprint
from .._images.images import open_image
from .._support.checks import check_confounds, check_same_scans, check_sample_mask
from .._support.messages import describe_run, with_file
from .._support.tables import load_confounds
from ._run import Run


@dataclass(frozen=True)
class OpenedRun:
    """A run whose headers and tables are read and checked, and whose scans are not.

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
    seed_image : nibabel image, SurfaceImage or None
        Where the seeds are in another image of the same scans.
    position : int
        Place of the run in X.
    cosines : tuple of str
        Names of confounds that are fMRIPrep's cosines against slow drifts.
    """

    run: Run
    image: Any
    kept: np.ndarray
    confounds: np.ndarray | None
    where: str
    seed_image: Any = None
    position: int = 0
    cosines: tuple = ()

    def __reduce__(self):
        # A nibabel image takes its scans along to another process, a path does not.
        return SentRun, (replace(self.run, confounds=self.confounds), self.position)

    def here(self):
        """Return the run itself: it is open in this process."""
        return self

    @property
    def n_scans(self):
        """Number of scans, censored ones included."""
        return self.image.shape[-1]

    @property
    def t_r(self):
        """Repetition time of the run itself in seconds, or None."""
        return self.run.t_r

    @cached_property
    def fingerprint(self):
        """What changes when the content of the image does: read once, if at all."""
        return fingerprint(self.image)

    def as_seen_by(self, name):
        """Return the run with the image that a masker takes: that of seeds, or not."""
        if name != "seed_masker" or self.seed_image is None:
            return self
        run = replace(self.run, img=self.run.seed_img)
        where = f"{self.where}, {with_file('seed_img', self.run.seed_img)}"
        return replace(self, run=run, image=self.seed_image, where=where)


@dataclass(frozen=True)
class SentRun:
    """What arrives of an `OpenedRun` in another process: the run, to be opened there.

    Not while it is unpickled, as an error there says neither which run nor why.

    Attributes
    ----------
    run : Run
        With its confounds as an array.
    position : int
    """

    run: Run
    position: int

    def here(self):
        """Return the `OpenedRun`; raises as `open_run` does."""
        return open_run(self.run, self.position)


def open_runs(runs):
    """Return a list of `OpenedRun`, one for each `Run`; raises as `open_run` does."""
    return [open_run(run, position) for position, run in enumerate(runs)]


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
        If a file is missing, an image is not 4D, or confounds, sample mask or the
        seeds' own image do not fit its scans.
    """
    where = describe_run(position, run.img)
    image = open_image(run.img, where)
    seed_image = _open_seed_image(run, image, where)
    n_scans = image.shape[-1]
    kept = check_sample_mask(run.sample_mask, n_scans, where)
    confounds = load_confounds(run.confounds, where)
    cosines = tuple(c for c in getattr(confounds, "columns", ()) if _is_cosine(c))
    confounds = check_confounds(confounds, n_scans, kept, where)
    return OpenedRun(run, image, kept, confounds, where, seed_image, position, cosines)


def _is_cosine(name):
    """Whether a column is one of the cosines by which fMRIPrep removes slow drifts."""
    return re.fullmatch(r"cosine\d+", str(name)) is not None


def _open_seed_image(run, image, where):
    """Return the image that the seeds are in, None if it is that of all."""
    if run.seed_img is None:
        return None
    name = f"{where}, {with_file('seed_img', run.seed_img)}"
    seed_image = open_image(run.seed_img, name)
    check_same_scans(image.shape[-1], seed_image.shape[-1], name)
    return seed_image
