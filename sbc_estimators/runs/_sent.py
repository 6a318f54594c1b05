"""The scans of a run whose numbers stay where they are."""

import os
from dataclasses import replace
from functools import cached_property

from .._images.opening import open_scans
from .._images.scans import Scans
from .._support.messages import with_file


class SentScans(Scans):
    """Scans that are known by their grid, and read from their file where they must be.

    Parameters
    ----------
    scans : Scans
    img : object
        The image as the user passed it; what is no path is not sent.
    """

    def __init__(self, scans, img):
        self.grid, self.n_scans, self.t_r = scans.grid, scans.n_scans, scans.t_r
        self.fingerprint, self.is_t_r_sure = scans.fingerprint, scans.is_t_r_sure
        self.path = os.fspath(img) if isinstance(img, str | os.PathLike) else None

    def __getstate__(self):
        return {name: own for name, own in vars(self).items() if name != "_here"}

    @cached_property
    def _here(self):
        """The scans, opened: those that were sent, and no others."""
        if self.path is None:
            raise ValueError(
                "the image was in the memory of another process, and seeds have voxels "
                "that were not read there. Save the image, and prepare the file."
            )
        scans = open_scans(self.path)
        if scans.fingerprint != self.fingerprint:
            raise ValueError(
                f"{with_file('img', self.path)} has changed since it was prepared. "
                "Call prepare once more."
            )
        return scans

    @property
    def scaling(self):
        """What `take` leaves to be done."""
        return self._here.scaling

    def blocks(self, kept):
        """Yield the scans in blocks, each read once."""
        return self._here.blocks(kept)

    def slabs(self, positions):
        """Return positions cut into those that lie together in the file."""
        return self._here.slabs(positions)

    def take(self, block, slab):
        """Return the kept numbers of a slab in a block, unscaled."""
        return self._here.take(block, slab)


def sent(opened):
    """Return an `OpenedRun` as it is sent to where what it was opened for is prepared.

    Without confounds, which are taken out already, and without any scans.
    """
    run = opened.run
    scans = seed_scans = SentScans(opened.scans, run.img)
    if opened.seed_scans is not opened.scans:
        seed_scans = SentScans(opened.seed_scans, run.seed_img)
    run = replace(run, img=scans.path, seed_img=None, confounds=None, sample_mask=None)
    return replace(opened, run=run, scans=scans, seed_scans=seed_scans, confounds=None)
